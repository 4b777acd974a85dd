//! The stored form of items: DynamoDB JSON, in one file a kind.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use aws_sdk_dynamodb::types::AttributeValue;
use kit::ItemKind;
use tests::{Value, json};

pub type Item = HashMap<String, AttributeValue>;
/// The items of every kind, in the order of their keys.
pub type Forms = BTreeMap<ItemKind, Vec<Item>>;

/// Where the forms are kept.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/items")
}

/// The versions whose forms are kept, oldest first.
pub fn versions() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// The name of a kind's file.
pub fn file_name(kind: ItemKind) -> String {
    let mut name = String::new();
    for letter in format!("{kind:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name + ".json"
}

/// The text of a kind's file.
pub fn text_of(items: &[Item]) -> String {
    let items: Vec<Value> = items.iter().map(|item| Value::Object(object(item))).collect();
    serde_json::to_string_pretty(&items).unwrap() + "\n"
}

/// The text of a kind's file of a version, if it has one.
pub fn read_text(version: &str, kind: ItemKind) -> Option<String> {
    std::fs::read_to_string(folder().join(version).join(file_name(kind))).ok()
}

/// The forms of a version.
pub fn read(version: &str) -> Forms {
    let items = |kind| {
        let items: Vec<Value> = serde_json::from_str(&read_text(version, kind)?).unwrap();
        Some((kind, items.iter().map(attributes).collect()))
    };
    ItemKind::ALL.into_iter().filter_map(items).collect()
}

/// Keeps the forms of a version.
pub fn write(version: &str, forms: &Forms) {
    let folder = folder().join(version);
    std::fs::create_dir_all(&folder).unwrap();
    for (kind, items) in forms {
        std::fs::write(folder.join(file_name(*kind)), text_of(items)).unwrap();
    }
}

/// An item's key.
pub fn key_of(item: &Item) -> (&str, &str) {
    (item["pk"].as_s().unwrap(), item["sk"].as_s().unwrap())
}

fn object(attributes: &Item) -> serde_json::Map<String, Value> {
    let sorted: BTreeMap<&String, &AttributeValue> = attributes.iter().collect();
    sorted.into_iter().map(|(name, value)| (name.clone(), typed(value))).collect()
}

fn typed(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Null(flag) => json!({ "NULL": flag }),
        AttributeValue::L(values) => json!({ "L": values.iter().map(typed).collect::<Vec<_>>() }),
        AttributeValue::M(members) => json!({ "M": object(members) }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        other => panic!("a type that no item has: {other:?}"),
    }
}

fn attributes(item: &Value) -> Item {
    item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), untyped(value))).collect()
}

fn untyped(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => AttributeValue::S(text.clone()),
        ("N", Value::String(number)) => AttributeValue::N(number.clone()),
        ("BOOL", Value::Bool(flag)) => AttributeValue::Bool(*flag),
        ("NULL", Value::Bool(flag)) => AttributeValue::Null(*flag),
        ("L", Value::Array(values)) => AttributeValue::L(values.iter().map(untyped).collect()),
        ("M", members) => AttributeValue::M(attributes(members)),
        ("SS", texts) => AttributeValue::Ss(serde_json::from_value(texts.clone()).unwrap()),
        _ => panic!("not DynamoDB JSON: {kind}"),
    }
}
