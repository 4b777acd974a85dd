//! Every call to Stripe × every way that it can fail: after a retry there is one effect.

use futures::{FutureExt as _, future::BoxFuture};
use reqwest::Method;
use tests::{Answer, App, Person, Value, cards, every, json};

use super::{CENT, OPENING, again, booked, receives};
use crate::{fixtures::billing::balance, wallets::recomputed};

/// Ways to fail, in the words of the stand-in.
const KINDS: [&str; 4] = ["refused", "lost-response", "error", "rate-limited"];
/// Every attempt fails until the plan is cleared.
const ALWAYS: u32 = 1_000;
const METHODS: &str = "/api/billing/payment-methods";
const TWENTY: i64 = 2_000 * CENT;

/// A request of a person that calls Stripe. The text is the id of the card that it is about.
struct Case {
    /// Its name, which begins the handles of its people.
    name: &'static str,
    /// Makes a person who can send it.
    prepare: fn(App, String) -> BoxFuture<'static, (Person, String)>,
    /// Sends it.
    call: fn(Person, String) -> BoxFuture<'static, Answer>,
    /// Counts its effects.
    effects: fn(Person, String) -> BoxFuture<'static, usize>,
    /// Whether a retry may find that it was done.
    may_be_gone: bool,
}

/// The operation of a call, as faults name it: `POST /v1/customers/{id}`.
fn operation(call: &Value) -> String {
    let is_id = |part: &str| ["cus_", "pi_", "pm_", "cs_", "txi_"].iter().any(|kind| part.starts_with(kind));
    let parts = call["path"].as_str().unwrap().split('/');
    let path: Vec<&str> = parts.map(|part| if is_id(part) { "{id}" } else { part }).collect();
    format!("{} {}", call["method"].as_str().unwrap(), path.join("/"))
}

/// Has an operation fail from its `nth` call on, until the plan is cleared.
async fn fails(app: &App, operation: &str, kind: &str, nth: usize) {
    let fault = json!({ "operation": operation, "kind": kind, "nth": nth, "times": ALWAYS });
    app.stripe().faults(fault).await;
}

/// The customers of a person's workspace at Stripe.
async fn customers(who: &Person) -> Vec<String> {
    let list = who.app.stripe().get("/v1/customers?limit=100").await;
    let workspace = who.workspace().to_string();
    let all = list["data"].as_array().unwrap().iter();
    let own = all.filter(|customer| customer["metadata"]["workspace"] == workspace.as_str());
    own.map(|customer| customer["id"].as_str().unwrap().to_owned()).collect()
}

/// The saved cards, and whether each is the default, newest first.
async fn methods(who: &Person) -> Vec<(String, bool)> {
    let list = who.get(METHODS).await.expect(200);
    let shown = |method: &Value| (method["id"].as_str().unwrap().to_owned(), method["isDefault"] == true);
    list.at("/paymentMethods").as_array().unwrap().iter().map(shown).collect()
}

/// A person with two saved cards, the default and the other.
async fn with_cards(app: App, handle: String) -> (Person, String, String) {
    let who = app.user(&handle).await;
    who.checkout(2_000).await.expect(200);
    let (stripe, customer) = (app.stripe(), customers(&who).await.remove(0));
    let mut ids = Vec::new();
    for card in ["pm_card_visa", "pm_card_mastercard"] {
        let path = format!("/v1/payment_methods/{card}/attach");
        let (status, method) = stripe.post(&path, &[("customer", customer.as_str())]).await;
        assert_eq!(status, 200, "{method}");
        ids.push(method["id"].as_str().unwrap().to_owned());
    }
    let [default, other] = ids.try_into().unwrap();
    let form = [("invoice_settings[default_payment_method]", default.as_str())];
    assert_eq!(stripe.post(&format!("/v1/customers/{customer}"), &form).await.0, 200);
    (who, default, other)
}

fn newcomer(app: App, handle: String) -> BoxFuture<'static, (Person, String)> {
    async move { (app.user(&handle).await, String::new()) }.boxed()
}

fn with_default_card(app: App, handle: String) -> BoxFuture<'static, (Person, String)> {
    async move {
        let (who, default, _) = with_cards(app, handle).await;
        (who, default)
    }
    .boxed()
}

fn with_other_card(app: App, handle: String) -> BoxFuture<'static, (Person, String)> {
    async move {
        let (who, _, other) = with_cards(app, handle).await;
        (who, other)
    }
    .boxed()
}

fn changes_details(who: Person) -> BoxFuture<'static, Answer> {
    let details = json!({ "name": "Ada", "taxId": { "type": "eu_vat", "value": "DE123456789" } });
    async move { who.patch(METHODS, details).await }.boxed()
}

/// The number of tax ids of the one customer.
async fn tax_ids(who: &Person) -> usize {
    let customers = customers(who).await;
    assert_eq!(customers.len(), 1);
    let list = who.app.stripe().get(&format!("/v1/customers/{}/tax_ids", customers[0])).await;
    list["data"].as_array().unwrap().len()
}

fn cases() -> [Case; 5] {
    [
        Case {
            name: "page",
            prepare: newcomer,
            call: |who, _| async move { who.checkout(2_000).await }.boxed(),
            effects: |who, _| async move { customers(&who).await.len() }.boxed(),
            may_be_gone: false,
        },
        Case {
            name: "details",
            prepare: newcomer,
            call: |who, _| changes_details(who),
            effects: |who, _| async move { tax_ids(&who).await }.boxed(),
            may_be_gone: false,
        },
        Case {
            name: "list",
            prepare: with_default_card,
            call: |who, _| async move { who.get(METHODS).await }.boxed(),
            effects: |who, _| async move { usize::from(methods(&who).await.len() == 2) }.boxed(),
            may_be_gone: false,
        },
        Case {
            name: "default",
            prepare: with_other_card,
            call: |who, id| {
                let form = json!({ "paymentMethodId": id });
                async move { who.post(&format!("{METHODS}/default"), form).await }.boxed()
            },
            effects: |who, id| {
                async move { methods(&who).await.iter().filter(|method| **method == (id.clone(), true)).count() }
                    .boxed()
            },
            may_be_gone: false,
        },
        Case {
            name: "remove",
            prepare: with_default_card,
            call: |who, id| async move { who.delete(&format!("{METHODS}/{id}")).await }.boxed(),
            effects: |who, id| {
                async move {
                    let left = methods(&who).await;
                    usize::from(left.len() == 1 && left[0].0 != id && left[0].1)
                }
                .boxed()
            },
            may_be_gone: true,
        },
    ]
}

/// The clean run of a case: the operations that it calls, each with its place among the calls of the same operation.
async fn operations(app: &App, case: &Case) -> Vec<(String, usize)> {
    let (who, about) = (case.prepare)(app.clone(), format!("{}-clean", case.name)).await;
    let before = app.stripe().last_call().await;
    (case.call)(who.clone(), about.clone()).await.expect(200);
    let called: Vec<String> = app.stripe().calls(before).await.iter().map(operation).collect();
    assert_eq!((case.effects)(who, about).await, 1, "{}", case.name);
    assert!(!called.is_empty(), "{}", case.name);
    let place = |nth: usize| called[..=nth].iter().filter(|other| **other == called[nth]).count();
    (0..called.len()).map(|nth| (called[nth].clone(), place(nth))).collect()
}

/// A call fails, and the person repeats the request.
async fn cell(app: &App, case: &Case, nth: usize, (operation, place): &(String, usize), kind: &str) {
    let name = format!("{}: {operation} {kind}", case.name);
    let handle = format!("{}-{nth}-{}", case.name, &kind[..2]);
    let (mut who, about) = (case.prepare)(app.clone(), handle).await;
    fails(app, operation, kind, *place).await;
    let failed = (case.call)(who.clone(), about.clone()).await;
    app.stripe().clear_faults().await;
    assert_eq!(failed.brief(), "503 UNAVAILABLE", "{name}: {}", failed.text);
    assert!(failed.header("retry-after").is_some(), "{name}");
    let mut retried = (case.call)(who.clone(), about.clone()).await;
    if kind == "error" && operation == "POST /v1/customers" {
        // Stripe keeps the answer 500 for a key, and the key of a customer is the same for ten minutes.
        assert_eq!(retried.brief(), "503 UNAVAILABLE", "{name}");
        app.advance(10 * 60 + 1).await;
        who = again(&who).await;
        retried = (case.call)(who.clone(), about.clone()).await;
    }
    let is_done = retried.status == 200 || (case.may_be_gone && retried.status == 404);
    assert!(is_done, "{name}: {}", retried.text);
    assert_eq!((case.effects)(who, about).await, 1, "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_a_fault_of_stripe_leaves_one_effect() {
    for case in cases() {
        let app = App::start().await;
        let operations = operations(&app, &case).await;
        for (nth, called) in operations.iter().enumerate() {
            for (number, kind) in KINDS.into_iter().enumerate() {
                // The stride and the number of kinds have no divisor in common.
                if (nth * KINDS.len() + number).is_multiple_of(every(3)) {
                    cell(&app, &case, nth, called, kind).await;
                }
            }
        }
        app.stop().await;
    }
}

/// The events about something, oldest first.
async fn events_about(app: &App, text: &str) -> Vec<Value> {
    app.stripe().events().await.into_iter().filter(|event| event.to_string().contains(text)).collect()
}

/// The platform receives an event and its worker fails. Then Stripe is well again, and the message is delivered again.
async fn fails_first(app: &App, event: &Value, operation: &str, kind: &str, nth: usize) {
    fails(app, operation, kind, nth).await;
    receives(app, event).await.expect(200);
    let waits = async || app.queue("apply-payments").await == (0, 0, 1);
    app.until(&format!("{operation} {kind}: the message does not fail"), waits).await;
    app.stripe().clear_faults().await;
    app.redeliver().await;
}

#[tokio::test]
async fn payment_is_booked_once_after_any_fault_of_stripe() {
    const PAYMENT: &str = "GET /v1/payment_intents/{id}";
    let app = App::start().await;
    let (who, stripe) = (app.user("fault-pays").await, app.stripe());
    stripe.hold(true).await;
    let mut expected = OPENING;
    for kind in KINDS {
        let payment = who.top_up(2_000, cards::VISA).await;
        let events = events_about(&app, &payment).await;
        fails_first(&app, &events[0], PAYMENT, kind, 1).await;
        who.until_balance(expected + TWENTY).await;
        // A payment that is known is fetched again after its record was read.
        let refund = [("payment_intent", payment.as_str()), ("amount", "500")];
        assert_eq!(stripe.post("/v1/refunds", &refund).await.0, 200);
        fails_first(&app, &events[1], PAYMENT, kind, 2).await;
        who.until_balance(expected + 1_500 * CENT).await;
        stripe.control("disputes", json!({ "payment_intent": payment, "amount": 700 })).await;
        fails_first(&app, &events[2], "GET /v1/disputes", kind, 1).await;
        expected += 800 * CENT;
        who.until_balance(expected).await;
        let steps = [("purchase", TWENTY), ("refund", -500 * CENT), ("refund", -700 * CENT)];
        assert_eq!(booked(&recomputed(&who).await, &payment), steps, "{kind}");
    }
}

#[tokio::test]
async fn saved_card_is_the_default_after_any_fault_of_stripe() {
    let app = App::start().await;
    let stripe = app.stripe();
    stripe.hold(true).await;
    let operations = ["GET /v1/checkout/sessions/{id}", "GET /v1/customers/{id}", "POST /v1/customers/{id}"];
    for (nth, operation) in operations.into_iter().enumerate() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            // The stride and the number of kinds have no divisor in common.
            if !(nth * KINDS.len() + number).is_multiple_of(every(3)) {
                continue;
            }
            let who = app.user(&format!("fault-card-{nth}-{number}")).await;
            let page = who.send(Method::POST, &format!("{METHODS}/setup"), None).await.expect(200);
            stripe.pay(&page.text_at("/url"), cards::VISA).await.expect(303);
            let events = events_about(&app, &page.text_at("/sessionId")).await;
            let completed =
                events.iter().find(|event| event["type"] == "checkout.session.completed").unwrap();
            fails_first(&app, completed, operation, kind, 1).await;
            let is_default = async || matches!(methods(&who).await.as_slice(), [(_, true)]);
            app.until(&format!("{operation} {kind}: no default"), is_default).await;
        }
    }
}

#[tokio::test]
async fn reconciliation_books_once_after_any_fault_of_stripe() {
    let app = App::start().await;
    let (who, stripe) = (app.user("fault-reconciled").await, app.stripe());
    stripe.control("webhooks", json!({ "lose_percent": 100 })).await;
    let payment = who.top_up(2_000, cards::VISA).await;
    app.advance(601).await;
    let who = again(&who).await;
    let runs = async || app.try_worker("reconcile-payments").await;
    // The payments are compared last: until then, the run has booked nothing.
    for (operation, is_booked) in [
        ("GET /v1/events", false),
        ("GET /v1/payment_intents/{id}", false),
        ("GET /v1/payment_intents", true),
    ] {
        for kind in KINDS {
            fails(&app, operation, kind, 1).await;
            let said = runs().await.expect(502).text_at("/errorMessage");
            assert!(said.contains("stripe is unavailable"), "{operation} {kind}: {said}");
            stripe.clear_faults().await;
            let micros = balance(&who).await["balanceMicroUsd"].clone();
            let expected = if is_booked { OPENING + TWENTY } else { OPENING };
            assert_eq!(micros, expected, "{operation} {kind}");
        }
    }
    let report = runs().await.expect(200).body;
    assert_eq!((&report["missed"], &report["payments"]), (&json!(0), &json!(1)), "{report}");
    assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY)]);
}
