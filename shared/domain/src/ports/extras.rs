//! What a transaction writes beside its own change.

use super::requests::IdempotencyRecord;
use crate::{activity::ActivityEvent, domain_events::Message};

/// What a transaction writes beside its own change.
#[derive(Debug, Clone, Default)]
pub struct TransactionExtras {
    /// The activity event.
    pub event: Option<ActivityEvent>,
    /// The message to publish.
    pub message: Option<Message>,
    /// The idempotency record, if the request carried a key.
    pub receipt: Option<IdempotencyRecord>,
}

impl TransactionExtras {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes() == 0
    }

    /// The number of records to write.
    pub fn writes(&self) -> usize {
        [self.event.is_some(), self.message.is_some(), self.receipt.is_some()].map(usize::from).iter().sum()
    }
}
