//! Workspaces: the owners of resources, keys, wallets and history.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    entitlements::{EntitlementOverrides, Entitlements},
    handle::Handle,
    id::{IconId, UserId, WorkspaceId},
    plan::{MicroUsd, Plan},
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
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
    /// The plan.
    pub plan: Plan,
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

impl Workspace {
    /// The limits of the workspace: the defaults of the plan, with the overrides of its contract.
    pub fn entitlements(&self) -> Entitlements {
        self.entitlement_overrides.apply_to(self.plan.entitlements())
    }
}
