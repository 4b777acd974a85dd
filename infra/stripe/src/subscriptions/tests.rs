use serde_json::{Value, json};

use super::testing::{
    BAD_CARD, DAY, FIRST_END, GOOD_CARD, HALF, add_card, balance, current, latest_invoice, monthly,
    pass_until, replace_card, subscribed, to_quantity, update,
};
use crate::testing::{START, TestBench, id};

#[test]
fn new_subscription_is_active_for_a_month() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 2);
    assert_eq!(subscription["status"], "active");
    let item = &subscription["items"]["data"][0];
    assert_eq!(item["current_period_start"], START);
    assert_eq!(item["current_period_end"], FIRST_END);
    let invoice = latest_invoice(&mut bench, &subscription);
    assert_eq!((&invoice["status"], &invoice["amount_paid"]), (&json!("paid"), &json!(5_800)));
    assert_eq!(invoice["parent"]["subscription_details"]["subscription"], subscription["id"]);
    assert_eq!(invoice["lines"]["data"][0]["description"], "2 × Pro (at $29.00 / month)");
    let types = bench.event_types();
    for expected in ["customer.subscription.created", "invoice.finalized", "invoice.paid", "charge.succeeded"]
    {
        assert!(types.iter().any(|kind| kind == expected), "{expected}: {types:?}");
    }
}

#[test]
fn declined_start_with_error_if_incomplete_creates_nothing() {
    let mut bench = TestBench::new();
    let (customer, _) = bench.customer_with_card(BAD_CARD);
    let params = format!("{}&payment_behavior=error_if_incomplete", monthly(&customer, 1));
    let error = bench.call("POST", "/v1/subscriptions", &params).unwrap_err();
    assert_eq!((error.status, error.code), (402, Some("card_declined")));
    assert!(bench.state.all("subscription").is_empty());
    assert!(bench.state.all("invoice").is_empty());
}

#[test]
fn customer_without_payment_method_is_refused() {
    let mut bench = TestBench::new();
    let customer = bench.customer();
    let error = bench.call("POST", "/v1/subscriptions", &monthly(&customer, 1)).unwrap_err();
    assert_eq!((error.status, error.code), (400, Some("resource_missing")));
}

#[test]
fn unpaid_start_expires_after_23_hours() {
    let mut bench = TestBench::new();
    let (customer, _) = bench.customer_with_card(BAD_CARD);
    let subscription = bench.post("/v1/subscriptions", &monthly(&customer, 1));
    assert_eq!(subscription["status"], "incomplete");
    pass_until(&mut bench, START + 23 * 3_600 - 1);
    assert_eq!(current(&mut bench, &subscription)["status"], "incomplete");
    pass_until(&mut bench, START + 23 * 3_600);
    assert_eq!(current(&mut bench, &subscription)["status"], "incomplete_expired");
    assert_eq!(latest_invoice(&mut bench, &subscription)["status"], "void");
}

#[test]
fn unpaid_start_is_active_once_paid() {
    let mut bench = TestBench::new();
    let (customer, _) = bench.customer_with_card(BAD_CARD);
    let subscription = bench.post("/v1/subscriptions", &monthly(&customer, 1));
    let method = add_card(&mut bench, &customer, GOOD_CARD);
    let invoice = id(&latest_invoice(&mut bench, &subscription));
    bench.post(&format!("/v1/invoices/{invoice}/pay"), &format!("payment_method={method}"));
    assert_eq!(current(&mut bench, &subscription)["status"], "active");
    assert_eq!(bench.state.all("payment_intent").len(), 1);
}

#[test]
fn confirmed_intent_activates_default_incomplete() {
    let mut bench = TestBench::new();
    let (customer, method) = bench.customer_with_card(GOOD_CARD);
    let params = format!("{}&payment_behavior=default_incomplete", monthly(&customer, 1));
    let subscription = bench.post("/v1/subscriptions", &params);
    assert_eq!(subscription["status"], "incomplete");
    let intent = id(bench.state.all("payment_intent")[0]);
    bench.post(&format!("/v1/payment_intents/{intent}/confirm"), &format!("payment_method={method}"));
    pass_until(&mut bench, START + 1);
    assert_eq!(current(&mut bench, &subscription)["status"], "active");
    assert_eq!(latest_invoice(&mut bench, &subscription)["amount_paid"], 2_900);
}

#[test]
fn quantity_without_proration_counts_from_next_period() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    bench.now = HALF;
    update(&mut bench, &subscription, &to_quantity(&subscription, 3, "proration_behavior=none"));
    assert_eq!(bench.state.all("invoice").len(), 1);
    pass_until(&mut bench, FIRST_END);
    assert_eq!(latest_invoice(&mut bench, &subscription)["amount_paid"], 8_700);
}

#[test]
fn created_prorations_are_on_the_next_invoice() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    bench.now = HALF;
    let changed = update(&mut bench, &subscription, &to_quantity(&subscription, 3, ""));
    assert_eq!(changed["items"]["data"][0]["quantity"], 3);
    assert_eq!(bench.state.all("invoice").len(), 1);
    pass_until(&mut bench, FIRST_END);
    let invoice = latest_invoice(&mut bench, &subscription);
    let amounts: Vec<&Value> =
        invoice["lines"]["data"].as_array().unwrap().iter().map(|it| &it["amount"]).collect();
    assert_eq!(amounts, [-1_450, 4_350, 8_700]);
    assert_eq!(invoice["amount_paid"], 11_600);
    let details = &invoice["lines"]["data"][0]["parent"]["subscription_item_details"];
    assert_eq!(details["proration"], true);
}

#[test]
fn always_invoice_charges_the_difference_at_once() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    bench.now = HALF;
    update(&mut bench, &subscription, &to_quantity(&subscription, 3, "proration_behavior=always_invoice"));
    let invoice = latest_invoice(&mut bench, &subscription);
    assert_eq!(
        (&invoice["billing_reason"], &invoice["amount_paid"]),
        (&json!("subscription_update"), &json!(2_900))
    );
    pass_until(&mut bench, FIRST_END);
    assert_eq!(latest_invoice(&mut bench, &subscription)["amount_paid"], 8_700);
}

#[test]
fn declined_update_with_error_if_incomplete_changes_nothing() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    replace_card(&mut bench, &customer, BAD_CARD);
    bench.now = HALF;
    let rest = "proration_behavior=always_invoice&payment_behavior=error_if_incomplete";
    let path = format!("/v1/subscriptions/{}", id(&subscription));
    let error = bench.call("POST", &path, &to_quantity(&subscription, 3, rest)).unwrap_err();
    assert_eq!(error.status, 402);
    assert_eq!(current(&mut bench, &subscription), subscription);
    assert_eq!(bench.state.all("invoice").len(), 1);
    assert!(bench.state.all("invoiceitem").is_empty());
    assert_eq!(bench.state.all("charge").len(), 2);
}

#[test]
fn declined_update_is_applied_and_past_due_by_default() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    replace_card(&mut bench, &customer, BAD_CARD);
    bench.now = HALF;
    let changed = update(
        &mut bench,
        &subscription,
        &to_quantity(&subscription, 3, "proration_behavior=always_invoice"),
    );
    assert_eq!(
        (&changed["status"], &changed["items"]["data"][0]["quantity"]),
        (&json!("past_due"), &json!(3))
    );
}

#[test]
fn pending_update_is_applied_when_its_invoice_is_paid() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    replace_card(&mut bench, &customer, BAD_CARD);
    bench.now = HALF;
    let rest = "proration_behavior=always_invoice&payment_behavior=pending_if_incomplete";
    let waiting = update(&mut bench, &subscription, &to_quantity(&subscription, 3, rest));
    assert_eq!(waiting["items"]["data"][0]["quantity"], 1);
    assert_eq!(waiting["pending_update"]["expires_at"], HALF + 23 * 3_600);
    let method = add_card(&mut bench, &customer, GOOD_CARD);
    let invoice = id(&latest_invoice(&mut bench, &subscription));
    bench.post(&format!("/v1/invoices/{invoice}/pay"), &format!("payment_method={method}"));
    let applied = current(&mut bench, &subscription);
    assert_eq!(applied["items"]["data"][0]["quantity"], 3);
    assert_eq!(applied["pending_update"], Value::Null);
}

#[test]
fn pending_update_expires_with_its_invoice() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    replace_card(&mut bench, &customer, BAD_CARD);
    bench.now = HALF;
    let rest = "proration_behavior=always_invoice&payment_behavior=pending_if_incomplete";
    update(&mut bench, &subscription, &to_quantity(&subscription, 3, rest));
    pass_until(&mut bench, HALF + 23 * 3_600);
    let dropped = current(&mut bench, &subscription);
    assert_eq!((&dropped["pending_update"], &dropped["status"]), (&Value::Null, &json!("active")));
    assert_eq!(dropped["items"]["data"][0]["quantity"], 1);
    assert_eq!(latest_invoice(&mut bench, &subscription)["status"], "void");
}

#[test]
fn credit_goes_to_the_balance_and_the_next_invoice() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 3);
    bench.now = HALF;
    update(&mut bench, &subscription, &to_quantity(&subscription, 1, "proration_behavior=always_invoice"));
    let invoice = latest_invoice(&mut bench, &subscription);
    assert_eq!(
        (&invoice["total"], &invoice["amount_due"], &invoice["status"]),
        (&json!(-2_900), &json!(0), &json!("paid"))
    );
    assert_eq!(balance(&mut bench, &customer), -2_900);
    pass_until(&mut bench, FIRST_END);
    let next = latest_invoice(&mut bench, &subscription);
    assert_eq!((&next["total"], &next["amount_due"]), (&json!(2_900), &json!(0)));
    assert_eq!(balance(&mut bench, &customer), 0);
}

#[test]
fn amount_below_the_smallest_charge_goes_to_the_balance() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    bench.now = FIRST_END - 10_000;
    update(&mut bench, &subscription, &to_quantity(&subscription, 2, "proration_behavior=always_invoice"));
    let invoice = latest_invoice(&mut bench, &subscription);
    assert_eq!((&invoice["status"], &invoice["amount_due"]), (&json!("paid"), &json!(0)));
    assert_eq!(balance(&mut bench, &customer), 11);
    pass_until(&mut bench, FIRST_END);
    assert_eq!(latest_invoice(&mut bench, &subscription)["amount_paid"], 5_811);
}

#[test]
fn credit_is_for_the_billed_quantity_only() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    bench.now = HALF;
    update(&mut bench, &subscription, &to_quantity(&subscription, 3, "proration_behavior=none"));
    update(&mut bench, &subscription, &to_quantity(&subscription, 2, "proration_behavior=always_invoice"));
    assert_eq!(latest_invoice(&mut bench, &subscription)["amount_paid"], 1_450);
}

#[test]
fn change_to_yearly_begins_a_new_period() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    bench.now = HALF;
    let item = id(&subscription["items"]["data"][0]);
    let params = format!("items[0][id]={item}&items[0][price]=price_pro_yearly");
    let changed = update(&mut bench, &subscription, &params);
    assert_eq!(changed["billing_cycle_anchor"], HALF);
    assert_eq!(changed["items"]["data"][0]["current_period_end"], HALF + 365 * DAY);
    assert_eq!(latest_invoice(&mut bench, &subscription)["amount_paid"], 29_000 - 1_450);
}

#[test]
fn cancellation_at_period_end_can_be_taken_back() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    let ending = update(&mut bench, &subscription, "cancel_at_period_end=true");
    assert_eq!((&ending["status"], &ending["cancel_at"]), (&json!("active"), &json!(FIRST_END)));
    update(&mut bench, &subscription, "cancel_at_period_end=false");
    pass_until(&mut bench, FIRST_END);
    assert_eq!(current(&mut bench, &subscription)["status"], "active");
    update(&mut bench, &subscription, "cancel_at_period_end=true");
    pass_until(&mut bench, FIRST_END + 32 * DAY);
    let ended = current(&mut bench, &subscription);
    assert_eq!(ended["status"], "canceled");
    assert_eq!(ended["ended_at"], ended["items"]["data"][0]["current_period_end"]);
    assert_eq!(bench.event_types().last().map(String::as_str), Some("customer.subscription.deleted"));
}

#[test]
fn canceled_subscription_stays_canceled() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    let path = format!("/v1/subscriptions/{}", id(&subscription));
    assert_eq!(bench.call("DELETE", &path, "").unwrap()["status"], "canceled");
    assert_eq!(bench.call("DELETE", &path, "").unwrap_err().status, 404);
    assert_eq!(bench.call("POST", &path, &to_quantity(&subscription, 2, "")).unwrap_err().status, 400);
    pass_until(&mut bench, FIRST_END + DAY);
    assert_eq!(bench.state.all("invoice").len(), 1);
}

#[test]
fn cancellation_with_proration_credits_the_rest() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    bench.now = HALF;
    let path = format!("/v1/subscriptions/{}", id(&subscription));
    bench.call("DELETE", &path, "prorate=true&invoice_now=true").unwrap();
    assert_eq!(balance(&mut bench, &customer), -1_450);
}

#[test]
fn subscriptions_are_listed_by_status() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    let path = format!("/v1/subscriptions/{}", id(&subscription));
    bench.call("DELETE", &path, "").unwrap();
    let count = |bench: &mut TestBench, status: &str| {
        let list = bench.call("GET", "/v1/subscriptions", &format!("customer={customer}{status}")).unwrap();
        list["data"].as_array().unwrap().len()
    };
    assert_eq!(count(&mut bench, ""), 0);
    assert_eq!(count(&mut bench, "&status=all"), 1);
    assert_eq!(count(&mut bench, "&status=canceled"), 1);
    assert_eq!(count(&mut bench, "&status=active"), 0);
}

#[test]
fn invalid_items_are_refused() {
    let mut bench = TestBench::new();
    let (customer, _) = bench.customer_with_card(GOOD_CARD);
    for items in [
        "",
        "&items[0][price]=price_none",
        "&items[0][price]=price_pro_monthly&items[0][quantity]=-1",
        "&items[0][price]=price_pro_monthly&items[1][price]=price_pro_yearly",
        "&items[0][price]=price_pro_monthly&items[1][price]=price_pro_monthly",
        "&items[0][price]=price_pro_monthly&items[0][amount]=1",
    ] {
        let params = format!("customer={customer}{items}");
        assert_eq!(bench.call("POST", "/v1/subscriptions", &params).unwrap_err().status, 400, "{items}");
    }
}
