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

impl EmailHash {
    /// The region that is asked about an address that nobody has: always the same one, so that an unknown address is
    /// treated like a known one wherever it is tried.
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
