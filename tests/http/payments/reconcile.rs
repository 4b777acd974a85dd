//! Reconciliation: payments that the webhook missed are booked, once, and counted.

use domain::{
    Timestamp,
    payment::{PaymentIntentId, PaymentSubject, StripeEvent, StripeEventId},
    ports::{PaymentRecords, Saved, TransactionExtras},
};
use tests::{App, Person, Stripe, Value, cards, json};

use super::{
    CENT, OPENING, again, booked, store_of,
    webhook::{customer, pays},
    worth,
};
use crate::{fixtures::billing::balance, wallets::recomputed};

const RECONCILE: &str = "reconcile-payments";
const TWENTY: i64 = 2_000 * CENT;
/// After so many seconds, an event is not on its way to the webhook any more.
const OVERDUE: i64 = 10 * 60 + 1;

/// Has every event lost from now on.
async fn loses_all(stripe: &Stripe) {
    stripe.control("webhooks", json!({ "lose_percent": 100 })).await;
}

/// How many events are about payments.
async fn events_of_payments(stripe: &Stripe) -> usize {
    let kinds = ["payment_intent", "charge", "refund", "dispute", "checkout.session"];
    let is_of = |event: &Value| kinds.iter().any(|kind| event["data"]["object"]["object"] == *kind);
    stripe.events().await.into_iter().filter(is_of).count()
}

/// A run that repairs this: events that were missed, and payments that differed.
async fn repairs(app: &App, missed: usize, repaired: usize) {
    let report = app.run_worker(RECONCILE).await;
    assert_eq!((&report["missed"], &report["repaired"]), (&json!(missed), &json!(repaired)), "{report}");
}

/// A run that found nothing to repair.
async fn finds_nothing(app: &App) -> Value {
    let report = app.run_worker(RECONCILE).await;
    assert_eq!((&report["missed"], &report["repaired"]), (&json!(0), &json!(0)), "{report}");
    report
}

async fn micros(who: &Person) -> i64 {
    balance(who).await["balanceMicroUsd"].as_i64().unwrap()
}

#[tokio::test]
async fn lost_payments_and_refunds_are_booked_and_counted() {
    let app = App::start().await;
    let stripe = app.stripe();
    loses_all(&stripe).await;
    let (ada, bea) = (app.user("lost-ada").await, app.user("lost-bea").await);
    let first = ada.top_up(2_000, cards::VISA).await;
    let second = ada.top_up(700, cards::MASTERCARD).await;
    let third = bea.top_up(2_000, cards::VISA).await;
    let refund = [("payment_intent", third.as_str()), ("amount", "500")];
    assert_eq!(stripe.post("/v1/refunds", &refund).await.0, 200);
    let lost = events_of_payments(&stripe).await;
    app.advance(OVERDUE).await;
    let (ada, bea) = (again(&ada).await, again(&bea).await);
    assert_eq!((micros(&ada).await, micros(&bea).await), (OPENING, OPENING));

    repairs(&app, lost, 0).await;
    assert_eq!(micros(&ada).await, OPENING + 2_700 * CENT);
    assert_eq!(micros(&bea).await, OPENING + 1_500 * CENT);

    let report = finds_nothing(&app).await;
    assert!(report["events"].as_u64().unwrap() >= u64::try_from(lost).unwrap(), "{report}");
    let of_ada = recomputed(&ada).await;
    assert_eq!(booked(&of_ada, &first), [("purchase", TWENTY)]);
    assert_eq!(booked(&of_ada, &second), [("purchase", 700 * CENT)]);
    assert_eq!(booked(&recomputed(&bea).await, &third), [("purchase", worth(&stripe, &third).await)]);
}

#[tokio::test]
async fn refund_of_a_booked_payment_is_taken_back() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("lost-refund").await, app.stripe());
    let payment = who.top_up(2_000, cards::VISA).await;
    who.until_balance(OPENING + TWENTY).await;
    stripe.settle().await;
    loses_all(&stripe).await;
    assert_eq!(stripe.post("/v1/refunds", &[("payment_intent", payment.as_str())]).await.0, 200);
    app.advance(OVERDUE).await;
    // `refund.created` and `charge.refunded`. Those of the payment were received.
    repairs(&app, 2, 0).await;
    finds_nothing(&app).await;
    let booked = booked(&recomputed(&who).await, &payment);
    assert_eq!(booked, [("purchase", TWENTY), ("refund", -TWENTY)]);
}

#[tokio::test]
async fn young_events_are_left_to_the_webhook() {
    let app = App::start().await;
    let (who, stripe) = (app.user("young").await, app.stripe());
    stripe.hold(true).await;
    let payment = who.top_up(2_000, cards::VISA).await;
    for _ in 0..2 {
        finds_nothing(&app).await;
    }
    assert_eq!(micros(&who).await, OPENING);
    // Two minutes later they come.
    app.advance(120).await;
    stripe.hold(false).await;
    who.until_balance(OPENING + TWENTY).await;
    finds_nothing(&app).await;
    assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY)]);
}

#[tokio::test]
async fn received_events_are_not_missed() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("well-told").await, app.stripe());
    who.top_up(2_000, cards::VISA).await;
    who.until_balance(OPENING + TWENTY).await;
    stripe.settle().await;
    app.advance(OVERDUE).await;
    let report = finds_nothing(&app).await;
    assert_eq!(report["payments"], 1);
}

/// An event that was received, and its message lost before a worker had it.
async fn received_and_lost(app: &App, event: &Value, payment: &str) {
    let text = |member: &str| event[member].as_str().unwrap();
    let created = Timestamp::from_second(event["created"].as_i64().unwrap()).unwrap();
    let received = StripeEvent {
        id: StripeEventId::parse(text("id")).unwrap(),
        r#type: text("type").to_owned(),
        created,
        subject: PaymentIntentId::parse(payment).map(PaymentSubject::Payment),
        live: false,
        account: None,
        region: Some(app.home()),
    };
    let (store, nothing) = (store_of(app), TransactionExtras::default());
    let kept = PaymentRecords::keep_event(&store, &received, created, nothing).await.unwrap();
    assert_eq!(kept, Saved::Yes);
}

#[tokio::test]
async fn payment_whose_messages_were_lost_is_found_by_comparing() {
    let app = App::start().await;
    let (who, stripe) = (app.user("message-lost").await, app.stripe());
    loses_all(&stripe).await;
    let payment = who.top_up(2_000, cards::VISA).await;
    for event in stripe.events().await.into_iter().filter(|event| event.to_string().contains(&payment)) {
        received_and_lost(&app, &event, &payment).await;
    }
    app.advance(OVERDUE).await;
    repairs(&app, 0, 1).await;
    finds_nothing(&app).await;
    assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY)]);
}

#[tokio::test]
async fn runs_at_once_book_once() {
    let app = App::start().await;
    let (who, stripe) = (app.user("two-runs").await, app.stripe());
    loses_all(&stripe).await;
    let payment = who.top_up(2_000, cards::VISA).await;
    app.advance(OVERDUE).await;
    futures::future::join_all((0..4).map(|_| app.try_worker(RECONCILE))).await;
    finds_nothing(&app).await;
    assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY)]);
}

#[tokio::test]
async fn payment_that_can_not_be_booked_hides_no_other() {
    let app = App::start().await;
    let (ada, bea, stripe) = (app.user("euro-ada").await, app.user("dollar-bea").await, app.stripe());
    loses_all(&stripe).await;
    pays(&ada, &customer(&ada).await, ("2000", "eur"), "2000").await;
    for _ in 0..20 {
        bea.top_up(500, cards::VISA).await;
    }
    app.advance(OVERDUE).await;
    app.run_worker(RECONCILE).await;
    finds_nothing(&app).await;
    assert_eq!(micros(&again(&bea).await).await, OPENING + 20 * 500 * CENT);
    assert_eq!(micros(&again(&ada).await).await, OPENING);
}

#[tokio::test]
async fn deployment_without_a_key_takes_and_compares_no_payments() {
    let app = App::start().await;
    let who = app.user("unpaid").await;
    let secret = format!("account/{}/payments", app.home());
    let put = app.secrets_manager().put_secret_value().secret_id(secret).secret_string("{}");
    put.send().await.unwrap();
    // Functions cache secrets for five minutes.
    app.advance(5 * 60 + 1).await;
    let before = app.stripe().last_call().await;
    let report = app.run_worker(RECONCILE).await;
    assert_eq!(report, json!({ "events": 0, "missed": 0, "payments": 0, "repaired": 0 }));
    assert_eq!(who.checkout(2_000).await.brief(), "503 PAYMENTS_NOT_SET_UP");
    let event = json!({
        "id": "evt_1", "type": "customer.created", "created": 1_800_000_000, "livemode": false,
        "data": { "object": { "id": "cus_1", "object": "customer" } },
    });
    assert_eq!(super::receives(&app, &event).await.brief(), "503 PAYMENTS_NOT_SET_UP");
    assert!(app.stripe().calls(before).await.is_empty());
}
