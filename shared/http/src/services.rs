//! The services that dispatch needs for every endpoint.

use std::{sync::Arc, time::Duration};

use domain::{
    entropy::Entropy,
    ports::{
        AddressHashes, ApiKeys, Directory, ForwardingKeys, IdempotencyRecords, RateWindows, Sessions,
        Throttles, Workspaces,
    },
    region::Region,
};

use crate::{
    clock::Clock, forwarding::Regions, rate_counters::Leases, refused_networks::RefusedNetworks,
    token::Verifier,
};

/// The services that dispatch needs, the same for every endpoint.
pub struct Services {
    /// The region that answers.
    pub region: Region,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Verifies access tokens.
    pub tokens: Verifier,
    /// Reads sessions.
    pub sessions: Arc<dyn Sessions>,
    /// Reads workspaces.
    pub workspaces: Arc<dyn Workspaces>,
    /// Reads API keys.
    pub keys: Arc<dyn ApiKeys>,
    /// Counts requests.
    pub windows: Arc<dyn RateWindows>,
    /// The requests that this container may still let through.
    pub leases: Leases,
    /// Counts failed attempts.
    pub throttles: Arc<dyn Throttles>,
    /// Hashes network addresses.
    pub addresses: Arc<dyn AddressHashes>,
    /// The networks that this container refuses.
    pub refused: RefusedNetworks,
    /// Reads idempotency records.
    pub receipts: Arc<dyn IdempotencyRecords>,
    /// Knows the home region of every name.
    pub directory: Arc<dyn Directory>,
    /// Sends requests to other regions.
    pub regions: Arc<dyn Regions>,
    /// Signs forwarded requests.
    pub forwarding: Arc<dyn ForwardingKeys>,
    /// The minimum time before an answer whose time must not leak where it comes from.
    pub refusals_after: Duration,
}
