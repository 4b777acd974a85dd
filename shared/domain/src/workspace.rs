//! Workspaces: the owners of resources, keys, wallets and history.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    entitlements::{EntitlementOverrides, Entitlements, Quota},
    handle::Handle,
    id::{IconId, UserId, WorkspaceId},
    money::MicroUsd,
    plan::Plan,
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
    role::Role,
    social::SocialLinks,
};

/// The kind of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum WorkspaceKind {
    /// Belongs to one user and has the user's username.
    Personal,
    /// Shared by the members of a team.
    Team,
}

/// The profile of a workspace. Stored apart from the workspace, see [`ProfileRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The display name.
    pub display_name: DisplayName,
    /// The company.
    pub company: Option<Company>,
    /// The use case.
    pub use_case: Option<UseCase>,
    /// The biography.
    pub bio: Option<Bio>,
    /// The icon's background colour.
    pub icon_color: Option<IconColor>,
    /// The icon's initials.
    pub icon_letter: Option<IconLetters>,
    /// The picture, shown in place of colour and initials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<IconId>,
    /// Social links.
    #[serde(default)]
    pub socials: SocialLinks,
    /// Whether early-access features are enabled. Only for personal accounts.
    #[serde(default)]
    pub early_access: bool,
}

impl Profile {
    /// A profile of no more than a name.
    pub fn named(display_name: DisplayName) -> Self {
        Self {
            display_name,
            company: None,
            use_case: None,
            bio: None,
            icon_color: None,
            icon_letter: None,
            image: None,
            socials: SocialLinks::default(),
            early_access: false,
        }
    }

    /// The path of the picture of the workspace with this handle, if it has one.
    pub fn image_url(&self, handle: &Handle) -> Option<String> {
        self.image.map(|icon| image_url(handle, icon))
    }
}

/// The path of a picture, relative to the API: every region serves it. Handles and ids are permanent, so the path is.
pub fn image_url(handle: &Handle, icon: IconId) -> String {
    format!("/api/icons/{handle}/{icon}")
}

/// A stored profile. A separate item, so that edits do not conflict with other changes of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// The profile.
    pub profile: Profile,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

impl ProfileRecord {
    /// The profile of a new workspace.
    pub fn first(profile: Profile) -> Self {
        Self { profile, version: 1 }
    }

    /// The record that replaces this one, with the next version.
    #[must_use]
    pub fn followed_by(&self, profile: Profile) -> Self {
        Self { profile, version: self.version.saturating_add(1) }
    }
}

/// A data key wrapped by KMS. Can be used only with KMS and the encryption context.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrappedKey(pub String);

/// The record of a workspace, which nearly every request reads. Never replaced as a whole: owner, plan and wrapped key
/// change individually, each under the condition that its old value is still stored.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// The id. A personal workspace shares the id of its user.
    pub id: WorkspaceId,
    /// The public name. Permanent.
    #[serde(deserialize_with = "crate::handle::existing")]
    pub handle: Handle,
    /// Personal or team.
    pub kind: WorkspaceKind,
    /// The owner.
    pub owner: UserId,
    /// The home region of all data of the workspace.
    pub region: Region,
    /// The plan, until it ends.
    pub plan: Plan,
    /// When the plan ends, if it does: from then on, the workspace has the free plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_ends_at: Option<Timestamp>,
    /// Of a team: the number of members and pending invitations.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seats_taken: u64,
    /// Of a team: how many members joined. A deletion that saw no other members is made only if nobody joined meanwhile.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub joins: u64,
    /// The limits that a contract sets in place of the plan.
    #[serde(default, skip_serializing_if = "EntitlementOverrides::is_empty")]
    pub entitlement_overrides: EntitlementOverrides,
    /// The starting credit. The ledger will record it as the first transaction.
    pub opening_credit: MicroUsd,
    /// The wrapped key that encrypts the workspace's secrets.
    pub data_key: WrappedKey,
    /// Time of creation.
    pub created_at: Timestamp,
}

/// The plan of a workspace, and what its contract sets beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanTerms {
    /// The plan.
    pub plan: Plan,
    /// When the plan ends, if it does.
    pub ends_at: Option<Timestamp>,
    /// The seats in place of those of the plan.
    pub seats: Option<Quota>,
}

impl Workspace {
    /// The terms of the plan.
    pub fn plan_terms(&self) -> PlanTerms {
        let seats = self.entitlement_overrides.seats;
        PlanTerms { plan: self.plan, ends_at: self.plan_ends_at, seats }
    }

    /// The workspace with other terms. The contract's other limits stay.
    #[must_use]
    pub fn with_plan_terms(self, terms: PlanTerms) -> Self {
        let PlanTerms { plan, ends_at, seats } = terms;
        let entitlement_overrides = EntitlementOverrides { seats, ..self.entitlement_overrides };
        Self { plan, plan_ends_at: ends_at, entitlement_overrides, ..self }
    }

    /// The plan at this time.
    pub fn plan_at(&self, now: Timestamp) -> Plan {
        if self.plan_ends_at.is_some_and(|end| end <= now) { Plan::Free } else { self.plan }
    }

    /// The limits of the workspace: the defaults of the plan, with the overrides of its contract while it lasts.
    pub fn entitlements(&self, now: Timestamp) -> Entitlements {
        let (plan, overrides) = (self.plan_at(now), self.entitlement_overrides);
        if plan == self.plan { overrides.apply_to(plan.entitlements()) } else { plan.entitlements() }
    }

    /// Whether a member with this role has access. A team without a paid plan is open to its owner only, who can renew it.
    pub fn is_open_to(&self, role: Role, now: Timestamp) -> bool {
        self.kind == WorkspaceKind::Personal || role == Role::Owner || self.plan_at(now) != Plan::Free
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
