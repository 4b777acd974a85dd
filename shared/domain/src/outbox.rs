//! Messages about changes, written in the change's own transaction and published from the table's stream.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    handle::Handle,
    id::{AttemptId, JobId, KeyId, MessageId, ResetId, SessionId, UserId, WorkspaceId},
    profile::KeyName,
    resource::ResourceId,
    user::EmailHash,
};

/// What happened, for whoever acts on it. Carries ids; consumers read what they need, so nothing personal or secret
/// travels on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Notice {
    /// Somebody signs up: the address gets a code, or word that it has an account.
    SignUpStarted {
        /// Which sign-up record.
        address: EmailHash,
        /// Which attempt of it.
        attempt: AttemptId,
    },
    /// An address was verified and an account came to be.
    AccountOpened {
        /// The new user.
        user: UserId,
        /// The address, for its claim in the directory.
        address: EmailHash,
    },
    /// A user has a workspace now.
    WorkspaceOpened {
        /// The new workspace.
        workspace: WorkspaceId,
        /// Its public name, for its claim in the directory.
        #[serde(deserialize_with = "crate::handle::existing")]
        handle: Handle,
    },
    /// Settings changed.
    SettingsChanged {
        /// Whose.
        workspace: WorkspaceId,
    },
    /// A key was made.
    ApiKeyCreated {
        /// Whose.
        workspace: WorkspaceId,
        /// Who made it, and is told.
        user: UserId,
        /// Which.
        key: KeyId,
        /// What it is called.
        name: KeyName,
    },
    /// A key was revoked.
    ApiKeyRevoked {
        /// Whose.
        workspace: WorkspaceId,
        /// Which.
        key: KeyId,
    },
    /// A rotated refresh token was used again, and its session was ended.
    RefreshTokenReused {
        /// Whose session, and who is told.
        user: UserId,
        /// Which.
        session: SessionId,
    },
    /// Somebody asked to set a new password: if the address has an account, a token goes to its primary address.
    PasswordForgotten {
        /// The address that was entered.
        address: EmailHash,
        /// What the token is derived from.
        reset: ResetId,
    },
    /// A password was changed.
    PasswordChanged {
        /// Whose, and who is told.
        user: UserId,
    },
    /// Something was taken out of the trash for good: what belongs to it is to be removed.
    PurgeBegun {
        /// Whose.
        workspace: WorkspaceId,
        /// What it was.
        root: ResourceId,
    },
    /// A workspace's trash was emptied: what lies in it is to be removed.
    TrashEmptied {
        /// Whose.
        workspace: WorkspaceId,
    },
    /// There is more due than one run removes.
    PurgeGoesOn,
    /// There is something to write of an export.
    ExportGoesOn {
        /// Whose.
        user: UserId,
        /// Which.
        export: JobId,
    },
    /// An export's bundle can be had.
    ExportReady {
        /// Whose, and who is told.
        user: UserId,
        /// Which.
        export: JobId,
    },
    /// There is something to erase of an account or a team.
    DeletionGoesOn {
        /// Who asked for it.
        user: UserId,
        /// Which.
        deletion: JobId,
    },
}

impl Notice {
    /// The name that consumers subscribe to (the `detail-type` on the bus).
    pub fn name(&self) -> &'static str {
        match self {
            Self::SignUpStarted { .. } => "sign-up-started",
            Self::AccountOpened { .. } => "account-opened",
            Self::WorkspaceOpened { .. } => "workspace-opened",
            Self::SettingsChanged { .. } => "settings-changed",
            Self::ApiKeyCreated { .. } => "api-key-created",
            Self::ApiKeyRevoked { .. } => "api-key-revoked",
            Self::RefreshTokenReused { .. } => "refresh-token-reused",
            Self::PasswordForgotten { .. } => "password-forgotten",
            Self::PasswordChanged { .. } => "password-changed",
            Self::PurgeBegun { .. } => "purge-begun",
            Self::TrashEmptied { .. } => "trash-emptied",
            Self::PurgeGoesOn => "purge-goes-on",
            Self::ExportGoesOn { .. } => "export-goes-on",
            Self::ExportReady { .. } => "export-ready",
            Self::DeletionGoesOn { .. } => "deletion-goes-on",
        }
    }

    /// The names of those that somebody gets a mail about.
    pub const MAILED: [&'static str; 6] = [
        "sign-up-started",
        "api-key-created",
        "refresh-token-reused",
        "password-forgotten",
        "password-changed",
        "export-ready",
    ];

    /// The names of those that make a claim in the directory good for ever.
    pub const CONFIRMING: [&'static str; 2] = ["account-opened", "workspace-opened"];

    /// The names of those that say that something is to be removed.
    pub const PURGING: [&'static str; 3] = ["purge-begun", "trash-emptied", "purge-goes-on"];

    /// The names of those that say that there is more to export.
    pub const EXPORTING: [&'static str; 1] = ["export-goes-on"];

    /// The names of those that say that there is more to delete.
    pub const DELETING: [&'static str; 1] = ["deletion-goes-on"];

    /// What the message is about: messages about one subject are published in order.
    pub fn subject(&self) -> String {
        match self {
            Self::SignUpStarted { address, .. } => format!("sign-up/{address}"),
            Self::PasswordForgotten { address, .. } => format!("password-reset/{address}"),
            Self::AccountOpened { user, .. }
            | Self::RefreshTokenReused { user, .. }
            | Self::PasswordChanged { user } => user.to_string(),
            Self::WorkspaceOpened { workspace, .. }
            | Self::SettingsChanged { workspace }
            | Self::ApiKeyCreated { workspace, .. }
            | Self::ApiKeyRevoked { workspace, .. }
            | Self::TrashEmptied { workspace } => workspace.to_string(),
            Self::PurgeBegun { root, .. } => root.to_string(),
            Self::PurgeGoesOn => "purge".to_owned(),
            Self::ExportGoesOn { export, .. } | Self::ExportReady { export, .. } => export.to_string(),
            Self::DeletionGoesOn { deletion, .. } => deletion.to_string(),
        }
    }
}

/// A notice on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Consumers act once per id.
    pub id: MessageId,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    pub notice: Notice,
}
