//! A team of the caller, as lists and the answers of the teams area show it.

use domain::{
    Timestamp,
    id::WorkspaceId,
    plan::Plan,
    ports::TeamOfUser,
    profile::{DisplayName, IconColor, IconLetters},
    region::Region,
    role::Role,
};
use schemars::JsonSchema;
use serde::Serialize;

/// A team of the caller.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamSummary {
    /// The id of the team.
    user_id: WorkspaceId,
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<DisplayName>,
    /// The path of the picture, relative to the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon_color: Option<IconColor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon_letter: Option<IconLetters>,
    plan: Plan,
    region: Region,
    /// The role of the caller.
    role: Role,
    /// Why the caller has no access at the moment. Absent if the caller has access.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_reason: Option<DeniedReason>,
}

/// Why a member has no access to a team.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum DeniedReason {
    /// The team has no paid plan. Its owner has access and can renew the plan.
    PlanInactive,
}

impl TeamSummary {
    /// A team as its member sees it.
    pub fn new(of: &TeamOfUser, now: Timestamp) -> Self {
        let TeamOfUser { team, profile, role } = of;
        let profile = profile.as_ref().map(|record| &record.profile);
        Self {
            user_id: team.id,
            username: team.handle.to_string(),
            full_name: profile.map(|profile| profile.display_name.clone()),
            image_url: profile.and_then(|profile| profile.image_url(&team.handle)),
            icon_color: profile.and_then(|profile| profile.icon_color.clone()),
            icon_letter: profile.and_then(|profile| profile.icon_letter.clone()),
            plan: team.plan_at(now),
            region: team.region,
            role: *role,
            denied_reason: (!team.is_open_to(*role, now)).then_some(DeniedReason::PlanInactive),
        }
    }
}
