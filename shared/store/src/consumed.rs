//! Consumed message.  Table `operations`: PK `DONE#<consumer>#<message>`  SK `DONE`.
//! Writes: a conditional put takes a message, an update notes that it was acted on. Reads: none.

use async_trait::async_trait;
use domain::{
    Timestamp,
    id::MessageId,
    ports::{Consumed, Outcome},
};
use serde::Serialize;

use crate::{
    Store,
    failure::unavailable,
    item::{Key, number, to_expiring_item},
    table::{TTL, Table},
};

#[derive(Serialize)]
struct Claim {
    /// Seconds since 1970; after this a claim that came to nothing is free again.
    lease_ends: i64,
    done: bool,
}

fn key_of(consumer: &str, message: MessageId) -> Key {
    Key::new(Table::Operations, format!("DONE#{consumer}#{message}"), "DONE")
}

#[async_trait]
impl Consumed for Store {
    async fn claim(
        &self,
        consumer: &str,
        message: MessageId,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> Outcome<bool> {
        let key = key_of(consumer, message);
        let claim = Claim { lease_ends: lease_ends.as_second(), done: false };
        let item = to_expiring_item(&key, &claim, lease_ends)?;
        let request = self.client.put_item().table_name(self.name(key.table)).set_item(Some(item));
        let answer = request
            .condition_expression("attribute_not_exists(pk) OR (done = :no AND lease_ends <= :now)")
            .expression_attribute_values(":no", aws_sdk_dynamodb::types::AttributeValue::Bool(false))
            .expression_attribute_values(":now", number(now.as_second()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn done(&self, consumer: &str, message: MessageId, forget_at: Timestamp) -> Outcome<()> {
        let key = key_of(consumer, message);
        let request = self.client.update_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
        request
            .update_expression("SET done = :yes, #ttl = :ttl")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":yes", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .expression_attribute_values(":ttl", number(forget_at.as_second()))
            .send()
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}
