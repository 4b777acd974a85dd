//! Reading: one item, or several in one round trip.

use std::{collections::HashMap, fmt::Display};

use aws_sdk_dynamodb::types::KeysAndAttributes;
use domain::ports::{Failure, Outcome, Page};
use tables::ItemKind;

use crate::{
    client::Store,
    condition::unbuildable,
    failure::{SERVICE, failure},
    item::{Item, Key, text},
    lists::sort_key,
    retry::Attempts,
};

/// The most keys that DynamoDB takes in one batch.
const MOST_KEYS: usize = 100;

/// How a range is read.
#[derive(Clone, Copy)]
struct ReadMode {
    consistent: bool,
    /// In ascending order.
    forward: bool,
}

impl Store {
    /// The item at a key, strongly consistent.
    pub async fn get(&self, key: Key) -> Outcome<Option<Item>> {
        let request =
            self.client.get_item().table_name(self.name(key.table)).set_key(Some(key.into_attributes()));
        Ok(request.consistent_read(true).send().await.map_err(failure)?.item)
    }

    /// The item at a key, eventually consistent: half the cost, and the only way to read a replica.
    pub async fn get_eventual(&self, key: Key) -> Outcome<Option<Item>> {
        let request =
            self.client.get_item().table_name(self.name(key.table)).set_key(Some(key.into_attributes()));
        Ok(request.send().await.map_err(failure)?.item)
    }

    /// The items at these keys, in their order, strongly consistent, in one `BatchGetItem` for each 100.
    pub async fn get_all(&self, keys: &[Key]) -> Outcome<Vec<Option<Item>>> {
        let mut items = Vec::with_capacity(keys.len());
        for some in keys.chunks(MOST_KEYS) {
            items.extend(self.get_batch(some).await?);
        }
        Ok(items)
    }

    async fn get_batch(&self, keys: &[Key]) -> Outcome<Vec<Option<Item>>> {
        let mut wanted: HashMap<String, KeysAndAttributes> = HashMap::new();
        for key in keys {
            let table = self.name(key.table);
            let mut builder = KeysAndAttributes::builder().consistent_read(true);
            if let Some(earlier) = wanted.remove(&table) {
                builder = builder.set_keys(Some(earlier.keys));
            }
            let request = builder.keys(key.attributes()).build();
            wanted.insert(table, request.map_err(unbuildable)?);
        }
        let mut found: Vec<(String, Item)> = Vec::new();
        let mut attempts = Attempts::of_batch();
        while attempts.next().await {
            let answer =
                self.client.batch_get_item().set_request_items(Some(wanted)).send().await.map_err(failure)?;
            let responses = answer.responses.ok_or_else(no_items)?.into_iter();
            found.extend(
                responses.flat_map(|(table, items)| items.into_iter().map(move |item| (table.clone(), item))),
            );
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(keys.iter().map(|key| self.pick(key, &found)).collect());
            }
        }
        Err(Failure::Unavailable { service: SERVICE, detail: "unprocessed keys".to_owned() })
    }

    /// Items of one kind and subject whose sort keys are in `range` (both ends included), descending, eventually consistent.
    pub async fn range(
        &self,
        kind: ItemKind,
        subject: impl Display,
        range: (String, String),
        limit: usize,
    ) -> Outcome<Page<Item>> {
        self.query((kind, subject), range, limit, ReadMode { consistent: false, forward: false }).await
    }

    /// The same range, strongly consistent.
    pub async fn range_now(
        &self,
        kind: ItemKind,
        subject: impl Display,
        range: (String, String),
        limit: usize,
    ) -> Outcome<Page<Item>> {
        self.query((kind, subject), range, limit, ReadMode { consistent: true, forward: false }).await
    }

    /// The same range, strongly consistent, ascending.
    pub async fn range_ascending(
        &self,
        kind: ItemKind,
        subject: impl Display,
        range: (String, String),
        limit: usize,
    ) -> Outcome<Page<Item>> {
        self.query((kind, subject), range, limit, ReadMode { consistent: true, forward: true }).await
    }

    /// The same range, strongly consistent, ascending, across DynamoDB's pages: the first `limit` items.
    pub async fn items_up(
        &self,
        kind: ItemKind,
        subject: impl Display,
        (mut from, to): (String, String),
        limit: usize,
    ) -> Outcome<Vec<Item>> {
        let mut items: Vec<Item> = Vec::new();
        loop {
            let left = limit.saturating_sub(items.len());
            let page = self.range_ascending(kind, &subject, (from, to.clone()), left).await?;
            items.extend(page.items);
            // A space sorts before all that could follow a key.
            match items.last().and_then(sort_key).map(|last| format!("{last} ")) {
                Some(next) if page.more && items.len() < limit => from = next,
                _ => return Ok(items),
            }
        }
    }

    async fn query(
        &self,
        (kind, subject): (ItemKind, impl Display),
        range: (String, String),
        limit: usize,
        way: ReadMode,
    ) -> Outcome<Page<Item>> {
        if range.0 > range.1 {
            // Nothing is in between, and DynamoDB refuses to look.
            return Ok(Page { items: Vec::new(), more: false });
        }
        let answer = self
            .client
            .query()
            .table_name(self.name(kind.table()))
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(kind.partition(subject)))
            .expression_attribute_values(":from", text(range.0))
            .expression_attribute_values(":to", text(range.1))
            .consistent_read(way.consistent)
            .scan_index_forward(way.forward)
            // One more tells whether there are more: DynamoDB itself says so at every page's end, the last one's too.
            .limit(i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(failure)?;
        let mut items = answer.items.ok_or_else(no_items)?;
        let more = items.len() > limit || (items.len() < limit && answer.last_evaluated_key.is_some());
        items.truncate(limit);
        Ok(Page { items, more })
    }

    fn pick(&self, key: &Key, found: &[(String, Item)]) -> Option<Item> {
        let table = self.name(key.table);
        found.iter().find(|(name, item)| *name == table && key.is_of(item)).map(|(_, item)| item.clone())
    }
}

/// An answer without the member `items` is a defect; an empty list is not.
fn no_items() -> Failure {
    Failure::Broken("an answer of DynamoDB without items".to_owned())
}
