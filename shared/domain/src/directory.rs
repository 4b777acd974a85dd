//! Names that are unique over all regions, and claims on them.
//!
//! A name is claimed in the authority's region first, then used in a transaction of the holder's home, then confirmed. Who
//! dies in between leaves a claim with a deadline: the home's reaper looks whether the transaction happened, and confirms
//! or frees the name.

use jiff::{SignedDuration, Timestamp};

use crate::{
    handle::Handle,
    id::{UserId, WorkspaceId},
    region::Region,
    time::after,
    user::EmailHash,
};

/// How long a claim waits to be confirmed. AWS carries out no request that was signed [more than five minutes ago], and no
/// function lives longer than seconds after its request: what has not happened by then never will.
///
/// [more than five minutes ago]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
pub const PENDING: SignedDuration = SignedDuration::from_mins(10);

/// A name that one holder has, in whichever region.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// A workspace's public name.
    Handle(Handle),
    /// What stands for a user's address.
    Address(EmailHash),
}

/// Whose a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Where the holder lives.
    pub region: Region,
    /// The workspace or the user.
    pub id: String,
    /// Whether it is the holder's for good.
    pub confirmed: bool,
}

/// A claim on a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The name.
    pub name: Name,
    /// The claimant's home.
    pub region: Region,
    /// The workspace or the user.
    pub id: String,
    /// When it may be freed, unless it was confirmed.
    pub deadline: Timestamp,
}

impl Claim {
    /// A workspace's claim on its handle.
    pub fn on_handle(handle: Handle, region: Region, workspace: WorkspaceId, now: Timestamp) -> Self {
        Self::new(Name::Handle(handle), region, workspace.to_string(), now)
    }

    /// A user's claim on an address.
    pub fn on_address(address: EmailHash, region: Region, user: UserId, now: Timestamp) -> Self {
        Self::new(Name::Address(address), region, user.to_string(), now)
    }

    fn new(name: Name, region: Region, id: String, now: Timestamp) -> Self {
        Self { name, region, id, deadline: after(now, PENDING) }
    }
}
