//! A person who signs in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    email::EmailAddress,
    id::{OfWorkspace, UserId, WorkspaceId},
    region::Region,
    secret::Digest256,
};

/// HMAC-SHA-256 of an address's canonical form: what stands for an address outside its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmailHash(pub Digest256);

impl std::fmt::Display for EmailHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_base64())
    }
}

/// A user. The addresses, the password and the sessions are records of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// Where the user's data lives.
    pub region: Region,
    /// Where notifications and recovery mail go.
    pub primary_email: EmailAddress,
    /// When the address was verified and the account came to be.
    pub created_at: Timestamp,
}

/// The personal workspace of a user: the same id under the other prefix, so that it need not be looked up.
pub fn personal_workspace(user: UserId) -> WorkspaceId {
    user.cast::<OfWorkspace>()
}
