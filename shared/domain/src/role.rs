//! What a member may do in a workspace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A role; each may do what the ones before it may, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Role {
    /// Sees resources, members and the balance.
    Viewer,
    /// Also creates, changes, trashes and restores resources.
    Editor,
    /// Also edits the profile, billing, and members below admin.
    Admin,
    /// Also API keys, ownership and deletion. Exactly one; the user in a personal workspace.
    Owner,
}

impl Role {
    /// The role's name as it stands in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}
