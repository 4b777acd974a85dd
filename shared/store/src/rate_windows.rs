//! Rate window: requests of one caller in one minute.  Table `operations`: PK `RATE#<name>#<end>`  SK `RATE`; gone a
//! minute after its end.
//! Writes: one conditional update takes several requests at once. Reads: none.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnValue;
use domain::{
    Timestamp,
    ports::{Outcome, RateWindows, Taken},
};
use tables::{ItemKind, TTL};

use crate::{
    client::Store,
    failure::failure,
    item::{Key, number},
};

#[async_trait]
impl RateWindows for Store {
    async fn take(&self, name: &str, ends: Timestamp, want: u32, limit: u32) -> Outcome<Taken> {
        let want = want.min(limit);
        let key = Key::new(ItemKind::RateWindows, format!("{name}#{}", ends.as_second()), "RATE");
        let request =
            self.client.update_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
        let answer = request
            .update_expression("ADD used :want SET #ttl = :ttl")
            .condition_expression("attribute_not_exists(used) OR used <= :room")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":want", number(want))
            .expression_attribute_values(":room", number(limit.saturating_sub(want)))
            .expression_attribute_values(":ttl", number(ends.as_second().saturating_add(60)))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let used = answer
                    .attributes
                    .and_then(|attributes| attributes.get("used")?.as_n().ok()?.parse().ok());
                Ok(Taken { granted: want, used: used.unwrap_or(limit) })
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Taken { granted: 0, used: limit })
            }
            Err(error) => Err(failure(error)),
        }
    }
}
