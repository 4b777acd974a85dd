//! Throttle: failed and pending attempts of one subject.  Table `operations`: PK `THROTTLE#<name>`
//! SK `THROTTLE`; gone when they are forgotten.
//! Reads: several by name (batch get, strongly consistent).  Writes: conditional updates.

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure::AllOld},
};
use domain::{
    Timestamp,
    id::RequestId,
    ports::{Outcome, Reserved, Throttles},
    throttle::{Failures, PER_ACCOUNT, Settled, Slot},
};
use tables::{ItemKind, TTL};

use crate::{
    client::Store,
    failure::failure,
    item::{Item, Key, from_item, number, text, to_expiring_item},
};

pub fn key_of(name: &str) -> Key {
    Key::new(ItemKind::Throttles, name, "THROTTLE")
}

/// The counter of an account, reset at `at`.
pub fn forgiven_item(name: &str, at: Timestamp) -> Outcome<(Key, Item)> {
    let key = key_of(name);
    let item = to_expiring_item(&key, &Failures::forgiven_at(at), PER_ACCOUNT.forgets_at(at))?;
    Ok((key, item))
}

#[async_trait]
impl Throttles for Store {
    async fn load(&self, names: &[String]) -> Outcome<Vec<Failures>> {
        let keys: Vec<Key> = names.iter().map(|name| key_of(name)).collect();
        let items = self.get_all(&keys).await?.into_iter();
        items.map(|item| item.map_or(Ok(Failures::default()), from_item)).collect()
    }

    async fn reserve(
        &self,
        name: &str,
        attempt: RequestId,
        slot: Slot,
        forget_at: Timestamp,
    ) -> Outcome<Reserved> {
        let key = key_of(name);
        let forget = if slot.forget { ", #count = :zero" } else { "" };
        let mut request = self
            .client
            .update_item()
            .table_name(self.name(key.table))
            .set_key(Some(key.into_attributes()))
            .update_expression(format!("ADD #pending :attempt SET #ttl = :ttl{forget}"))
            // Failures as the slot expects, and pending attempts no more than it expects.
            .condition_expression(
                "(attribute_not_exists(#count) OR #count = :count) AND \
                 (attribute_not_exists(#pending) OR size(#pending) < :room)",
            )
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#pending", "pending")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":attempt", set_of(attempt))
            .expression_attribute_values(":ttl", number(forget_at.as_second()))
            .expression_attribute_values(":count", number(slot.count))
            .expression_attribute_values(":room", number(slot.room))
            .return_values_on_condition_check_failure(AllOld);
        if slot.forget {
            request = request.expression_attribute_values(":zero", number(0));
        }
        let Err(error) = request.send().await else { return Ok(Reserved::Yes) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                let now = refused.item.clone().map_or(Ok(Failures::default()), from_item::<Failures>)?;
                // An earlier attempt of this write may have succeeded.
                let mine = now.pending.contains(&attempt);
                Ok(if mine { Reserved::Yes } else { Reserved::No(now) })
            }
            _ => Err(failure(error)),
        }
    }

    async fn settle(&self, name: &str, attempt: RequestId, settled: Settled) -> Outcome<()> {
        let key = key_of(name);
        let mut request = self
            .client
            .update_item()
            .table_name(self.name(key.table))
            .set_key(Some(key.into_attributes()))
            .condition_expression("contains(#pending, :id)")
            .expression_attribute_names("#pending", "pending")
            .expression_attribute_values(":id", text(attempt))
            .expression_attribute_values(":attempt", set_of(attempt));
        request = match settled {
            Settled::Failed => request
                .update_expression("DELETE #pending :attempt ADD #count :one SET #last = :last")
                .expression_attribute_names("#count", "count")
                .expression_attribute_names("#last", "last")
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":last", text(attempt.made_at())),
            Settled::Forgiven => request
                .update_expression("DELETE #pending :attempt SET #count = :zero")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":zero", number(0)),
            Settled::Withdrawn => request.update_expression("DELETE #pending :attempt"),
        };
        match request.send().await {
            Ok(_) => Ok(()),
            // Settled before, by an earlier attempt of this write or by another request that found it abandoned.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(failure(error)),
        }
    }
}

fn set_of(attempt: RequestId) -> AttributeValue {
    AttributeValue::Ss(vec![attempt.to_string()])
}
