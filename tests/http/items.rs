//! The stored form of items: each kind's form is kept in `tests/fixtures/items`, and every version's stays readable.
//!
//! Each folder there holds the form of one version, the last one today's. Fixtures of a release never change: an author who
//! changes a form adds a folder, or overwrites the last one if nothing was released since it was added:
//!
//! ```text
//! ACCOUNT_TEST_ITEMS=<year>-<month> cargo test --workspace --test http items::stored_form
//! ```

mod form;
mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    },
};
use domain::{
    id::WorkspaceId,
    permissions::{EditsResources, Member, may_edit_resources},
    ports::Workspaces,
    role::Role,
};
use kit::ItemKind;
use store::{DirectoryStore, Store, tables::Table};
use tests::{App, Value, json};

use self::form::{Forms, Item, key_of};

/// Tables that no function works on, with everything that reads and writes them.
pub struct Tables {
    client: Client,
    prefix: String,
    store: Store,
    directory: DirectoryStore,
}

impl Tables {
    /// New ones.
    async fn new(app: &App, name: &str) -> Self {
        let (client, prefix) = (app.tables(), format!("items-{name}-"));
        for table in Table::ALL {
            make(&client, table.name(&prefix)).await;
        }
        let (authority, directory) = (client.clone(), Table::Directory.name(&prefix));
        Self {
            store: Store::new(client.clone(), prefix.clone()),
            directory: DirectoryStore::new(client.clone(), move || authority, directory),
            client,
            prefix,
        }
    }

    /// Those that hold the items of a version.
    async fn holding(app: &App, version: &str, forms: &Forms) -> Self {
        let tables = Self::new(app, version).await;
        for (kind, items) in forms {
            for item in items {
                tables.put(kind.table().as_str(), item.clone()).await;
            }
        }
        tables
    }

    async fn put(&self, table: &str, item: Item) {
        let request = self.client.put_item().table_name(format!("{}{table}", self.prefix));
        request.set_item(Some(item)).send().await.unwrap();
    }

    /// Everything, by kind and key.
    async fn forms(&self) -> Forms {
        let mut forms = Forms::new();
        for table in Table::ALL {
            let scan = self.client.scan().table_name(table.name(&self.prefix)).consistent_read(true);
            let mut items = scan.into_paginator().items().send();
            while let Some(item) = items.next().await {
                let item = item.unwrap();
                let kind = ItemKind::of(table, key_of(&item).0);
                let kind = kind.unwrap_or_else(|| panic!("of no kind: {:?}", key_of(&item)));
                forms.entry(kind).or_default().push(item);
            }
        }
        let by_key = |one: &Item, other: &Item| key_of(one).cmp(&key_of(other));
        forms.values_mut().for_each(|items| items.sort_by(by_key));
        forms
    }

    async fn editor(&self, workspace: WorkspaceId) -> EditsResources {
        let workspace = Workspaces::find(&self.store, workspace).await.unwrap().unwrap();
        let user = workspace.owner;
        may_edit_resources(&Member { workspace, role: Role::Owner, user, stepped_up: true }).unwrap()
    }
}

/// Makes a table.
pub async fn make(client: &Client, name: String) {
    let attribute = |name: &str| {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        attribute.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let key =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let request = request.attribute_definitions(attribute("pk")).attribute_definitions(attribute("sk"));
    let request = request.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
    request.send().await.unwrap();
}

/// The lines that only one of two texts has.
fn difference(kept: &str, written: &str) -> String {
    let mut lines: BTreeMap<&str, i64> = BTreeMap::new();
    kept.lines().for_each(|line| *lines.entry(line).or_default() -= 1);
    written.lines().for_each(|line| *lines.entry(line).or_default() += 1);
    let only = |line: &str| match lines.get(line) {
        Some(..=-1) => Some(format!("- {line}")),
        Some(1..) => Some(format!("+ {line}")),
        _ => None,
    };
    kept.lines().chain(written.lines()).filter_map(only).collect::<Vec<_>>().join("\n")
}

/// Every value in a JSON document, as text.
fn values(json: &Value, into: &mut Vec<String>) {
    match json {
        Value::Null => {}
        Value::String(text) => into.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|value| values(value, into)),
        Value::Object(members) => members.values().for_each(|value| values(value, into)),
        other => into.push(other.to_string()),
    }
}

/// Values of stored attributes that today's code passes over on purpose, by kind and attribute.
const PASSED_OVER: [(ItemKind, &str); 4] = [
    // The owner of a key's workspace, as it was when the key was made: the workspace says who owns it.
    (ItemKind::KeyHolders, "owner"),
    // Whether a later attempt with the same password took an attempt's place: each attempt has a secret of its own now.
    (ItemKind::SignUps, "superseded"),
    // The number of a deletion's steps that were done: it is read as their names, which the tests of deletions see to.
    (ItemKind::Jobs, "done"),
    // The version of a copy, for the condition of the next write: it is computed from the copy's other attributes.
    (ItemKind::Memberships, "version"),
];

/// Removes members by their names, however deep.
fn remove_members(value: &mut Value, named: &impl Fn(&str) -> bool) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !named(name));
            members.values_mut().for_each(|member| remove_members(member, named));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| remove_members(value, named)),
        _ => {}
    }
}

/// The values of a stored item that the record lacks after reading.
fn lost(kind: ItemKind, item: &Item, read: &Value) -> Vec<String> {
    let mut found = Vec::new();
    values(read, &mut found);
    let mut lost = Vec::new();
    let passed_over = |name: &str| PASSED_OVER.contains(&(kind, name));
    for (name, value) in item {
        if passed_over(name) || ["pk", "sk", "ttl"].contains(&name.as_str()) {
            continue;
        }
        let mut whole: Value = serde_dynamo::from_attribute_value(value.clone()).unwrap();
        remove_members(&mut whole, &passed_over);
        let mut stored = Vec::new();
        values(&whole, &mut stored);
        for value in stored {
            match found.iter().position(|it| *it == value) {
                Some(n) => drop(found.swap_remove(n)),
                None => lost.push(format!("{name}: {value}")),
            }
        }
    }
    lost
}

#[tokio::test]
async fn stored_form_of_every_kind_equals_the_newest_fixtures() {
    let app = App::start().await;
    let tables = Tables::new(&app, "written").await;
    write::everything(&tables).await;
    let written = tables.forms().await;
    let missing: Vec<_> = ItemKind::ALL.into_iter().filter(|kind| !written.contains_key(kind)).collect();
    assert!(missing.is_empty(), "write::everything writes no {missing:?}: add some");

    let newest = form::versions().pop();
    if let Ok(version) = std::env::var("ACCOUNT_TEST_ITEMS") {
        assert!(newest.is_none_or(|newest| newest <= version), "older fixtures are never changed");
        return form::write(&version, &written);
    }
    let newest = newest.unwrap();
    for (kind, items) in &written {
        let (kept, items) = (form::read_text(&newest, *kind).unwrap_or_default(), form::text_of(items));
        assert!(
            kept == items,
            "The stored form of {kind:?} is not that of {newest}:\n{}\nOld items stay readable: give a new field a \
             default, and a renamed one its old name as an alias. Then add fixtures of the new form with \
             ACCOUNT_TEST_ITEMS=<year>-<month>; see tests/http/items.rs.",
            difference(&kept, &items)
        );
    }
}

#[tokio::test]
async fn stored_items_of_every_version_are_read_without_loss() {
    let app = App::start().await;
    for version in form::versions() {
        let forms = form::read(&version);
        let tables = Tables::holding(&app, &version, &forms).await;
        for (kind, item) in forms.iter().flat_map(|(kind, items)| items.iter().map(move |item| (kind, item)))
        {
            let read = read::item(&tables, *kind, item).await;
            let (lost, key) = (lost(*kind, item, &read), key_of(item));
            assert!(!read.is_null(), "{version}: {kind:?} {key:?} is not read");
            assert!(lost.is_empty(), "{version}: of {kind:?} {key:?} is lost: {lost:?}");
        }
    }
}

#[test]
fn sealed_attributes_are_those_of_the_rows() {
    let is_sealed = |value: &AttributeValue| {
        value.as_s().is_ok_and(|text| text.starts_with("sealed ") || text.starts_with("wrapped key "))
    };
    let forms = form::read(&form::versions().pop().unwrap());
    for (kind, items) in forms {
        let attributes = items.iter().flatten().filter(|(_, value)| is_sealed(value));
        let attributes: BTreeSet<&str> = attributes.map(|(name, _)| name.as_str()).collect();
        assert_eq!(attributes, kind.row().sealed.iter().copied().collect(), "{kind:?}");
    }
}

#[test]
fn first_fixtures_have_every_kind_of_their_time() {
    let versions = form::versions();
    assert_eq!(versions.first().map(String::as_str), Some("2026-11"));
    assert_eq!(form::read("2026-11").values().filter(|items| !items.is_empty()).count(), 42);
}

#[test]
fn value_that_is_not_read_counts_as_lost() {
    let item: Item = serde_dynamo::to_item(json!({
        "pk": "USER#1", "sk": "USER", "ttl": 5, "name": "Ada", "tags": ["a", "a"], "at": { "n": 7 }, "none": null,
    }))
    .unwrap();
    let whole = json!({ "called": "Ada", "tags": ["a", "a"], "n": 7, "new": true });
    assert!(lost(ItemKind::Users, &item, &whole).is_empty(), "what is renamed is not lost");
    let mut less = lost(ItemKind::Users, &item, &json!({ "tags": ["a"], "n": 7 }));
    less.sort();
    assert_eq!(less, ["name: Ada", "tags: a"]);
}
