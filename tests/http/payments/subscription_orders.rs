//! Events of a subscription in any order, late and repeated: the plan is that of Stripe's subscription.

use std::collections::BTreeSet;

use domain::{
    payment::PaidSubscription,
    plan::Plan,
    ports::{PaymentRecords, Workspaces},
    workspace::Workspace,
};
use jiff::SignedDuration;
use reqwest::Method;
use tests::{App, Person, Value, every, json};

use super::{
    store_of,
    subscription::{at_stripe, grants, pass, pays, period, subscribes},
};
use crate::{fixtures::billing::postings, wallets::recomputed};

/// The number of orders that are tried with `ACCOUNT_TEST_EVERY=1`: those of five events.
const ORDERS: usize = 120;

/// Somebody with a subscription, whose events are delivered in an order of their own.
struct Subscriber {
    who: Person,
    subscription: String,
    /// The number of the order.
    order: usize,
    /// The events that were delivered.
    known: BTreeSet<String>,
}

/// The `n`th order of things.
fn ordered<T: Clone>(things: &[T], mut n: usize) -> Vec<T> {
    let (mut rest, mut ordered) = (things.to_vec(), Vec::new());
    while !rest.is_empty() {
        let choices = rest.len();
        ordered.push(rest.remove(n % choices));
        n /= choices;
    }
    ordered
}

impl Subscriber {
    /// Subscribes on a page. The events are held back.
    async fn new(app: &App, order: usize) -> Self {
        let who = app.user(&format!("orders-{order}")).await;
        let page = subscribes(&who, "monthly").await.expect(200);
        let subscription = pays(app, &page).await;
        Self { who, subscription, order, known: BTreeSet::new() }
    }

    /// Delivers the events that are new, each followed by one of before, and all of them again from the end.
    async fn hears(&mut self) {
        let stripe = self.who.app.stripe();
        let all = stripe.events_about(&self.subscription).await;
        let (old, new): (Vec<String>, Vec<String>) =
            all.into_iter().partition(|event| self.known.contains(event));
        assert!(!new.is_empty(), "nothing happened");
        // 61 has no divisor in common with the number of orders of five or six events.
        let new = ordered(&new, self.order * 61);
        let mut events = Vec::new();
        for (n, event) in new.iter().enumerate() {
            events.push(event.as_str());
            if let Some(n) = (self.order + n).checked_rem(old.len()) {
                events.push(&old[n]);
            }
        }
        events.extend(new.iter().rev().map(String::as_str));
        for delivery in stripe.deliver(&events).await {
            assert_eq!(delivery["status"], 200, "{delivery}");
        }
        self.known.extend(new);
    }

    /// The stored state: the subscription and the workspace.
    async fn stored(&self) -> (Option<PaidSubscription>, Workspace) {
        let (store, id) = (store_of(&self.who.app), self.who.workspace());
        let account = PaymentRecords::account(&store, id).await.unwrap().unwrap();
        (account.subscription, Workspaces::find(&store, id).await.unwrap().unwrap())
    }

    /// Compares what is stored with Stripe.
    async fn is_as_at_stripe(&self) {
        let name = format!("order {}", self.order);
        let wanted = at_stripe(&self.who.app, &self.subscription).await;
        let (stored, workspace) = self.stored().await;
        let stored = stored.unwrap_or_else(|| panic!("{name}: nothing is stored"));
        let seats = wanted["items"]["data"][0]["quantity"].clone();
        let shown = (json!(stored.id), json!(stored.status), json!(stored.seats));
        assert_eq!(shown, (wanted["id"].clone(), wanted["status"].clone(), seats), "{name}");
        let ends = wanted["cancel_at_period_end"] == true;
        assert_eq!(
            (stored.period_end, stored.cancel_at_period_end),
            (period(&wanted, "end"), ends),
            "{name}"
        );
        let terms = (workspace.plan, workspace.plan_ends_at);
        let expected = match wanted["status"].as_str() {
            Some("active") => {
                let grace = SignedDuration::from_hours(if ends { 0 } else { 7 * 24 });
                (Plan::Pro, Some(period(&wanted, "end").saturating_add(grace).unwrap()))
            }
            _ => (Plan::Free, None),
        };
        assert_eq!(terms, expected, "{name}");
    }

    /// Changes the subscription at Stripe.
    async fn updates(&self, name: &str, value: &str) {
        let path = format!("/v1/subscriptions/{}", self.subscription);
        let (status, answer) = self.who.app.stripe().post(&path, &[(name, value)]).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The number of credits of a month.
    async fn credits(&self) -> usize {
        let all = recomputed(&self.who).await;
        all.iter().filter(|posting| posting.r#type.as_str() == "monthly_grant").count()
    }
}

/// Delivers what is new to everybody, waits for its effect, and compares.
async fn all_hear(app: &App, all: &mut [Subscriber]) {
    for subscriber in &mut *all {
        subscriber.hears().await;
    }
    app.stripe().settle().await;
    for subscriber in &*all {
        subscriber.is_as_at_stripe().await;
    }
}

/// Waits until everybody has the credit of so many months. That of a month that is over expired.
async fn have_credits(app: &App, all: &[Subscriber], months: usize) {
    grants(app).await;
    for subscriber in all {
        let are_posted = async || postings(&subscriber.who).await == 2 * months;
        app.until("the credit does not come", are_posted).await;
        assert_eq!(subscriber.credits().await, months, "order {}", subscriber.order);
    }
}

#[tokio::test]
async fn events_of_a_life_in_any_order_leave_the_plan_that_stripe_has() {
    tests::needs_every_region!();
    let app = App::in_process().await;
    // All periods end in the same second.
    app.stop_clock().await;
    app.stripe().hold(true).await;
    // The events are not found in another way either.
    let reconciliation = json!({
        "service": "dynamodb", "function": "reconcile-payments", "kind": "refused", "times": 0,
    });
    app.faults(json!([reconciliation])).await;
    let mut all = Vec::new();
    for order in (0..ORDERS).step_by(every(24)) {
        all.push(Subscriber::new(&app, order).await);
    }
    all_hear(&app, &mut all).await;
    have_credits(&app, &all, 1).await;

    for subscriber in &all {
        subscriber.updates("cancel_at_period_end", "true").await;
        subscriber.updates("cancel_at_period_end", "false").await;
        subscriber.updates("metadata[note]", "resumed").await;
    }
    all_hear(&app, &mut all).await;

    let first = at_stripe(&app, &all[0].subscription).await;
    pass(&app, period(&first, "end")).await;
    all_hear(&app, &mut all).await;
    have_credits(&app, &all, 2).await;

    for subscriber in &all {
        subscriber.updates("cancel_at_period_end", "true").await;
    }
    all_hear(&app, &mut all).await;
    for subscriber in &all {
        let path = format!("/v1/subscriptions/{}", subscriber.subscription);
        let (status, ended): (u16, Value) = app.stripe().call(Method::DELETE, &path, &[]).await;
        assert_eq!((status, &ended["status"]), (200, &json!("canceled")));
    }
    all_hear(&app, &mut all).await;
    have_credits(&app, &all, 2).await;
}
