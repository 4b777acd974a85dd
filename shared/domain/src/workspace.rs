//! Workspaces: the owners of resources, keys, wallets and history.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    handle::Handle,
    id::{UserId, WorkspaceId},
    plan::{MicroUsd, Plan},
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
    social::SocialLinks,
};

/// Personal or team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum WorkspaceKind {
    /// One per user, with the user's handle.
    Personal,
    /// Shared by its members.
    Team,
}

/// What a workspace says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Shown instead of the handle.
    pub display_name: DisplayName,
    /// Where the person works.
    pub company: Option<Company>,
    /// What the platform is used for.
    pub use_case: Option<UseCase>,
    /// A few sentences.
    pub bio: Option<Bio>,
    /// The icon's background.
    pub icon_color: Option<IconColor>,
    /// The icon's initials.
    pub icon_letter: Option<IconLetters>,
    /// Links elsewhere.
    #[serde(default)]
    pub socials: SocialLinks,
    /// Whether features in testing are shown (personal accounts only).
    #[serde(default)]
    pub early_access: bool,
}

/// A data key as KMS wrapped it. Useless without KMS and the encryption context.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrappedKey(pub String);

/// A workspace's record.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// The id; a personal workspace shares its user's.
    pub id: WorkspaceId,
    /// The public name, permanent.
    #[serde(deserialize_with = "crate::handle::existing")]
    pub handle: Handle,
    /// Personal or team.
    pub kind: WorkspaceKind,
    /// The one owner.
    pub owner: UserId,
    /// Where everything of it lives.
    pub region: Region,
    /// What it subscribes to.
    pub plan: Plan,
    /// What it says of itself.
    pub profile: Profile,
    /// The credit it began with. The ledger will take it over as its first transaction.
    pub opening_credit: MicroUsd,
    /// The key that its secrets are encrypted under, wrapped.
    pub data_key: WrappedKey,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts changes of the profile: every write is conditional on it.
    pub version: u64,
}
