//! DynamoDB. One file an entity: its keys, its items and the port that reads and writes them.
//!
//! A change is one `TransactWriteItems`: the entity, its uniqueness items, the line in the history, the message in the
//! outbox and the receipt. Every uniqueness rule is a conditional put of an item of its own, never a query.

mod accounts;
mod api_keys;
mod consumed;
mod directory;
mod failure;
mod get;
mod history;
mod item;
mod outbox;
mod rate_windows;
mod receipts;
mod sessions;
mod sign_ups;
pub mod table;
mod throttles;
mod transaction;
mod workspaces;

use aws_sdk_dynamodb::Client;

pub use workspaces::member_item;

use table::Table;

/// The region's tables, as all the store's ports.
#[derive(Clone)]
pub struct Store {
    client: Client,
    prefix: String,
}

impl Store {
    /// A store on the tables whose names begin with `prefix`.
    pub fn new(client: Client, prefix: String) -> Self {
        Self { client, prefix }
    }

    fn name(&self, table: Table) -> String {
        table.name(&self.prefix)
    }
}
