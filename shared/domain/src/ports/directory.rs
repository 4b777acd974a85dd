//! Data that every region may have: holders of names, and public keys.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use crate::{
    directory::{self, Holder, Name},
    follow::{FollowedHash, FollowerCount, RegionalCount},
    free_credit::{CreditClaim, CreditCounter},
    handle::Handle,
    money::MicroUsd,
    region::Region,
};

/// A public signing key, as a JSON Web Key ([RFC 8037]: Ed25519).
///
/// [RFC 8037]: https://www.rfc-editor.org/rfc/rfc8037
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// The id of the key in its region.
    pub kid: String,
    /// The region whose tokens it verifies.
    pub region: Region,
    /// The point, 32 bytes in base64url.
    pub x: String,
}

/// The result of claiming a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The claimant has the name, unconfirmed or permanently.
    Yes,
    /// Another holder has the name.
    Taken,
}

/// The result of claiming free credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditClaimed {
    /// The claimant gets this amount: that of the first claim, however often it is repeated.
    Yes(MicroUsd),
    /// The mailbox got its credit for another user, or in another way.
    Taken,
    /// Nothing is claimed: the network got free credit for the most claims of the day.
    NetworkFull,
    /// Nothing is claimed: the organization got it for the most claims of the day.
    OrganizationFull,
}

/// Data that every region may have. Written in one region, the authority; read from the region's own replica, which follows
/// within about a second.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The holder of a name, as this region's replica has it.
    async fn find(&self, name: &Name) -> Outcome<Option<Holder>>;
    /// Claims a name until the claim's deadline. Claiming it again for the same holder succeeds.
    async fn claim(&self, claim: &directory::Claim) -> Outcome<Claimed>;
    /// Makes a claim permanent; `false` if another holder has the name. A claim on an address is made permanent only if its
    /// deadline is the same: the holder may have given the address up and claimed it again since.
    async fn confirm(&self, claim: &directory::Claim) -> Outcome<bool>;
    /// Makes a permanent claim on an address unconfirmed, until the deadline of `claim`, if the holder has it. The reaper settles it,
    /// unless [`release`](Self::release) of `claim` or a new claim of the holder comes first.
    async fn unconfirm(&self, claim: &directory::Claim) -> Outcome<()>;
    /// Deletes a claim, if it is unchanged and unconfirmed.
    async fn release(&self, claim: &directory::Claim) -> Outcome<()>;
    /// Frees a confirmed name, if the holder still has it. Reserves a handle until `reserved_until`: until then only its hash is
    /// kept.
    async fn give_up(&self, name: &Name, holder: &Holder, reserved_until: Timestamp) -> Outcome<()>;
    /// Whether a handle can be claimed now: it has no holder and no reservation. Asks the authority, unless the replica has a
    /// holder.
    async fn is_free(&self, handle: &Handle, now: Timestamp) -> Outcome<bool>;
    /// Unconfirmed claims of a region whose deadline has passed. Returns a part of very many.
    async fn overdue(&self, region: Region, now: Timestamp) -> Outcome<Vec<directory::Claim>>;
    /// The numbers of followers of an account that the regions published, as this region's replica has them.
    async fn follower_totals(&self, account: FollowedHash) -> Outcome<Vec<RegionalCount>>;
    /// Publishes a region's number of followers of an account, unless a later one was published.
    async fn publish_followers(
        &self,
        account: FollowedHash,
        region: Region,
        count: FollowerCount,
    ) -> Outcome<()>;
    /// Claims free credit for a mailbox, once over all regions, and counts it in the day of `now`. A claim never ends, and counts once.
    async fn grant_credit(
        &self,
        claim: &CreditClaim,
        counters: &[CreditCounter],
        now: Timestamp,
    ) -> Outcome<CreditClaimed>;
    /// The public keys that access tokens are verified with.
    async fn signing_keys(&self) -> Outcome<Vec<PublicKey>>;
    /// Publishes a public key.
    async fn publish_signing_key(&self, key: &PublicKey) -> Outcome<()>;
    /// The retired public keys. They verify receipts of deletions, and no access token.
    async fn retired_keys(&self) -> Outcome<Vec<PublicKey>>;
    /// Retires a public key, if it is published.
    async fn withdraw_signing_key(&self, region: Region, kid: &str) -> Outcome<()>;
}
