//! What every region may know.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::{
    directory::{self, Holder, Name},
    handle::Handle,
    region::Region,
};

/// A public signing key, as a JSON Web Key ([RFC 8037]: Ed25519).
///
/// [RFC 8037]: https://www.rfc-editor.org/rfc/rfc8037
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// Which key of its region.
    pub kid: String,
    /// The region whose tokens it verifies.
    pub region: Region,
    /// The point, 32 bytes in base64url.
    pub x: String,
}

/// What came of claiming a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It is the claimant's, for the time being or for good.
    Yes,
    /// It is another's.
    Taken,
}

/// What everybody may know, in every region. It is written in one region, the authority, and read from a replica of one's
/// own, which follows within a second or so.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Whose a name is, as far as this region's replica knows.
    async fn find(&self, name: &Name) -> Outcome<Option<Holder>>;
    /// Claims a name until the claim's deadline. Claiming it again for the same holder succeeds.
    async fn claim(&self, claim: &directory::Claim) -> Outcome<Claimed>;
    /// Makes a claim good for ever; `false` if the name is another's.
    async fn confirm(&self, claim: &directory::Claim) -> Outcome<bool>;
    /// Frees a name, if its claim is still this one and unconfirmed.
    async fn release(&self, claim: &directory::Claim) -> Outcome<()>;
    /// Frees a name that was a holder's for good, if it is still. Nobody gets a handle before `reserved_until`: what is kept
    /// of it till then is a hash.
    async fn give_up(&self, name: &Name, holder: &Holder, reserved_until: Timestamp) -> Outcome<()>;
    /// Whether a handle can be claimed now: it is nobody's, and was not given up too short a time ago. Asks the authority,
    /// unless the replica knows whose it is.
    async fn is_free(&self, handle: &Handle, now: Timestamp) -> Outcome<bool>;
    /// The unconfirmed claims of a region whose deadline has passed; of very many, some.
    async fn overdue(&self, region: Region, now: Timestamp) -> Outcome<Vec<directory::Claim>>;
    /// The public keys that access tokens are verified with.
    async fn signing_keys(&self) -> Outcome<Vec<PublicKey>>;
    /// Makes a public key known.
    async fn publish_signing_key(&self, key: &PublicKey) -> Outcome<()>;
    /// The public keys that were: what they have signed for good can still be verified, and nobody gets in by them.
    async fn retired_keys(&self) -> Outcome<Vec<PublicKey>>;
    /// Retires a public key, if it is known.
    async fn withdraw_signing_key(&self, region: Region, kid: &str) -> Outcome<()>;
}
