//! Users.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    email::EmailAddress,
    id::{OfWorkspace, UserId, WorkspaceId},
    region::Region,
    secret::Digest256,
};

/// HMAC-SHA-256 of an email address's canonical form. Identifies an email address outside its home region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmailHash(pub Digest256);

impl EmailHash {
    /// The region that answers for an unknown email address. Derived from the hash, so that an unknown address gets the
    /// same answer in every region.
    pub fn stand_in_home(self) -> Region {
        let place = usize::from(self.0.first_byte()) % Region::ALL.len();
        Region::ALL.get(place).copied().unwrap_or(Region::AUTHORITY)
    }
}

impl std::fmt::Display for EmailHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_base64())
    }
}

/// A user. Email addresses, password and sessions are separate records.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The user's home region.
    pub region: Region,
    /// Receives notifications and recovery email.
    #[serde(deserialize_with = "crate::email::existing")]
    pub primary_email: EmailAddress,
    /// Time at which the email address was verified and the account was created.
    pub created_at: Timestamp,
}

/// The personal workspace of a user: the user's id with the workspace prefix, so that no lookup is needed.
pub fn personal_workspace(user: UserId) -> WorkspaceId {
    user.cast::<OfWorkspace>()
}
