//! The queue of webhook deliveries, and the settings that make them unreliable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::random::next_number;

/// How long a failing delivery is repeated, in seconds.
const REPEATED_FOR: i64 = 3 * 24 * 60 * 60;

/// A delivery of an event to an endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// Its number. Deliveries are made in the order of numbers.
    pub number: u64,
    /// The id of the event.
    pub event: String,
    /// The URL of the endpoint.
    pub url: String,
    /// How many attempts failed.
    pub attempts: u32,
    /// When it was queued, in Unix seconds.
    pub queued: i64,
    /// When the next attempt is due, in Unix seconds.
    pub due: i64,
    /// Whether it waits for the next delivery to overtake it.
    #[serde(default)]
    pub late: bool,
}

impl Delivery {
    /// The same delivery after a failed attempt, or `None` if it was the last one.
    pub fn after_failure(self, now: i64) -> Option<Self> {
        let wait = match self.attempts {
            0 => 5,
            1 => 30,
            2 => 5 * 60,
            _ => 60 * 60,
        };
        let due = now.saturating_add(wait);
        let attempts = self.attempts.saturating_add(1);
        (due <= self.queued.saturating_add(REPEATED_FOR)).then_some(Self {
            attempts,
            due,
            late: false,
            ..self
        })
    }
}

/// The deliveries that were not made yet.
#[derive(Default)]
pub(crate) struct DeliveryQueue {
    deliveries: BTreeMap<u64, Delivery>,
    next_number: u64,
}

impl DeliveryQueue {
    /// The number of the next delivery.
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Adds a delivery, or replaces the one with its number.
    pub fn put(&mut self, delivery: Delivery) {
        self.next_number = self.next_number.max(delivery.number.saturating_add(1));
        self.deliveries.insert(delivery.number, delivery);
    }

    /// Removes a delivery.
    pub fn remove(&mut self, number: u64) {
        self.deliveries.remove(&number);
    }

    /// The delivery with this number.
    pub fn get(&self, number: u64) -> Option<&Delivery> {
        self.deliveries.get(&number)
    }

    /// The next delivery that is due.
    pub fn next_due(&self, now: i64) -> Option<&Delivery> {
        self.deliveries.values().find(|delivery| !delivery.late && delivery.due <= now)
    }

    /// All deliveries, in order.
    pub fn all(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    /// Ends the lateness of the deliveries before a number: another delivery has overtaken them.
    pub fn release_before(&mut self, number: u64) {
        for (_, delivery) in self.deliveries.range_mut(..number) {
            delivery.late = false;
        }
    }
}

/// What happens to a subscription whose last attempt of payment failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AfterLastFailure {
    /// It is canceled.
    #[default]
    Cancel,
    /// It stays, with the status `unpaid`.
    MarkUnpaid,
}

/// The settings that tests change.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Whether deliveries wait.
    pub hold: bool,
    /// How many of 100 deliveries are made twice.
    pub double_percent: u64,
    /// How many of 100 deliveries are never made.
    pub lose_percent: u64,
    /// How many of 100 deliveries are overtaken by the next one.
    pub reorder_percent: u64,
    /// The state of the generator that selects them.
    pub seed: u64,
    /// What happens to a subscription whose last attempt of payment failed.
    pub after_last_failure: AfterLastFailure,
}

/// The outcome of a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DeliveryPlan {
    /// How often it is made: 0, 1 or 2.
    pub times: u64,
    /// Whether the next one overtakes it.
    pub late: bool,
}

impl Settings {
    /// Whether deliveries are made once and in order.
    pub fn is_reliable(&self) -> bool {
        self.double_percent == 0 && self.lose_percent == 0 && self.reorder_percent == 0
    }

    /// Decides on a delivery. Moves the generator.
    pub fn plan(&mut self) -> DeliveryPlan {
        let mut draw = |percent: u64| next_number(&mut self.seed) % 100 < percent;
        let (lose, double, late) =
            (draw(self.lose_percent), draw(self.double_percent), draw(self.reorder_percent));
        let times = match (lose, double) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        DeliveryPlan { times, late }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(number: u64, due: i64) -> Delivery {
        let (event, url) = (format!("evt_{number}"), "http://localhost/hook".to_owned());
        Delivery { number, event, url, attempts: 0, queued: 0, due, late: false }
    }

    #[test]
    fn waits_grow_until_the_third_day() {
        let mut waits = Vec::new();
        let mut next = Some(delivery(1, 0));
        while let Some(failed) = next {
            let now = failed.due;
            next = failed.after_failure(now);
            waits.extend(next.as_ref().map(|next| next.due - now));
        }
        assert_eq!(waits[..5], [5, 30, 300, 3600, 3600]);
        assert_eq!(waits.iter().sum::<i64>() / 3600, 71);
    }

    #[test]
    fn queue_delivers_in_order_what_is_due() {
        let mut queue = DeliveryQueue::default();
        queue.put(delivery(2, 0));
        queue.put(delivery(1, 100));
        assert_eq!(queue.next_number(), 3);
        assert_eq!(queue.next_due(50).unwrap().number, 2);
        assert_eq!(queue.next_due(100).unwrap().number, 1);
    }

    #[test]
    fn late_delivery_is_overtaken() {
        let mut queue = DeliveryQueue::default();
        queue.put(Delivery { late: true, ..delivery(1, 0) });
        assert!(queue.next_due(0).is_none());
        queue.put(delivery(2, 0));
        assert_eq!(queue.next_due(0).unwrap().number, 2);
        queue.remove(2);
        queue.release_before(2);
        assert_eq!(queue.next_due(0).unwrap().number, 1);
    }

    #[test]
    fn percentages_decide_on_deliveries() {
        let plan = |lose, double, late| {
            let (lose_percent, double_percent, reorder_percent) = (lose, double, late);
            Settings { lose_percent, double_percent, reorder_percent, ..Settings::default() }.plan()
        };
        assert_eq!(plan(0, 0, 0), DeliveryPlan { times: 1, late: false });
        assert_eq!(plan(100, 100, 0).times, 0);
        assert_eq!(plan(0, 100, 100), DeliveryPlan { times: 2, late: true });
    }
}
