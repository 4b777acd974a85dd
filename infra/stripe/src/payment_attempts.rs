//! Attempts to pay a payment intent: the bank's decision, the charge, and the intent's status after it
//! (<https://docs.stripe.com/payments/paymentintents/lifecycle>).

use serde_json::{Map, Value, json};

use crate::{
    api_error::ApiError,
    cards::{self, CardOutcome, HiddenCard},
    charges, checkout, disputes, payment_methods,
    subscriptions::member::{set, text},
    work::Work,
};

/// How a payment intent is confirmed.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfirmOptions {
    /// Whether the customer is absent.
    pub off_session: bool,
    /// Whether the attempt fails if the customer has to authenticate.
    pub error_on_requires_action: bool,
    /// Where the customer returns after authenticating.
    pub return_url: Option<String>,
}

/// Confirms an intent with a payment method, and stores what comes of it. Returns the intent: `succeeded`,
/// `processing` or `requires_action`.
///
/// # Errors
///
/// 402 with the intent, if the card is declined, or if the customer would have to authenticate but can't.
pub(crate) fn confirm(
    work: &mut Work<'_>,
    mut intent: Value,
    method: &Value,
    options: &ConfirmOptions,
) -> Result<Value, ApiError> {
    let id = text(method, "/id");
    set(&mut intent, "payment_method", id);
    set(&mut intent, "next_action", Value::Null);
    set(&mut intent, "last_payment_error", Value::Null);
    let Some(card) = work.state.card(id).cloned() else { return Ok(process(work, intent, method)) };
    match cards::charge_outcome(&card, options.off_session) {
        CardOutcome::Succeeds => Ok(succeed(work, intent, method)),
        CardOutcome::Declined { code, decline_code } => {
            Err(fail(work, intent, method, cards::decline_error(code, decline_code)))
        }
        CardOutcome::NeedsAuthentication if options.off_session || options.error_on_requires_action => {
            let message = "The card was declined. This payment requires the customer's authentication.";
            let error = ApiError::card("authentication_required", "authentication_required", message);
            Err(fail(work, intent, method, error))
        }
        CardOutcome::NeedsAuthentication => Ok(require_action(work, intent, options)),
    }
}

/// Ends the authentication of an intent that is `requires_action`, as the bank's page does.
///
/// # Errors
///
/// 402 with the intent, if the authentication failed or the card is declined after it; 400, if the intent
/// waits for none.
pub(crate) fn authenticate(work: &mut Work<'_>, id: &str, succeeds: bool) -> Result<Value, ApiError> {
    let mut intent = work.get("payment_intent", id)?.clone();
    if text(&intent, "/status") != "requires_action" {
        return Err(unexpected_state(&intent, "authenticated"));
    }
    set(&mut intent, "next_action", Value::Null);
    let method_id = text(&intent, "/payment_method").to_owned();
    let method = work.get("payment_method", &method_id)?.clone();
    let card = work.state.card(&method_id).cloned();
    let outcome = card.as_ref().map_or(CardOutcome::Succeeds, cards::authenticated_outcome);
    match outcome {
        CardOutcome::Declined { code, decline_code } if succeeds => {
            Err(fail(work, intent, &method, cards::decline_error(code, decline_code)))
        }
        _ if succeeds => Ok(succeed(work, intent, &method)),
        _ => {
            let message = "The customer did not authenticate the payment. Use another payment method.";
            let error = ApiError::card("payment_intent_authentication_failure", None, message);
            Err(refuse(work, intent, &method, error, None))
        }
    }
}

/// Ends the processing of a delayed payment.
///
/// # Errors
///
/// 400, if the intent is not `processing`.
pub(crate) fn settle(work: &mut Work<'_>, id: &str, succeeds: bool) -> Result<Value, ApiError> {
    let mut intent = work.get("payment_intent", id)?.clone();
    if text(&intent, "/status") != "processing" {
        return Err(unexpected_state(&intent, "settled"));
    }
    let method = work.get("payment_method", text(&intent, "/payment_method"))?.clone();
    let charge = charges::settle(work, text(&intent, "/latest_charge"), succeeds)?;
    if succeeds {
        let amount = intent.get("amount").cloned();
        set(&mut intent, "amount_received", amount);
        set(&mut intent, "status", "succeeded");
        set(&mut intent, "processing", Value::Null);
        store(work, &intent, "payment_intent.succeeded");
    } else {
        let error = ApiError::card("payment_method_provider_decline", None, "The bank returned the debit.");
        set(&mut intent, "last_payment_error", last_error(&error, &method, Some(text(&charge, "/id"))));
        set(&mut intent, "status", "requires_payment_method");
        set(&mut intent, "payment_method", Value::Null);
        set(&mut intent, "processing", Value::Null);
        store(work, &intent, "payment_intent.payment_failed");
    }
    checkout::settled(work, text(&intent, "/id"), succeeds);
    Ok(intent)
}

/// The error of an operation that the status of an intent forbids.
pub(crate) fn unexpected_state(intent: &Value, done: &str) -> ApiError {
    let status = text(intent, "/status");
    let message = format!("This payment intent can't be {done} because its status is {status}.");
    ApiError::state("payment_intent_unexpected_state", message).with_object("payment_intent", intent.clone())
}

fn succeed(work: &mut Work<'_>, mut intent: Value, method: &Value) -> Value {
    let charge = charges::succeeded(work, &intent, method);
    set(&mut intent, "latest_charge", text(&charge, "/id"));
    let amount = intent.get("amount").cloned();
    set(&mut intent, "amount_received", amount);
    set(&mut intent, "status", "succeeded");
    keep_method(work, &intent, method);
    store(work, &intent, "payment_intent.succeeded");
    let card: Option<HiddenCard> = work.state.card(text(method, "/id")).cloned();
    if let Some(kind) = card.as_ref().and_then(cards::dispute_of) {
        disputes::open_for_card(work, &charge, kind);
    }
    intent
}

/// Attaches the payment method that the intent saves for later. Without a customer, it can't be used again.
fn keep_method(work: &mut Work<'_>, intent: &Value, method: &Value) {
    let (customer, id) = (text(intent, "/customer"), text(method, "/id"));
    if !customer.is_empty() && !text(intent, "/setup_future_usage").is_empty() {
        payment_methods::save(work, method.clone(), customer);
        payment_methods::mark_set_up(work, id);
    } else if text(method, "/customer").is_empty() {
        payment_methods::mark_used_up(work, id);
    }
}

fn process(work: &mut Work<'_>, mut intent: Value, method: &Value) -> Value {
    let charge = charges::pending(work, &intent, method);
    set(&mut intent, "latest_charge", text(&charge, "/id"));
    set(&mut intent, "status", "processing");
    keep_method(work, &intent, method);
    store(work, &intent, "payment_intent.processing");
    intent
}

fn require_action(work: &mut Work<'_>, mut intent: Value, options: &ConfirmOptions) -> Value {
    let action = next_action(work.base, text(&intent, "/id"), options.return_url.as_deref());
    set(&mut intent, "next_action", action);
    set(&mut intent, "status", "requires_action");
    store(work, &intent, "payment_intent.requires_action");
    intent
}

/// What the customer has to do: authenticate in Stripe's script, or on a page if the customer can return from
/// it.
pub(crate) fn next_action(base: &str, intent: &str, return_url: Option<&str>) -> Value {
    match return_url {
        Some(return_url) => {
            let url = format!("{base}/authenticate/{intent}");
            json!({ "type": "redirect_to_url", "redirect_to_url": { "return_url": return_url, "url": url } })
        }
        None => json!({ "type": "use_stripe_sdk", "use_stripe_sdk": { "type": "three_d_secure_redirect" } }),
    }
}

fn fail(work: &mut Work<'_>, mut intent: Value, method: &Value, error: ApiError) -> ApiError {
    let charge = charges::failed(work, &intent, method, &error);
    let charge = text(&charge, "/id");
    set(&mut intent, "latest_charge", charge);
    refuse(work, intent, method, error, Some(charge))
}

fn refuse(
    work: &mut Work<'_>,
    mut intent: Value,
    method: &Value,
    error: ApiError,
    charge: Option<&str>,
) -> ApiError {
    set(&mut intent, "last_payment_error", last_error(&error, method, charge));
    set(&mut intent, "status", "requires_payment_method");
    set(&mut intent, "payment_method", Value::Null);
    store(work, &intent, "payment_intent.payment_failed");
    error.with_object("payment_intent", intent)
}

/// The member `last_payment_error` or `last_setup_error` of an intent.
pub(crate) fn last_error(error: &ApiError, method: &Value, charge: Option<&str>) -> Value {
    let mut details: Map<String, Value> = error.details().as_object().cloned().unwrap_or_default();
    details.insert("payment_method".to_owned(), method.clone());
    if let Some(charge) = charge {
        details.insert("charge".to_owned(), Value::from(charge));
    }
    Value::Object(details)
}

/// Stores an intent and emits an event about it.
fn store(work: &mut Work<'_>, intent: &Value, event_type: &str) {
    work.put(intent.clone());
    work.emit(event_type, intent.clone(), None);
}
