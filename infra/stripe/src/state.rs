//! Everything that the stand-in knows, in memory, and the changes that its file does not have yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    calls::CallLog,
    cards::HiddenCard,
    deliveries::{AfterLastFailure, Delivery, DeliveryQueue, Settings},
    faults::Faults,
    idempotency::{IdempotencyRecord, IdempotencyRecords},
};

/// A change of the state, as the file keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(crate) enum Change {
    /// An object was created or replaced.
    Put {
        /// The object.
        object: Value,
    },
    /// An object was removed.
    Removed {
        /// Its id.
        id: String,
    },
    /// A payment method got a card.
    Card {
        /// The id of the payment method.
        payment_method: String,
        /// The card.
        card: HiddenCard,
    },
    /// An answer was kept for its idempotency key.
    Answered {
        /// The answer.
        record: IdempotencyRecord,
    },
    /// A webhook delivery was queued, or has to be repeated.
    Queued {
        /// The delivery.
        delivery: Delivery,
    },
    /// A webhook delivery is over.
    Delivered {
        /// Its number.
        number: u64,
    },
    /// The settings were changed.
    Settings {
        /// The settings.
        settings: Settings,
    },
}

/// The request that causes events, as they name it.
#[derive(Debug, Clone)]
pub(crate) struct RequestReference {
    /// The id of the request.
    pub id: String,
    /// Its idempotency key.
    pub idempotency_key: Option<String>,
}

struct StoredObject {
    position: u64,
    value: Value,
}

/// The state.
#[derive(Default)]
pub(crate) struct State {
    objects: BTreeMap<String, StoredObject>,
    /// The ids of the objects of each kind, by their position.
    kinds: BTreeMap<String, BTreeMap<u64, String>>,
    next_position: u64,
    cards: BTreeMap<String, HiddenCard>,
    answers: IdempotencyRecords,
    deliveries: DeliveryQueue,
    settings: Settings,
    changes: Vec<Change>,
    /// The URLs of the webhook endpoints.
    pub endpoints: Vec<String>,
    /// The request that runs. `None` while time passes.
    pub request: Option<RequestReference>,
    /// The planned faults.
    pub faults: Faults,
    /// The recorded calls.
    pub calls: CallLog,
}

impl State {
    /// A state without objects. `prices::provision` adds the product and the prices that are always there.
    pub fn new(endpoints: Vec<String>) -> Self {
        Self { endpoints, ..Self::default() }
    }

    /// The object with this id.
    pub fn object(&self, id: &str) -> Option<&Value> {
        self.objects.get(id).map(|stored| &stored.value)
    }

    /// All objects of a kind, newest first.
    pub fn all(&self, kind: &str) -> Vec<&Value> {
        let ids = self.kinds.get(kind).into_iter().flat_map(|ids| ids.values().rev());
        ids.filter_map(|id| self.object(id)).collect()
    }

    /// The oldest object of a kind.
    pub fn oldest(&self, kind: &str) -> Option<&Value> {
        self.object(self.kinds.get(kind)?.values().next()?)
    }

    /// Stores an object.
    pub fn put(&mut self, object: Value) {
        self.record(Change::Put { object });
    }

    /// Removes an object.
    pub fn remove(&mut self, id: &str) {
        self.record(Change::Removed { id: id.to_owned() });
    }

    /// The card of a payment method.
    pub fn card(&self, payment_method: &str) -> Option<&HiddenCard> {
        self.cards.get(payment_method)
    }

    /// Sets the card of a payment method.
    pub fn set_card(&mut self, payment_method: &str, card: HiddenCard) {
        self.record(Change::Card { payment_method: payment_method.to_owned(), card });
    }

    /// The idempotency keys, to begin and end a request.
    pub fn answers(&mut self) -> &mut IdempotencyRecords {
        &mut self.answers
    }

    /// Keeps an answer for its idempotency key.
    pub fn keep_answer(&mut self, record: IdempotencyRecord) {
        self.record(Change::Answered { record });
    }

    /// The deliveries that were not made yet.
    pub fn deliveries(&self) -> &DeliveryQueue {
        &self.deliveries
    }

    /// Queues a delivery.
    pub fn queue(&mut self, delivery: Delivery) {
        self.record(Change::Queued { delivery });
    }

    /// Removes a delivery from the queue.
    pub fn end_delivery(&mut self, number: u64) {
        self.record(Change::Delivered { number });
    }

    /// Lets the deliveries before a number be made, because another has overtaken them. The file does not
    /// keep it: after a start, nothing is late for long.
    pub fn release_before(&mut self, number: u64) {
        self.deliveries.release_before(number);
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes the settings.
    pub fn set_settings(&mut self, settings: Settings) {
        self.record(Change::Settings { settings });
    }

    /// What happens to a subscription whose last attempt of payment failed.
    pub fn after_last_failure(&self) -> AfterLastFailure {
        self.settings.after_last_failure
    }

    /// Takes the changes that the file does not have yet.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Applies a change of the file.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Put { object } => self.apply_put(object),
            Change::Removed { id } => self.apply_removed(&id),
            Change::Card { payment_method, card } => drop(self.cards.insert(payment_method, card)),
            Change::Answered { record } => self.answers.keep(record),
            Change::Queued { delivery } => self.deliveries.put(delivery),
            Change::Delivered { number } => self.deliveries.remove(number),
            Change::Settings { settings } => self.settings = settings,
        }
    }

    /// The changes that make this state from an empty one.
    pub fn snapshot(&self) -> Vec<Change> {
        let mut stored: Vec<&StoredObject> = self.objects.values().collect();
        stored.sort_by_key(|stored| stored.position);
        let mut changes = vec![Change::Settings { settings: self.settings.clone() }];
        changes.extend(stored.into_iter().map(|stored| Change::Put { object: stored.value.clone() }));
        changes.extend(self.cards.iter().map(|(payment_method, card)| Change::Card {
            payment_method: payment_method.clone(),
            card: card.clone(),
        }));
        changes.extend(self.answers.all().map(|record| Change::Answered { record: record.clone() }));
        changes.extend(self.deliveries.all().map(|delivery| Change::Queued { delivery: delivery.clone() }));
        changes
    }

    fn record(&mut self, change: Change) {
        self.changes.push(change.clone());
        self.apply(change);
    }

    fn apply_put(&mut self, object: Value) {
        let (Some(id), Some(kind)) = (member(&object, "id"), member(&object, "object")) else {
            tracing::error!("an object without `id` and `object` can't be stored");
            return;
        };
        let known = self.objects.get(&id).map(|stored| stored.position);
        let position = known.unwrap_or(self.next_position);
        self.next_position = self.next_position.max(position.saturating_add(1));
        self.kinds.entry(kind).or_default().insert(position, id.clone());
        self.objects.insert(id, StoredObject { position, value: object });
    }

    fn apply_removed(&mut self, id: &str) {
        let Some(stored) = self.objects.remove(id) else { return };
        let ids = member(&stored.value, "object").and_then(|kind| self.kinds.get_mut(&kind));
        if let Some(ids) = ids {
            ids.remove(&stored.position);
        }
    }
}

fn member(object: &Value, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(state: &State, kind: &str) -> Vec<String> {
        state.all(kind).into_iter().filter_map(|object| member(object, "id")).collect()
    }

    #[test]
    fn objects_are_listed_by_creation_newest_first() {
        let mut state = State::default();
        for id in ["cus_b", "cus_a", "cus_c"] {
            state.put(json!({ "id": id, "object": "customer" }));
        }
        state.put(json!({ "id": "cus_b", "object": "customer", "name": "B" }));
        assert_eq!(ids(&state, "customer"), ["cus_c", "cus_a", "cus_b"]);
        assert_eq!(state.oldest("customer").unwrap()["name"], "B");
        state.remove("cus_a");
        assert_eq!(ids(&state, "customer"), ["cus_c", "cus_b"]);
        assert!(state.object("cus_a").is_none());
    }

    #[test]
    fn snapshot_makes_the_same_state() {
        let mut state = State::default();
        for id in ["cus_b", "cus_a"] {
            state.put(json!({ "id": id, "object": "customer" }));
        }
        state.set_card("pm_1", HiddenCard { set_up: true, ..HiddenCard::new("4242424242424242") });
        state.set_settings(Settings { hold: true, ..Settings::default() });
        let mut copy = State::default();
        state.snapshot().into_iter().for_each(|change| copy.apply(change));
        assert_eq!(ids(&copy, "customer"), ["cus_a", "cus_b"]);
        assert!(copy.card("pm_1").unwrap().set_up);
        assert!(copy.settings().hold);
        assert!(copy.take_changes().is_empty());
    }
}
