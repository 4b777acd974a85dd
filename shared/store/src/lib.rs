//! DynamoDB. One file an entity: its keys, its items and the port that reads and writes them.
//!
//! A change is one `TransactWriteItems`: the entity, its uniqueness items, the line in the history, the message in the
//! outbox and the receipt. Every uniqueness rule is a conditional put of an item of its own, never a query.

mod accounts;
mod api_keys;
mod consumed;
mod delete;
mod deletions;
mod directory;
mod due;
mod exports;
mod failure;
mod get;
mod history;
mod inventory;
mod item;
mod jobs;
mod lists;
mod outbox;
mod password_resets;
mod purges;
mod rate_windows;
mod receipts;
mod resources;
mod sessions;
mod sign_ups;
mod throttles;
mod transaction;
mod trash;
mod uploads;
mod usage;
mod workspaces;

use aws_sdk_dynamodb::Client;

pub use directory::Directory;
pub use tables as table;
pub use workspaces::{member_item, membership_item};

use tables::Table;

/// The region's tables, as all the store's ports but [`Directory`].
#[derive(Clone)]
pub struct Store {
    client: Client,
    names: Names,
}

/// What tables are called.
#[derive(Clone)]
enum Names {
    /// This and the table's own name.
    Prefixed(String),
    /// There is only this one.
    One(String),
}

impl Store {
    /// A store on the tables whose names begin with `prefix`.
    pub fn new(client: Client, prefix: String) -> Self {
        Self { client, names: Names::Prefixed(prefix) }
    }

    fn of_one_table(client: Client, name: String) -> Self {
        Self { client, names: Names::One(name) }
    }

    fn name(&self, table: Table) -> String {
        match &self.names {
            Names::Prefixed(prefix) => table.name(prefix),
            Names::One(name) => name.clone(),
        }
    }

    /// Whether both are in the same AWS region.
    fn is_where(&self, other: &Self) -> bool {
        self.client.config().region() == other.client.config().region()
    }
}
