//! Items and their keys.

use std::{collections::HashMap, fmt::Display};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Timestamp,
    ports::{Failure, Outcome},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_dynamo::Deserializer;
use tables::{ItemKind, PARTITION_KEY, SORT_KEY, TTL, Table};

/// An item as DynamoDB holds it.
pub type Item = HashMap<String, AttributeValue>;

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub table: Table,
    pub pk: String,
    pub sk: String,
}

impl Key {
    /// The key of the item of this kind that is about `subject`, or of one of several with the same subject.
    pub fn new(kind: ItemKind, subject: impl Display, sk: impl Into<String>) -> Self {
        Self { table: kind.table(), pk: kind.partition(subject), sk: sk.into() }
    }

    pub fn attributes(&self) -> Item {
        self.clone().into_attributes()
    }

    pub fn into_attributes(self) -> Item {
        let (pk, sk) = (AttributeValue::S(self.pk), AttributeValue::S(self.sk));
        HashMap::from([(PARTITION_KEY.to_owned(), pk), (SORT_KEY.to_owned(), sk)])
    }

    /// The size of its attributes in bytes, as DynamoDB counts.
    pub const fn bytes(&self) -> usize {
        PARTITION_KEY.len() + self.pk.len() + SORT_KEY.len() + self.sk.len()
    }

    /// Whether `item` is the one at this key.
    pub fn is_of(&self, item: &Item) -> bool {
        item.get(PARTITION_KEY) == Some(&text(&self.pk)) && item.get(SORT_KEY) == Some(&text(&self.sk))
    }
}

pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// `record` as the item at `key`.
pub fn to_item(key: &Key, record: &impl Serialize) -> Outcome<Item> {
    let mut item: Item = serde_dynamo::to_item(record).map_err(broken)?;
    // An absent value is an absent attribute, as conditions expect.
    item.retain(|_, value| !matches!(value, AttributeValue::Null(_)));
    item.extend(key.attributes());
    Ok(item)
}

/// `record` as the item at `key`, which expires at `at`.
pub fn to_expiring_item(key: &Key, record: &impl Serialize, at: Timestamp) -> Outcome<Item> {
    let mut item = to_item(key, record)?;
    item.insert(TTL.to_owned(), number(at.as_second()));
    Ok(item)
}

/// The size of an item in bytes, as DynamoDB counts: its attributes' names and values ([sizes]).
///
/// [sizes]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
pub fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Bs(all) => all.iter().map(|bytes| bytes.as_ref().len()).sum(),
        // A list or map takes three bytes, and one for each element.
        AttributeValue::L(values) => 3 + values.iter().map(|value| 1 + size_of_value(value)).sum::<usize>(),
        AttributeValue::M(item) => 3 + item.len() + size(item),
        _ => 1,
    }
}

/// The record that an item holds.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Outcome<T> {
    // `serde_dynamo::from_item` builds this map twice.
    let map = serde_dynamo::AttributeValue::M(values(item));
    T::deserialize(Deserializer::from_attribute_value(map)).map_err(broken)
}

fn values(item: Item) -> HashMap<String, serde_dynamo::AttributeValue> {
    item.into_iter().map(|(name, value)| (name, value.into())).collect()
}

fn broken(error: serde_dynamo::Error) -> Failure {
    Failure::Broken(format!("an item does not fit its record: {error}"))
}
