//! Throttle: failed attempts of one subject.  Table `operations`: PK `THROTTLE#<name>`  SK `THROTTLE`; gone when they are
//! forgotten.
//! Reads: several by name (batch get, strongly consistent).

use async_trait::async_trait;
use domain::{
    Timestamp,
    ports::{Outcome, Saved, Throttles},
    throttle::Failures,
};
use tables::Items;

use crate::{
    Store,
    failure::unavailable,
    item::{Key, from_item, number, text, to_expiring_item},
};

pub fn key_of(name: &str) -> Key {
    Key::new(Items::Throttles, name, "THROTTLE")
}

#[async_trait]
impl Throttles for Store {
    async fn load(&self, names: &[String]) -> Outcome<Vec<Failures>> {
        let keys: Vec<Key> = names.iter().map(|name| key_of(name)).collect();
        let items = self.get_all(&keys).await?.into_iter();
        items.map(|item| item.map_or(Ok(Failures::default()), from_item)).collect()
    }

    async fn save(&self, name: &str, seen: Failures, now: Failures, forget_at: Timestamp) -> Outcome<Saved> {
        let key = key_of(name);
        let item = to_expiring_item(&key, &now, forget_at)?;
        let mut request = self.client.put_item().table_name(self.name(key.table)).set_item(Some(item));
        request = match seen.last {
            None => request.condition_expression("attribute_not_exists(pk)"),
            Some(last) => request
                .condition_expression("#count = :count AND #last = :last")
                .expression_attribute_names("#count", "count")
                .expression_attribute_names("#last", "last")
                .expression_attribute_values(":count", number(seen.count))
                .expression_attribute_values(":last", text(last)),
        };
        match request.send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Saved::Stale)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn clear(&self, name: &str) -> Outcome<()> {
        let key = key_of(name);
        let request =
            self.client.delete_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }
}
