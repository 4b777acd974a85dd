//! Roles of members in a workspace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A role. Each role includes the permissions of the roles before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Role {
    /// Can view resources, members and the balance.
    Viewer,
    /// Can also create, update, trash and restore resources.
    Editor,
    /// Can also edit the profile, billing and members below admin.
    Admin,
    /// Can also manage API keys, transfer ownership and delete the workspace. Each workspace has exactly one owner.
    Owner,
}

impl Role {
    /// The role's name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}
