//! Writing: one transaction a change, and what its cancellation means.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update},
};
use domain::{
    Timestamp,
    ports::{Alongside, Failure, Outcome},
};
use tables::TTL;

use crate::{
    Store, history,
    item::{Item, Key},
    outbox, receipts,
};

/// How often a transaction that met another one on the same items is tried again.
const ATTEMPTS: u32 = 8;
const RECEIPT: &str = "receipt";

/// A change in the making. Each write has a label that says which condition failed.
pub struct Transaction<'a> {
    store: &'a Store,
    writes: Vec<(&'static str, TransactWriteItem)>,
}

/// A condition and the values that it names.
pub struct Condition {
    expression: &'static str,
    /// Stands for an attribute whose name is a word of DynamoDB's own.
    name: Option<(&'static str, &'static str)>,
    values: Vec<(&'static str, AttributeValue)>,
}

impl Condition {
    /// None: whatever is at the key.
    pub fn none() -> Self {
        Self { expression: "", name: None, values: Vec::new() }
    }

    /// An expression and the values that it names.
    pub fn of(
        expression: &'static str,
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Self {
        Self { expression, name: None, values: values.into_iter().collect() }
    }

    /// The expression, if there is one.
    fn expression(&self) -> Option<String> {
        (!self.expression.is_empty()).then(|| self.expression.to_owned())
    }

    /// No item is at the key.
    pub fn absent() -> Self {
        Self { expression: "attribute_not_exists(pk)", name: None, values: Vec::new() }
    }

    /// An item is at the key.
    pub fn present() -> Self {
        Self { expression: "attribute_exists(pk)", name: None, values: Vec::new() }
    }

    /// No item is at the key, or one whose time to live is over: DynamoDB may take days to delete it.
    pub fn absent_or_expired(now: Timestamp) -> Self {
        Self {
            expression: "attribute_not_exists(pk) OR #ttl <= :now",
            name: Some(("#ttl", TTL)),
            values: vec![(":now", crate::item::number(now.as_second()))],
        }
    }

    /// The item's `version` is this; 0 is no item.
    pub fn version(version: u64) -> Self {
        if version == 0 {
            return Self::absent();
        }
        Self {
            expression: "version = :version",
            name: None,
            values: vec![(":version", crate::item::number(version))],
        }
    }
}

impl Store {
    pub(crate) fn transaction(&self) -> Transaction<'_> {
        Transaction { store: self, writes: Vec::new() }
    }
}

impl Transaction<'_> {
    pub fn put(mut self, label: &'static str, key: &Key, item: Item, condition: Condition) -> Self {
        let mut put = Put::builder().table_name(self.store.name(key.table)).set_item(Some(item));
        put = put.set_condition_expression(condition.expression());
        if let Some((placeholder, attribute)) = condition.name {
            put = put.expression_attribute_names(placeholder, attribute);
        }
        for (name, value) in condition.values {
            put = put.expression_attribute_values(name, value);
        }
        if let Ok(put) = put.build() {
            self.writes.push((label, TransactWriteItem::builder().put(put).build()));
        }
        self
    }

    pub fn delete(mut self, label: &'static str, key: &Key, condition: Condition) -> Self {
        let mut delete =
            Delete::builder().table_name(self.store.name(key.table)).set_key(Some(key.attributes()));
        delete = delete.set_condition_expression(condition.expression());
        for (name, value) in condition.values {
            delete = delete.expression_attribute_values(name, value);
        }
        if let Ok(delete) = delete.build() {
            self.writes.push((label, TransactWriteItem::builder().delete(delete).build()));
        }
        self
    }

    /// Changes nothing at the key, but has to find it so.
    pub fn check(mut self, label: &'static str, key: &Key, condition: Condition) -> Self {
        let mut check = ConditionCheck::builder()
            .table_name(self.store.name(key.table))
            .set_key(Some(key.attributes()))
            .set_condition_expression(condition.expression());
        for (name, value) in condition.values {
            check = check.expression_attribute_values(name, value);
        }
        if let Ok(check) = check.build() {
            self.writes.push((label, TransactWriteItem::builder().condition_check(check).build()));
        }
        self
    }

    pub fn update(
        mut self,
        key: &Key,
        expression: &'static str,
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Self {
        let mut update = Update::builder()
            .table_name(self.store.name(key.table))
            .set_key(Some(key.attributes()))
            .update_expression(expression);
        for (name, value) in values {
            update = update.expression_attribute_values(name, value);
        }
        if let Ok(update) = update.build() {
            self.writes.push(("update", TransactWriteItem::builder().update(update).build()));
        }
        self
    }

    /// Adds the line in the history, the message and the receipt.
    pub fn alongside(mut self, alongside: Alongside) -> Outcome<Self> {
        if let Some(event) = &alongside.event {
            let (key, item) = history::event_item(event)?;
            self = self.put("event", &key, item, Condition::absent());
        }
        if let Some(message) = &alongside.message {
            let (key, item) = outbox::message_item(message)?;
            self = self.put("message", &key, item, Condition::absent());
        }
        if let Some(receipt) = &alongside.receipt {
            let (key, item) = receipts::receipt_item(receipt)?;
            self = self.put(RECEIPT, &key, item, Condition::absent_or_expired(receipt.made_at));
        }
        Ok(self)
    }

    /// Makes the change, all of it or nothing; the label of a write whose condition failed.
    ///
    /// The SDK sends every attempt with the same token, so a change whose answer was lost is not made twice.
    pub async fn commit(self) -> Outcome<Option<&'static str>> {
        let (labels, writes): (Vec<_>, Vec<_>) = self.writes.into_iter().unzip();
        for attempt in 0..ATTEMPTS {
            let request = self.store.client.transact_write_items().set_transact_items(Some(writes.clone()));
            let error = match request.send().await {
                Ok(_) => return Ok(None),
                Err(error) => error,
            };
            match cancellation(&error) {
                Some(reasons) => match refused(&labels, &reasons) {
                    Some(RECEIPT) => return Err(Failure::AlreadyDone),
                    Some(label) => return Ok(Some(label)),
                    None => tokio::time::sleep(pause(attempt)).await,
                },
                None => return Err(crate::failure::unavailable(error)),
            }
        }
        Err(Failure::Raced)
    }
}

/// Why each write was cancelled, if the transaction was cancelled for reasons of its items.
fn cancellation<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Vec<String>> {
    let SdkError::ServiceError(context) = error else { return None };
    match context.err() {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let reasons = cancelled.cancellation_reasons().iter();
            let codes: Vec<String> =
                reasons.map(|reason| reason.code().unwrap_or("None").to_owned()).collect();
            let ours = ["ConditionalCheckFailed", "TransactionConflict"];
            codes.iter().any(|code| ours.contains(&code.as_str())).then_some(codes)
        }
        _ => None,
    }
}

/// The write whose condition failed; the receipt's first, since it explains all others.
fn refused(labels: &[&'static str], reasons: &[String]) -> Option<&'static str> {
    let failed = labels.iter().zip(reasons).filter(|(_, reason)| *reason == "ConditionalCheckFailed");
    let failed: Vec<&'static str> = failed.map(|(label, _)| *label).collect();
    failed.iter().find(|label| **label == RECEIPT).or(failed.first()).copied()
}

/// A random pause that grows, so that those who lost a race do not meet again.
pub fn pause(attempt: u32) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let most = 8_u64 << attempt.min(5);
    Duration::from_millis(1 + random % most)
}
