//! Steps that the tests of subscriptions, invoices and renewals share.

use serde_json::Value;

use crate::{
    renewal::tick,
    testing::{START, TestBench, id},
};

/// A card that pays.
pub(crate) const GOOD_CARD: &str = "4242424242424242";
/// A card that attaches, but whose charges are declined.
pub(crate) const BAD_CARD: &str = "4000000000000341";

/// A day in seconds.
pub(crate) const DAY: i64 = 86_400;
/// The end of the first monthly period of what starts at [`START`]: 31 days later.
pub(crate) const FIRST_END: i64 = START + 31 * DAY;
/// The middle of that period.
pub(crate) const HALF: i64 = START + 31 * DAY / 2;

/// Another card of a customer.
pub(crate) fn add_card(bench: &mut TestBench, customer: &str, number: &str) -> String {
    let card =
        format!("type=card&card[number]={number}&card[exp_month]=12&card[exp_year]=2034&card[cvc]=123");
    let method = id(&bench.post("/v1/payment_methods", &card));
    bench.post(&format!("/v1/payment_methods/{method}/attach"), &format!("customer={customer}"));
    method
}

/// Replaces the customer's default card.
pub(crate) fn replace_card(bench: &mut TestBench, customer: &str, number: &str) {
    let method = add_card(bench, customer, number);
    let default = format!("invoice_settings[default_payment_method]={method}");
    bench.post(&format!("/v1/customers/{customer}"), &default);
}

/// The parameters of a monthly subscription.
pub(crate) fn monthly(customer: &str, quantity: i64) -> String {
    format!("customer={customer}&items[0][price]=price_pro_monthly&items[0][quantity]={quantity}")
}

/// A customer with a good card and a monthly subscription: the customer's id and the subscription.
pub(crate) fn subscribed(bench: &mut TestBench, quantity: i64) -> (String, Value) {
    let (customer, _) = bench.customer_with_card(GOOD_CARD);
    let subscription = bench.post("/v1/subscriptions", &monthly(&customer, quantity));
    (customer, subscription)
}

/// The parameters that change the quantity of a subscription's only item.
pub(crate) fn to_quantity(subscription: &Value, quantity: i64, rest: &str) -> String {
    let item = id(&subscription["items"]["data"][0]);
    format!("items[0][id]={item}&items[0][quantity]={quantity}&{rest}")
}

/// Updates a subscription.
pub(crate) fn update(bench: &mut TestBench, subscription: &Value, params: &str) -> Value {
    bench.post(&format!("/v1/subscriptions/{}", id(subscription)), params)
}

/// A subscription as it is now.
pub(crate) fn current(bench: &mut TestBench, subscription: &Value) -> Value {
    bench.get(&format!("/v1/subscriptions/{}", id(subscription)))
}

/// The latest invoice of a subscription.
pub(crate) fn latest_invoice(bench: &mut TestBench, subscription: &Value) -> Value {
    let subscription = current(bench, subscription);
    bench.get(&format!("/v1/invoices/{}", subscription["latest_invoice"].as_str().unwrap()))
}

/// Lets time pass.
pub(crate) fn pass_until(bench: &mut TestBench, now: i64) {
    bench.now = now;
    tick(&mut bench.work());
}

/// The balance of a customer.
pub(crate) fn balance(bench: &mut TestBench, customer: &str) -> i64 {
    bench.get(&format!("/v1/customers/{customer}"))["balance"].as_i64().unwrap()
}
