use serde_json::json;

use super::*;
use crate::testing::{TestBench, id};

/// A session that sells credit for $5.00.
const PAYMENT: &str = "mode=payment&success_url=http://localhost/done?session={CHECKOUT_SESSION_ID}\
    &cancel_url=http://localhost/back&line_items[0][quantity]=1&line_items[0][price_data][currency]=usd\
    &line_items[0][price_data][unit_amount]=500&line_items[0][price_data][product_data][name]=Credit";

const SESSIONS: &str = "/v1/checkout/sessions";

#[test]
fn open_session_has_a_page_and_no_intent() {
    let mut bench = TestBench::new();
    let session = bench.post(SESSIONS, &format!("{PAYMENT}&metadata[order]=7"));
    assert_eq!((&session["status"], &session["payment_status"]), (&json!("open"), &json!("unpaid")));
    assert_eq!((&session["amount_total"], &session["payment_intent"]), (&json!(500), &json!(null)));
    let url = format!("http://localhost/_local/stripe/pay/{}", id(&session));
    assert_eq!(session["url"], url.as_str());
    assert!(session.get("line_items").is_none());
    let lines = bench.get(&format!("{SESSIONS}/{}/line_items", id(&session)));
    assert_eq!(
        (&lines["data"][0]["description"], &lines["data"][0]["amount_total"]),
        (&json!("Credit"), &json!(500))
    );
}

#[test]
fn setup_session_has_an_intent_at_once() {
    let mut bench = TestBench::new();
    let customer = bench.customer();
    let params = format!(
        "mode=setup&customer={customer}&currency=usd&success_url=http://localhost/done\
         &setup_intent_data[metadata][a]=1"
    );
    let session = bench.post(SESSIONS, &params);
    assert_eq!(session["payment_status"], "no_payment_required");
    let intent = bench.get(&format!("/v1/setup_intents/{}", text(&session, "/setup_intent")));
    assert_eq!((&intent["metadata"], &intent["customer"]), (&json!({ "a": "1" }), &json!(customer)));
}

#[test]
fn session_expires_by_the_clock_or_on_request() {
    let mut bench = TestBench::new();
    let first = id(&bench.post(SESSIONS, PAYMENT));
    let second = id(&bench.post(SESSIONS, PAYMENT));
    let expired = bench.post(&format!("{SESSIONS}/{second}/expire"), "");
    assert_eq!((&expired["status"], &expired["url"]), (&json!("expired"), &json!(null)));
    assert!(bench.call("POST", &format!("{SESSIONS}/{second}/expire"), "").is_err());
    bench.now += 24 * 60 * 60 - 1;
    tick(&mut bench.work());
    assert_eq!(bench.get(&format!("{SESSIONS}/{first}"))["status"], "open");
    bench.now += 10;
    tick(&mut bench.work());
    assert_eq!(bench.get(&format!("{SESSIONS}/{first}"))["status"], "expired");
    let event = bench.state.all("event")[0];
    assert_eq!(event["type"], "checkout.session.expired");
    assert_eq!(event["created"], crate::testing::START + 24 * 60 * 60);
}

#[test]
fn wrong_parameters_are_refused() {
    let mut bench = TestBench::new();
    let customer = bench.customer();
    for (params, param) in [
        ("mode=payment".to_owned(), "success_url"),
        (PAYMENT.replace("http://localhost/back", "back"), "cancel_url"),
        (PAYMENT.replace("=500", "=49"), "line_items"),
        (PAYMENT.replace("mode=payment", "mode=subscription"), "line_items"),
        (format!("{PAYMENT}&subscription_data[metadata][a]=1"), "subscription_data"),
        (format!("{PAYMENT}&payment_intent_data[amount]=1"), "payment_intent_data[amount]"),
        (format!("{PAYMENT}&customer_update[name]=auto"), "customer_update"),
        (format!("{PAYMENT}&customer={customer}&tax_id_collection[enabled]=true"), "customer_update[name]"),
        (format!("{PAYMENT}&customer={customer}&customer_email=a@example.com"), "customer_email"),
        (format!("{PAYMENT}&expires_at={}", crate::testing::START + 60), "expires_at"),
        ("mode=setup&success_url=http://localhost/done".to_owned(), "currency"),
    ] {
        let error = bench.call("POST", SESSIONS, &params).unwrap_err();
        assert_eq!((error.status, error.param.as_deref()), (400, Some(param)), "{params}");
    }
    assert!(bench.state.all(KIND).is_empty());
}

#[test]
fn sessions_are_listed_by_status_and_customer() {
    let mut bench = TestBench::new();
    let customer = bench.customer();
    bench.post(SESSIONS, &format!("{PAYMENT}&customer={customer}"));
    bench.post(SESSIONS, PAYMENT);
    let mut count =
        |query: &str| bench.call("GET", SESSIONS, query).unwrap()["data"].as_array().unwrap().len();
    assert_eq!(count(&format!("customer={customer}")), 1);
    assert_eq!(count("status=open"), 2);
    assert_eq!(count("status=complete"), 0);
}
