//! Writing: one transaction a change, and what its cancellation means.

use std::{
    borrow::Cow,
    collections::HashMap,
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
    expression: Cow<'static, str>,
    /// Stands for an attribute whose name is a word of DynamoDB's own.
    name: Option<(&'static str, &'static str)>,
    values: Vec<(&'static str, AttributeValue)>,
}

impl Condition {
    /// None: whatever is at the key.
    pub fn none() -> Self {
        Self::of("", [])
    }

    /// An expression and the values that it names.
    pub fn of(
        expression: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Self {
        Self { expression: expression.into(), name: None, values: values.into_iter().collect() }
    }

    /// The same; `placeholder` in its expression stands for `attribute`.
    pub fn naming(self, placeholder: &'static str, attribute: &'static str) -> Self {
        Self { name: Some((placeholder, attribute)), ..self }
    }

    /// No item is at the key.
    pub fn absent() -> Self {
        Self::of("attribute_not_exists(pk)", [])
    }

    /// An item is at the key.
    pub fn present() -> Self {
        Self::of("attribute_exists(pk)", [])
    }

    /// No item is at the key, or one whose time to live is over: DynamoDB may take days to delete it.
    pub fn absent_or_expired(now: Timestamp) -> Self {
        let now = crate::item::number(now.as_second());
        Self::of("attribute_not_exists(pk) OR #ttl <= :now", [(":now", now)]).naming("#ttl", TTL)
    }

    /// The item's `version` is this; 0 is no item.
    pub fn version(version: u64) -> Self {
        if version == 0 {
            return Self::absent();
        }
        Self::of("version = :version", [(":version", crate::item::number(version))])
    }

    /// Both hold. One of them at most has a name.
    pub fn and(mut self, other: Self) -> Self {
        self.expression = match (self.expression.as_ref(), other.expression.as_ref()) {
            ("", _) => other.expression,
            (_, "") => self.expression,
            (one, another) => format!("({one}) AND ({another})").into(),
        };
        self.values.extend(other.values);
        Self { name: self.name.or(other.name), ..self }
    }

    /// The expression, if there is one.
    fn expression(&self) -> Option<String> {
        (!self.expression.is_empty()).then(|| self.expression.clone().into_owned())
    }

    fn names(&self) -> Option<HashMap<String, String>> {
        self.name.map(|(placeholder, attribute)| [(placeholder.to_owned(), attribute.to_owned())].into())
    }

    fn values(self) -> Option<Item> {
        let values = self.values.into_iter().map(|(name, value)| (name.to_owned(), value));
        Some(values.collect::<Item>()).filter(|values| !values.is_empty())
    }
}

impl Store {
    pub(crate) fn transaction(&self) -> Transaction<'_> {
        Transaction { store: self, writes: Vec::new() }
    }
}

impl Transaction<'_> {
    pub fn put(self, label: &'static str, key: &Key, item: Item, condition: Condition) -> Self {
        let put = Put::builder()
            .table_name(self.store.name(key.table))
            .set_item(Some(item))
            .set_condition_expression(condition.expression())
            .set_expression_attribute_names(condition.names())
            .set_expression_attribute_values(condition.values());
        let write = put.build().map(|put| TransactWriteItem::builder().put(put).build());
        self.with(label, write.ok())
    }

    pub fn delete(self, label: &'static str, key: &Key, condition: Condition) -> Self {
        let delete = Delete::builder()
            .table_name(self.store.name(key.table))
            .set_key(Some(key.attributes()))
            .set_condition_expression(condition.expression())
            .set_expression_attribute_names(condition.names())
            .set_expression_attribute_values(condition.values());
        let write = delete.build().map(|delete| TransactWriteItem::builder().delete(delete).build());
        self.with(label, write.ok())
    }

    /// Changes nothing at the key, but has to find it so.
    pub fn check(self, label: &'static str, key: &Key, condition: Condition) -> Self {
        let check = ConditionCheck::builder()
            .table_name(self.store.name(key.table))
            .set_key(Some(key.attributes()))
            .set_condition_expression(condition.expression())
            .set_expression_attribute_names(condition.names())
            .set_expression_attribute_values(condition.values());
        let write = check.build().map(|check| TransactWriteItem::builder().condition_check(check).build());
        self.with(label, write.ok())
    }

    /// Changes single attributes, of an item that is made if it is not there. The condition's values have other names.
    pub fn update(
        self,
        label: &'static str,
        key: &Key,
        expression: impl Into<String>,
        values: impl IntoIterator<Item = (String, AttributeValue)>,
        condition: Condition,
    ) -> Self {
        let update = Update::builder()
            .table_name(self.store.name(key.table))
            .set_key(Some(key.attributes()))
            .update_expression(expression)
            .set_condition_expression(condition.expression())
            .set_expression_attribute_names(condition.names());
        let values = values.into_iter().chain(condition.values().into_iter().flatten()).collect();
        let write = update.set_expression_attribute_values(Some(values)).build();
        self.with(label, write.map(|update| TransactWriteItem::builder().update(update).build()).ok())
    }

    fn with(mut self, label: &'static str, write: Option<TransactWriteItem>) -> Self {
        self.writes.extend(write.map(|write| (label, write)));
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
