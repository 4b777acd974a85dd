//! What a transaction writes beside its own change.

use domain::ports::{Outcome, TransactionExtras};

use crate::{
    history, outbox, receipts,
    transaction::{Condition, RECEIPT, Transaction},
};

impl Transaction<'_> {
    /// Adds the activity event, the messages and the idempotency record.
    pub fn extras(mut self, extras: TransactionExtras) -> Outcome<Self> {
        if let Some(event) = &extras.event {
            let (key, item) = history::event_item(event)?;
            self = self.put("event", &key, item, Condition::absent());
        }
        for message in &extras.messages {
            let (key, item) = outbox::message_item(message)?;
            self = self.put("message", &key, item, Condition::absent());
        }
        if let Some(receipt) = &extras.receipt {
            let (key, item) = receipts::receipt_item(receipt)?;
            self = self.put(RECEIPT, &key, item, Condition::absent_or_expired(receipt.made_at));
        }
        Ok(self)
    }
}
