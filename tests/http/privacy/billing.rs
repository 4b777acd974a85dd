//! What Stripe stores of a person: it is in the bundle, and a deletion deletes it there.

use kit::ItemKind;
use reqwest::Method;
use tests::{App, Person, Value, cards, json};

use super::{bundle::Bundle, erase, everything::Everything, until};
use crate::fixtures::payers::{
    METHODS, customer, falls_behind, purchase, saves_card, sends_event, sets_default, subscribes,
};

const EXPORT: &str = "run-export";
const DELETION: &str = "run-deletion";

/// The part of a bundle on what Stripe stores.
fn billing_of(bundle: &Bundle) -> Value {
    let account: Value = serde_json::from_str(&bundle.0["account.json"]).unwrap();
    account.get("billing").unwrap_or_else(|| panic!("no billing in {account}")).clone()
}

/// Somebody with billing details, two cards and a payment; the ids of the customer and the payment.
async fn payer(app: &App, handle: &str) -> (Person, String, String) {
    let who = app.user(handle).await;
    let payment = who.top_up(2_000, cards::VISA).await;
    purchase(&who).await;
    let details = json!({
        "name": "Ada Payer", "email": "invoices@billing.example",
        "address": { "line1": "Lane 1", "postalCode": "89073", "city": "Ulm", "country": "DE" },
        "taxId": { "type": "eu_vat", "value": "DE123456789" },
    });
    who.patch(METHODS, details).await.expect(200);
    let preferred = saves_card(&who, "pm_card_visa").await;
    saves_card(&who, "pm_card_mastercard").await;
    sets_default(&who, &preferred).await.expect(200);
    let customer = customer(&who).await;
    (who, customer, payment)
}

#[tokio::test]
async fn bundle_has_what_stripe_stores() {
    let app = App::start().await;
    let (who, customer, payment) = payer(&app, "ada-paid").await;
    let bundle = Bundle::of(&who.export("zip").await).await;
    let billing = billing_of(&bundle);
    assert_eq!(billing["customer"], *customer);
    assert_eq!(
        (&billing["name"], &billing["email"]),
        (&json!("Ada Payer"), &json!("invoices@billing.example"))
    );
    let address = json!({ "line1": "Lane 1", "postalCode": "89073", "city": "Ulm", "country": "DE" });
    assert_eq!(billing["address"], address);
    assert_eq!(billing["taxIds"], json!([{ "type": "eu_vat", "value": "DE123456789" }]));
    let methods = billing["paymentMethods"].as_array().unwrap();
    let shown: Vec<_> = methods.iter().map(|it| (&it["card"]["brand"], &it["isDefault"])).collect();
    assert_eq!(shown, [(&json!("mastercard"), &json!(false)), (&json!("visa"), &json!(true))]);
    let rows = bundle.rows("transactions.ndjson");
    let bought: Vec<_> = rows.iter().filter(|row| row["type"] == "purchase").collect();
    assert_eq!(bought.len(), 1);
    assert_eq!((&bought[0]["payment"], &bought[0]["amountMicroUsd"]), (&json!(payment), &json!(20_000_000)));
}

#[tokio::test]
async fn bundle_without_payments_has_no_billing() {
    let app = App::start().await;
    let who = app.user("ada-unpaid").await;
    assert_eq!(billing_of(&Bundle::of(&who.export("zip").await).await), Value::Null);
    let document: Value = serde_json::from_slice(&who.export("json").await).unwrap();
    assert_eq!(document["account"]["billing"], Value::Null);
    // Stripe has no customer of this id any more.
    let customer = customer(&who).await;
    let path = format!("/v1/customers/{customer}");
    assert_eq!(app.stripe().call(Method::DELETE, &path, &[]).await.0, 200);
    assert_eq!(billing_of(&Bundle::of(&who.export("zip").await).await), Value::Null);
}

/// Plans that Stripe is down for an operation, and waits until a worker's run has met that.
async fn is_down(app: &App, operation: &str, worker: &str, work: impl Future<Output = ()>) {
    let stripe = app.stripe();
    let since = stripe.last_call().await;
    stripe.faults(json!({ "operation": operation, "kind": "refused", "times": 1_000 })).await;
    work.await;
    let (method, path) = operation.split_once(' ').unwrap();
    let start = path.split('{').next().unwrap();
    let is_met = async || {
        let calls = stripe.calls(since).await;
        let is_it = |call: &Value| {
            call["method"] == *method && call["path"].as_str().is_some_and(|path| path.starts_with(start))
        };
        calls.iter().any(|call| is_it(call) && call["status"] == 503)
    };
    until(&format!("{worker} does not ask Stripe"), is_met).await;
}

#[tokio::test]
async fn export_waits_for_stripe() {
    let app = App::start().await;
    let who = app.user("ada-waits").await;
    let customer = customer(&who).await;
    let work = async {
        who.ask_for_export("zip").await.expect(202);
    };
    is_down(&app, "GET /v1/customers/{id}", EXPORT, work).await;
    app.try_worker(EXPORT).await;
    let jobs = who.jobs().await;
    assert!(jobs.iter().all(|job| job["status"] != "completed"), "{jobs:?}");
    app.stripe().clear_faults().await;
    let id = jobs[0]["id"].as_str().unwrap();
    let (on, by) = (&app, &who);
    until("the export is not completed", move || async move {
        // A run that failed may have left its lease.
        on.advance(91).await;
        on.try_worker(EXPORT).await;
        by.jobs().await.iter().any(|job| job["id"] == *id && job["status"] == "completed")
    })
    .await;
    let tokens = app.sign_in(&who.email, tests::PASSWORD).await.expect(200);
    let who = Person::new(app.clone(), &who.handle, &who.email, &tokens);
    let file = tests::Download::from(&who.job(id).await.expect(200).text_at("/downloadUrl")).await;
    assert_eq!(billing_of(&Bundle::of(&file.bytes).await)["customer"], *customer);
}

#[tokio::test]
async fn deletion_deletes_the_customer_and_stripe_keeps_the_payment() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, customer, payment) = payer(&app, "ada-leaves").await;
    let (stays, other, _) = payer(&app, "bob-stays-paid").await;
    let stripe = app.stripe();
    stripe.settle().await;
    erase(&who).await;
    let receipt = app.mail_of_kind(&who.email, "account-deleted").await;
    let text = receipt["text"].as_str().unwrap();
    assert!(text.contains("Payments and invoices at Stripe") && !text.contains("No invoices"), "{text}");
    let path = format!("/v1/customers/{customer}");
    assert_eq!(stripe.get(&path).await["deleted"], true);
    let (status, _) = stripe.call(Method::GET, &format!("{path}/payment_methods"), &[]).await;
    assert_eq!(status, 404, "the cards are gone, too");
    let kept = stripe.get(&format!("/v1/payment_intents/{payment}")).await;
    assert_eq!((&kept["status"], &kept["amount_received"]), (&json!("succeeded"), &json!(2_000)));
    let left = Everything::of(&app).await.items;
    let of_kind = |kind: ItemKind| {
        let partition = kind.partition(who.workspace());
        left.values().filter(|item| item["pk"] == *partition).count()
    };
    assert_eq!([ItemKind::Customers, ItemKind::Payments, ItemKind::Wallets].map(of_kind), [0, 0, 0]);
    assert_eq!(stripe.get(&format!("/v1/customers/{other}")).await["name"], "Ada Payer");
    assert!(left.values().any(|item| item["pk"] == *ItemKind::Customers.partition(stays.workspace())));
    // An event that comes late changes nothing. Counters of requests go by themselves.
    sends_event(&who, "evt_late", &payment).await.expect(200);
    stripe.settle().await;
    let mut told = Everything::of(&app).await.name(&[who.id().bare()]);
    told.retain(|item| !item.contains("\"RATE#"));
    assert_eq!(told, Vec::<String>::new());
}

/// Runs deletions until their customers are deleted. A run that failed may have left its lease.
async fn until_no_customer_is_stored(app: &App) {
    until("the customer is not deleted", move || async move {
        app.advance(91).await;
        app.try_worker(DELETION).await;
        !Everything::of(app).await.items.keys().any(|key| key.contains("CUSTOMER#"))
    })
    .await;
}

#[tokio::test]
async fn deletion_waits_for_stripe() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = app.user("ada-lingers").await;
    let customer = customer(&who).await;
    let work = async {
        who.ask_to_be_deleted().await.expect(202);
    };
    is_down(&app, "DELETE /v1/customers/{id}", DELETION, work).await;
    app.try_worker(DELETION).await;
    let partition = ItemKind::Customers.partition(who.workspace());
    let is_stored = async || {
        let items = Everything::of(&app).await.items;
        items.values().any(|item| item["pk"] == *partition)
    };
    assert!(is_stored().await, "the record leads to the customer");
    app.stripe().clear_faults().await;
    until_no_customer_is_stored(&app).await;
    assert_eq!(app.stripe().get(&format!("/v1/customers/{customer}")).await["deleted"], true);
}

#[tokio::test]
async fn deletion_ends_the_subscription_and_voids_its_open_invoice() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("ada-owes").await, app.stripe());
    subscribes(&who, &who.handle).await;
    stripe.settle().await;
    let subscription = falls_behind(&who).await;
    stripe.settle().await;
    let invoice = stripe.get(&subscription).await["latest_invoice"].as_str().unwrap().to_owned();
    let invoice = format!("/v1/invoices/{invoice}");
    let page = stripe.get(&invoice).await["hosted_invoice_url"].as_str().unwrap().to_owned();
    let customer = format!("/v1/customers/{}", customer(&who).await);
    let work = async {
        who.ask_to_be_deleted().await.expect(202);
    };
    // No event ends it first.
    stripe.hold(true).await;
    is_down(&app, "POST /v1/invoices/{id}/void", DELETION, work).await;
    assert_ne!(stripe.get(&customer).await["deleted"], true);
    assert_eq!(stripe.get(&invoice).await["status"], "open");
    stripe.clear_faults().await;
    until_no_customer_is_stored(&app).await;
    assert_eq!(stripe.get(&customer).await["deleted"], true);
    assert_eq!(stripe.get(&subscription).await["status"], "canceled");
    assert_eq!(stripe.get(&invoice).await["status"], "void");
    stripe.pay(&page, cards::VISA).await.expect(200);
    assert_eq!(stripe.get(&invoice).await["amount_paid"], 0);
}
