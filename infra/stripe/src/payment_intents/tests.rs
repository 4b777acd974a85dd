use serde_json::{Value, json};

use super::*;
use crate::testing::{TestBench, id};

const OFF_SESSION: &str =
    "amount=1999&currency=usd&confirm=true&off_session=true&error_on_requires_action=true";

/// Charges a customer's card off-session.
fn charge_saved(bench: &mut TestBench, number: &str) -> Result<Value, ApiError> {
    let (customer, method) = bench.customer_with_card(number);
    let params = format!("{OFF_SESSION}&customer={customer}&payment_method={method}&metadata[order]=7");
    bench.call("POST", "/v1/payment_intents", &params)
}

#[test]
fn saved_card_is_charged_off_session() {
    let mut bench = TestBench::new();
    let intent = charge_saved(&mut bench, "4242424242424242").unwrap();
    assert_eq!(intent["status"], "succeeded");
    assert_eq!(intent["amount_received"], 1999);
    let charge = bench.get(&format!("/v1/charges/{}", intent["latest_charge"].as_str().unwrap()));
    assert_eq!((&charge["status"], &charge["paid"]), (&json!("succeeded"), &json!(true)));
    assert_eq!(charge["metadata"], json!({ "order": "7" }));
    assert_eq!(charge["payment_method_details"]["card"]["last4"], "4242");
    let events = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"];
    assert!(bench.event_types().ends_with(&events.map(str::to_owned)));
}

#[test]
fn card_that_fails_later_is_declined_with_a_charge() {
    let mut bench = TestBench::new();
    let error = charge_saved(&mut bench, "4000000000000341").unwrap_err();
    assert_eq!(
        (error.status, error.code, error.decline_code),
        (402, Some("card_declined"), Some("generic_decline"))
    );
    let body = error.body();
    let intent = bench.get(&format!("/v1/payment_intents/{}", id(&body["error"]["payment_intent"])));
    assert_eq!(intent["status"], "requires_payment_method");
    assert_eq!(intent["last_payment_error"]["code"], "card_declined");
    assert_eq!(body["error"]["charge"], intent["latest_charge"]);
    let charge = bench.get(&format!("/v1/charges/{}", intent["latest_charge"].as_str().unwrap()));
    assert_eq!((&charge["status"], &charge["failure_code"]), (&json!("failed"), &json!("card_declined")));
}

#[test]
fn absent_customer_cannot_authenticate() {
    let mut bench = TestBench::new();
    let error = charge_saved(&mut bench, "4000002760003184").unwrap_err();
    assert_eq!((error.status, error.code), (402, Some("authentication_required")));
    assert_eq!(error.body()["error"]["payment_intent"]["status"], "requires_payment_method");
}

#[test]
fn present_customer_authenticates_and_the_card_is_set_up() {
    let mut bench = TestBench::new();
    let (customer, method) = bench.customer_with_card("4000002500003155");
    let params = format!(
        "amount=500&currency=USD&confirm=true&customer={customer}&payment_method={method}\
         &payment_method_types[]=card&setup_future_usage=off_session"
    );
    let intent = bench.post("/v1/payment_intents", &params);
    assert_eq!((&intent["status"], &intent["currency"]), (&json!("requires_action"), &json!("usd")));
    assert_eq!(intent["next_action"]["type"], "use_stripe_sdk");
    let paid = payment_attempts::authenticate(&mut bench.work(), &id(&intent), true).unwrap();
    assert_eq!(paid["status"], "succeeded");
    let later = format!("{OFF_SESSION}&customer={customer}&payment_method={method}");
    assert_eq!(bench.post("/v1/payment_intents", &later)["status"], "succeeded");
}

#[test]
fn failed_authentication_asks_for_another_method() {
    let mut bench = TestBench::new();
    let params = "amount=500&currency=usd&confirm=true&payment_method=pm_card_authenticationRequired\
                  &payment_method_types[]=card";
    let intent = bench.post("/v1/payment_intents", params);
    let error = payment_attempts::authenticate(&mut bench.work(), &id(&intent), false).unwrap_err();
    assert_eq!(error.code, Some("payment_intent_authentication_failure"));
    let path = format!("/v1/payment_intents/{}", id(&intent));
    assert_eq!(bench.get(&path)["status"], "requires_payment_method");
    let retried = bench.post(&format!("{path}/confirm"), "payment_method=pm_card_visa");
    assert_eq!(retried["status"], "succeeded");
}

#[test]
fn present_customer_needs_a_return_url_with_automatic_methods() {
    let mut bench = TestBench::new();
    let params = "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa";
    let error = bench.call("POST", "/v1/payment_intents", params).unwrap_err();
    assert_eq!((error.status, error.param.as_deref()), (400, Some("return_url")));
    let with_url = format!("{params}&return_url=http://localhost/done");
    assert_eq!(bench.post("/v1/payment_intents", &with_url)["status"], "succeeded");
}

#[test]
fn amounts_out_of_range_are_refused() {
    let mut bench = TestBench::new();
    for (amount, code) in [
        ("49", "amount_too_small"),
        ("100000000", "amount_too_large"),
        ("0", "parameter_invalid_integer"),
        ("9.99", "parameter_invalid_integer"),
    ] {
        let params = format!("amount={amount}&currency=usd");
        let error = bench.call("POST", "/v1/payment_intents", &params).unwrap_err();
        assert_eq!((error.status, error.code), (400, Some(code)), "{amount}");
    }
    assert_eq!(
        bench.post("/v1/payment_intents", "amount=50&currency=usd")["status"],
        "requires_payment_method"
    );
}

#[test]
fn method_of_another_customer_is_refused() {
    let mut bench = TestBench::new();
    let (_, method) = bench.customer_with_card("4242424242424242");
    let other = bench.customer();
    for customer in [format!("&customer={other}"), String::new()] {
        let params = format!("{OFF_SESSION}&payment_method={method}{customer}");
        let error = bench.call("POST", "/v1/payment_intents", &params).unwrap_err();
        assert_eq!((error.status, error.param.as_deref()), (400, Some("payment_method")), "{customer}");
    }
    assert!(bench.state.all("payment_intent").is_empty());
}

#[test]
fn missing_objects_in_parameters_are_400() {
    let mut bench = TestBench::new();
    for param in ["customer", "payment_method"] {
        let params = format!("amount=500&currency=usd&{param}=none");
        let error = bench.call("POST", "/v1/payment_intents", &params).unwrap_err();
        assert_eq!((error.status, error.code), (400, Some("resource_missing")), "{param}");
        assert_eq!(error.param.as_deref(), Some(param));
    }
}

#[test]
fn finished_intent_is_neither_confirmed_nor_canceled() {
    let mut bench = TestBench::new();
    let intent = charge_saved(&mut bench, "4242424242424242").unwrap();
    let path = format!("/v1/payment_intents/{}", id(&intent));
    for operation in ["confirm", "cancel"] {
        let error = bench.call("POST", &format!("{path}/{operation}"), "").unwrap_err();
        assert_eq!((error.status, error.code), (400, Some("payment_intent_unexpected_state")), "{operation}");
    }
    let updated = bench.post(&path, "metadata[a]=1");
    assert_eq!(updated["metadata"], json!({ "a": "1", "order": "7" }));
}

#[test]
fn open_intent_is_canceled() {
    let mut bench = TestBench::new();
    let intent = bench.post("/v1/payment_intents", "amount=500&currency=usd");
    let path = format!("/v1/payment_intents/{}/cancel", id(&intent));
    let canceled = bench.post(&path, "cancellation_reason=abandoned");
    assert_eq!(
        (&canceled["status"], &canceled["cancellation_reason"]),
        (&json!("canceled"), &json!("abandoned"))
    );
    assert_eq!(bench.event_types(), ["payment_intent.created", "payment_intent.canceled"]);
}

#[test]
fn bank_account_is_processed_and_settled() {
    let mut bench = TestBench::new();
    let params = "amount=500&currency=usd&confirm=true&payment_method=pm_usBankAccount\
                  &payment_method_types[]=us_bank_account";
    let intent = bench.post("/v1/payment_intents", params);
    assert_eq!(intent["status"], "processing");
    let failed = payment_attempts::settle(&mut bench.work(), &id(&intent), false).unwrap();
    assert_eq!(failed["status"], "requires_payment_method");
    let again = payment_attempts::settle(&mut bench.work(), &id(&intent), true).unwrap_err();
    assert_eq!(again.code, Some("payment_intent_unexpected_state"));
}

#[test]
fn internal_charge_tells_how_it_ended() {
    let mut bench = TestBench::new();
    let mut result = |number: &str, off_session| {
        let (customer, payment_method) = bench.customer_with_card(number);
        let request = ChargeRequest {
            customer: &customer,
            payment_method: &payment_method,
            amount: 2900,
            currency: "usd",
            description: None,
            metadata: json!({}),
            off_session,
        };
        charge(&mut bench.work(), &request).unwrap()
    };
    assert!(matches!(result("4242424242424242", true), ChargeResult::Succeeded(_)));
    assert!(matches!(result("4000000000000341", true), ChargeResult::Failed(_, _)));
    assert!(matches!(result("4000002760003184", true), ChargeResult::Failed(_, _)));
    assert!(matches!(result("4000002760003184", false), ChargeResult::ActionRequired(_)));
}
