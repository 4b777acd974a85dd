//! The webhook: only what Stripe signed just now is taken, once, and only what concerns this deployment and region is kept.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{payment::StripeEventId, ports::PaymentRecords, region::Region};
use futures::future::join_all;
use kit::ItemKind;
use tests::{App, Person, Stripe, Value, cards, json, needs_every_region};

use super::{CENT, OPENING, again, booked, receives, sends, signature, store_of, webhook_secret, worth};
use crate::{
    fixtures::billing::balance,
    wallets::{recomputed, surely},
};

const TWENTY: i64 = 2_000 * CENT;

/// Whether a region stores an event.
async fn knows(app: &App, event: &Value) -> bool {
    let id = StripeEventId::parse(event["id"].as_str().unwrap()).unwrap();
    PaymentRecords::knows_event(&store_of(app), &id).await.unwrap()
}

/// The event of a type about a payment.
async fn event_of(stripe: &Stripe, payment: &str, r#type: &str) -> Value {
    let events = stripe.events().await.into_iter();
    let found = events.filter(|event| event["type"] == r#type).find(|it| it.to_string().contains(payment));
    found.unwrap()
}

/// Somebody who paid $20, of which nobody told the platform yet, and the event that tells.
async fn paid_untold(app: &App, handle: &str) -> (Person, String, Value) {
    let (who, stripe) = (app.user(handle).await, app.stripe());
    stripe.hold(true).await;
    let payment = who.top_up(2_000, cards::VISA).await;
    let event = event_of(&stripe, &payment, "payment_intent.succeeded").await;
    (who, payment, event)
}

/// The customer of somebody's workspace at Stripe.
pub(super) async fn customer(who: &Person) -> String {
    let session = who.checkout(2_000).await.expect(200).text_at("/sessionId");
    let session = who.app.stripe().get(&format!("/v1/checkout/sessions/{session}")).await;
    session["customer"].as_str().unwrap().to_owned()
}

/// A payment that a customer makes without the platform, with metadata that names a workspace and an amount; its id.
pub(super) async fn pays(
    of: &Person,
    customer: &str,
    (amount, currency): (&str, &str),
    agreed: &str,
) -> String {
    let (workspace, region) = (of.workspace().to_string(), of.app.home().to_string());
    let form = [
        ("amount", amount),
        ("currency", currency),
        ("customer", customer),
        ("payment_method", "pm_card_visa"),
        ("payment_method_types[0]", "card"),
        ("confirm", "true"),
        ("metadata[workspace]", workspace.as_str()),
        ("metadata[region]", region.as_str()),
        ("metadata[purpose]", "top-up"),
        ("metadata[amount_cents]", agreed),
    ];
    let (status, intent) = of.app.stripe().post("/v1/payment_intents", &form).await;
    assert_eq!((status, &intent["status"]), (200, &json!("succeeded")), "{intent}");
    intent["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_what_stripe_signed_just_now_is_taken() {
    let app = App::start().await;
    app.stop_clock().await;
    let (who, _, event) = paid_untold(&app, "forged").await;
    let (body, secret, now) = (event.to_string(), webhook_secret(&app), app.now().await.as_second());
    let elsewhere = Region::ALL.into_iter().find(|region| *region != app.home()).unwrap();
    let signed = |at: i64| signature(&secret, at, &body);
    let of_other = |secret: &str| signature(secret, now, &body);
    let other_body = signature(&secret, now, &body.replace("2000", "9000"));
    for (name, header) in [
        ("no header", None),
        ("an empty header", Some(String::new())),
        ("no signature", Some(format!("t={now}"))),
        ("an empty signature", Some(format!("t={now},v1="))),
        ("another secret", Some(of_other("whsec_other"))),
        ("the secret of another region", Some(of_other(&format!("whsec_local_{elsewhere}")))),
        ("no secret", Some(of_other(""))),
        ("five minutes and a second ago", Some(signed(now - 301))),
        ("in five minutes and a second", Some(signed(now + 301))),
        ("another time than signed", Some(signed(now).replace(&now.to_string(), &(now + 1).to_string()))),
        ("another body", Some(other_body)),
        ("another scheme", Some(signed(now).replace("v1=", "v0="))),
    ] {
        let answer = sends(&app, &body, header.as_deref()).await;
        assert_eq!(answer.brief(), "400 BAD_REQUEST", "{name}");
    }
    let changed = sends(&app, &body.replace("2000", "9000"), Some(&signed(now))).await;
    assert_eq!(changed.brief(), "400 BAD_REQUEST");
    assert_eq!(sends(&app, "", Some(&signed(now))).await.brief(), "400 BAD_REQUEST");
    assert!(!knows(&app, &event).await);

    // The clock goes on: a signature is good for five minutes.
    app.advance(301).await;
    assert_eq!(sends(&app, &body, Some(&signed(now))).await.brief(), "400 BAD_REQUEST");
    assert!(!knows(&app, &event).await);
    sends(&app, &body, Some(&signed(now + 1))).await.expect(200);
    assert!(knows(&app, &event).await);
    who.until_balance(OPENING + TWENTY).await;
}

#[tokio::test]
async fn signed_body_that_is_large_or_no_event_is_refused() {
    let app = App::start().await;
    let large = json!({ "id": "evt_large", "object": "event", "padding": "x".repeat(300_000) }).to_string();
    for (body, expected) in [
        (large.as_str(), "413 PAYLOAD_TOO_LARGE"),
        ("no JSON", "500 INTERNAL_ERROR"),
        ("{}", "500 INTERNAL_ERROR"),
        (
            r#"{"id":"cus_1","type":"x","created":1,"livemode":false,"data":{"object":{}}}"#,
            "500 INTERNAL_ERROR",
        ),
        ("", "500 INTERNAL_ERROR"),
    ] {
        let at = app.now().await.as_second();
        let answer = sends(&app, body, Some(&signature(&webhook_secret(&app), at, body))).await;
        assert_eq!(answer.brief(), expected, "{}", body.get(..60).unwrap_or(body));
    }
}

#[tokio::test]
async fn event_of_another_mode_or_account_is_not_kept() {
    let app = App::start().await;
    let (who, payment, event) = paid_untold(&app, "other-mode").await;
    for (id, member, value) in
        [("evt_live", "livemode", json!(true)), ("evt_connected", "account", json!("acct_1"))]
    {
        let mut other = event.clone();
        (other["id"], other[member]) = (json!(id), value);
        assert_eq!(receives(&app, &other).await.expect(200).body, json!({ "received": true }));
        assert!(!knows(&app, &other).await, "{id}");
    }
    app.stripe().settle().await;
    assert_eq!(balance(&who).await["balanceMicroUsd"], OPENING);
    receives(&app, &event).await.expect(200);
    who.until_balance(OPENING + TWENTY).await;
    assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY)]);
}

#[tokio::test]
async fn event_of_an_unknown_type_is_kept_and_has_no_effect() {
    let app = App::start().await;
    let event = json!({
        "id": "evt_unknown", "object": "event", "type": "climate.order.created", "created": 1_800_000_000,
        "livemode": false, "data": { "object": { "id": "climorder_1", "object": "climate.order" } },
    });
    receives(&app, &event).await.expect(200);
    assert!(knows(&app, &event).await);
    app.stripe().hold(true).await;
    app.stripe().settle().await;
    assert!(app.calls_of("apply-payments", 0).await.is_empty());
}

#[tokio::test]
async fn event_of_another_region_is_not_kept() {
    needs_every_region!();
    let app = App::start().await;
    let stripe = app.stripe();
    for home in Region::ALL {
        let there = app.living_in(home);
        let who = there.user(&format!("pays-in-{home}")).await;
        let payment = who.top_up(2_000, cards::VISA).await;
        who.until_balance(OPENING + TWENTY).await;
        there.stripe().settle().await;
        for r#type in ["payment_intent.created", "payment_intent.succeeded", "checkout.session.completed"] {
            let event = event_of(&stripe, &payment, r#type).await;
            for region in Region::ALL {
                assert_eq!(knows(&app.living_in(region), &event).await, region == home, "{event} {region}");
            }
        }
        // A dispute has no metadata, so each region looks the payment up. None but its own books it.
        let dispute = json!({ "payment_intent": payment });
        stripe.control("disputes", dispute).await;
        who.until_balance(OPENING).await;
        there.stripe().settle().await;
        assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY), ("refund", -TWENTY)]);
        for region in Region::ALL.into_iter().filter(|region| *region != home) {
            let scan = app.tables_of(region).scan().table_name(format!("account-{region}-billing"));
            let items = scan.consistent_read(true).send().await.unwrap().items.unwrap_or_default();
            let partition = ItemKind::Payments.partition(who.workspace());
            let is_of = |item: &HashMap<String, AttributeValue>| {
                item.get("pk") == Some(&AttributeValue::S(partition.clone()))
            };
            assert!(!items.iter().any(is_of), "{region}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_event_twenty_times_at_once_has_one_effect() {
    let app = App::start().await;
    let (who, payment, event) = paid_untold(&app, "twenty").await;
    for answer in join_all((0..20).map(|_| surely(|| receives(&app, &event)))).await {
        answer.expect(200);
    }
    who.until_balance(OPENING + TWENTY).await;
    app.stripe().settle().await;
    assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY)]);
    let query = app.tables().query().table_name(app.table("operations")).consistent_read(true);
    let partition = AttributeValue::S(ItemKind::Outbox.partition(&payment));
    let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", partition);
    assert_eq!(query.send().await.unwrap().count(), 1, "messages about the payment");
}

#[tokio::test]
async fn payment_of_another_workspaces_customer_is_no_credit() {
    needs_every_region!();
    let app = App::start().await;
    let (ada, bea) = (app.user("named-ada").await, app.user("payer-bea").await);
    let (_, of_bea) = (customer(&ada).await, customer(&bea).await);
    let payment = pays(&ada, &of_bea, ("2000", "usd"), "2000").await;
    app.stripe().settle().await;
    for who in [&ada, &bea] {
        assert_eq!(balance(who).await["balanceMicroUsd"], OPENING, "{}", who.handle);
    }
    assert_eq!(worth(&app.stripe(), &payment).await, TWENTY);
    // A workspace that never had a customer.
    let cyd = app.user("named-cyd").await;
    pays(&cyd, &of_bea, ("2000", "usd"), "2000").await;
    app.stripe().settle().await;
    assert_eq!(balance(&cyd).await["balanceMicroUsd"], OPENING);
}

#[tokio::test]
async fn payment_of_another_amount_or_currency_is_not_credited() {
    let app = App::start().await;
    let (who, stripe) = (app.user("mismatch").await, app.stripe());
    let customer = customer(&who).await;
    stripe.hold(true).await;
    for (paid, agreed) in [(("2000", "usd"), "2001"), (("1999", "usd"), "2000"), (("2000", "eur"), "2000")] {
        let payment = pays(&who, &customer, paid, agreed).await;
        let event = event_of(&stripe, &payment, "payment_intent.succeeded").await;
        receives(&app, &event).await.expect(200);
    }
    // Other payments go on, and nothing waits behind those.
    let payment = pays(&who, &customer, ("700", "usd"), "700").await;
    let event = event_of(&stripe, &payment, "payment_intent.succeeded").await;
    receives(&app, &event).await.expect(200);
    who.until_balance(OPENING + 700 * CENT).await;
    assert_eq!(recomputed(&who).await.len(), 2);
}

#[tokio::test]
async fn late_event_of_a_payment_that_is_known_changes_nothing() {
    let app = App::start().await;
    let (who, payment, event) = paid_untold(&app, "days-late").await;
    receives(&app, &event).await.expect(200);
    who.until_balance(OPENING + TWENTY).await;
    // Stripe repeats an event for three days.
    app.advance(3 * 24 * 3_600).await;
    let who = again(&who).await;
    receives(&app, &event).await.expect(200);
    let created = event_of(&app.stripe(), &payment, "payment_intent.created").await;
    receives(&app, &created).await.expect(200);
    app.stripe().settle().await;
    assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY)]);
}
