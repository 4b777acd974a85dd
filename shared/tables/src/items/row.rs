//! The properties of an item kind.

use crate::table::Table;

/// A kind's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The table that its items are in.
    pub table: Table,
    /// The beginning of its partition keys.
    pub prefix: &'static str,
    /// Whose data it is.
    pub owner: Owner,
    /// How its items go.
    pub removal: Removal,
    /// Whether people get them in an export.
    pub export: ExportRule,
    /// Attributes that hold encrypted values, or wrapped keys.
    pub sealed: &'static [&'static str],
}

/// Whose data a kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A user's. Partitions that a deletion empties have the user's id.
    User,
    /// A workspace's. Partitions that a deletion empties have the workspace's id.
    Workspace,
    /// The region's: bookkeeping that belongs to no account.
    Region,
}

/// How items of a kind go. Steps are those of a deletion, by their stored names; their order is `domain::deletion::STEPS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// A step empties the owner's partition.
    Partition(&'static str),
    /// A step goes through the owner's partition and deletes records one by one.
    Records(&'static str),
    /// Steps delete them in batches with the records that lead to them.
    With(&'static [&'static str]),
    /// A step deletes them in a transaction, if they are still the owner's.
    InTransaction(&'static str),
    /// They go when the work ends that they stand for.
    Done(&'static str),
    /// DynamoDB deletes them after their time to live.
    Expires(&'static str),
    /// They stay, for this reason.
    Kept(&'static str),
}

impl Removal {
    /// Whether the step with this name goes through the kind's partitions.
    pub fn empties(self, step: &str) -> bool {
        matches!(self, Self::Partition(own) | Self::Records(own) if own == step)
    }

    /// The steps that delete items of the kind.
    pub fn steps(&self) -> &[&'static str] {
        match self {
            Self::Partition(step) | Self::Records(step) | Self::InTransaction(step) => {
                std::slice::from_ref(step)
            }
            Self::With(steps) => steps,
            Self::Done(_) | Self::Expires(_) | Self::Kept(_) => &[],
        }
    }
}

/// Whether people get items of a kind in an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportRule {
    /// They are in these sections.
    Section(&'static [&'static str]),
    /// They are in none, for this reason.
    Omitted(&'static str),
}
