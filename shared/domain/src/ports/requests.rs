//! Idempotency records, and counters of requests.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use crate::secret::Digest256;

/// Proof that a request with an `Idempotency-Key` was carried out, with its result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// Caller, endpoint and key, hashed together.
    pub scope: Digest256,
    /// A keyed hash of the request: another request must not use the same key.
    pub fingerprint: Digest256,
    /// An id from which the answer can be rebuilt. Never a secret.
    pub reference: String,
    /// When the request was carried out.
    pub made_at: Timestamp,
    /// When the key becomes free again.
    pub expires_at: Timestamp,
}

/// Records of requests that carried an `Idempotency-Key`.
#[async_trait]
pub trait IdempotencyRecords: Send + Sync {
    /// The record of an earlier request, if any.
    async fn find(&self, scope: Digest256) -> Outcome<Option<IdempotencyRecord>>;
}

/// Windows in which requests are counted.
#[async_trait]
pub trait RateWindows: Send + Sync {
    /// Takes `want` (at most `limit`) requests of the window that ends at `ends`, or none if fewer are left of `limit`.
    async fn take(&self, name: &str, ends: Timestamp, want: u32, limit: u32) -> Outcome<Taken>;
}

/// The requests that a window granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The number of requests granted.
    pub granted: u32,
    /// The number of requests taken of the window by everybody. If none were granted, the window counts as full.
    pub used: u32,
}
