//! A deletion in progress: started by the request, continued by the job, possibly by several runs at once.

use super::{Deletion, Step};
use crate::{
    job::Status,
    ports::{Deletions, Failure, Outcome, Saved, TransactionExtras},
};

/// The stored state of a deletion and its next state. If several runs save, one succeeds and the others get a lost race.
pub struct UnderWay<'a> {
    deletions: &'a dyn Deletions,
    stored: Deletion,
    /// The next state.
    pub next: Deletion,
}

impl<'a> UnderWay<'a> {
    /// Wraps a deletion that was read.
    pub fn new(deletions: &'a dyn Deletions, stored: Deletion) -> Self {
        let next = Deletion { status: Status::Running, ..stored.next() };
        Self { deletions, stored, next }
    }

    /// The stored state.
    pub fn stored(&self) -> &Deletion {
        &self.stored
    }

    /// Saves the next state.
    pub async fn save(&mut self, extras: TransactionExtras) -> Outcome<()> {
        match self.deletions.replace(&self.stored, &self.next, extras).await? {
            Saved::Yes => {
                self.stored = self.next.clone();
                self.next = self.stored.next();
                Ok(())
            }
            Saved::Stale => Err(Failure::Raced),
        }
    }

    /// Counts the items that the next step will erase and saves the count before they are erased, so that an
    /// interruption loses no count.
    pub async fn count(&mut self, step: Step, names: &[String]) -> Outcome<()> {
        match step.counts() {
            Some(what) if self.next.count(what, names) => self.save(TransactionExtras::default()).await,
            _ => Ok(()),
        }
    }
}
