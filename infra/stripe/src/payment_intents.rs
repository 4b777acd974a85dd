//! Payment intents (<https://docs.stripe.com/api/payment_intents>).

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    customers,
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    payment_attempts::{self, ConfirmOptions, unexpected_state},
    payment_methods,
    random::random_text,
    routes::{Route, path_id, route},
    subscriptions::member::{set, text, update_metadata},
    work::Work,
};

/// The operations on payment intents.
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/v1/payment_intents", create),
    route("GET", "/v1/payment_intents", list),
    route("GET", "/v1/payment_intents/{id}", retrieve),
    route("POST", "/v1/payment_intents/{id}", update),
    route("POST", "/v1/payment_intents/{id}/confirm", confirm),
    route("POST", "/v1/payment_intents/{id}/cancel", cancel),
];

/// The smallest amount of a charge, in cents
/// (<https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>).
const MINIMUM: i64 = 50;

/// The greatest amount of a charge, in cents.
const MAXIMUM: i64 = 99_999_999;

/// The parameters of a creation.
const CREATE: [&str; 17] = [
    "amount",
    "currency",
    "customer",
    "payment_method",
    "confirm",
    "off_session",
    "error_on_requires_action",
    "metadata",
    "description",
    "receipt_email",
    "statement_descriptor_suffix",
    "setup_future_usage",
    "automatic_payment_methods",
    "payment_method_types",
    "return_url",
    "confirmation_method",
    "capture_method",
];

/// A charge that the stand-in itself starts, for example for an invoice.
pub(crate) struct ChargeRequest<'a> {
    /// The id of the customer.
    pub customer: &'a str,
    /// The id of the customer's payment method.
    pub payment_method: &'a str,
    /// The amount, in the smallest unit of the currency (cents). It must be between 50 and 99,999,999.
    pub amount: i64,
    /// The currency, in lower case.
    pub currency: &'a str,
    /// The description of the intent and the charge.
    pub description: Option<&'a str>,
    /// The metadata of the intent and the charge: a JSON object of strings.
    pub metadata: Value,
    /// Whether the customer is absent.
    pub off_session: bool,
}

/// How a charge ended. The payment intent is stored in every case, and its events are emitted.
pub(crate) enum ChargeResult {
    /// The intent succeeded, or is `processing` if the payment method is a bank account. It has
    /// `latest_charge`.
    Succeeded(Value),
    /// The card was declined, or needs authentication while the customer is absent. The intent is
    /// `requires_payment_method`, and the error carries it.
    Failed(Value, ApiError),
    /// The customer must authenticate. The intent is `requires_action`.
    ActionRequired(Value),
}

/// Makes a payment intent and confirms it.
///
/// # Errors
///
/// Fails without an intent, if the customer or the payment method do not exist, if the payment method is not
/// that of the customer, or if the amount is out of range.
pub(crate) fn charge(work: &mut Work<'_>, request: &ChargeRequest<'_>) -> Result<ChargeResult, ApiError> {
    check_amount(request.amount)?;
    customers::live(work, request.customer).map_err(|error| error.for_param("customer"))?;
    payment_methods::check_usable(work, request.payment_method, Some(request.customer), "payment_method")?;
    let method = payment_methods::resolve(work, request.payment_method)?;
    let mut intent = new(work, request.amount, request.currency);
    set(&mut intent, "customer", request.customer);
    set(&mut intent, "description", request.description);
    set(&mut intent, "metadata", request.metadata.clone());
    set(&mut intent, "setup_future_usage", "off_session");
    let id = text(&intent, "/id").to_owned();
    let (off_session, error_on_requires_action) = (request.off_session, request.off_session);
    let options = ConfirmOptions { off_session, error_on_requires_action, return_url: None };
    match create_and_confirm(work, intent, &method, &options) {
        Ok(intent) if text(&intent, "/status") == "requires_action" => {
            Ok(ChargeResult::ActionRequired(intent))
        }
        Ok(intent) => Ok(ChargeResult::Succeeded(intent)),
        Err(error) => Ok(ChargeResult::Failed(work.get("payment_intent", &id)?.clone(), error)),
    }
}

/// Stores a new intent and confirms it.
///
/// # Errors
///
/// 402 with the intent, as [`payment_attempts::confirm`].
pub(crate) fn create_and_confirm(
    work: &mut Work<'_>,
    intent: Value,
    method: &Value,
    options: &ConfirmOptions,
) -> Result<Value, ApiError> {
    announce(work, &intent);
    payment_attempts::confirm(work, intent, method, options)
}

/// A new intent, which is not stored yet.
pub(crate) fn new(work: &mut Work<'_>, amount: i64, currency: &str) -> Value {
    let id = work.new_id("pi");
    json!({
        "object": "payment_intent", "amount": amount, "amount_capturable": 0, "amount_details": { "tip": {} },
        "amount_received": 0, "application": null, "application_fee_amount": null,
        "automatic_payment_methods": null, "canceled_at": null, "cancellation_reason": null,
        "capture_method": "automatic_async", "client_secret": format!("{id}_secret_{}", random_text(25)),
        "confirmation_method": "automatic", "created": work.now, "currency": currency, "customer": null,
        "customer_account": null, "description": null, "excluded_payment_method_types": null, "id": id,
        "last_payment_error": null, "latest_charge": null, "livemode": false, "metadata": {},
        "next_action": null,
        "on_behalf_of": null, "payment_method": null, "payment_method_configuration_details": null,
        "payment_method_options": { "card": {
            "installments": null, "mandate_options": null, "network": null,
            "request_three_d_secure": "automatic",
        } },
        "payment_method_types": ["card"], "processing": null, "receipt_email": null, "review": null,
        "setup_future_usage": null, "shipping": null, "source": null, "statement_descriptor": null,
        "statement_descriptor_suffix": null, "status": "requires_payment_method", "transfer_data": null,
        "transfer_group": null,
    })
}

fn announce(work: &mut Work<'_>, intent: &Value) {
    work.put(intent.clone());
    work.emit("payment_intent.created", intent.clone(), None);
}

/// Checks the amount of a charge.
///
/// # Errors
///
/// 400 `amount_too_small` or `amount_too_large`.
pub(crate) fn check_amount(amount: i64) -> Result<(), ApiError> {
    match amount {
        ..=0 => {
            let message = "Invalid positive integer: the amount must be greater than 0.";
            Err(ApiError::invalid_code("parameter_invalid_integer", "amount", message))
        }
        1..MINIMUM => {
            Err(ApiError::invalid_code("amount_too_small", "amount", "The amount must be at least $0.50."))
        }
        MINIMUM..=MAXIMUM => Ok(()),
        _ => {
            let message = "The amount must be no more than $999,999.99.";
            Err(ApiError::invalid_code("amount_too_large", "amount", message))
        }
    }
}

/// The currency of a parameter, in lower case.
///
/// # Errors
///
/// 400, if it does not have three letters.
pub(crate) fn currency(params: &Params, path: &str) -> Result<String, ApiError> {
    let given = params.required(path)?;
    let is_code = given.len() == 3 && given.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_code {
        return Ok(given.to_lowercase());
    }
    Err(ApiError::invalid(
        path,
        format!("Invalid currency: {given}. Use a code of three letters (ISO 4217)."),
    ))
}

fn create(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&CREATE)?;
    params.required("amount")?;
    let amount = params.integer("amount")?.unwrap_or_default();
    let currency = currency(params, "currency")?;
    check_amount(amount)?;
    let confirms = params.flag("confirm")?.unwrap_or_default();
    let options = confirm_options(params, confirms)?;
    let mut intent = new(work, amount, &currency);
    apply_types(params, &mut intent)?;
    apply_method(work, params, &mut intent)?;
    apply_details(params, &mut intent)?;
    if confirms {
        check_return_url(&intent, &options)?;
        let given = params.required("payment_method")?;
        let method = payment_methods::resolve(work, given)?;
        return create_and_confirm(work, intent, &method, &options);
    }
    if let Some(given) = params.text("payment_method") {
        let method = payment_methods::resolve(work, given)?;
        set(&mut intent, "payment_method", text(&method, "/id"));
        set(&mut intent, "status", "requires_confirmation");
    }
    announce(work, &intent);
    Ok(intent)
}

/// The parameters of a confirmation. Some are only allowed together with it.
fn confirm_options(params: &Params, confirms: bool) -> Result<ConfirmOptions, ApiError> {
    let off_session = params.flag("off_session")?.unwrap_or_default();
    let error_on_requires_action = params.flag("error_on_requires_action")?.unwrap_or_default();
    for param in ["off_session", "error_on_requires_action", "return_url"] {
        if !confirms && params.has(param) {
            let message = format!("You can only provide {param} together with confirm=true.");
            return Err(ApiError::invalid(param, message));
        }
    }
    let return_url = params.text("return_url").map(str::to_owned);
    Ok(ConfirmOptions { off_session, error_on_requires_action, return_url })
}

fn apply_types(params: &Params, intent: &mut Value) -> Result<(), ApiError> {
    let types: Vec<Value> = params.list("payment_method_types").into_iter().map(|kind| kind.0).collect();
    let is_automatic = params.flag("automatic_payment_methods.enabled")?;
    if !types.is_empty() {
        if is_automatic == Some(true) {
            let message = "Provide payment_method_types or automatic_payment_methods, not both.";
            return Err(ApiError::invalid("payment_method_types", message));
        }
        set(intent, "payment_method_types", types);
        return Ok(());
    }
    // Without a choice, Stripe offers the methods of the account's settings.
    if is_automatic != Some(false) {
        let redirects = params.choice("automatic_payment_methods.allow_redirects", &["always", "never"])?;
        let automatic = json!({ "allow_redirects": redirects.unwrap_or("always"), "enabled": true });
        set(intent, "automatic_payment_methods", automatic);
        set(intent, "payment_method_types", json!(["card", "link", "us_bank_account"]));
    }
    Ok(())
}

/// An intent that may redirect the customer needs a place to return to.
fn check_return_url(intent: &Value, options: &ConfirmOptions) -> Result<(), ApiError> {
    let redirects = text(intent, "/automatic_payment_methods/allow_redirects") == "always";
    let is_present = !options.off_session && !options.error_on_requires_action;
    if redirects && is_present && options.return_url.is_none() {
        let message = "Some payment methods of this intent redirect the customer. Provide a `return_url`, or \
                       set `automatic_payment_methods[allow_redirects]` to `never`.";
        return Err(ApiError::invalid("return_url", message));
    }
    Ok(())
}

fn apply_method(work: &Work<'_>, params: &Params, intent: &mut Value) -> Result<(), ApiError> {
    if let Some(customer) = params.text("customer") {
        customers::live(work, customer).map_err(|error| error.for_param("customer"))?;
        set(intent, "customer", customer);
    }
    let customer = Some(text(intent, "/customer")).filter(|customer| !customer.is_empty());
    match params.text("payment_method") {
        Some(method) => payment_methods::check_usable(work, method, customer, "payment_method"),
        None => Ok(()),
    }
}

fn apply_details(params: &Params, intent: &mut Value) -> Result<(), ApiError> {
    for member in ["description", "receipt_email", "statement_descriptor_suffix"] {
        if let Some(value) = params.text(member) {
            set(intent, member, Some(value).filter(|value| !value.is_empty()));
        }
    }
    if let Some(usage) = params.choice("setup_future_usage", &["", "off_session", "on_session"])? {
        set(intent, "setup_future_usage", Some(usage).filter(|usage| !usage.is_empty()));
    }
    if let Some(capture) = params.choice("capture_method", &["automatic", "automatic_async"])? {
        set(intent, "capture_method", capture);
    }
    params.choice("confirmation_method", &["automatic"])?;
    update_metadata(intent, params)
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["client_secret"])?;
    work.get("payment_intent", path_id(ids, 0)).cloned()
}

fn update(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    let allowed = [
        "amount",
        "customer",
        "payment_method",
        "metadata",
        "description",
        "receipt_email",
        "statement_descriptor_suffix",
        "setup_future_usage",
    ];
    params.only(&allowed)?;
    let mut intent = work.get("payment_intent", path_id(ids, 0))?.clone();
    let is_open = is_confirmable(&intent);
    let fixed = ["amount", "customer", "payment_method", "setup_future_usage"];
    if !is_open && fixed.iter().any(|param| params.has(param)) {
        return Err(unexpected_state(&intent, "updated"));
    }
    if let Some(amount) = params.integer("amount")? {
        check_amount(amount)?;
        set(&mut intent, "amount", amount);
    }
    apply_method(work, params, &mut intent)?;
    apply_details(params, &mut intent)?;
    if let Some(given) = params.text("payment_method") {
        let method = payment_methods::resolve(work, given)?;
        set(&mut intent, "payment_method", text(&method, "/id"));
        set(&mut intent, "status", "requires_confirmation");
    }
    work.put(intent.clone());
    Ok(intent)
}

fn is_confirmable(intent: &Value) -> bool {
    matches!(text(intent, "/status"), "requires_payment_method" | "requires_confirmation" | "requires_action")
}

fn confirm(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    let allowed = [
        "payment_method",
        "off_session",
        "error_on_requires_action",
        "return_url",
        "receipt_email",
        "setup_future_usage",
    ];
    params.only(&allowed)?;
    let options = confirm_options(params, true)?;
    let mut intent = work.get("payment_intent", path_id(ids, 0))?.clone();
    if !is_confirmable(&intent) {
        return Err(unexpected_state(&intent, "confirmed"));
    }
    apply_method(work, params, &mut intent)?;
    apply_details(params, &mut intent)?;
    let known = text(&intent, "/payment_method").to_owned();
    let given = params.text("payment_method").unwrap_or(&known);
    if given.is_empty() {
        let message = "The payment intent has no payment method. Provide `payment_method`.";
        let error = ApiError::state("payment_intent_unexpected_state", message);
        return Err(error.with_object("payment_intent", intent));
    }
    let method = payment_methods::resolve(work, given)?;
    payment_attempts::confirm(work, intent, &method, &options)
}

fn cancel(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["cancellation_reason"])?;
    let reasons = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];
    let reason = params.choice("cancellation_reason", &reasons)?;
    let mut intent = work.get("payment_intent", path_id(ids, 0))?.clone();
    if !is_confirmable(&intent) {
        return Err(unexpected_state(&intent, "canceled"));
    }
    set(&mut intent, "status", "canceled");
    set(&mut intent, "canceled_at", work.now);
    set(&mut intent, "cancellation_reason", reason);
    set(&mut intent, "next_action", Value::Null);
    work.put(intent.clone());
    work.emit("payment_intent.canceled", intent.clone(), None);
    Ok(intent)
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["customer"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let mut intents = work.all("payment_intent");
    intents.retain(|intent| matches(params, intent, "customer"));
    list_answer(params, intents, "/v1/payment_intents")
}

#[cfg(test)]
mod tests;
