//! What the rules need from the world. Each method that changes something is one atomic change: all of it happens, or
//! nothing does. Adapters implement these; an endpoint asks for those it uses, and links no others.

mod accounts;
mod directory;
mod messages;
mod privacy;
mod resources;
mod secrets;
mod workspaces;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{activity::Event, outbox::Message, secret::Digest256};

pub use accounts::{
    Accounts, Credentials, NewAccount, NewPassword, Opened, PasswordProof, PasswordResets, Resettable,
    Sessions, SignUps, Standing, Throttles,
};
pub use directory::{Claimed, Directory, PublicKey};
pub use messages::{Bus, Claim, Consumed, Mail, Mailer};
pub use privacy::{Closed, Closing, Deletions, Exports, Inventory, Membership, Started};
pub use resources::{
    Begun, Changed, Created, DUE_PARTS, Listed, Live, Purges, Resources, Restored, Trash, Uploads, Within,
};
pub use secrets::{
    AddressHashes, Codes, ForwardingKeys, NewVersion, Place, Prepared, Progress, Rotation, Rotations,
    TokenKeys, Vault,
};
pub use workspaces::{All, ApiKeys, Founded, History, Marking, Workspaces};

/// Why an adapter could not do what it was asked. Never the caller's fault.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The service refused, was too busy, or did not answer in time; nothing is known to have changed.
    #[error("{service} is unavailable: {detail}")]
    Unavailable {
        /// Which service.
        service: &'static str,
        /// What it said, for the log.
        detail: String,
    },
    /// Others changed the same records again and again; trying later will do.
    #[error("lost too many races")]
    Raced,
    /// This very request was already carried out: look at its receipt.
    #[error("already done")]
    AlreadyDone,
    /// Something stored can't be understood: a defect.
    #[error("broken: {0}")]
    Broken(String),
}

/// The answer of a port.
pub type Outcome<T> = Result<T, Failure>;

/// Proof that a request with an `Idempotency-Key` was carried out, and of what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// Caller, endpoint and key, hashed together.
    pub scope: Digest256,
    /// A keyed hash of the request, so that the key can't be used for another one.
    pub fingerprint: Digest256,
    /// What the answer can be made from again: an id, never a secret.
    pub reference: String,
    /// When the request was carried out.
    pub made_at: Timestamp,
    /// From then on the key is free again.
    pub expires_at: Timestamp,
}

/// What is written in the same transaction as a change.
#[derive(Debug, Clone, Default)]
pub struct Alongside {
    /// The line in the history.
    pub event: Option<Event>,
    /// The message to publish.
    pub message: Option<Message>,
    /// The receipt, if the request carried a key.
    pub receipt: Option<Receipt>,
}

impl Alongside {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.event.is_none() && self.message.is_none() && self.receipt.is_none()
    }
}

/// Whether a conditional change happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It did.
    Yes,
    /// The record is no longer what was read: read it again and decide again.
    Stale,
}

/// One page of a list.
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Whether there are more after these.
    pub more: bool,
}

/// Receipts of requests that carried an `Idempotency-Key`.
#[async_trait]
pub trait Receipts: Send + Sync {
    /// The receipt of an earlier request, if there was one.
    async fn find(&self, scope: Digest256) -> Outcome<Option<Receipt>>;
}

/// Windows in which requests are counted.
#[async_trait]
pub trait RateWindows: Send + Sync {
    /// Takes `want` (at most `limit`) of what is left of `limit` in the window that ends at `ends`, or none if fewer are
    /// left; how many were granted, and how many of the window are taken now.
    async fn take(&self, name: &str, ends: Timestamp, want: u32, limit: u32) -> Outcome<Taken>;
}

/// What a window granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// This many requests may be made.
    pub granted: u32,
    /// This many of the window are taken, by everybody; if none were granted, it counts as full.
    pub used: u32,
}
