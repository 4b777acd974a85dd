//! Feedback that waits to be mailed.  Table `operations`: PK `FEEDBACK#<id>`  SK `FEEDBACK`; gone when it is mailed, or after a
//! week.
//! Reads: one by its id (get, strongly consistent). Writes: a put with its message, a delete.

use async_trait::async_trait;
use domain::{
    feedback::UserFeedback,
    id::FeedbackId,
    ports::{Failure, FeedbackRecords, Outcome, TransactionExtras},
};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Key, from_item, to_expiring_item},
    transaction::Condition,
};

fn key_of(id: FeedbackId) -> Key {
    Key::new(ItemKind::Feedback, id, "FEEDBACK")
}

#[async_trait]
impl FeedbackRecords for Store {
    async fn save(&self, feedback: &UserFeedback, extras: TransactionExtras) -> Outcome<()> {
        let key = key_of(feedback.id);
        let item = to_expiring_item(&key, feedback, feedback.expires_at())?;
        let new = self.transaction().put("feedback", &key, item, Condition::absent());
        match new.extras(extras)?.commit().await? {
            None => Ok(()),
            Some(label) => Err(Failure::Broken(format!("a new {label} exists already"))),
        }
    }

    async fn find(&self, id: FeedbackId) -> Outcome<Option<UserFeedback>> {
        self.get(key_of(id)).await?.map(from_item).transpose()
    }

    async fn delete(&self, id: FeedbackId) -> Outcome<()> {
        // The inherent method, which deletes the item at a key.
        Self::delete(self, &key_of(id)).await
    }
}
