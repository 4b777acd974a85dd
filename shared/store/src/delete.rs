//! Deletes and puts outside of transactions, at half the price, where a partial batch may be repeated.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use domain::ports::{Failure, Outcome};

use crate::{
    client::Store,
    condition::unbuildable,
    failure::{SERVICE, failure},
    item::{Item, Key},
    retry::Attempts,
};

/// The most writes that DynamoDB takes in one batch.
const MOST_KEYS: usize = 25;

/// The writes of a batch, by table.
type Writes = HashMap<String, Vec<WriteRequest>>;

impl Store {
    /// Deletes the items at these distinct keys.
    pub async fn delete_all(&self, keys: &[Key]) -> Outcome<()> {
        for some in keys.chunks(MOST_KEYS) {
            self.delete_batch(some).await?;
        }
        Ok(())
    }

    async fn delete_batch(&self, keys: &[Key]) -> Outcome<()> {
        let mut writes = Writes::new();
        for key in keys {
            let delete = DeleteRequest::builder().set_key(Some(key.attributes())).build();
            let delete = delete.map_err(unbuildable)?;
            let write = WriteRequest::builder().delete_request(delete).build();
            writes.entry(self.name(key.table)).or_default().push(write);
        }
        self.write_batch(writes).await
    }

    /// Puts these items, which have distinct keys.
    pub async fn put_all(&self, items: Vec<(Key, Item)>) -> Outcome<()> {
        for some in items.chunks(MOST_KEYS) {
            let mut writes = Writes::new();
            for (key, item) in some {
                let put = PutRequest::builder().set_item(Some(item.clone())).build().map_err(unbuildable)?;
                let write = WriteRequest::builder().put_request(put).build();
                writes.entry(self.name(key.table)).or_default().push(write);
            }
            self.write_batch(writes).await?;
        }
        Ok(())
    }

    async fn write_batch(&self, mut left: Writes) -> Outcome<()> {
        let mut attempts = Attempts::of_batch();
        while attempts.next().await {
            let request = self.client.batch_write_item().set_request_items(Some(left));
            left = request.send().await.map_err(failure)?.unprocessed_items.unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(Failure::Unavailable { service: SERVICE, detail: "unprocessed items".to_owned() })
    }

    /// Deletes the item at a key.
    pub async fn delete(&self, key: &Key) -> Outcome<()> {
        let request =
            self.client.delete_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
        request.send().await.map_err(failure)?;
        Ok(())
    }
}
