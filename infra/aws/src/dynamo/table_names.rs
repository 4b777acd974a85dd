//! Finds the tables that a DynamoDB request names.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::request::Caller;
use crate::service::Service;

/// The names of the tables in a request, sorted and without duplicates.
#[derive(Debug, Default)]
pub(crate) struct TableNames(BTreeSet<String>);

impl TableNames {
    /// Reads the table names from all members of a request that may contain them.
    pub(crate) fn of(caller: &Caller, body: &[u8]) -> Self {
        if caller.service != Service::DynamoDb {
            return Self::default();
        }
        let request: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        let mut names = BTreeSet::new();
        names.extend(text("TableName").map(short));
        names.extend(text("StreamArn").and_then(table_of_stream));
        if let Some(Value::Object(tables)) = request.get("RequestItems") {
            names.extend(tables.keys().map(|name| short(name)));
        }
        if let Some(Value::Array(items)) = request.get("TransactItems") {
            let actions = items.iter().filter_map(Value::as_object).flat_map(Map::values);
            let tables = actions.filter_map(|action| action.get("TableName").and_then(Value::as_str));
            names.extend(tables.map(short));
        }
        let mut names: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
        names.extend(text("ShardIterator").and_then(table_of_iterator));
        Self(names)
    }

    /// All names, joined by commas, as in the journal.
    pub(crate) fn joined(&self) -> Option<String> {
        let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    /// Iterates over the names.
    pub(crate) fn each(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether the request names this table.
    pub(crate) fn has(&self, table: &str) -> bool {
        self.0.contains(table)
    }

    /// Whether the request names this table and no other.
    pub(crate) fn is_only(&self, table: &str) -> bool {
        self.has(table) && self.0.len() == 1
    }
}

/// The short form of a table name or table ARN.
pub(crate) fn short(name: &str) -> &str {
    name.rsplit_once(":table/").map_or(name, |(_, name)| name)
}

/// Takes the table name from `…:table/NAME/stream/LABEL`.
fn table_of_stream(arn: &str) -> Option<&str> {
    arn.split_once(":table/")?.1.split('/').next()
}

/// Takes the table name from a dynoxide shard iterator, which is base64 JSON. Other iterators are opaque.
fn table_of_iterator(iterator: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(iterator).ok()?;
    let iterator: Value = serde_json::from_slice(&bytes).ok()?;
    iterator.get("table_name").and_then(Value::as_str).map(str::to_owned)
}
