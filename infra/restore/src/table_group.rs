//! The tables of a region that share a prefix.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    operation::update_item::UpdateItemError,
    types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest},
};
use kit::ItemKind;
use store::tables::{PARTITION_KEY, SORT_KEY, Table};

use crate::error::RestoreError;

/// An item as DynamoDB holds it.
pub type StoredItem = HashMap<String, AttributeValue>;

/// The most writes of a batch
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
const BATCH: usize = 25;
/// The pause before unprocessed writes are sent again. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The tables of a region that share a prefix.
#[derive(Debug, Clone)]
pub struct TableGroup {
    client: Client,
    prefix: String,
}

impl TableGroup {
    /// The tables whose names begin with `prefix`, for example `account-platform-us-`.
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        Self { client, prefix: prefix.into() }
    }

    /// The prefix of the names.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A page of a table's items, strongly consistent, and the key after which the next page begins.
    pub async fn page(
        &self,
        table: Table,
        after: Option<StoredItem>,
    ) -> Result<(Vec<StoredItem>, Option<StoredItem>), RestoreError> {
        let scan = self.client.scan().table_name(table.name(&self.prefix)).consistent_read(true);
        let page = scan.set_exclusive_start_key(after).send().await.map_err(RestoreError::call)?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
    }

    /// The item with the key of this one.
    pub async fn same_key(
        &self,
        table: Table,
        item: &StoredItem,
    ) -> Result<Option<StoredItem>, RestoreError> {
        let get = self.client.get_item().table_name(table.name(&self.prefix)).consistent_read(true);
        let got = get.set_key(Some(key_of(item))).send().await.map_err(RestoreError::call)?;
        Ok(got.item)
    }

    /// Gives the number of followers in a partition a version, unless it has a later one. Makes the number if there is none.
    pub async fn raise_version(&self, partition: &str, version: u64) -> Result<(), RestoreError> {
        let kind = ItemKind::FollowerCounts;
        let update = self.client.update_item().table_name(kind.table().name(&self.prefix));
        let update = update
            .set_key(Some(count_key(partition)))
            .update_expression("SET version = :version ADD followers :none")
            .condition_expression("attribute_not_exists(version) OR version < :version")
            .expression_attribute_values(":version", AttributeValue::N(version.to_string()))
            .expression_attribute_values(":none", AttributeValue::N("0".to_owned()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(RestoreError::call(error)),
            },
        }
    }

    /// Applies writes, in batches. Repeating them is harmless.
    pub async fn write(&self, table: Table, writes: Vec<WriteRequest>) -> Result<(), RestoreError> {
        for batch in writes.chunks(BATCH) {
            let (mut left, mut pause) = (batch.to_vec(), FIRST_PAUSE);
            while !left.is_empty() {
                let name = table.name(&self.prefix);
                let request = self.client.batch_write_item().request_items(&name, left);
                let done = request.send().await.map_err(RestoreError::call)?;
                left = done.unprocessed_items.unwrap_or_default().remove(&name).unwrap_or_default();
                if !left.is_empty() {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        Ok(())
    }
}

/// The delete of an item.
pub fn delete(item: &StoredItem) -> Result<WriteRequest, RestoreError> {
    let delete = DeleteRequest::builder().set_key(Some(key_of(item))).build().map_err(RestoreError::call)?;
    Ok(WriteRequest::builder().delete_request(delete).build())
}

/// The put of an item.
pub fn put(item: StoredItem) -> Result<WriteRequest, RestoreError> {
    let put = PutRequest::builder().set_item(Some(item)).build().map_err(RestoreError::call)?;
    Ok(WriteRequest::builder().put_request(put).build())
}

/// The key of the number in a partition.
pub fn count_key(partition: &str) -> StoredItem {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    [(PARTITION_KEY, partition), (SORT_KEY, "COUNT")]
        .map(|(name, value)| (name.to_owned(), text(value)))
        .into()
}

fn key_of(item: &StoredItem) -> StoredItem {
    let attribute = |name: &str| Some((name.to_owned(), item.get(name)?.clone()));
    [PARTITION_KEY, SORT_KEY].into_iter().filter_map(attribute).collect()
}

/// An attribute's text; empty if it has none.
pub fn text<'a>(item: &'a StoredItem, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}
