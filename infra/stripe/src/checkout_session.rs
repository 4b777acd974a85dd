//! Makes Checkout sessions from the parameters of a creation
//! (<https://docs.stripe.com/api/checkout/sessions/create>).

use serde_json::{Value, json};
use url::Url;

use crate::{
    api_error::ApiError,
    checkout_lines, customers,
    params::{Params, bracketed, merge_metadata},
    payment_intents,
    random::random_text,
    setup_intents,
    subscriptions::member::{integer, set, text, update_metadata},
    work::Work,
};

/// The kind of the private object that keeps what a session does when it is completed.
pub(crate) const DETAILS_KIND: &str = "local.checkout";

/// The parameters of a creation.
const CREATE: [&str; 31] = [
    "mode",
    "line_items",
    "customer",
    "customer_email",
    "customer_creation",
    "customer_update",
    "success_url",
    "cancel_url",
    "client_reference_id",
    "metadata",
    "payment_intent_data",
    "setup_intent_data",
    "subscription_data",
    "billing_address_collection",
    "tax_id_collection",
    "payment_method_types",
    "currency",
    "expires_at",
    "locale",
    "submit_type",
    "consent_collection",
    "allow_promotion_codes",
    "saved_payment_method_options",
    "phone_number_collection",
    "payment_method_collection",
    "payment_method_options",
    "ui_mode",
    "automatic_tax",
    "invoice_creation",
    "custom_text",
    "name_collection",
];

/// How long a session is open, in seconds.
const LIFE: i64 = 24 * 60 * 60;

/// The shortest life of a session, in seconds.
const SHORTEST: i64 = 30 * 60;

/// Checks the parameters and makes a session, which is not stored yet, and its private details.
///
/// # Errors
///
/// 400, if a parameter is wrong.
pub(crate) fn create(work: &mut Work<'_>, params: &Params) -> Result<(Value, Value), ApiError> {
    params.only(&CREATE)?;
    params.required("mode")?;
    let mode = params.choice("mode", &["payment", "setup", "subscription"])?.unwrap_or_default();
    check_urls(params)?;
    check_customer(work, params)?;
    check_data_of_mode(params, mode)?;
    let mut session = new(work, mode);
    apply_options(params, &mut session)?;
    apply_customer(work, params, &mut session);
    let expires_at = expires_at(work.now, params)?;
    set(&mut session, "expires_at", expires_at);
    update_metadata(&mut session, params)?;
    let mut details = details_of(params, text(&session, "/id"))?;
    if mode == "setup" {
        apply_setup(work, params, &mut session, &details)?;
    } else {
        checkout_lines::check(work, params, mode)?;
        check_total(work, params, mode)?;
        let lines = checkout_lines::create(work, params)?;
        apply_amounts(&mut session, &lines);
        set(&mut details, "line_items", lines);
    }
    Ok((session, details))
}

fn check_urls(params: &Params) -> Result<(), ApiError> {
    params.required("success_url")?;
    params.choice("ui_mode", &["hosted_page"])?;
    for param in ["success_url", "cancel_url"] {
        let url = params.text(param).map(Url::parse);
        if url.is_some_and(|url| !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https"))) {
            return Err(ApiError::invalid_code("url_invalid", param, "Not a valid URL."));
        }
    }
    Ok(())
}

fn check_customer(work: &Work<'_>, params: &Params) -> Result<(), ApiError> {
    let Some(customer) = params.text("customer") else {
        if params.has("customer_update") {
            let message = "`customer_update` can only be used with `customer`.";
            return Err(ApiError::invalid("customer_update", message));
        }
        return Ok(());
    };
    customers::live(work, customer).map_err(|error| error.for_param("customer"))?;
    if params.has("customer_email") || params.has("customer_creation") {
        let message = "Provide `customer`, or else `customer_email` and `customer_creation`.";
        return Err(ApiError::invalid("customer_email", message));
    }
    for member in ["name", "address", "shipping"] {
        params.choice(&format!("customer_update.{member}"), &["auto", "never"])?;
    }
    let collects_tax_ids = params.flag("tax_id_collection.enabled")?.unwrap_or_default();
    if collects_tax_ids && params.text("customer_update.name") != Some("auto") {
        let message = "Tax id collection updates the name of an existing customer. \
                       Set `customer_update[name]` to `auto`.";
        return Err(ApiError::invalid("customer_update[name]", message));
    }
    Ok(())
}

/// Each mode has its own data.
fn check_data_of_mode(params: &Params, mode: &str) -> Result<(), ApiError> {
    for (param, of_mode) in [
        ("payment_intent_data", "payment"),
        ("setup_intent_data", "setup"),
        ("subscription_data", "subscription"),
        ("customer_creation", "payment"),
        ("invoice_creation", "payment"),
        ("payment_method_collection", "subscription"),
    ] {
        if params.has(param) && mode != of_mode {
            let message = format!("You can not pass `{param}` in `{mode}` mode.");
            return Err(ApiError::invalid(param, message));
        }
    }
    if mode == "setup" {
        for param in ["line_items", "submit_type", "saved_payment_method_options", "allow_promotion_codes"] {
            if params.has(param) {
                let message = format!("You can not pass `{param}` in `setup` mode.");
                return Err(ApiError::invalid(param, message));
            }
        }
        if !params.has("currency") && params.list("payment_method_types").is_empty() {
            let message = "Provide `currency` in setup mode, unless you provide `payment_method_types`.";
            return Err(ApiError::invalid_code("parameter_missing", "currency", message));
        }
    }
    Ok(())
}

fn expires_at(now: i64, params: &Params) -> Result<i64, ApiError> {
    let given = params.integer("expires_at")?.unwrap_or(now.saturating_add(LIFE));
    let allowed = now.saturating_add(SHORTEST)..=now.saturating_add(LIFE);
    if allowed.contains(&given) {
        return Ok(given);
    }
    let message = "`expires_at` must be between 30 minutes and 24 hours after the creation of the session.";
    Err(ApiError::invalid("expires_at", message))
}

fn new(work: &Work<'_>, mode: &str) -> Value {
    let id = format!("cs_test_{}", random_text(58));
    let creation = match mode {
        "payment" => json!("if_required"),
        "subscription" => json!("always"),
        _ => Value::Null,
    };
    let types = if mode == "payment" { json!(["card", "us_bank_account"]) } else { json!(["card"]) };
    json!({
        "object": "checkout.session", "adaptive_pricing": { "enabled": false }, "after_expiration": null,
        "allow_promotion_codes": null, "amount_subtotal": null, "amount_total": null,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "billing_address_collection": null, "branding_settings": null, "cancel_url": null,
        "client_reference_id": null, "client_secret": null, "collected_information": null, "consent": null,
        "consent_collection": null, "created": work.now, "currency": null, "currency_conversion": null,
        "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null,
            "terms_of_service_acceptance": null,
        },
        "customer": null, "customer_account": null, "customer_creation": creation, "customer_details": null,
        "customer_email": null, "discounts": [], "excluded_payment_method_types": null,
        "integration_identifier": null, "invoice": null, "invoice_creation": null, "livemode": false,
        "locale": null, "managed_payments": null, "metadata": {}, "mode": mode, "name_collection": null,
        "optional_items": null, "origin_context": null, "payment_intent": null, "payment_link": null,
        "payment_method_collection": if mode == "payment" { "if_required" } else { "always" },
        "payment_method_configuration_details": null, "payment_method_options": {},
        "payment_method_types": types,
        "payment_status": if mode == "setup" { "no_payment_required" } else { "unpaid" },
        "permissions": null, "phone_number_collection": { "enabled": false }, "presentment_details": null,
        "recovered_from": null, "saved_payment_method_options": null, "setup_intent": null,
        "shipping_address_collection": null, "shipping_cost": null, "shipping_options": [], "status": "open",
        "submit_type": null, "subscription": null, "success_url": null,
        "tax_id_collection": { "enabled": false, "required": "never" }, "total_details": null,
        "ui_mode": "hosted_page", "url": format!("{}/pay/{id}", work.base), "wallet_options": null, "id": id,
    })
}

/// Applies the parameters that an answer shows as they are.
fn apply_options(params: &Params, session: &mut Value) -> Result<(), ApiError> {
    for member in ["success_url", "cancel_url", "client_reference_id", "locale", "customer_email"] {
        if let Some(value) = params.text(member).filter(|value| !value.is_empty()) {
            set(session, member, value);
        }
    }
    if params.text("client_reference_id").is_some_and(|value| value.chars().count() > 200) {
        let message = "Invalid client_reference_id: must not exceed 200 characters.";
        return Err(ApiError::invalid("client_reference_id", message));
    }
    let choices: [(&str, &[&str]); 4] = [
        ("billing_address_collection", &["auto", "required"]),
        ("submit_type", &["auto", "book", "donate", "pay", "subscribe"]),
        ("customer_creation", &["always", "if_required"]),
        ("payment_method_collection", &["always", "if_required"]),
    ];
    for (member, allowed) in choices {
        if let Some(value) = params.choice(member, allowed)? {
            set(session, member, value);
        }
    }
    if let Some(allows) = params.flag("allow_promotion_codes")? {
        set(session, "allow_promotion_codes", allows);
    }
    for member in ["tax_id_collection", "phone_number_collection", "automatic_tax"] {
        let enabled = params.flag(&format!("{member}.enabled"))?.unwrap_or_default();
        if let Some(place) = session.get_mut(member) {
            set(place, "enabled", enabled);
        }
    }
    let types: Vec<Value> = params.list("payment_method_types").into_iter().map(|kind| kind.0).collect();
    if !types.is_empty() {
        set(session, "payment_method_types", types);
    }
    apply_consent(params, session)
}

fn apply_consent(params: &Params, session: &mut Value) -> Result<(), ApiError> {
    if params.has("consent_collection") {
        let terms = params.choice("consent_collection.terms_of_service", &["none", "required"])?;
        let promotions = params.choice("consent_collection.promotions", &["auto", "none"])?;
        let position = params.text("consent_collection.payment_method_reuse_agreement.position");
        let agreement = position.map(|position| json!({ "position": position }));
        let collection = json!({
            "payment_method_reuse_agreement": agreement, "promotions": promotions, "terms_of_service": terms,
        });
        set(session, "consent_collection", collection);
    }
    let save = params.choice("saved_payment_method_options.payment_method_save", &["disabled", "enabled"])?;
    if params.has("saved_payment_method_options")
        || (params.has("customer") && text(session, "/mode") != "setup")
    {
        let options = json!({
            "allow_redisplay_filters": ["always"], "payment_method_remove": "disabled",
            "payment_method_save": save.unwrap_or("disabled"),
        });
        set(session, "saved_payment_method_options", options);
    }
    Ok(())
}

fn apply_customer(work: &Work<'_>, params: &Params, session: &mut Value) {
    let customer = params.text("customer").and_then(|id| work.find("customer", id));
    let known = |member: &str| customer.and_then(|customer| customer.get(member)).cloned();
    let email = known("email").unwrap_or_else(|| params.text("customer_email").into());
    if customer.is_some() || params.has("customer_email") {
        let details = json!({
            "address": null, "business_name": null, "email": email, "individual_name": null, "name": null,
            "phone": null, "tax_exempt": known("tax_exempt").unwrap_or_else(|| json!("none")),
            "tax_ids": null,
        });
        set(session, "customer_details", details);
    }
    if let Some(id) = params.text("customer") {
        set(session, "customer", id);
        set(session, "customer_creation", Value::Null);
    }
}

/// What the session does when it is completed. Answers do not show it.
fn details_of(params: &Params, session: &str) -> Result<Value, ApiError> {
    let mut details = json!({
        "id": details_id(session), "object": DETAILS_KIND, "line_items": [],
        "customer_update": params.map("customer_update"),
    });
    let data: [(&str, &[&str]); 3] = [
        (
            "payment_intent_data",
            &[
                "description",
                "receipt_email",
                "setup_future_usage",
                "statement_descriptor_suffix",
                "metadata",
            ],
        ),
        ("setup_intent_data", &["description", "metadata"]),
        ("subscription_data", &["description", "metadata"]),
    ];
    for (param, allowed) in data {
        let given = params.map(param).cloned().unwrap_or_default();
        Params(Value::Object(given.clone())).only(allowed).map_err(|error| {
            let below = bracketed(&format!("{param}.{}", error.param.as_deref().unwrap_or_default()));
            ApiError { param: Some(below), ..error }
        })?;
        let mut metadata = json!({});
        merge_metadata(params, &format!("{param}.metadata"), &mut metadata)?;
        let mut data = Value::Object(given);
        set(&mut data, "metadata", metadata);
        set(&mut details, param, data);
    }
    let usage = "payment_intent_data.setup_future_usage";
    params.choice(usage, &["off_session", "on_session"])?;
    Ok(details)
}

/// The id of a session's private details.
pub(crate) fn details_id(session: &str) -> String {
    format!("local_{session}")
}

fn apply_setup(
    work: &mut Work<'_>,
    params: &Params,
    session: &mut Value,
    details: &Value,
) -> Result<(), ApiError> {
    if params.has("currency") {
        set(session, "currency", payment_intents::currency(params, "currency")?);
    }
    let mut intent = setup_intents::new(work);
    set(&mut intent, "customer", session.get("customer").cloned());
    for member in ["metadata", "description"] {
        if let Some(value) = details.pointer(&format!("/setup_intent_data/{member}")) {
            set(&mut intent, member, value.clone());
        }
    }
    set(&mut intent, "payment_method_types", session.get("payment_method_types").cloned());
    set(session, "setup_intent", text(&intent, "/id"));
    setup_intents::announce(work, &intent);
    Ok(())
}

/// Checks the sum and the currency of the line items, before anything is stored.
fn check_total(work: &Work<'_>, params: &Params, mode: &str) -> Result<(), ApiError> {
    let mut total: i64 = 0;
    let mut currencies = Vec::new();
    for line in params.list("line_items") {
        let price = line.text("price").and_then(|id| work.find("price", id));
        let (unit, currency) = match price {
            Some(price) => (integer(price, "/unit_amount"), text(price, "/currency").to_owned()),
            None => {
                let currency = payment_intents::currency(&line, "price_data.currency")?;
                (line.integer("price_data.unit_amount")?.unwrap_or_default(), currency)
            }
        };
        total = total.saturating_add(unit.saturating_mul(line.integer("quantity")?.unwrap_or(1)));
        currencies.push(currency);
    }
    currencies.dedup();
    if currencies.len() > 1 {
        return Err(ApiError::invalid("line_items", "All line items must have the same currency."));
    }
    // Free sessions need no payment; between are amounts that no card can pay.
    if mode == "payment" && total > 0 {
        payment_intents::check_amount(total).map_err(|error| error.for_param("line_items"))?;
    }
    Ok(())
}

fn apply_amounts(session: &mut Value, lines: &[Value]) {
    let total = checkout_lines::total(lines);
    set(session, "amount_subtotal", total);
    set(session, "amount_total", total);
    let details = json!({ "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 });
    set(session, "total_details", details);
    set(session, "currency", lines.first().and_then(|line| line.get("currency")).cloned());
}
