use serde_json::{Value, json};

use crate::{
    subscriptions::testing::{
        BAD_CARD, FIRST_END, HALF, balance, latest_invoice, pass_until, replace_card, subscribed,
        to_quantity, update,
    },
    testing::{START, TestBench, id},
};

/// The preview of a change of the quantity of a subscription's only item.
fn preview(bench: &mut TestBench, subscription: &Value, quantity: i64, rest: &str) -> Value {
    let item = id(&subscription["items"]["data"][0]);
    let params = format!(
        "subscription={}&subscription_details[items][0][id]={item}&\
         subscription_details[items][0][quantity]={quantity}&{rest}",
        id(subscription)
    );
    bench.post("/v1/invoices/create_preview", &params)
}

#[test]
fn payments_are_shown_only_if_expanded() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    let path = format!("/v1/invoices/{}", id(&latest_invoice(&mut bench, &subscription)));
    assert_eq!(bench.get(&path).get("payments"), None);
    let invoice = bench.call("GET", &path, "expand[]=payments").unwrap();
    let intent = id(bench.state.all("payment_intent")[0]);
    assert_eq!(invoice["payments"]["data"][0]["payment"]["payment_intent"], intent);
    assert_eq!(invoice["payments"]["data"][0]["status"], "paid");
    let list = bench.call("GET", "/v1/invoices", "expand[]=data.payments").unwrap();
    assert!(list["data"][0]["payments"].is_object());
    assert!(bench.state.all("event").iter().all(|event| event["data"]["object"].get("payments").is_none()));
    let payments = format!("payment[type]=payment_intent&payment[payment_intent]={intent}");
    let payments = bench.call("GET", "/v1/invoice_payments", &payments).unwrap();
    assert_eq!(payments["data"][0]["invoice"], invoice["id"]);
}

#[test]
fn invoices_are_listed_by_subscription_and_status() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    subscribed(&mut bench, 1);
    let mut count = |params: &str| {
        let list = bench.call("GET", "/v1/invoices", params).unwrap();
        list["data"].as_array().unwrap().len()
    };
    assert_eq!(count(""), 2);
    assert_eq!(count(&format!("customer={customer}")), 1);
    assert_eq!(count(&format!("subscription={}&status=paid", id(&subscription))), 1);
    assert_eq!(count(&format!("subscription={}&status=open", id(&subscription))), 0);
}

#[test]
fn invoices_of_a_customer_are_numbered_in_sequence() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    let first = latest_invoice(&mut bench, &subscription)["number"].as_str().unwrap().to_owned();
    pass_until(&mut bench, FIRST_END);
    let second = latest_invoice(&mut bench, &subscription)["number"].as_str().unwrap().to_owned();
    assert_eq!(first.strip_suffix("-0001"), second.strip_suffix("-0002"));
    assert!(first.ends_with("-0001"), "{first}");
}

#[test]
fn credit_names_the_line_that_it_credits() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    let first = latest_invoice(&mut bench, &subscription);
    bench.now = HALF;
    for quantity in [2, 3] {
        let rest = "proration_behavior=create_prorations";
        update(&mut bench, &subscription, &to_quantity(&subscription, quantity, rest));
    }
    pass_until(&mut bench, FIRST_END);
    let invoice = latest_invoice(&mut bench, &subscription);
    let lines = invoice["lines"]["data"].as_array().unwrap();
    let credited = |index: usize| {
        let details = &lines[index]["parent"]["subscription_item_details"]["proration_details"];
        details["credited_items"].clone()
    };
    // A credit and a debit of each change, and the next period.
    let of_first = &first["lines"]["data"][0]["id"];
    assert_eq!(credited(0), json!({ "invoice": first["id"], "invoice_line_items": [of_first] }));
    assert_eq!(credited(1), Value::Null);
    assert_eq!(credited(2), json!({ "invoice": invoice["id"], "invoice_line_items": [lines[1]["id"]] }));
    assert_eq!(lines.len(), 5);
}

#[test]
fn preview_of_an_update_matches_its_invoice() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    let at = HALF + 12_345;
    bench.now = at;
    let rest = format!(
        "subscription_details[proration_behavior]=always_invoice&subscription_details[proration_date]={at}"
    );
    let expected = preview(&mut bench, &subscription, 4, &rest);
    assert_eq!(expected["parent"]["subscription_details"]["subscription_proration_date"], at);
    assert_eq!(bench.state.all("invoice").len(), 1);
    bench.now = at + 60;
    let rest = format!("proration_behavior=always_invoice&proration_date={at}");
    update(&mut bench, &subscription, &to_quantity(&subscription, 4, &rest));
    let invoice = latest_invoice(&mut bench, &subscription);
    assert_eq!(invoice["amount_due"], expected["amount_due"]);
    assert!(invoice["amount_due"].as_i64().unwrap() > 0);
}

#[test]
fn preview_without_a_change_is_the_next_period() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 2);
    let params = format!("subscription={}", id(&subscription));
    let next = bench.post("/v1/invoices/create_preview", &params);
    assert_eq!((&next["amount_due"], &next["status"]), (&json!(5_800), &json!("draft")));
    assert_eq!((&next["period_start"], &next["period_end"]), (&json!(START), &json!(FIRST_END)));
    assert_eq!(next["lines"]["data"][0]["period"]["start"], FIRST_END);
    assert!(id(&next).starts_with("upcoming_in_"));
}

#[test]
fn preview_by_default_adds_prorations_to_the_next_period() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    bench.now = HALF;
    assert_eq!(preview(&mut bench, &subscription, 3, "")["amount_due"], 2_900 + 8_700);
    let none = "subscription_details[proration_behavior]=none";
    assert_eq!(preview(&mut bench, &subscription, 3, none)["amount_due"], 8_700);
    assert!(bench.state.all("invoiceitem").is_empty());
}

#[test]
fn preview_of_a_new_subscription_is_its_first_invoice() {
    let mut bench = TestBench::new();
    let customer = bench.customer();
    let params = format!("customer={customer}&subscription_details[items][0][price]=price_pro_yearly");
    let first = bench.post("/v1/invoices/create_preview", &params);
    assert_eq!(first["amount_due"], 29_000);
    assert_eq!(first["parent"], Value::Null);
}

#[test]
fn ending_subscription_has_no_upcoming_invoice() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    update(&mut bench, &subscription, "cancel_at_period_end=true");
    let params = format!("subscription={}", id(&subscription));
    let error = bench.call("POST", "/v1/invoices/create_preview", &params).unwrap_err();
    assert_eq!((error.status, error.code), (404, Some("invoice_upcoming_none")));
}

#[test]
fn lines_of_a_long_invoice_are_paged() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    for change in 1..=5 {
        bench.now = START + change * 3_600;
        update(&mut bench, &subscription, &to_quantity(&subscription, 1 + change, ""));
    }
    let params = format!("subscription={}", id(&subscription));
    let next = bench.post("/v1/invoices/create_preview", &params);
    pass_until(&mut bench, FIRST_END);
    let invoice = latest_invoice(&mut bench, &subscription);
    for invoice in [next, invoice] {
        assert_eq!(invoice["lines"]["data"].as_array().unwrap().len(), 10);
        assert_eq!(invoice["lines"]["has_more"], true);
        let lines = bench.call("GET", invoice["lines"]["url"].as_str().unwrap(), "limit=100").unwrap();
        let amounts = lines["data"].as_array().unwrap().iter().map(|line| line["amount"].as_i64().unwrap());
        assert_eq!(lines["data"].as_array().unwrap().len(), 11);
        assert_eq!(json!(amounts.sum::<i64>()), invoice["total"]);
    }
}

#[test]
fn paid_invoice_is_not_paid_or_voided_again() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    let path = format!("/v1/invoices/{}", id(&latest_invoice(&mut bench, &subscription)));
    assert_eq!(bench.call("POST", &format!("{path}/pay"), "").unwrap_err().status, 400);
    assert_eq!(bench.call("POST", &format!("{path}/void"), "").unwrap_err().status, 400);
    assert_eq!(bench.state.all("charge").len(), 1);
}

#[test]
fn voided_invoice_returns_the_balance_that_it_used() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    replace_card(&mut bench, &customer, BAD_CARD);
    bench.post(&format!("/v1/customers/{customer}"), "balance=-1000");
    pass_until(&mut bench, FIRST_END);
    let invoice = latest_invoice(&mut bench, &subscription);
    assert_eq!((&invoice["status"], &invoice["amount_due"]), (&json!("open"), &json!(1_900)));
    assert_eq!(balance(&mut bench, &customer), 0);
    let voided = bench.post(&format!("/v1/invoices/{}/void", id(&invoice)), "");
    assert_eq!(voided["status"], "void");
    assert_eq!(balance(&mut bench, &customer), -1_000);
}
