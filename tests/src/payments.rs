//! The local stand-in for Stripe, as tests use it: its pages, its API and its controls.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder, Url};
use serde_json::{Value, json};

use crate::{Answer, App, Person};

/// The stand-in's API key.
const KEY: &str = "sk_test_local";
/// Maximum wait for the effect of a webhook. It is long because a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(300);
/// Numbers the addresses of [`Stripe::settle`].
static ADDRESSES: AtomicUsize = AtomicUsize::new(0);

/// Test cards of Stripe, and what the page of a top-up takes besides.
pub mod cards {
    /// Succeeds.
    pub const VISA: &str = "4242424242424242";
    /// Succeeds.
    pub const MASTERCARD: &str = "5555555555554444";
    /// Is declined.
    pub const DECLINED: &str = "4000000000000002";
    /// Can be saved; charges of it are declined.
    pub const DECLINED_LATER: &str = "4000000000000341";
    /// Needs authentication.
    pub const AUTHENTICATION: &str = "4000002500003155";
    /// Not a card: money that is on its way for days. The control `settle` says whether it arrives.
    pub const BANK_DEBIT: &str = "bank_debit";
}

/// The stand-in for Stripe of a platform.
#[derive(Clone)]
pub struct Stripe {
    app: App,
}

impl App {
    /// The stand-in for Stripe.
    pub fn stripe(&self) -> Stripe {
        Stripe { app: self.clone() }
    }

    /// Waits until something holds, which follows from messages. Those that failed are delivered again.
    pub async fn until<H: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> H) {
        let (began, mut n) = (Instant::now(), 0);
        while !holds().await {
            assert!(began.elapsed() < PATIENCE, "{what}");
            n += 1;
            self.wait_for_message(n).await;
        }
    }
}

impl Stripe {
    /// Pays or saves a card on a page, with the person's details. 303 if it succeeded; a declined card answers the page again.
    pub async fn pay(&self, url: &str, card: &str) -> Answer {
        self.submit(url, &[("action", "pay"), ("card", card), ("authentication", "complete")]).await
    }

    /// Gives up on a page.
    pub async fn cancel(&self, url: &str) -> Answer {
        self.submit(url, &[("action", "cancel")]).await
    }

    /// Sends the form of a page. The fields replace or complete those of somebody in Germany.
    pub async fn submit(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let usual = [("email", "payer@people.example"), ("name", "Pat Payer"), ("country", "DE")];
        let is_given = |name: &str| fields.iter().any(|field| field.0 == name);
        let usual = usual.into_iter().filter(|field| !is_given(field.0));
        let form: Vec<(&str, &str)> = usual.chain(fields.iter().copied()).collect();
        let page: Url = url.parse().unwrap();
        self.app.send(with_form(self.app.request(Method::POST, page.path()), &form)).await
    }

    /// Holds webhooks back until they are delivered by [`Self::deliver`], or lets them go.
    pub async fn hold(&self, hold: bool) {
        self.control("webhooks", json!({ "hold": hold })).await;
    }

    /// All events, oldest first.
    pub async fn events(&self) -> Vec<Value> {
        self.events_after("").await
    }

    /// The events after one, oldest first.
    pub async fn events_after(&self, event: &str) -> Vec<Value> {
        let path = format!("/_local/stripe/_test/events?after={event}");
        self.app.get(&path).await.expect(200).body.as_array().cloned().unwrap()
    }

    /// The ids of the events whose text names something, for example the id of an object, oldest first.
    pub async fn events_about(&self, text: &str) -> Vec<String> {
        let events = self.events().await.into_iter().filter(|event| event.to_string().contains(text));
        events.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Delivers events now, in this order, to the webhook of each region; the results.
    pub async fn deliver(&self, events: &[&str]) -> Vec<Value> {
        self.control("deliver", json!({ "events": events })).await.as_array().cloned().unwrap()
    }

    /// Plans a fault, or a list of them, of the stand-in's API.
    pub async fn faults(&self, plan: Value) {
        for fault in plan.as_array().cloned().unwrap_or_else(|| vec![plan]) {
            self.control("faults", fault).await;
        }
    }

    /// Clears the plan.
    pub async fn clear_faults(&self) {
        self.app.send(self.app.request(Method::DELETE, "/_local/stripe/_test/faults")).await.expect(200);
    }

    /// An object or a list of the API: `/v1/…`.
    pub async fn get(&self, path: &str) -> Value {
        let request = self.app.request(Method::GET, &format!("/_local/stripe{path}")).bearer_auth(KEY);
        self.app.send(request).await.expect(200).body
    }

    /// Calls the API with a form.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        self.call(Method::POST, path, form).await
    }

    /// Calls the API with a form by any method.
    pub async fn call(&self, method: Method, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.app.request(method, &format!("/_local/stripe{path}")).bearer_auth(KEY);
        let answer = self.app.send(with_form(request, form)).await;
        (answer.status, answer.body)
    }

    /// Uses a control of the stand-in.
    pub async fn control(&self, path: &str, body: Value) -> Value {
        self.app.post(&format!("/_local/stripe/_test/{path}"), body).await.expect(200).body
    }

    /// The API's calls after the `since`th.
    pub async fn calls(&self, since: u64) -> Vec<Value> {
        let path = format!("/_local/stripe/_test/calls?since={since}");
        self.app.get(&path).await.expect(200).body.as_array().cloned().unwrap()
    }

    /// The number of the API's last call so far.
    pub async fn last_call(&self) -> u64 {
        self.calls(0).await.last().and_then(|call| call["n"].as_u64()).unwrap_or(0)
    }

    /// Waits until every event that is not held back was delivered, and what follows from it at home was done.
    /// Not in an outage: the webhook of the region that is down takes nothing.
    pub async fn settle(&self) {
        let settings = self.app.get("/_local/stripe/_test/webhooks").await.expect(200);
        if settings.at("/hold") == false {
            let delivered = async || self.events().await.iter().all(|event| event["pending_webhooks"] == 0);
            self.app.until("events are not delivered", delivered).await;
        }
        // Messages are published in order: when this mail has come, those before it are in their queues.
        let number = ADDRESSES.fetch_add(1, Ordering::Relaxed);
        let email = format!("settle-{number}@later.example");
        self.app.sign_up(&email).await.expect(202);
        self.app.code(&email).await;
        let is_done = async || self.app.queue("apply-payments").await == (0, 0, 0);
        self.app.until("payments are not applied", is_done).await;
    }
}

impl Person {
    /// Asks for a page on which credit can be bought.
    pub async fn checkout(&self, cents: u32) -> Answer {
        self.post("/api/billing/checkout-session", json!({ "amountCents": cents })).await
    }

    /// Buys credit; the id of the payment intent. The credit comes with the webhook.
    pub async fn top_up(&self, cents: u32, card: &str) -> String {
        let (page, stripe) = (self.checkout(cents).await.expect(200), self.app.stripe());
        stripe.pay(&page.text_at("/url"), card).await.expect(303);
        let session = stripe.get(&format!("/v1/checkout/sessions/{}", page.text_at("/sessionId"))).await;
        session["payment_intent"].as_str().unwrap().to_owned()
    }

    /// Waits until the balance is this many micro-USD.
    pub async fn until_balance(&self, micros: i64) {
        let is_there =
            async || self.get("/api/billing/balance").await.expect(200).at("/balanceMicroUsd") == micros;
        self.app.until(&format!("the balance does not become {micros}"), is_there).await;
    }
}

/// A request with a form.
fn with_form(request: RequestBuilder, form: &[(&str, &str)]) -> RequestBuilder {
    let mut url: Url = "http://form.example/".parse().unwrap();
    url.query_pairs_mut().extend_pairs(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(url.query().unwrap_or_default().to_owned())
}
