//! The effects of a restoration.

use std::{collections::BTreeMap, fmt};

use kit::ItemKind;

/// The effect of a restoration on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RestoreAction {
    /// Deleted: it belongs to an erased account or team.
    Erased,
    /// Deleted: it was only valid at the time of the copy, such as a session.
    Ended,
    /// Deleted: an API key that does not exist any more.
    Revoked,
    /// Replaced by what the tables that serve hold, such as a newer password.
    Replaced,
    /// Replaced: a number of followers that counts some that are erased.
    Recounted,
    /// Kept: another's record that names an erased account, as it does after any deletion.
    Mentioned,
}

impl RestoreAction {
    /// Whether it changes the copy.
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Mentioned)
    }
}

/// The numbers of items, by kind and by what was done with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    counts: BTreeMap<(RestoreAction, ItemKind), u64>,
    /// Teams whose owner is erased. They need another owner, or must be deleted.
    pub teams_without_owner: Vec<String>,
}

impl RestoreReport {
    pub(crate) fn count(&mut self, action: RestoreAction, kind: ItemKind) {
        *self.counts.entry((action, kind)).or_default() += 1;
    }

    /// The number of items with which this was done.
    pub fn total(&self, action: RestoreAction) -> u64 {
        self.counts.iter().filter(|((of, _), _)| *of == action).map(|(_, count)| count).sum()
    }

    /// The number of items of a kind with which this was done.
    pub fn of_kind(&self, action: RestoreAction, kind: ItemKind) -> u64 {
        self.counts.get(&(action, kind)).copied().unwrap_or_default()
    }

    /// The number of items that changed, or are to be changed.
    pub fn changes(&self) -> u64 {
        self.counts.iter().filter(|((action, _), _)| action.changes()).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for RestoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((action, kind), count) in &self.counts {
            let (action, kind) = (format!("{action:?}"), format!("{kind:?}"));
            writeln!(f, "{action:<10} {kind:<20} {count}")?;
        }
        for team in &self.teams_without_owner {
            writeln!(f, "{team} has an erased owner: give it another, or delete it")?;
        }
        Ok(())
    }
}
