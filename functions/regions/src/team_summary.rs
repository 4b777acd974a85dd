//! A team of the caller, as lists and the answers of the teams area show it.

use domain::{
    Timestamp,
    id::WorkspaceId,
    plan::Plan,
    ports::TeamOfUser,
    profile::{DisplayName, IconColor, IconLetters},
    region::Region,
    role::Role,
    team::MembershipCopy,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A team of the caller.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamSummary {
    /// The id of the team.
    pub user_id: WorkspaceId,
    /// The username.
    pub username: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    full_name: Option<DisplayName>,
    /// The path of the picture, relative to the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    icon_color: Option<IconColor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    icon_letter: Option<IconLetters>,
    /// While the team's region does not answer, the plan that it told last.
    plan: Plan,
    region: Region,
    /// The role of the caller.
    pub role: Role,
    /// Why the caller has no access at the moment. Absent if the caller has access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    denied_reason: Option<DeniedReason>,
}

/// Why a member has no access to a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum DeniedReason {
    /// The team has no paid plan. Its owner has access and can renew the plan.
    PlanInactive,
    /// The team's region does not answer. Of the team, only what it told last is known.
    RegionUnavailable,
}

impl TeamSummary {
    /// Why the caller has no access at the moment.
    pub fn denied_reason(&self) -> Option<DeniedReason> {
        self.denied_reason
    }

    /// The plan. While the team's region does not answer, the one that it told last.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// The team's region.
    pub fn region(&self) -> Region {
        self.region
    }

    /// A team of a region that does not answer, as it told last; `None` if the membership had ended.
    pub fn unavailable(copy: &MembershipCopy) -> Option<Self> {
        Some(Self {
            user_id: copy.team,
            username: copy.handle.to_string(),
            full_name: None,
            image_url: None,
            icon_color: None,
            icon_letter: None,
            plan: copy.plan,
            region: copy.region,
            role: copy.role?,
            denied_reason: Some(DeniedReason::RegionUnavailable),
        })
    }

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
