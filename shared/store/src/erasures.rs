//! Erasure of an account or a team.  Table `erasures`: PK `ERASED#<SHA-256 of the id>`  SK `ERASURE`; gone when no backup
//! is older.
//! Reads: none by functions, but the transaction that creates a team checks that its id is of no erased one; all by the restore
//! command (scan).  Writes: a put in the transaction that starts a deletion.

use domain::{
    deletion::{Deletion, Erasure},
    id::WorkspaceId,
    ports::Outcome,
    secret::Digest256,
};
use tables::ItemKind;

use crate::item::{Item, Key, to_expiring_item};

pub fn key_of(workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Erasures, Digest256::of(workspace.bare()).to_hex(), "ERASURE")
}

/// The record that an account or a team is being erased. An account has the id of its personal workspace.
pub fn item(deletion: &Deletion) -> Outcome<(Key, Item)> {
    let erasure = Erasure { at: deletion.created_at };
    let key = key_of(deletion.workspace);
    Ok((key.clone(), to_expiring_item(&key, &erasure, erasure.forgotten_at())?))
}
