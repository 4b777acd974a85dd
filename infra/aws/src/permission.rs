//! Checks the permissions of the calling function's role. A function may call only its own region and the directory,
//! and may write the directory only in the authority region. Within these limits, the role's policies apply.
//!
//! The permissions that a call needs are derived from the request as IAM does: actions, resources, and
//! [condition keys](https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html).

mod files;

use std::collections::{BTreeMap, BTreeSet};

use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tables::PARTITION_KEY;

use crate::answer::Refusal;
use crate::directory::DirectoryTable;
use crate::dynamo::{TableNames, short, writes};
use crate::fault::denied;
use crate::request::Caller;
use crate::service::Service;

/// A permission that a call needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IamPermission {
    /// The action, for example `dynamodb:PutItem`. A transaction needs the actions of its items.
    pub action: String,
    /// The resource as the request names it: a table, key, secret, bus, bucket or object.
    pub on: String,
    /// The AWS region of the resource.
    pub region: String,
    /// The condition keys of the request and their values.
    pub context: Context,
}

/// The IAM policies of the functions' roles.
pub trait IamPolicy: Send + Sync {
    /// Whether a function that runs in the AWS region `home` has a permission.
    fn allows(&self, function: &str, home: &str, need: &IamPermission) -> bool;
}

/// A policy that allows everything, for tests that don't cover permissions.
pub struct AllowAll;

impl IamPolicy for AllowAll {
    fn allows(&self, _: &str, _: &str, _: &IamPermission) -> bool {
        true
    }
}

/// Which keys of a request the condition key `dynamodb:LeadingKeys` has where a request is about several items. AWS documents it
/// for a single table only
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LeadingKeys {
    /// For a table of a batch, the keys in that table; for an item of a transaction, its own key.
    #[default]
    PerTable,
    /// For a table of a batch, the keys in all its tables; for an item of a transaction, its own key.
    PerBatch,
    /// For a table of a batch and for an item of a transaction, all keys in the request.
    PerRequest,
}

impl LeadingKeys {
    /// Whether the condition key has all keys in this request.
    fn has_all_of(self, request: &Fields) -> bool {
        match self {
            Self::PerTable => false,
            Self::PerBatch => request.contains_key("RequestItems"),
            Self::PerRequest => request.contains_key("RequestItems") || request.contains_key("TransactItems"),
        }
    }
}

/// Condition keys and their values.
type Context = BTreeMap<String, BTreeSet<String>>;

type Fields = Map<String, Value>;

/// The permissions that a call needs.
pub(crate) fn needs(
    caller: &Caller,
    named: &TableNames,
    (parts, body): (&Parts, &[u8]),
    leading_keys: LeadingKeys,
) -> Vec<IamPermission> {
    let request: Fields = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let service = caller.service.name();
    let need = |action: &str, on: String, context: Context| IamPermission {
        action: format!("{service}:{action}"),
        on,
        region: caller.region.clone(),
        context,
    };
    let one = |on: String, context: Context| vec![need(&caller.operation, on, context)];
    let needs: Vec<IamPermission> = match caller.service {
        Service::DynamoDb => judged_with(leading_keys, &request, of_tables(caller, named, &request))
            .into_iter()
            .map(|(action, table, partitions)| {
                need(&action, table, keyed("dynamodb:LeadingKeys", partitions))
            })
            .collect(),
        Service::Kms => one(text("KeyId"), encryption_context(&request)),
        Service::SecretsManager => one(text("SecretId"), Context::new()),
        Service::Events => {
            of_buses(&request).into_iter().flat_map(|(bus, context)| one(bus, context)).collect()
        }
        Service::Sqs => one(of_queue(&request), Context::new()),
        Service::Ses => one("mail".to_owned(), keyed("ses:FromAddress", [text("FromEmailAddress")])),
        Service::S3 => files::of_files(&caller.operation, parts, body)
            .into_iter()
            .map(|(action, file, context)| need(&action, file, context))
            .collect(),
    };
    // A call without a resource also needs permission.
    if needs.is_empty() { one(String::new(), Context::new()) } else { needs }
}

/// The name of the queue in a URL, an ARN or a name.
fn of_queue(request: &Fields) -> String {
    let members = ["QueueUrl", "QueueName", "SourceArn"];
    let named = members.iter().find_map(|member| request.get(*member).and_then(Value::as_str));
    named.and_then(|queue| queue.rsplit(['/', ':']).next()).unwrap_or_default().to_owned()
}

fn keyed(key: &str, values: impl IntoIterator<Item = String>) -> Context {
    let values: BTreeSet<String> = values.into_iter().collect();
    // A condition key without values counts as absent.
    if values.is_empty() { Context::new() } else { Context::from([(key.to_owned(), values)]) }
}

fn encryption_context(request: &Fields) -> Context {
    let pairs = request.get("EncryptionContext").and_then(Value::as_object).into_iter().flatten();
    let value = |(name, value): (&String, &Value)| {
        Some((format!("kms:EncryptionContext:{name}"), BTreeSet::from([value.as_str()?.to_owned()])))
    };
    pairs.filter_map(value).collect()
}

/// The event buses of the entries, each with the sources of its entries.
fn of_buses(request: &Fields) -> Vec<(String, Context)> {
    let mut buses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in request.get("Entries").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let sources = buses.entry(text("EventBusName").unwrap_or_default()).or_default();
        sources.extend(text("Source"));
    }
    buses.into_iter().map(|(bus, sources)| (bus, keyed("events:source", sources))).collect()
}

/// An action, its table, and the partition keys in the request.
type TablePermission = (String, String, BTreeSet<String>);

/// The permissions with the keys that the condition key has.
fn judged_with(
    leading_keys: LeadingKeys,
    request: &Fields,
    tables: BTreeSet<TablePermission>,
) -> BTreeSet<TablePermission> {
    if !leading_keys.has_all_of(request) {
        return tables;
    }
    let all: BTreeSet<String> = tables.iter().flat_map(|(.., partitions)| partitions.clone()).collect();
    tables.into_iter().map(|(action, table, _)| (action, table, all.clone())).collect()
}

/// Transactions need a permission per item, batches one per table. Each has the keys of its item or table.
fn of_tables(caller: &Caller, named: &TableNames, request: &Fields) -> BTreeSet<TablePermission> {
    let operation = || caller.operation.clone();
    if let Some(Value::Array(items)) = request.get("TransactItems") {
        return items.iter().filter_map(Value::as_object).flatten().map(of_transaction).collect();
    }
    if let Some(Value::Object(tables)) = request.get("RequestItems") {
        let batch =
            |(table, wanted): (&String, &Value)| (operation(), short(table).to_owned(), of_batch(wanted));
        return tables.iter().map(batch).collect();
    }
    let partitions: BTreeSet<String> = partition(request).into_iter().collect();
    named.each().map(|table| (operation(), table.to_owned(), partitions.clone())).collect()
}

fn of_transaction((name, item): (&String, &Value)) -> TablePermission {
    let action =
        if name == "ConditionCheck" { "ConditionCheckItem".to_owned() } else { format!("{name}Item") };
    let table = item.get("TableName").and_then(Value::as_str).map(short).unwrap_or_default();
    (action, table.to_owned(), item.as_object().and_then(partition).into_iter().collect())
}

/// The partition keys of the keys that a batch reads, or of the items that it writes.
fn of_batch(wanted: &Value) -> BTreeSet<String> {
    let keys = wanted.get("Keys").and_then(Value::as_array).into_iter().flatten();
    let writes = wanted.as_array().into_iter().flatten().filter_map(Value::as_object).flat_map(Map::values);
    let of_write = |write: &Value| write.as_object().and_then(partition);
    keys.filter_map(of_key).chain(writes.filter_map(of_write)).collect()
}

/// The partition key of a single-item request or a query.
fn partition(request: &Fields) -> Option<String> {
    let item = request.get("Key").or_else(|| request.get("Item"));
    item.map_or_else(|| of_query(request), of_key)
}

fn of_key(key: &Value) -> Option<String> {
    Some(key.get(PARTITION_KEY)?.get("S")?.as_str()?.to_owned())
}

/// The value that a key condition requires of the partition key.
fn of_query(request: &Fields) -> Option<String> {
    let condition = request.get("KeyConditionExpression")?.as_str()?;
    let wanted = |term: &str| {
        let (name, value) = term.split_once('=')?;
        let named =
            request.get("ExpressionAttributeNames").and_then(|names| names.get(name.trim())?.as_str());
        (named.unwrap_or(name.trim()) == PARTITION_KEY).then(|| value.trim().to_owned())
    };
    let placeholder = condition.split(" AND ").find_map(wanted)?;
    Some(request.get("ExpressionAttributeValues")?.get(&placeholder)?.get("S")?.as_str()?.to_owned())
}

/// Refuses calls without permission. Callers that are no functions may do everything: they set up regions, replicate
/// and inspect tables.
pub(crate) fn check(
    caller: &Caller,
    named: &TableNames,
    needs: &[IamPermission],
    (directory, policy): (&DirectoryTable, &dyn IamPolicy),
) -> Result<(), Refusal> {
    let Some(home) = &caller.home else { return Ok(()) };
    let in_reach = if named.has(&directory.table) && writes(&caller.operation) {
        caller.region == directory.authority
    } else {
        *home == caller.region || named.is_only(&directory.table)
    };
    let refused = needs.iter().find(|need| !policy.allows(&caller.function, home, need));
    match refused {
        None if in_reach => Ok(()),
        None => Err(denied(caller, &caller.action())),
        Some(need) => Err(denied(caller, &need.action)),
    }
}
