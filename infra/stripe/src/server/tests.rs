use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, redirect::Policy};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{Deliver, StripeOptions, StripeStandIn, WebhookEndpoint, testing::START};

/// A stand-in that is served on a port of its own, with one webhook endpoint.
struct Served {
    stand_in: StripeStandIn,
    base: String,
    http: Client,
    clock: Arc<AtomicI64>,
    /// The types of the events that the endpoint got.
    received: Arc<Mutex<Vec<String>>>,
    /// The status that the endpoint answers.
    status: Arc<AtomicI64>,
}

impl Served {
    async fn start(file: Option<&Path>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/_local/stripe", listener.local_addr().unwrap());
        let (clock, status) = (Arc::new(AtomicI64::new(START)), Arc::new(AtomicI64::new(200)));
        let received = Arc::new(Mutex::new(Vec::new()));
        let now = Arc::clone(&clock);
        let stand_in = StripeStandIn::start(StripeOptions {
            base: base.clone(),
            secret_key: "sk_test_1".to_owned(),
            file: file.map(Path::to_owned),
            now: Arc::new(move || Timestamp::from_second(now.load(Ordering::Relaxed)).unwrap()),
            endpoints: vec![WebhookEndpoint {
                url: "http://localhost/hook".to_owned(),
                secret: "whsec_1".to_owned(),
            }],
            deliver: endpoint(Arc::clone(&received), Arc::clone(&status)),
        })
        .unwrap();
        let router = stand_in.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { stand_in, base, http, clock, received, status }
    }

    fn form(&self, path: &str, form: &str) -> RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.base));
        let kind = "application/x-www-form-urlencoded";
        request.bearer_auth("sk_test_1").header("content-type", kind).body(form.to_owned())
    }

    async fn post(&self, path: &str, form: &str) -> Value {
        body(self.form(path, form)).await.1
    }

    async fn get(&self, path: &str) -> Value {
        body(self.http.get(format!("{}{path}", self.base)).bearer_auth("sk_test_1")).await.1
    }

    async fn control(&self, path: &str, input: &Value) -> Value {
        body(self.http.post(format!("{}/_test/{path}", self.base)).body(input.to_string())).await.1
    }

    /// Waits until the endpoint has got as many events.
    async fn received(&self, count: usize) -> Vec<String> {
        for _ in 0..400 {
            let received = self.received.lock().unwrap().clone();
            if received.len() >= count {
                return received;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the endpoint got {:?}", self.received.lock().unwrap());
    }
}

fn endpoint(received: Arc<Mutex<Vec<String>>>, status: Arc<AtomicI64>) -> Deliver {
    Arc::new(move |request| {
        // Read before the event is noted: a test changes the status when it sees the event.
        let answer = u16::try_from(status.load(Ordering::Relaxed)).unwrap();
        let event: Value = serde_json::from_slice(request.body()).unwrap();
        received.lock().unwrap().push(event["type"].as_str().unwrap().to_owned());
        async move { Ok(answer) }.boxed()
    })
}

async fn body(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn request_needs_the_key_and_the_version() {
    let served = Served::start(None).await;
    let url = format!("{}/v1/customers", served.base);
    assert_eq!(body(served.http.get(&url)).await.0, 401);
    assert_eq!(body(served.http.get(&url).bearer_auth("sk_test_2")).await.0, 401);
    assert_eq!(body(served.http.get(&url).basic_auth("sk_test_1", Some(""))).await.0, 200);
    let old = served.http.get(&url).bearer_auth("sk_test_1").header("stripe-version", "2024-06-20");
    assert_eq!(body(old).await.0, 400);
    let response = served.http.get(&url).bearer_auth("sk_test_1").send().await.unwrap();
    assert!(response.headers()["request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(response.headers()["stripe-version"], "2026-10-28.endive");
    let unknown = served.get("/v1/nothing").await;
    assert_eq!(unknown["error"]["type"], "invalid_request_error");
}

#[tokio::test]
async fn key_answers_the_same_request_again() {
    let served = Served::start(None).await;
    let create = |name: &str| served.form("/v1/customers", name).header("idempotency-key", "k1");
    let (_, first) = body(create("name=A")).await;
    let again = create("name=A").send().await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap()["id"], first["id"]);
    let (status, other) = body(create("name=B")).await;
    assert_eq!((status, &other["error"]["type"]), (400, &json!("idempotency_error")));
    served.clock.fetch_add(24 * 60 * 60, Ordering::Relaxed);
    let (_, later) = body(create("name=B")).await;
    assert_ne!(later["id"], first["id"]);
    let calls = served.get("/_test/calls?since=1").await;
    let flags: Vec<&Value> = calls.as_array().unwrap().iter().map(|call| &call["replayed"]).collect();
    assert_eq!(flags, [&json!(true), &json!(false), &json!(false)]);
}

#[tokio::test]
async fn failed_validation_leaves_the_key_unused() {
    let served = Served::start(None).await;
    let create = |form: &str| served.form("/v1/payment_intents", form).header("idempotency-key", "k1");
    let (_, missing) = body(create("currency=usd")).await;
    assert_eq!(missing["error"]["code"], "parameter_missing");
    let declined = "amount=500&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined\
        &payment_method_types[]=card";
    for replayed in [false, true] {
        let response = create(declined).send().await.unwrap();
        assert_eq!(response.status(), 402);
        assert_eq!(response.headers().contains_key("idempotent-replayed"), replayed);
    }
    assert_eq!(served.get("/v1/charges").await["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn concurrent_requests_with_a_key_have_one_effect() {
    let served = Served::start(None).await;
    let stall = json!({ "operation": "POST /v1/customers", "kind": "stall", "millis": 1000 });
    served.control("faults", &stall).await;
    let request = || served.form("/v1/customers", "name=A").header("idempotency-key", "k1").send();
    for response in futures::future::join_all([request(), request(), request()]).await {
        let response = response.unwrap();
        let is_replayed = response.headers().contains_key("idempotent-replayed");
        let status = response.status().as_u16();
        let code = response.json::<Value>().await.unwrap()["error"]["code"].clone();
        let is_busy = status == 409 && code == "idempotency_key_in_use";
        assert!(is_busy || status == 200, "{status} {code} {is_replayed}");
    }
    assert_eq!(served.get("/v1/customers").await["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn faults_have_the_effects_they_say() {
    let served = Served::start(None).await;
    for (kind, status, again) in
        [("refused", 503, 200), ("rate-limited", 429, 200), ("error", 500, 500), ("lost-response", 502, 200)]
    {
        served.control("faults", &json!({ "operation": "POST /v1/customers", "kind": kind })).await;
        let request = || served.form("/v1/customers", "name=A").header("idempotency-key", kind);
        assert_eq!(body(request()).await.0, status, "{kind}");
        let repeated = request().send().await.unwrap();
        assert_eq!(repeated.status(), again, "{kind}");
        let is_replayed = matches!(kind, "error" | "lost-response");
        assert_eq!(repeated.headers().contains_key("idempotent-replayed"), is_replayed, "{kind}");
    }
    assert_eq!(served.get("/v1/customers").await["data"].as_array().unwrap().len(), 3);
    let unknown = served.control("faults", &json!({ "operation": "POST /v1/none", "kind": "refused" })).await;
    assert_eq!(unknown["error"]["param"], "operation");
}

#[tokio::test]
async fn events_are_delivered_in_order_and_repeated() {
    let served = Served::start(None).await;
    served.status.store(500, Ordering::Relaxed);
    let customer = served.post("/v1/customers", "name=A").await;
    served.received(1).await;
    served.status.store(200, Ordering::Relaxed);
    served.post(&format!("/v1/customers/{}", customer["id"].as_str().unwrap()), "name=B").await;
    assert_eq!(served.received(2).await, ["customer.created", "customer.updated"]);
    served.clock.fetch_add(5, Ordering::Relaxed);
    assert_eq!(served.received(3).await[2], "customer.created");
    let created = &served.get("/v1/events").await["data"][1];
    assert_eq!(created["type"], "customer.created");
}

#[tokio::test]
async fn held_events_are_delivered_by_controls() {
    let served = Served::start(None).await;
    served.control("webhooks", &json!({ "hold": true })).await;
    let customer = served.post("/v1/customers", "name=A").await;
    served.post(&format!("/v1/customers/{}", customer["id"].as_str().unwrap()), "name=B").await;
    let events = served.get("/_test/events").await;
    let (created, updated) = (&events[0]["id"], &events[1]["id"]);
    let after = served.get(&format!("/_test/events?after={}", created.as_str().unwrap())).await;
    assert_eq!(after.as_array().unwrap().len(), 1);
    let results = served.control("deliver", &json!({ "events": [updated, created, updated] })).await;
    assert_eq!((&results[0]["event"], &results[0]["status"]), (updated, &json!(200)));
    assert_eq!(
        *served.received.lock().unwrap(),
        ["customer.updated", "customer.created", "customer.updated"]
    );
    let rest = served.control("deliver", &json!({ "all": true })).await;
    assert_eq!(rest, json!([]));
}

#[tokio::test]
async fn endpoint_of_a_test_gets_the_named_events() {
    let served = Served::start(None).await;
    served.control("webhooks", &json!({ "hold": true })).await;
    served.post("/v1/customers", "name=A").await;
    let event = &served.get("/_test/events").await[0]["id"];
    let endpoint = json!({ "url": "http://localhost/other", "secret": "whsec_2" });
    let results = served.control("deliver", &json!({ "events": [event], "endpoint": endpoint })).await;
    assert_eq!(results[0]["url"], "http://localhost/other");
    assert_eq!(results[0]["status"], 200);
    let refused = served.control("deliver", &json!({ "all": true, "endpoint": endpoint })).await;
    assert_eq!(refused["error"]["param"], "endpoint");
    // The configured endpoint still gets its own.
    let rest = served.control("deliver", &json!({ "all": true })).await;
    assert_eq!(rest[0]["url"], "http://localhost/hook");
}

#[tokio::test]
async fn state_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stripe.jsonl");
    let served = Served::start(Some(&file)).await;
    served.control("webhooks", &json!({ "hold": true })).await;
    let request = |served: &Served| served.form("/v1/customers", "name=A").header("idempotency-key", "k1");
    let (_, customer) = body(request(&served)).await;
    served.stand_in.stop().await;
    let again = Served::start(Some(&file)).await;
    let path = format!("/v1/customers/{}", customer["id"].as_str().unwrap());
    assert_eq!(again.get(&path).await, customer);
    let replayed = request(&again).send().await.unwrap();
    assert_eq!(replayed.headers()["idempotent-replayed"], "true");
    again.control("webhooks", &json!({ "hold": false })).await;
    assert_eq!(again.received(1).await, ["customer.created"]);
}

#[tokio::test]
async fn page_sells_and_redirects() {
    let served = Served::start(None).await;
    let params = "mode=payment&success_url=http://localhost/done?s={CHECKOUT_SESSION_ID}\
        &line_items[0][quantity]=1\
        &line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=500\
        &line_items[0][price_data][product_data][name]=Credit";
    let session = served.post("/v1/checkout/sessions", params).await;
    let url = session["url"].as_str().unwrap();
    let page = served.http.get(url).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(html.contains("Credit") && html.contains("$5.00") && !html.contains("<script"));
    let form = "card=4242424242424242&email=eve@example.com&action=pay";
    let paid = served.http.post(url).body(form).send().await.unwrap();
    assert_eq!(paid.status(), 303);
    let done = format!("http://localhost/done?s={}", session["id"].as_str().unwrap());
    assert_eq!(paid.headers()["location"], done.as_str());
    let charge = served.get("/v1/charges").await["data"][0].clone();
    let receipt = served.http.get(charge["receipt_url"].as_str().unwrap()).send().await.unwrap();
    assert!(receipt.text().await.unwrap().contains("$5.00"));
    let missing = served.http.get(format!("{}/pay/cs_none", served.base)).send().await.unwrap();
    assert_eq!(missing.status(), 404);
}

#[tokio::test]
async fn controls_change_disputes_and_refunds() {
    let served = Served::start(None).await;
    let paid = "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa&payment_method_types[]=card";
    let intent = served.post("/v1/payment_intents", paid).await["id"].clone();
    let refund =
        served.post("/v1/refunds", &format!("payment_intent={}&amount=100", intent.as_str().unwrap())).await;
    let path = format!("refunds/{}", refund["id"].as_str().unwrap());
    assert_eq!(served.control(&path, &json!({ "status": "failed" })).await["status"], "failed");
    let dispute = served.control("disputes", &json!({ "payment_intent": intent, "amount": 300 })).await;
    assert_eq!((&dispute["status"], &dispute["amount"]), (&json!("needs_response"), &json!(300)));
    let path = format!("disputes/{}", dispute["id"].as_str().unwrap());
    assert_eq!(served.control(&path, &json!({ "status": "won" })).await["status"], "won");
    let settings = served.control("settings", &json!({ "after_last_failure": "mark_unpaid" })).await;
    assert_eq!(settings["after_last_failure"], "mark_unpaid");
}
