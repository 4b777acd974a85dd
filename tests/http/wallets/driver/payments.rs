//! Payments among the operations: credit is bought, refunded and disputed at Stripe, and the events of it
//! come in any order, twice or never.
//!
//! An operation ends when what it told is booked, so that a seed always leads to the same operations.

use std::collections::BTreeMap;

use domain::wallet::{Cause, Posting};
use tests::{App, Person, Stripe, Value, json};

use super::Account;
use crate::{
    payments::{
        payer::{Paid, Payer},
        random::Random,
        receives,
    },
    wallets::surely,
};

const RECONCILE: &str = "reconcile-payments";
/// An event that is younger may be on its way to the webhook: reconciliation leaves it.
const ON_THE_WAY: i64 = 10 * 60 + 1;

/// The payments of an account.
pub(super) struct Payments {
    payer: Payer,
    paid: Vec<Paid>,
}

impl Payments {
    /// None yet. The person's session has to be valid.
    pub(super) async fn none(who: &Person) -> Self {
        Self { payer: Payer::new(who).await, paid: Vec::new() }
    }
}

/// The events of Stripe, which nobody but the driver delivers.
pub(super) struct Events {
    stripe: Stripe,
    /// The last one that was read.
    last: String,
}

impl Events {
    /// Has the stand-in lose every delivery.
    pub(super) async fn of(app: &App) -> Self {
        let stripe = app.stripe();
        stripe.control("webhooks", json!({ "hold": true, "lose_percent": 100 })).await;
        Self { stripe, last: String::new() }
    }

    /// The new events about a payment.
    async fn about(&mut self, payment: &str) -> Vec<Value> {
        let mut events = self.stripe.events_after(&self.last).await;
        if let Some(last) = events.last() {
            self.last = last["id"].as_str().unwrap().to_owned();
        }
        events.retain(|event| event.to_string().contains(payment));
        events
    }
}

/// Loses some of the events or all of them, doubles some, and puts them into another order.
fn unreliable(random: &mut Random, mut events: Vec<Value>) -> Vec<Value> {
    let lost = [10, 1, 0, 0][random.place(4)];
    events.retain(|_| random.below(10) >= lost);
    for event in events.clone() {
        if random.below(3) == 0 {
            events.push(event);
        }
    }
    for last in (1..events.len()).rev() {
        let other = random.place(last + 1);
        events.swap(last, other);
    }
    events
}

/// Somebody pays, or something happens to a payment. Now and then, reconciliation runs.
pub(super) async fn step(app: &App, random: &mut Random, events: &mut Events, account: &mut Account) {
    let Payments { payer, paid } = &mut account.payments;
    if random.below(8) == 0 {
        return reconciles(app, payer, paid).await;
    }
    let at = if paid.is_empty() || random.below(3) == 0 {
        paid.push(payer.pays(500 + random.amount(2_000)).await);
        paid.len() - 1
    } else {
        let at = random.place(paid.len());
        paid[at].changes(&events.stripe, random).await;
        at
    };
    let (payer, paid) = (&*payer, &paid[at]);
    let told = events.about(&paid.id).await;
    let told = unreliable(random, told);
    for event in &told {
        surely(|| receives(app, event)).await.expect(200);
    }
    if !told.is_empty() {
        // Each event brings the state of now, also if those before it were lost.
        let is_booked = async || payer.counted(paid).await == paid.micros();
        app.until("the payment is not booked", is_booked).await;
    }
}

/// Finds the events that were lost.
async fn reconciles(app: &App, payer: &Payer, paid: &[Paid]) {
    app.advance(ON_THE_WAY).await;
    surely(|| app.try_worker(RECONCILE)).await.expect(200);
    for paid in paid {
        assert_eq!(payer.counted(paid).await, paid.micros(), "{}: reconciliation did not find it", paid.id);
    }
}

/// Finds the events that were lost and not found yet. After that there are none.
pub(super) async fn end(app: &App, seed: u64) {
    app.advance(ON_THE_WAY).await;
    app.run_worker(RECONCILE).await;
    let report = app.run_worker(RECONCILE).await;
    assert_eq!((&report["missed"], &report["repaired"]), (&json!(0), &json!(0)), "seed {seed}: {report}");
}

/// Compares what counts of each payment in the model, at Stripe, in the record and in the postings.
pub(super) async fn compare(app: &App, account: &Account, postings: &[Posting], seed: u64) {
    let (Payments { payer, paid }, stripe) = (&account.payments, app.stripe());
    let mut booked = BTreeMap::<&str, i64>::new();
    for posting in postings {
        if let Cause::Payment { intent, .. } = &posting.cause {
            *booked.entry(intent.as_str()).or_default() += posting.amount.micros();
        }
    }
    for paid in paid {
        let (id, micros) = (paid.id.as_str(), paid.micros());
        assert_eq!(paid.at_stripe(&stripe).await, micros, "seed {seed}: the model of {id} is not as Stripe");
        assert_eq!(payer.counted(paid).await, micros, "seed {seed}: the record of {id}");
        assert_eq!(booked.remove(id).unwrap_or(0), micros, "seed {seed}: the postings of {id}");
    }
    assert!(booked.is_empty(), "seed {seed}: {booked:?} are no payments of the account");
}
