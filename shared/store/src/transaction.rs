//! Writing: one transaction a change, and what its cancellation means.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update},
};
use domain::ports::{Failure, Outcome};

pub use crate::condition::Condition;
use crate::{
    client::Store,
    condition::{Expression, Expressions, unbuildable},
    failure::{SERVICE, failure},
    item::{Item, Key, size},
    retry::Attempts,
};

/// The most writes that DynamoDB takes in one transaction ([limits]).
///
/// [limits]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
pub const MOST_WRITES: usize = 100;
/// The most bytes that DynamoDB takes in one transaction.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The label of the write of an idempotency record.
pub const RECEIPT: &str = "receipt";

/// A change in the making. Each write has a label that names its condition. If a write can't be built, the whole transaction
/// fails with the first such error.
pub struct Transaction<'a> {
    store: &'a Store,
    writes: Outcome<Writes>,
}

/// The writes.
#[derive(Default)]
struct Writes {
    labels: Vec<&'static str>,
    items: Vec<TransactWriteItem>,
    bytes: usize,
}

/// A write's table, its expressions, and the size of their values.
struct Target {
    table: String,
    condition: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<Item>,
    bytes: usize,
}

impl Store {
    pub(crate) fn transaction(&self) -> Transaction<'_> {
        Transaction { store: self, writes: Ok(Writes::default()) }
    }

    fn target(&self, key: &Key, mut expressions: Expressions, condition: Condition) -> Outcome<Target> {
        let condition = expressions.condition(condition)?;
        let (names, values) = (expressions.names(), expressions.values());
        let bytes = values.as_ref().map_or(0, size);
        Ok(Target { table: self.name(key.table), condition, names, values, bytes })
    }
}

impl Transaction<'_> {
    pub fn put(self, label: &'static str, key: &Key, item: Item, condition: Condition) -> Self {
        self.with(label, |store| {
            let target = store.target(key, Expressions::default(), condition)?;
            let bytes = target.bytes + size(&item);
            let put = Put::builder()
                .table_name(target.table)
                .set_item(Some(item))
                .set_condition_expression(target.condition)
                .set_expression_attribute_names(target.names)
                .set_expression_attribute_values(target.values);
            let put = put.build().map_err(unbuildable)?;
            Ok((TransactWriteItem::builder().put(put).build(), bytes))
        })
    }

    pub fn delete(self, label: &'static str, key: &Key, condition: Condition) -> Self {
        self.with(label, |store| {
            let target = store.target(key, Expressions::default(), condition)?;
            let delete = Delete::builder()
                .table_name(target.table)
                .set_key(Some(key.attributes()))
                .set_condition_expression(target.condition)
                .set_expression_attribute_names(target.names)
                .set_expression_attribute_values(target.values);
            let delete = delete.build().map_err(unbuildable)?;
            Ok((TransactWriteItem::builder().delete(delete).build(), key.bytes() + target.bytes))
        })
    }

    /// Requires a condition at a key without changing it.
    pub fn check(self, label: &'static str, key: &Key, condition: Condition) -> Self {
        self.with(label, |store| {
            let target = store.target(key, Expressions::default(), condition)?;
            let check = ConditionCheck::builder()
                .table_name(target.table)
                .set_key(Some(key.attributes()))
                .set_condition_expression(target.condition)
                .set_expression_attribute_names(target.names)
                .set_expression_attribute_values(target.values);
            let check = check.build().map_err(unbuildable)?;
            Ok((TransactWriteItem::builder().condition_check(check).build(), key.bytes() + target.bytes))
        })
    }

    /// Changes single attributes. Creates the item if it does not exist.
    pub fn update(
        self,
        label: &'static str,
        key: &Key,
        expression: impl Into<String>,
        values: impl IntoIterator<Item = (String, AttributeValue)>,
        condition: Condition,
    ) -> Self {
        self.change(label, key, Expression::new(expression.into(), values), condition)
    }

    /// The same with an expression that may name attributes whose names are reserved.
    pub fn change(self, label: &'static str, key: &Key, change: Expression, condition: Condition) -> Self {
        self.with(label, |store| {
            let mut expressions = Expressions::default();
            let change = expressions.add(change)?;
            let target = store.target(key, expressions, condition)?;
            let update = Update::builder()
                .table_name(target.table)
                .set_key(Some(key.attributes()))
                .update_expression(change)
                .set_condition_expression(target.condition)
                .set_expression_attribute_names(target.names)
                .set_expression_attribute_values(target.values);
            let update = update.build().map_err(unbuildable)?;
            Ok((TransactWriteItem::builder().update(update).build(), key.bytes() + target.bytes))
        })
    }

    /// Adds a write with its size.
    fn with(
        mut self,
        label: &'static str,
        write: impl FnOnce(&Store) -> Outcome<(TransactWriteItem, usize)>,
    ) -> Self {
        let store = self.store;
        self.writes = self.writes.and_then(|mut writes| {
            let (write, bytes) = write(store)?;
            writes.labels.push(label);
            writes.items.push(write);
            writes.bytes += bytes;
            Ok(writes)
        });
        self
    }

    /// Commits the whole change or nothing. Returns the label of a write whose condition failed.
    ///
    /// The SDK sends every attempt with the same token, so that a change whose answer was lost happens once.
    pub async fn commit(self) -> Outcome<Option<&'static str>> {
        let Writes { labels, items, .. } = self.writes.and_then(Writes::within_limits)?;
        let mut attempts = Attempts::of_transaction();
        while attempts.next().await {
            let request = self.store.client.transact_write_items().set_transact_items(Some(items.clone()));
            let Err(error) = request.send().await else { return Ok(None) };
            let Some(reasons) = cancellation(&error) else { return Err(failure(error)) };
            match refused(&labels, &reasons) {
                Some(RECEIPT) => return Err(Failure::AlreadyDone),
                Some(label) => return Ok(Some(label)),
                None if reasons.iter().any(|reason| reason == CONFLICT) => {}
                None => return Err(cancelled(&reasons)),
            }
        }
        Err(Failure::Raced)
    }
}

impl Writes {
    /// These writes, if they are within DynamoDB's limits.
    fn within_limits(self) -> Outcome<Self> {
        match self.items.len() {
            0 => Err(unbuildable("a transaction without writes")),
            count if count > MOST_WRITES => Err(unbuildable(format!("{count} writes in a transaction"))),
            _ if self.bytes > MOST_BYTES => {
                Err(unbuildable(format!("{} bytes in a transaction", self.bytes)))
            }
            _ => Ok(self),
        }
    }
}

const CONDITION: &str = "ConditionalCheckFailed";
const CONFLICT: &str = "TransactionConflict";

/// Why each write was cancelled, if the transaction was.
fn cancellation(error: &SdkError<TransactWriteItemsError>) -> Option<Vec<String>> {
    let SdkError::ServiceError(context) = error else { return None };
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = context.err() else { return None };
    let reasons = cancelled.cancellation_reasons().iter();
    Some(reasons.map(|reason| reason.code().unwrap_or(NONE).to_owned()).collect())
}

/// The reason of a write that did not fail.
const NONE: &str = "None";

/// The failure of a transaction that was cancelled for other reasons: that of the first reason.
fn cancelled(reasons: &[String]) -> Failure {
    let reason = reasons.iter().find(|reason| *reason != NONE);
    aws_errors::refused(SERVICE, reason.map(String::as_str))
}

/// The write whose condition failed; the idempotency record first, since it explains the others.
fn refused(labels: &[&'static str], reasons: &[String]) -> Option<&'static str> {
    let failed = labels.iter().zip(reasons).filter(|(_, reason)| *reason == CONDITION);
    let failed: Vec<&'static str> = failed.map(|(label, _)| *label).collect();
    failed.iter().find(|label| **label == RECEIPT).or(failed.first()).copied()
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        Client, Config,
        config::{BehaviorVersion, Region},
    };
    use tables::ItemKind;

    use super::*;
    use crate::item::{number, text};

    /// A store that builds requests and reaches no server.
    fn store() -> Store {
        let config = Config::builder().behavior_version(BehaviorVersion::latest());
        let config = config.region(Region::new("eu-central-1")).endpoint_url("http://127.0.0.1:1");
        Store::new(Client::from_conf(config.build()), "t-".to_owned())
    }

    fn key(n: usize) -> Key {
        Key::new(ItemKind::Sessions, "somebody", n.to_string())
    }

    /// Why nothing was sent, as text.
    async fn refusal(transaction: Transaction<'_>) -> String {
        transaction.commit().await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn write_that_cannot_be_built_fails_the_whole_transaction() {
        let store = store();
        let broken = || Condition::of("version = :version", []);
        let whole = || store.transaction().delete("one", &key(1), Condition::none());
        for transaction in [
            whole().put("two", &key(2), key(2).attributes(), broken()),
            whole().delete("two", &key(2), broken()),
            whole().check("two", &key(2), broken()),
            whole().update("two", &key(2), "SET a = :a", [(":a".to_owned(), number(1))], broken()),
            whole().update("two", &key(2), "SET a = :a", [], Condition::none()),
        ] {
            // What follows does not make up for it.
            let transaction = transaction.delete("three", &key(3), Condition::none());
            let refusal = refusal(transaction).await;
            assert!(refusal.ends_with("stands for nothing"), "{refusal}");
        }
    }

    #[test]
    fn values_of_a_change_and_its_conditions_never_share_a_placeholder() {
        let limit =
            |counter: &str, most| Condition::of(format!("{counter} <= :most"), [(":most", number(most))]);
        let both = limit("models", 1).and(limit("bytes", 2)).and(limit("files", 3));
        let store = store();
        let values = [(":most".to_owned(), number(0))];
        let transaction = store.transaction().update("usage", &key(1), "SET a = :most", values, both);
        let items = transaction.writes.unwrap().items;
        let update = items[0].update().unwrap();
        assert_eq!(update.update_expression(), "SET a = :most_0");
        let condition = update.condition_expression().unwrap();
        assert_eq!(condition, "(models <= :most_1) AND (bytes <= :most_2) AND (files <= :most_3)");
        let values = update.expression_attribute_values().unwrap();
        for n in 0..4 {
            assert_eq!(values[&format!(":most_{n}")], number(n));
        }
    }

    #[tokio::test]
    async fn more_than_a_hundred_writes_are_refused_before_they_are_sent() {
        let store = store();
        let of = |count| {
            let begun = store.transaction();
            (0..count).fold(begun, |it, n| it.delete("session", &key(n), Condition::none())).writes
        };
        assert!(of(100).and_then(Writes::within_limits).is_ok());
        let refusal = of(101).and_then(Writes::within_limits).err().unwrap();
        assert_eq!(refusal.to_string(), "broken: a write can't be built: 101 writes in a transaction");
        assert!(of(0).and_then(Writes::within_limits).is_err());
    }

    #[tokio::test]
    async fn more_than_four_megabytes_are_refused_before_they_are_sent() {
        let store = store();
        let item = |n: usize| {
            let mut item = key(n).attributes();
            item.insert("text".to_owned(), text("x".repeat(399_000)));
            item
        };
        let of = |count| {
            let begun = store.transaction();
            (0..count).fold(begun, |it, n| it.put("big", &key(n), item(n), Condition::none()))
        };
        assert!(of(10).writes.and_then(Writes::within_limits).is_ok());
        let refusal = refusal(of(11)).await;
        assert!(refusal.ends_with(" bytes in a transaction"), "{refusal}");
    }

    #[test]
    fn cancelled_transaction_is_a_defect_unless_its_reason_passes() {
        let of = |reason: &str| cancelled(&[NONE.to_owned(), reason.to_owned()]);
        for reason in ["ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied"] {
            assert!(matches!(of(reason), Failure::Rejected { .. }), "{reason}");
        }
        for reason in ["ThrottlingError", "ProvisionedThroughputExceeded"] {
            assert!(matches!(of(reason), Failure::Unavailable { .. }), "{reason}");
        }
    }
}
