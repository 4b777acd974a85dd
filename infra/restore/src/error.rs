//! Why a restoration stops.

use std::error::Error;

use kit::ItemKind;
use store::tables::Table;

/// Why a restoration stops.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A call to AWS failed. Run the command again.
    #[error("{0}")]
    Call(String),
    /// The copies are the tables that serve.
    #[error("the copies have the same names as the tables that serve: {0}")]
    SameTables(String),
    /// An item of no known kind. The value is the part of its partition key up to the first `#`.
    #[error("the copy of `{table}` has an item of no known kind: {prefix}#…; nothing was changed", table = .0.as_str(), prefix = .1)]
    UnknownKind(Table, String),
    /// An item that names no owner.
    #[error("an item of the kind {0:?} names no owner; nothing was changed")]
    NoOwner(ItemKind),
    /// A last look found something to change. Run the command again: an account may have been erased meanwhile.
    #[error("something is left: run the command again. {0}")]
    Left(String),
    /// A name that cannot be read.
    #[error("a name in the tables or in the directory is invalid")]
    InvalidName,
}

impl RestoreError {
    /// A failed call, with its causes.
    pub fn call(error: impl Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        Self::Call(text)
    }
}
