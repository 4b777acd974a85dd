//! Attempts to pay an invoice (<https://docs.stripe.com/api/invoice-payment>).

use serde_json::{Value, json};

use super::object;
use crate::{
    api_error::ApiError,
    params::Params,
    payment_intents::{self, ChargeRequest, ChargeResult},
    routes::{self, Lookup},
    subscriptions::member::{elements, integer, set, set_at, text},
    work::Work,
};

/// The largest amount that a card can be charged, in cents.
const MAXIMUM_CHARGE: i64 = 99_999_999;

/// How to get the amount of an invoice.
pub(crate) struct Collection<'a> {
    /// The payment method; the customer has none, if it is `None`.
    pub method: Option<&'a str>,
    /// Whether the customer is absent.
    pub off_session: bool,
    /// Whether the schedule of retries asks for it, not a request.
    pub is_automatic: bool,
}

/// How an attempt ended.
pub(crate) enum Attempt {
    /// The amount is paid.
    Paid,
    /// A delayed payment method, for example a bank debit, is under way. Subscriptions count it as paid until
    /// it fails.
    Processing,
    /// The payment failed.
    Failed(ApiError),
    /// The customer must authenticate the payment intent.
    NeedsAction(ApiError),
}

impl Attempt {
    /// The error of an attempt that did not pay.
    pub(crate) fn error(self) -> Option<ApiError> {
        match self {
            Self::Paid | Self::Processing => None,
            Self::Failed(error) | Self::NeedsAction(error) => Some(error),
        }
    }
}

/// Charges the remaining amount of an invoice. The first attempt makes a payment intent, which later attempts
/// confirm again.
pub(crate) fn attempt(work: &mut Work<'_>, invoice: &mut Value, collection: &Collection<'_>) -> Attempt {
    let Some(method) = collection.method else { return Attempt::Failed(no_payment_method()) };
    let amount = integer(invoice, "/amount_remaining");
    if amount > MAXIMUM_CHARGE {
        return Attempt::Failed(ApiError::state(
            "amount_too_large",
            "The amount of the invoice is too large.",
        ));
    }
    if let Some(intent) = intent_to_confirm(work, invoice) {
        return confirm(work, invoice, &intent, method, collection.off_session);
    }
    let request = ChargeRequest {
        customer: text(invoice, "/customer"),
        payment_method: method,
        amount,
        currency: text(invoice, "/currency"),
        description: Some(description(invoice)),
        metadata: json!({}),
        off_session: collection.off_session,
    };
    match payment_intents::charge(work, &request) {
        Ok(ChargeResult::Succeeded(intent)) => {
            add_payment(work, invoice, text(&intent, "/id"));
            succeeded(invoice, &intent, work.now)
        }
        Ok(ChargeResult::Failed(intent, error)) => {
            add_payment(work, invoice, text(&intent, "/id"));
            Attempt::Failed(error)
        }
        Ok(ChargeResult::ActionRequired(intent)) => {
            add_payment(work, invoice, text(&intent, "/id"));
            set_secret(invoice, &intent);
            Attempt::NeedsAction(needs_action().with_object("payment_intent", intent))
        }
        Err(error) => Attempt::Failed(error),
    }
}

/// The default intent of an invoice, if it waits for a payment method.
fn intent_to_confirm(work: &Work<'_>, invoice: &Value) -> Option<String> {
    let payment = elements(invoice, "/payments/data").last()?;
    let is_waiting =
        matches!(intent_status(work, invoice), "requires_payment_method" | "requires_confirmation");
    is_waiting.then(|| text(payment, "/payment/payment_intent").to_owned())
}

fn confirm(
    work: &mut Work<'_>,
    invoice: &mut Value,
    intent: &str,
    method: &str,
    off_session: bool,
) -> Attempt {
    let mut params = json!({ "payment_method": method });
    if off_session {
        set(&mut params, "off_session", "true");
        set(&mut params, "error_on_requires_action", "true");
    }
    match post(work, &format!("/v1/payment_intents/{intent}/confirm"), params) {
        Ok(intent) if text(&intent, "/status") == "requires_action" => {
            set_secret(invoice, &intent);
            Attempt::NeedsAction(needs_action().with_object("payment_intent", intent))
        }
        Ok(intent) => succeeded(invoice, &intent, work.now),
        Err(error) => Attempt::Failed(error),
    }
}

/// The attempt of an intent that is `succeeded` or `processing`.
fn succeeded(invoice: &mut Value, intent: &Value, now: i64) -> Attempt {
    if text(intent, "/status") == "processing" {
        return Attempt::Processing;
    }
    settle(invoice, now);
    Attempt::Paid
}

/// Performs an operation of payment intents, as a request does.
fn post(work: &mut Work<'_>, path: &str, params: Value) -> Result<Value, ApiError> {
    match routes::find("POST", path) {
        Lookup::Found(route, ids) => (route.handler)(work, &Params(params), &ids),
        Lookup::OtherMethod | Lookup::NoPath => {
            Err(ApiError::api(500, format!("No operation has the path {path}.")))
        }
    }
}

/// Adds a payment intent that waits for a payment method, for the customer to confirm.
///
/// # Errors
///
/// Fails, if the intent can't be created.
pub(crate) fn await_confirmation(work: &mut Work<'_>, invoice: &mut Value) -> Result<(), ApiError> {
    let params = json!({
        "customer": text(invoice, "/customer"), "amount": integer(invoice, "/amount_remaining").to_string(),
        "currency": text(invoice, "/currency"), "description": description(invoice),
        "payment_method_types": ["card"], "setup_future_usage": "off_session",
    });
    let intent = post(work, "/v1/payment_intents", params)?;
    add_payment(work, invoice, text(&intent, "/id"));
    set_secret(invoice, &intent);
    Ok(())
}

/// The status of the default payment intent of an invoice; empty if it has none.
pub(crate) fn intent_status<'a>(work: &'a Work<'_>, invoice: &Value) -> &'a str {
    let payment = elements(invoice, "/payments/data").last();
    let id = payment.map(|payment| text(payment, "/payment/payment_intent")).unwrap_or_default();
    work.find("payment_intent", id).map(|intent| text(intent, "/status")).unwrap_or_default()
}

/// Marks the default payment of an invoice as paid.
pub(crate) fn settle(invoice: &mut Value, now: i64) {
    let amount = integer(invoice, "/amount_remaining");
    if let Some(payment) = default_payment(invoice) {
        set(payment, "status", "paid");
        set(payment, "amount_paid", amount);
        set_at(payment, "/status_transitions/paid_at", now);
    }
}

/// Cancels the open payments of an invoice with their intents.
pub(crate) fn cancel(work: &mut Work<'_>, invoice: &mut Value) {
    let now = work.now;
    let payments = invoice.pointer_mut("/payments/data").and_then(Value::as_array_mut);
    for payment in payments.into_iter().flatten().filter(|payment| text(payment, "/status") == "open") {
        let path = format!("/v1/payment_intents/{}/cancel", text(payment, "/payment/payment_intent"));
        // An intent that can't be canceled, because it is canceled already, stays as it is.
        drop(post(work, &path, json!({})));
        set(payment, "status", "canceled");
        set_at(payment, "/status_transitions/canceled_at", now);
    }
}

/// Adds a payment, which replaces the open one.
fn add_payment(work: &mut Work<'_>, invoice: &mut Value, intent: &str) {
    cancel(work, invoice);
    if let Some(payment) = default_payment(invoice) {
        set(payment, "is_default", false);
    }
    let payment = object::payment(work, invoice, intent);
    if let Some(payments) = invoice.pointer_mut("/payments/data").and_then(Value::as_array_mut) {
        payments.push(payment);
    }
}

fn default_payment(invoice: &mut Value) -> Option<&mut Value> {
    invoice.pointer_mut("/payments/data")?.as_array_mut()?.last_mut()
}

fn set_secret(invoice: &mut Value, intent: &Value) {
    let secret = json!({ "client_secret": intent.get("client_secret"), "type": "payment_intent" });
    set(invoice, "confirmation_secret", secret);
}

fn description(invoice: &Value) -> &'static str {
    match text(invoice, "/billing_reason") {
        "subscription_create" => "Subscription creation",
        _ => "Subscription update",
    }
}

/// The customer has no payment method to charge.
pub(crate) fn no_payment_method() -> ApiError {
    let message = "This customer has no attached payment method. Add a default payment method.";
    ApiError::state("resource_missing", message)
}

fn needs_action() -> ApiError {
    let message =
        "This payment requires the customer's authentication. Confirm the payment intent of the invoice.";
    ApiError::card("invoice_payment_intent_requires_action", None, message)
}
