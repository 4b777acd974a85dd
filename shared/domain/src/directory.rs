//! Names that are unique across all regions, and claims on names.
//!
//! A name is first claimed in the authority region, then used in a transaction of the holder's home region, then
//! confirmed. An interrupted claim keeps a deadline. After the deadline, the reaper of the home region checks whether
//! the transaction happened and confirms or frees the name.

use jiff::{SignedDuration, Timestamp};

use crate::{
    handle::Handle,
    id::{UserId, WorkspaceId},
    provider::IdentityHash,
    region::Region,
    time::after,
    user::EmailHash,
};

/// Time until an unconfirmed claim expires. AWS refuses requests that were signed [more than five minutes ago], and a
/// function ends within seconds of its request, so no transaction can succeed after this time.
///
/// [more than five minutes ago]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
pub const PENDING: SignedDuration = SignedDuration::from_mins(10);

/// A name that is unique across all regions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// The public name of a workspace.
    Handle(Handle),
    /// The hash of a user's email address.
    Address(EmailHash),
    /// The hash of a provider's identity that a user signs in with.
    Identity(IdentityHash),
}

/// The holder of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The holder's home region.
    pub region: Region,
    /// The workspace or the user.
    pub id: String,
    /// Whether the claim is confirmed.
    pub confirmed: bool,
}

/// A claim on a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The claimed name.
    pub name: Name,
    /// The claimant's home region.
    pub region: Region,
    /// The workspace or the user.
    pub id: String,
    /// Time after which an unconfirmed claim may be freed.
    pub deadline: Timestamp,
}

impl Claim {
    /// Claims a handle for a workspace.
    pub fn on_handle(handle: Handle, region: Region, workspace: WorkspaceId, now: Timestamp) -> Self {
        Self::new(Name::Handle(handle), region, workspace.to_string(), now)
    }

    /// Claims an email address for a user.
    pub fn on_address(address: EmailHash, region: Region, user: UserId, now: Timestamp) -> Self {
        Self::new(Name::Address(address), region, user.to_string(), now)
    }

    /// Claims a provider's identity for a user.
    pub fn on_identity(identity: IdentityHash, region: Region, user: UserId, now: Timestamp) -> Self {
        Self::new(Name::Identity(identity), region, user.to_string(), now)
    }

    fn new(name: Name, region: Region, id: String, now: Timestamp) -> Self {
        Self { name, region, id, deadline: after(now, PENDING) }
    }
}
