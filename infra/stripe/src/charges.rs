//! Charges (<https://docs.stripe.com/api/charges>).

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    payment_methods::billing_details,
    routes::{Route, path_id, route},
    subscriptions::member::{integer, previous, set, text, update_metadata},
    work::Work,
};

/// The operations on charges.
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/v1/charges", list),
    route("GET", "/v1/charges/{id}", retrieve),
    route("POST", "/v1/charges/{id}", update),
];

/// Stores the charge of a succeeded payment.
pub(crate) fn succeeded(work: &mut Work<'_>, intent: &Value, method: &Value) -> Value {
    let mut charge = new(work, intent, method);
    mark_succeeded(work, &mut charge);
    store(work, &charge, "charge.succeeded");
    charge
}

/// Stores the charge of a payment that the bank takes days for.
pub(crate) fn pending(work: &mut Work<'_>, intent: &Value, method: &Value) -> Value {
    let mut charge = new(work, intent, method);
    set(&mut charge, "status", "pending");
    set(&mut charge, "outcome", outcome("approved_by_network", "authorized", "Payment complete."));
    store(work, &charge, "charge.pending");
    charge
}

/// Stores the charge of a declined payment.
pub(crate) fn failed(work: &mut Work<'_>, intent: &Value, method: &Value, error: &ApiError) -> Value {
    let mut charge = new(work, intent, method);
    set(&mut charge, "failure_code", error.code);
    set(&mut charge, "failure_message", error.message.as_str());
    let mut declined =
        outcome("declined_by_network", "issuer_declined", "The bank did not approve the payment.");
    set(&mut declined, "reason", error.decline_code.or(error.code));
    set(&mut charge, "outcome", declined);
    set(&mut charge, "status", "failed");
    store(work, &charge, "charge.failed");
    charge
}

/// Ends a pending charge.
///
/// # Errors
///
/// 404, if there is no such charge.
pub(crate) fn settle(work: &mut Work<'_>, id: &str, succeeds: bool) -> Result<Value, ApiError> {
    let mut charge = work.get("charge", id)?.clone();
    if succeeds {
        mark_succeeded(work, &mut charge);
        store(work, &charge, "charge.succeeded");
    } else {
        set(&mut charge, "status", "failed");
        set(&mut charge, "failure_code", "payment_method_provider_decline");
        set(&mut charge, "failure_message", "The bank returned the debit.");
        store(work, &charge, "charge.failed");
    }
    Ok(charge)
}

fn mark_succeeded(work: &mut Work<'_>, charge: &mut Value) {
    let amount = integer(charge, "/amount");
    set(charge, "amount_captured", amount);
    set(charge, "balance_transaction", work.new_id("txn"));
    set(charge, "captured", true);
    set(charge, "outcome", outcome("approved_by_network", "authorized", "Payment complete."));
    set(charge, "paid", true);
    let receipt = format!("{}/receipts/{}", work.base, text(charge, "/id"));
    set(charge, "receipt_url", receipt);
    set(charge, "status", "succeeded");
}

fn outcome(status: &str, kind: &str, message: &str) -> Value {
    json!({
        "advice_code": null, "network_advice_code": null, "network_decline_code": null,
        "network_status": status,
        "reason": null, "risk_level": "normal", "risk_score": 5, "seller_message": message, "type": kind,
    })
}

fn new(work: &mut Work<'_>, intent: &Value, method: &Value) -> Value {
    let copy = |member: &str| intent.get(member).cloned().unwrap_or_default();
    let details = method.get("billing_details").cloned().unwrap_or_else(billing_details);
    json!({
        "id": work.new_id("ch"), "object": "charge", "amount": copy("amount"), "amount_captured": 0,
        "amount_refunded": 0, "application": null, "application_fee": null, "application_fee_amount": null,
        "balance_transaction": null, "billing_details": details,
        "calculated_statement_descriptor": "STRIPE STAND-IN",
        "captured": false, "created": work.now, "currency": copy("currency"), "customer": copy("customer"),
        "description": copy("description"), "disputed": false,
        "failure_balance_transaction": null, "failure_code": null, "failure_message": null,
        "fraud_details": {},
        "livemode": false, "metadata": copy("metadata"), "on_behalf_of": null, "outcome": null,
        "paid": false, "payment_intent": copy("id"), "payment_method": copy_text(method, "/id"),
        "payment_method_details": details_of(method, copy("amount")), "radar_options": {},
        "receipt_email": copy("receipt_email"), "receipt_number": null, "receipt_url": null,
        "refunded": false,
        "review": null, "shipping": null, "source": null, "source_transfer": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": copy("statement_descriptor_suffix"), "status": "pending",
        "transfer_data": null, "transfer_group": null,
    })
}

fn copy_text(object: &Value, pointer: &str) -> String {
    text(object, pointer).to_owned()
}

/// The member `payment_method_details`.
fn details_of(method: &Value, amount: Value) -> Value {
    let kind = text(method, "/type");
    let known = |member: &str| method.pointer(&format!("/{kind}/{member}")).cloned().unwrap_or_default();
    if kind != "card" {
        return json!({ "type": kind, kind: {
            "account_holder_type": known("account_holder_type"), "account_type": known("account_type"),
            "bank_name": known("bank_name"), "fingerprint": known("fingerprint"), "last4": known("last4"),
            "mandate": null, "payment_reference": null, "routing_number": known("routing_number"),
        } });
    }
    json!({ "type": "card", "card": {
        "amount_authorized": amount, "authorization_code": "123456", "brand": known("brand"),
        "checks": known("checks"), "country": known("country"), "exp_month": known("exp_month"),
        "exp_year": known("exp_year"), "extended_authorization": { "status": "disabled" },
        "fingerprint": known("fingerprint"), "funding": known("funding"),
        "incremental_authorization": { "status": "unavailable" }, "installments": null,
        "last4": known("last4"),
        "mandate": null, "multicapture": { "status": "unavailable" }, "network": known("brand"),
        "network_token": { "used": false }, "network_transaction_id": "123456789012345",
        "overcapture": { "maximum_amount_capturable": amount, "status": "unavailable" },
        "regulated_status": known("regulated_status"), "three_d_secure": null, "wallet": null,
    } })
}

fn store(work: &mut Work<'_>, charge: &Value, event_type: &str) {
    work.put(charge.clone());
    work.emit(event_type, charge.clone(), None);
}

/// Stores a changed charge and emits an event with the earlier values.
pub(crate) fn store_changes(work: &mut Work<'_>, charge: &Value, event_type: &str) {
    let before = work.state.object(text(charge, "/id")).cloned().unwrap_or_default();
    work.put(charge.clone());
    work.emit(event_type, charge.clone(), previous(&before, charge));
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    work.get("charge", path_id(ids, 0)).cloned()
}

fn update(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["description", "receipt_email", "metadata"])?;
    let before = work.get("charge", path_id(ids, 0))?.clone();
    let mut charge = before.clone();
    for member in ["description", "receipt_email"] {
        if let Some(value) = params.text(member) {
            set(&mut charge, member, Some(value).filter(|value| !value.is_empty()));
        }
    }
    update_metadata(&mut charge, params)?;
    if charge != before {
        store_changes(work, &charge, "charge.updated");
    }
    Ok(charge)
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["customer", "payment_intent"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let mut charges = work.all("charge");
    charges.retain(|charge| matches(params, charge, "customer") && matches(params, charge, "payment_intent"));
    list_answer(params, charges, "/v1/charges")
}
