//! What a transaction writes beside its own change.

use super::requests::IdempotencyRecord;
use crate::{activity::ActivityEvent, domain_events::Message};

/// What a transaction writes beside its own change.
#[derive(Debug, Clone, Default)]
pub struct TransactionExtras {
    /// The activity event.
    pub event: Option<ActivityEvent>,
    /// The messages to publish.
    pub messages: Vec<Message>,
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
        let single = [self.event.is_some(), self.receipt.is_some()].map(usize::from);
        single.iter().sum::<usize>() + self.messages.len()
    }

    /// The same with more messages.
    #[must_use]
    pub fn with(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.messages.extend(messages);
        self
    }
}
