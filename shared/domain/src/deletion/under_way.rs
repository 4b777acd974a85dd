//! A deletion that is being carried out, by the request that begins it and then by the job, perhaps by several at once.

use super::{Deletion, Step};
use crate::{
    job::Status,
    ports::{Alongside, Deletions, Failure, Outcome, Saved},
};

/// What is stored of a deletion, and what will be stored next. Of several who are at it, one can save; the others are told that
/// they lost the race.
pub struct UnderWay<'a> {
    deletions: &'a dyn Deletions,
    stored: Deletion,
    /// The same with what has changed since.
    pub next: Deletion,
}

impl<'a> UnderWay<'a> {
    /// A deletion as it was read.
    pub fn new(deletions: &'a dyn Deletions, stored: Deletion) -> Self {
        let next = Deletion { status: Status::Running, ..stored.next() };
        Self { deletions, stored, next }
    }

    /// As it is stored.
    pub fn stored(&self) -> &Deletion {
        &self.stored
    }

    /// Saves what has changed.
    pub async fn save(&mut self, alongside: Alongside) -> Outcome<()> {
        match self.deletions.replace(&self.stored, &self.next, alongside).await? {
            Saved::Yes => {
                self.stored = self.next.clone();
                self.next = self.stored.next();
                Ok(())
            }
            Saved::Stale => Err(Failure::Raced),
        }
    }

    /// Counts the names that are to be erased in the step that is next, and saves that: before they are erased, so that whoever
    /// dies in between forgets none.
    pub async fn count(&mut self, step: Step, names: &[String]) -> Outcome<()> {
        match step.counts() {
            Some(what) if self.next.count(what, names) => self.save(Alongside::default()).await,
            _ => Ok(()),
        }
    }
}
