//! Work on resources, by the time at which it is due.  Table `resources`: PK `DUE#<part>`  SK
//! `<13 digits of milliseconds>#<task>#<workspace>#<subject>`; the part derives from the subject's id.
//! Reads: the due work of one part (query, the longest due first, strongly consistent).
//! Writes: a put in the transaction that schedules the work; a delete in the one that settles it, or alone.

use domain::{
    Timestamp,
    ports::{DUE_PARTS, Outcome, Page},
    trash::{Due, Task},
};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Key, from_item, to_item},
    transaction::{Condition, Transaction},
};

pub fn key_of(due: &Due) -> Key {
    let (task, subject) = match due.task {
        Task::Expire(id) => ("expire", id.to_string()),
        Task::Empty => ("empty", due.workspace.to_string()),
        Task::Purge(id) => ("purge", id.to_string()),
        Task::Sweep(id) => ("sweep", id.to_string()),
    };
    let sk = format!("{:013}#{task}#{}#{subject}", due.at.as_millisecond(), due.workspace);
    Key::new(ItemKind::Due, part_of(&subject), sk)
}

/// The partition of a subject.
fn part_of(subject: &str) -> u8 {
    // Most of an id is random, so that its characters' sum is anything.
    subject.bytes().fold(0, u8::wrapping_add) % DUE_PARTS
}

impl Store {
    /// The due work of a part after `after`.
    pub(crate) async fn due_in(
        &self,
        part: u8,
        now: Timestamp,
        after: Option<Due>,
        limit: usize,
    ) -> Outcome<Page<Due>> {
        // A space sorts before all that could follow a key, and `$` right after every `#…`.
        let from = after.map_or("0".to_owned(), |due| format!("{} ", key_of(&due).sk));
        let range = (from, format!("{:013}$", now.as_millisecond()));
        let page = self.range_ascending(ItemKind::Due, part, range, limit).await?;
        Ok(Page { items: page.items.into_iter().map(from_item).collect::<Outcome<_>>()?, more: page.more })
    }
}

impl Transaction<'_> {
    /// Schedules work.
    pub fn due(self, due: &Due) -> Outcome<Self> {
        let key = key_of(due);
        Ok(self.put("due", &key, to_item(&key, due)?, Condition::none()))
    }

    /// Cancels scheduled work.
    pub fn not_due(self, due: &Due) -> Self {
        self.delete("due", &key_of(due), Condition::none())
    }
}
