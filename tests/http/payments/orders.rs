//! Events of payments in any order, and more than once: the balance is that of Stripe's objects, and each change is booked once.

use tests::{App, Person, Stripe, Value, cards, every, json};

use super::{CENT, OPENING, again, booked, receives, worth};
use crate::{fixtures::billing::balance, wallets::recomputed};

const TWENTY: i64 = 2_000 * CENT;
/// So many events are put into every order.
const MOST: usize = 6;
/// So many orders are not sampled.
const ALL: usize = 60;

/// The orders of so many events.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let with_last = |order: Vec<usize>| {
        (0..count).map(move |at| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        })
    };
    orders(last).into_iter().flat_map(with_last).collect()
}

/// Those of a run. The stride has no divisor in common with the number of orders: each event gets each place.
fn sampled(count: usize) -> Vec<Vec<usize>> {
    let all = orders(count);
    let stride = if all.len() > ALL { every(13) } else { 1 };
    all.into_iter().step_by(stride).collect()
}

/// Somebody who has a customer at Stripe, and the customer.
async fn customer(app: &App, handle: &str) -> (Person, String) {
    let who = app.user(handle).await;
    let session = who.checkout(2_000).await.expect(200).text_at("/sessionId");
    let session = app.stripe().get(&format!("/v1/checkout/sessions/{session}")).await;
    (who, session["customer"].as_str().unwrap().to_owned())
}

/// Pays a page as the platform opens it, without the platform's limit of pages an hour; the payment intent.
async fn pays(who: &Person, customer: &str) -> String {
    let (stripe, workspace, region) =
        (who.app.stripe(), who.workspace().to_string(), who.app.home().to_string());
    let tag = [
        ("workspace", workspace.as_str()),
        ("region", region.as_str()),
        ("purpose", "top-up"),
        ("amount_cents", "2000"),
    ];
    let of_intent = tag.map(|(name, value)| (format!("payment_intent_data[metadata][{name}]"), value));
    let of_session = tag.map(|(name, value)| (format!("metadata[{name}]"), value));
    let form = [
        ("mode", "payment"),
        ("customer", customer),
        ("currency", "usd"),
        ("success_url", "https://app.example/"),
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "2000"),
        ("line_items[0][price_data][product_data][name]", "Credit"),
    ];
    let metadata = of_intent.iter().chain(&of_session).map(|(name, value)| (name.as_str(), *value));
    let form: Vec<(&str, &str)> = form.into_iter().chain(metadata).collect();
    let (status, session) = stripe.post("/v1/checkout/sessions", &form).await;
    assert_eq!(status, 200, "{session}");
    stripe.pay(session["url"].as_str().unwrap(), cards::VISA).await.expect(303);
    let session = stripe.get(&format!("/v1/checkout/sessions/{}", session["id"].as_str().unwrap())).await;
    session["payment_intent"].as_str().unwrap().to_owned()
}

/// Gives back a part of a payment.
async fn refund(stripe: &Stripe, payment: &str, cents: &str) {
    let (status, refund) =
        stripe.post("/v1/refunds", &[("payment_intent", payment), ("amount", cents)]).await;
    assert_eq!(status, 200, "{refund}");
}

/// A refund in two parts and a dispute that is won.
async fn refund_and_win(stripe: &Stripe, payment: &str) {
    refund(stripe, payment, "300").await;
    refund(stripe, payment, "200").await;
    let dispute = stripe.control("disputes", json!({ "payment_intent": payment })).await;
    let path = format!("disputes/{}", dispute["id"].as_str().unwrap());
    stripe.control(&path, json!({ "status": "won" })).await;
}

/// The newest event that there is.
async fn newest(stripe: &Stripe) -> String {
    stripe.events().await.last().unwrap()["id"].as_str().unwrap().to_owned()
}

/// The events after one that are about a payment, of these types if any are named.
async fn events_of(stripe: &Stripe, after: &str, payment: &str, types: &[&str]) -> Vec<Value> {
    let is_wanted = |event: &Value| {
        let is_listed = types.is_empty() || types.iter().any(|name| event["type"] == *name);
        is_listed && event.to_string().contains(payment)
    };
    stripe.events_after(after).await.into_iter().filter(is_wanted).take(MOST).collect()
}

/// Sends events in an order, and some of them again.
async fn receives_in(app: &App, events: &[Value], order: &[usize]) {
    for at in order.iter().chain(order.iter().rev().step_by(2)) {
        receives(app, &events[*at]).await.expect(200);
    }
}

/// A payment for each order of its events. After each, the balance is what Stripe's payments come to, and in the end nothing was
/// booked but `expected` of each.
async fn in_every_order<F: Future<Output = ()>>(
    handle: &str,
    types: &[&str],
    happens: impl Fn(Stripe, String) -> F,
    expected: i64,
) {
    let app = App::start().await;
    let ((mut who, customer), stripe) = (customer(&app, handle).await, app.stripe());
    stripe.hold(true).await;
    let (mut payments, mut balance_now, mut all) = (Vec::new(), OPENING, Vec::new());
    loop {
        let before = newest(&stripe).await;
        let payment = pays(&who, &customer).await;
        happens(stripe.clone(), payment.clone()).await;
        let events = events_of(&stripe, &before, &payment, types).await;
        if payments.is_empty() {
            assert!(events.len() >= 4, "{events:?}");
            all = sampled(events.len());
        }
        receives_in(&app, &events, &all[payments.len()]).await;
        balance_now += worth(&stripe, &payment).await;
        who.until_balance(balance_now).await;
        payments.push(payment);
        if payments.len() == all.len() {
            break;
        }
        // An access token is valid for ten minutes, and all orders may take longer.
        if payments.len().is_multiple_of(100) {
            who = again(&who).await;
        }
    }
    stripe.settle().await;
    let postings = recomputed(&who).await;
    for (payment, order) in payments.iter().zip(&all) {
        assert_eq!(booked(&postings, payment), [("purchase", expected)], "{order:?}");
    }
    assert_eq!(balance(&who).await["balanceMicroUsd"], balance_now);
    assert_eq!(postings.len(), payments.len() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_payment_in_every_order_are_one_credit() {
    in_every_order("order-paid", &[], |_, _| async {}, TWENTY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_and_a_won_dispute_in_every_order_leave_the_rest() {
    let types = [
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.closed",
    ];
    let happens = |stripe: Stripe, payment: String| async move { refund_and_win(&stripe, &payment).await };
    in_every_order("order-refunded", &types, happens, 1_500 * CENT).await;
}

#[tokio::test]
async fn old_event_brings_the_state_of_now() {
    let app = App::start().await;
    let ((who, customer), stripe) = (customer(&app, "order-late").await, app.stripe());
    stripe.hold(true).await;
    let before = newest(&stripe).await;
    let payment = pays(&who, &customer).await;
    // Each step is told by an event that was made before it.
    let old = events_of(&stripe, &before, &payment, &[]).await;
    receives(&app, &old[0]).await.expect(200);
    who.until_balance(OPENING + TWENTY).await;
    refund(&stripe, &payment, "300").await;
    receives(&app, &old[1]).await.expect(200);
    who.until_balance(OPENING + 1_700 * CENT).await;
    let dispute = stripe.control("disputes", json!({ "payment_intent": payment })).await;
    receives(&app, &old[2]).await.expect(200);
    who.until_balance(OPENING).await;
    let path = format!("disputes/{}", dispute["id"].as_str().unwrap());
    stripe.control(&path, json!({ "status": "won" })).await;
    receives(&app, &old[3]).await.expect(200);
    who.until_balance(OPENING + 1_700 * CENT).await;

    // All that is left comes late.
    for event in stripe.events_after(&before).await {
        receives(&app, &event).await.expect(200);
    }
    stripe.settle().await;
    let (seventeen, three) = (1_700 * CENT, 300 * CENT);
    let steps = [("purchase", TWENTY), ("refund", -three), ("refund", -seventeen), ("adjustment", seventeen)];
    assert_eq!(booked(&recomputed(&who).await, &payment), steps);
}

#[tokio::test]
async fn unreliable_webhooks_book_what_stripe_has() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ((who, customer), stripe) = (customer(&app, "order-wild").await, app.stripe());
    for seed in 1..=3 {
        let wild = json!({ "double_percent": 50, "reorder_percent": 50, "seed": seed });
        stripe.control("webhooks", wild).await;
        let mut expected = balance(&who).await["balanceMicroUsd"].as_i64().unwrap();
        for _ in 0..3 {
            let payment = pays(&who, &customer).await;
            refund_and_win(&stripe, &payment).await;
            expected += worth(&stripe, &payment).await;
        }
        stripe.settle().await;
        who.until_balance(expected).await;
        recomputed(&who).await;
    }
}

#[test]
fn orders_are_all_and_different() {
    for (count, expected) in [(0, 1), (1, 1), (3, 6), (6, 720)] {
        let all: std::collections::BTreeSet<Vec<usize>> = orders(count).into_iter().collect();
        assert_eq!(all.len(), expected);
        assert!(all.iter().all(|order| order.len() == count));
    }
}
