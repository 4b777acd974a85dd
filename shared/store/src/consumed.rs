//! Lease on a message.  Table `operations`: PK `DONE#<consumer>#<message>`  SK `DONE`.
//! Writes: a conditional put takes a message (its refusal contains the stored item), an update marks it as done, a delete
//! releases it. Reads: none.

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use domain::{
    Timestamp,
    id::MessageId,
    ports::{Consumed, MessageLease, Outcome},
};
use serde::Serialize;
use tables::{ItemKind, TTL};

use crate::{
    client::Store,
    failure::failure,
    item::{Key, number, to_expiring_item},
};

#[derive(Serialize)]
struct Lease {
    /// Milliseconds since 1970. Then an abandoned lease is free.
    lease_ends: i64,
    done: bool,
}

fn key_of(consumer: &str, message: MessageId) -> Key {
    Key::new(ItemKind::Consumed, format!("{consumer}#{message}"), "DONE")
}

#[async_trait]
impl Consumed for Store {
    async fn claim(
        &self,
        consumer: &str,
        message: MessageId,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> Outcome<MessageLease> {
        let key = key_of(consumer, message);
        let lease = Lease { lease_ends: lease_ends.as_millisecond(), done: false };
        let item = to_expiring_item(&key, &lease, lease_ends)?;
        let request = self.client.put_item().table_name(self.name(key.table)).set_item(Some(item));
        let answer = request
            .condition_expression("attribute_not_exists(pk) OR (done = :no AND lease_ends <= :now)")
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match answer {
            Ok(_) => return Ok(MessageLease::Taken),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                let done =
                    refused.item().and_then(|item| item.get("done")).and_then(|done| done.as_bool().ok());
                Ok(if done == Some(&true) { MessageLease::Done } else { MessageLease::Busy })
            }
            _ => Err(failure(error)),
        }
    }

    async fn done(&self, consumer: &str, message: MessageId, forget_at: Timestamp) -> Outcome<()> {
        let key = key_of(consumer, message);
        let request =
            self.client.update_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
        request
            .update_expression("SET done = :yes, #ttl = :ttl")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":ttl", number(forget_at.as_second()))
            .send()
            .await
            .map_err(failure)?;
        Ok(())
    }

    async fn release(&self, consumer: &str, message: MessageId) -> Outcome<()> {
        let key = key_of(consumer, message);
        let request =
            self.client.delete_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
        request.send().await.map_err(failure)?;
        Ok(())
    }
}
