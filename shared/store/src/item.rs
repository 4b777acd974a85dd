//! Items and their keys.

use std::{collections::HashMap, fmt::Display};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Timestamp,
    ports::{Failure, Outcome},
};
use serde::{Serialize, de::DeserializeOwned};
use tables::{Items, PARTITION_KEY, SORT_KEY, TTL, Table};

/// An item as DynamoDB holds it.
pub type Item = HashMap<String, AttributeValue>;

/// Where an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub table: Table,
    pub pk: String,
    pub sk: String,
}

impl Key {
    /// The key of the item of this kind that is about `subject`, or of one of several with the same subject.
    pub fn new(kind: Items, subject: impl Display, sk: impl Into<String>) -> Self {
        Self { table: kind.table(), pk: kind.partition(subject), sk: sk.into() }
    }

    pub fn attributes(&self) -> Item {
        self.clone().into_attributes()
    }

    pub fn into_attributes(self) -> Item {
        let (pk, sk) = (AttributeValue::S(self.pk), AttributeValue::S(self.sk));
        HashMap::from([(PARTITION_KEY.to_owned(), pk), (SORT_KEY.to_owned(), sk)])
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

/// The same, gone some time after `at`.
pub fn to_expiring_item(key: &Key, record: &impl Serialize, at: Timestamp) -> Outcome<Item> {
    let mut item = to_item(key, record)?;
    item.insert(TTL.to_owned(), number(at.as_second()));
    Ok(item)
}

/// The record that an item holds.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Outcome<T> {
    serde_dynamo::from_item(item).map_err(broken)
}

fn broken(error: serde_dynamo::Error) -> Failure {
    Failure::Broken(format!("an item does not fit its record: {error}"))
}
