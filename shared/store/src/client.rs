//! The DynamoDB client and the names of the tables.

use aws_sdk_dynamodb::Client;
use tables::Table;

/// The region's tables, which implement all the store's ports but [`Directory`](crate::Directory).
#[derive(Clone)]
pub struct Store {
    pub(crate) client: Client,
    names: Names,
}

/// The names of the tables.
#[derive(Clone)]
enum Names {
    /// A prefix and the table's own name.
    Prefixed(String),
    /// One table with this name.
    One(String),
}

impl Store {
    /// A store on the tables whose names begin with `prefix`.
    pub fn new(client: Client, prefix: String) -> Self {
        Self { client, names: Names::Prefixed(prefix) }
    }

    pub(crate) fn of_one_table(client: Client, name: String) -> Self {
        Self { client, names: Names::One(name) }
    }

    /// The full name of a table.
    pub(crate) fn name(&self, table: Table) -> String {
        match &self.names {
            Names::Prefixed(prefix) => table.name(prefix),
            Names::One(name) => name.clone(),
        }
    }

    /// Whether both are in the same AWS region.
    pub(crate) fn is_where(&self, other: &Self) -> bool {
        self.client.config().region() == other.client.config().region()
    }
}
