//! Payments by Stripe: what is paid is booked once, whatever becomes of events, requests and cards.

mod auto_top_up;
mod deliveries;
mod doubles;
mod faults;
mod lapse;
mod methods;
mod orders;
pub mod payer;
pub mod random;
mod reconcile;
mod refunds;
mod sdk;
mod seats;
mod subscription;
mod subscription_orders;
mod top_up;
mod webhook;

use domain::wallet::{Cause, Posting};
use ring::hmac;
use store::Store;
use tests::{Answer, App, PASSWORD, Person, Stripe, Value};

/// The credit of a new account.
const OPENING: i64 = 25_000_000;
/// Micro-USD of a cent.
const CENT: i64 = 10_000;

/// The same person with a new session, for a clock that was moved.
async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// The tables at home.
fn store_of(app: &App) -> Store {
    Store::new(app.tables(), app.table(""))
}

/// The bookings of a payment: type and amount in micro-USD, in order.
fn booked(postings: &[Posting], payment: &str) -> Vec<(&'static str, i64)> {
    let is_of = |cause: &Cause| matches!(cause, Cause::Payment { intent, .. } if intent.as_str() == payment);
    let of_payment = postings.iter().filter(|posting| is_of(&posting.cause));
    of_payment.map(|posting| (posting.r#type.as_str(), posting.amount.micros())).collect()
}

/// What a payment comes to at Stripe, in micro-USD: what was paid, without what was given back and what disputes hold or took.
async fn worth(stripe: &Stripe, payment: &str) -> i64 {
    let intent = stripe.get(&format!("/v1/payment_intents/{payment}?expand[]=latest_charge")).await;
    let disputes = stripe.get(&format!("/v1/disputes?payment_intent={payment}")).await;
    let cents = |value: &Value| value.as_i64().unwrap_or(0);
    let holds = |dispute: &&Value| {
        ["needs_response", "under_review", "lost"].iter().any(|status| dispute["status"] == *status)
    };
    let held: i64 =
        disputes["data"].as_array().unwrap().iter().filter(holds).map(|it| cents(&it["amount"])).sum();
    let kept = cents(&intent["amount_received"]) - cents(&intent["latest_charge"]["amount_refunded"]) - held;
    kept.max(0) * CENT
}

/// The signing secret of the webhook at home.
fn webhook_secret(app: &App) -> String {
    format!("whsec_local_{}", app.home())
}

/// The header `Stripe-Signature` over a body, made at this Unix second.
fn signature(secret: &str, at: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

/// Sends a body to the webhook at home.
async fn sends(app: &App, body: &str, signature: Option<&str>) -> Answer {
    let request = app.request(reqwest::Method::POST, "/api/webhooks/stripe");
    let request = request.header("content-type", "application/json; charset=utf-8").body(body.to_owned());
    let request = match signature {
        Some(signature) => request.header("stripe-signature", signature),
        None => request,
    };
    app.send(request).await
}

/// Sends an event to the webhook at home, signed now.
pub async fn receives(app: &App, event: &Value) -> Answer {
    let (body, at) = (event.to_string(), app.now().await.as_second());
    sends(app, &body, Some(&signature(&webhook_secret(app), at, &body))).await
}
