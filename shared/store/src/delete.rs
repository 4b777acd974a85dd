//! Deleting outside of transactions, at half the price: what may be half done, and done again.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use domain::ports::{Failure, Outcome};

use crate::{Store, failure::unavailable, item::Key, transaction::pause};

/// How often keys that DynamoDB left unprocessed are sent again.
const ATTEMPTS: u32 = 4;
/// As many as DynamoDB takes in one batch.
const MOST_KEYS: usize = 25;

impl Store {
    /// Deletes whatever is at these keys, each of which is there once.
    pub async fn delete_all(&self, keys: &[Key]) -> Outcome<()> {
        for some in keys.chunks(MOST_KEYS) {
            self.delete_batch(some).await?;
        }
        Ok(())
    }

    async fn delete_batch(&self, keys: &[Key]) -> Outcome<()> {
        let mut left: HashMap<String, Vec<WriteRequest>> = HashMap::new();
        for key in keys {
            let delete = DeleteRequest::builder().set_key(Some(key.attributes())).build();
            let delete = delete.map_err(|error| Failure::Broken(error.to_string()))?;
            let write = WriteRequest::builder().delete_request(delete).build();
            left.entry(self.name(key.table)).or_default().push(write);
        }
        for attempt in 0..ATTEMPTS {
            let request = self.client.batch_write_item().set_request_items(Some(left));
            left = request.send().await.map_err(unavailable)?.unprocessed_items.unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10) + pause(attempt)).await;
        }
        Err(Failure::Unavailable { service: "dynamodb", detail: "unprocessed items".to_owned() })
    }

    /// Deletes whatever is at a key.
    pub async fn delete(&self, key: &Key) -> Outcome<()> {
        let request =
            self.client.delete_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }
}
