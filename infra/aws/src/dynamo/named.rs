//! Which tables a request is about.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::request::Caller;
use crate::service::Service;

/// The tables that a request names, each once, in order.
#[derive(Debug, Default)]
pub(crate) struct Named(BTreeSet<String>);

impl Named {
    /// Reads them from wherever DynamoDB's requests name tables.
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

    /// All of them, as the journal has them.
    pub(crate) fn joined(&self) -> Option<String> {
        let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    /// Each of them.
    pub(crate) fn each(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether this table is among them.
    pub(crate) fn has(&self, table: &str) -> bool {
        self.0.contains(table)
    }

    /// Whether this table is the only one.
    pub(crate) fn is_only(&self, table: &str) -> bool {
        self.has(table) && self.0.len() == 1
    }
}

/// A table may be named by its ARN.
pub(crate) fn short(name: &str) -> &str {
    name.rsplit_once(":table/").map_or(name, |(_, name)| name)
}

/// `…:table/NAME/stream/LABEL`
fn table_of_stream(arn: &str) -> Option<&str> {
    arn.split_once(":table/")?.1.split('/').next()
}

/// dynoxide's iterators are JSON in base64; what others look like is theirs.
fn table_of_iterator(iterator: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(iterator).ok()?;
    let iterator: Value = serde_json::from_slice(&bytes).ok()?;
    iterator.get("table_name").and_then(Value::as_str).map(str::to_owned)
}
