//! The user of a provider's identity.  Table `identity`: PK `IDENTITY#<identity hash>`  SK `IDENTITY` (uniqueness).
//! Reads: one (get, strongly consistent).

use domain::{
    id::UserId,
    ports::Outcome,
    provider::{Connection, IdentityHash},
};
use serde::{Deserialize, Serialize};
use tables::ItemKind;

use crate::{
    item::{Item, Key, text, to_item},
    transaction::Condition,
};

/// What the item holds.
#[derive(Serialize, Deserialize)]
pub struct IdentityOf {
    /// The user.
    pub user: UserId,
}

pub fn key_of(identity: IdentityHash) -> Key {
    Key::new(ItemKind::Identities, identity, "IDENTITY")
}

pub fn item(connection: &Connection) -> Outcome<(Key, Item)> {
    let key = key_of(connection.identity);
    Ok((key.clone(), to_item(&key, &IdentityOf { user: connection.user })?))
}

/// The identity is this user's.
pub fn belongs_to(user: UserId) -> Condition {
    Condition::of("#user = :user", [(":user", text(user))]).naming("#user", "user")
}
