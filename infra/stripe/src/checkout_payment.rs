//! Completes a Checkout session with the form of its page.

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    cards::{self, CardOutcome, HiddenCard},
    checkout::{self, KIND, details, lines_list},
    customers,
    params::Params,
    payment_attempts::{self, ConfirmOptions},
    payment_intents, payment_methods, setup_intents, subscriptions,
    subscriptions::member::{elements, integer, is_true, set, set_at, text},
    tax_ids,
    work::Work,
};

/// The choice of the page that pays by a bank debit instead of a card.
pub(crate) const BANK_DEBIT: &str = "bank_debit";

/// What the page shows or does after the form.
pub(crate) enum PageOutcome {
    /// The customer goes to this URL.
    Redirect(String),
    /// The page shows the form again, with a message.
    Again(String),
    /// The page asks the customer to authenticate.
    Authenticate,
    /// The customer canceled, and the session has no URL for it.
    Canceled,
    /// The session is complete or expired.
    Closed,
}

/// Performs the form of a session's page. Its fields are `action` (`pay` or `cancel`), `card` (a number or
/// `bank_debit`), `email`, `name`, `country`, `save`, `terms`, `tax_id_type`, `tax_id` and `authentication`
/// (`complete` or `fail`).
///
/// # Errors
///
/// 404, if there is no such session.
pub(crate) fn submit(work: &mut Work<'_>, id: &str, form: &Params) -> Result<PageOutcome, ApiError> {
    let session = work.get(KIND, id)?.clone();
    if text(&session, "/status") != "open" {
        return Ok(PageOutcome::Closed);
    }
    if form.text("action") == Some("cancel") {
        return Ok(match text(&session, "/cancel_url") {
            "" => PageOutcome::Canceled,
            url => PageOutcome::Redirect(with_session_id(url, id)),
        });
    }
    // Nobody pays by accident.
    if form.text("action") != Some("pay") {
        return Ok(PageOutcome::Again("Unknown action. Use `pay` or `cancel`.".to_owned()));
    }
    if let Err(problem) = check(&session, form) {
        return Ok(PageOutcome::Again(problem.message));
    }
    if needs_authentication(&session, form) && !form.has("authentication") {
        return Ok(PageOutcome::Authenticate);
    }
    match perform(work, session, form) {
        Ok(session) => {
            let url = with_session_id(text(&session, "/success_url"), id);
            Ok(PageOutcome::Redirect(url))
        }
        Err(error) => Ok(PageOutcome::Again(error.message)),
    }
}

/// A URL of the client with the id of the session in it.
fn with_session_id(url: &str, id: &str) -> String {
    url.replace("{CHECKOUT_SESSION_ID}", id)
}

fn field<'a>(form: &'a Params, name: &str) -> &'a str {
    form.text(name).unwrap_or_default().trim()
}

fn number(form: &Params) -> String {
    field(form, "card").replace(' ', "")
}

/// Whether a session takes payments that the bank needs days for.
pub(crate) fn takes_bank_debits(session: &Value) -> bool {
    let types = elements(session, "/payment_method_types");
    text(session, "/mode") == "payment" && types.iter().any(|kind| kind == "us_bank_account")
}

/// Checks the fields of the form.
fn check(session: &Value, form: &Params) -> Result<(), ApiError> {
    let problem = |param: &str, message: &str| Err(ApiError::invalid(param, message));
    match number(form).as_str() {
        "" if is_free(session) => (),
        BANK_DEBIT if takes_bank_debits(session) => (),
        BANK_DEBIT => return problem("card", "This session takes cards only."),
        number => cards::check_number(number)?,
    }
    let email = field(form, "email");
    if email.is_empty() && text(session, "/customer_details/email").is_empty() {
        return problem("email", "Enter an email address.");
    }
    if !email.is_empty() && !email.contains('@') {
        return problem("email", "Enter a complete email address.");
    }
    let country = field(form, "country");
    let is_country = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    if !country.is_empty() && !is_country {
        return problem("country", "Enter the country as a code of two capital letters.");
    }
    if country.is_empty() && text(session, "/billing_address_collection") == "required" {
        return problem("country", "Enter a country.");
    }
    if text(session, "/consent_collection/terms_of_service") == "required" && form.text("terms") != Some("on")
    {
        return problem("terms", "Accept the terms of service.");
    }
    tax_id(session, form).map_or(Ok(()), |tax_id| tax_ids::check(&tax_id))
}

/// Whether a session in payment mode has nothing to pay.
fn is_free(session: &Value) -> bool {
    text(session, "/mode") == "payment" && integer(session, "/amount_total") == 0
}

/// The tax id of the form, if the session collects one.
fn tax_id(session: &Value, form: &Params) -> Option<Params> {
    let value = field(form, "tax_id");
    let collects = is_true(session, "/tax_id_collection/enabled") && !value.is_empty();
    collects.then(|| Params(json!({ "type": field(form, "tax_id_type"), "value": value })))
}

/// Whether the bank asks the customer to authenticate for this session.
fn needs_authentication(session: &Value, form: &Params) -> bool {
    let number = number(form);
    if number == BANK_DEBIT || is_free(session) {
        return false;
    }
    let card = HiddenCard::new(&number);
    let outcome = match text(session, "/mode") {
        "setup" => cards::setup_outcome(&card),
        _ => cards::charge_outcome(&card, false),
    };
    outcome == CardOutcome::NeedsAuthentication
}

fn authenticates(form: &Params) -> bool {
    form.text("authentication") == Some("complete")
}

fn perform(work: &mut Work<'_>, mut session: Value, form: &Params) -> Result<Value, ApiError> {
    let payment_status = match text(&session, "/mode") {
        "setup" => set_up(work, &mut session, form)?,
        "subscription" => subscribe(work, &mut session, form)?,
        _ => pay(work, &mut session, form)?,
    };
    describe(work, &mut session, form)?;
    Ok(checkout::complete(work, session, payment_status))
}

/// Makes and stores the payment method of the form.
fn create_method(work: &mut Work<'_>, session: &Value, form: &Params) -> Value {
    let mut billing = payment_methods::billing_details();
    let optional = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    let email = match field(form, "email") {
        "" => text(session, "/customer_details/email"),
        email => email,
    };
    set(&mut billing, "email", optional(email));
    set(&mut billing, "name", optional(field(form, "name")));
    set_at(&mut billing, "/address/country", optional(field(form, "country")));
    let number = number(form);
    let mut method = match number.as_str() {
        BANK_DEBIT => payment_methods::create_bank_account(work, billing),
        number => payment_methods::create_card(work, number, billing),
    };
    set(&mut method, "allow_redisplay", if saves(session, form) { "always" } else { "limited" });
    work.put(method.clone());
    method
}

/// Whether the customer asks to save the payment method.
fn saves(session: &Value, form: &Params) -> bool {
    text(session, "/saved_payment_method_options/payment_method_save") == "enabled"
        && form.text("save") == Some("on")
}

/// The customer of a session. Without one, makes it and notes it in the session, which keeps it if the
/// payment fails.
fn customer_of(work: &mut Work<'_>, session: &mut Value, form: &Params) -> String {
    let known = text(session, "/customer");
    if !known.is_empty() {
        return known.to_owned();
    }
    let email = match field(form, "email") {
        "" => text(session, "/customer_details/email"),
        email => email,
    };
    let customer = customers::create_from_details(work, email, field(form, "name"));
    set(session, "customer", text(&customer, "/id"));
    work.put(session.clone());
    text(&customer, "/id").to_owned()
}

/// Pays a session in payment mode. The first attempt makes the payment intent, which later attempts use
/// again.
fn pay(work: &mut Work<'_>, session: &mut Value, form: &Params) -> Result<&'static str, ApiError> {
    if is_free(session) {
        return Ok("no_payment_required");
    }
    let data = details(work, text(session, "/id")).and_then(|details| details.get("payment_intent_data"));
    let data = data.cloned().unwrap_or_default();
    let is_kept = !text(&data, "/setup_future_usage").is_empty() || saves(session, form);
    if is_kept || text(session, "/customer_creation") == "always" {
        customer_of(work, session, form);
    }
    let method = create_method(work, session, form);
    let options = ConfirmOptions::default();
    let known = work.find("payment_intent", text(session, "/payment_intent")).cloned();
    let intent = match known {
        Some(intent) => payment_attempts::confirm(work, intent, &method, &options)?,
        None => {
            let intent = new_intent(work, session, form, &data);
            set(session, "payment_intent", text(&intent, "/id"));
            work.put(session.clone());
            payment_intents::create_and_confirm(work, intent, &method, &options)?
        }
    };
    let intent = match text(&intent, "/status") {
        "requires_action" => payment_attempts::authenticate(work, text(&intent, "/id"), authenticates(form))?,
        _ => intent,
    };
    Ok(if text(&intent, "/status") == "succeeded" { "paid" } else { "unpaid" })
}

fn new_intent(work: &mut Work<'_>, session: &Value, form: &Params, data: &Value) -> Value {
    let amount = integer(session, "/amount_total");
    let mut intent = payment_intents::new(work, amount, text(session, "/currency"));
    set(&mut intent, "customer", session.get("customer").cloned());
    set(&mut intent, "payment_method_types", session.get("payment_method_types").cloned());
    for member in
        ["description", "receipt_email", "statement_descriptor_suffix", "setup_future_usage", "metadata"]
    {
        if let Some(value) = data.get(member) {
            set(&mut intent, member, value.clone());
        }
    }
    if saves(session, form) && text(&intent, "/setup_future_usage").is_empty() {
        set(&mut intent, "setup_future_usage", "on_session");
    }
    intent
}

/// Sets up the payment method of a session in setup mode.
fn set_up(work: &mut Work<'_>, session: &mut Value, form: &Params) -> Result<&'static str, ApiError> {
    let intent = work.get("setup_intent", text(session, "/setup_intent"))?.clone();
    let method = create_method(work, session, form);
    let intent = setup_intents::confirm(work, intent, &method, None, authenticates(form))?;
    if text(&intent, "/status") == "requires_action" {
        setup_intents::authenticate(work, text(&intent, "/id"), false)?;
    }
    Ok("no_payment_required")
}

/// Starts the subscription of a session, whose first invoice is paid at once.
fn subscribe(work: &mut Work<'_>, session: &mut Value, form: &Params) -> Result<&'static str, ApiError> {
    if let CardOutcome::Declined { code, decline_code } =
        cards::attach_outcome(&HiddenCard::new(&number(form)))
    {
        return Err(cards::decline_error(code, decline_code));
    }
    if needs_authentication(session, form) && !authenticates(form) {
        let message = "You did not authenticate the payment. Use another card.";
        return Err(ApiError::card("payment_intent_authentication_failure", None, message));
    }
    let customer = customer_of(work, session, form);
    let method = create_method(work, session, form);
    let id = text(&method, "/id").to_owned();
    let method = payment_methods::attach(work, method, &customer)?;
    payment_methods::mark_authenticated(work, &id, authenticates(form));
    let described = with_details(work, session);
    let started = subscriptions::start_from_checkout(work, &described, &id);
    payment_methods::mark_authenticated(work, &id, false);
    match started {
        Ok(subscription) => {
            payment_methods::mark_set_up(work, &id);
            set(session, "subscription", text(&subscription, "/id"));
            set(session, "invoice", subscription.get("latest_invoice").cloned());
            Ok(if integer(session, "/amount_total") == 0 { "no_payment_required" } else { "paid" })
        }
        Err(error) => {
            payment_methods::detach_from_customer(work, &method);
            Err(error)
        }
    }
}

/// A session with the members that only the start of its subscription needs.
fn with_details(work: &Work<'_>, session: &Value) -> Value {
    let id = text(session, "/id");
    let mut session = session.clone();
    let lines = lines_list(work, id);
    set(&mut session, "line_items", lines);
    let data = details(work, id).and_then(|details| details.get("subscription_data"));
    set(&mut session, "subscription_data", data.cloned());
    session
}

/// Notes in the session, and in its customer, what the customer typed.
fn describe(work: &mut Work<'_>, session: &mut Value, form: &Params) -> Result<(), ApiError> {
    let optional = |name: &str| Some(field(form, name).to_owned()).filter(|value| !value.is_empty());
    let known_email =
        Some(text(session, "/customer_details/email").to_owned()).filter(|email| !email.is_empty());
    let address = address_of(field(form, "country"));
    let tax_id = tax_id(session, form);
    let tax_ids: Vec<Value> = tax_id.iter().map(|tax_id| tax_id.0.clone()).collect();
    let details = json!({
        "address": address, "business_name": null, "email": known_email.or_else(|| optional("email")),
        "individual_name": null, "name": optional("name"), "phone": null,
        "tax_exempt": "none", "tax_ids": tax_ids,
    });
    set(session, "customer_details", details);
    let collected = json!({ "business_name": null, "individual_name": null, "shipping_details": null });
    set(session, "collected_information", collected);
    if text(session, "/consent_collection/terms_of_service") == "required" {
        set(session, "consent", json!({ "promotions": null, "terms_of_service": "accepted" }));
    }
    update_customer(work, session);
    match (tax_id, text(session, "/customer")) {
        (Some(tax_id), customer) if !customer.is_empty() => tax_ids::add(work, customer, &tax_id).map(|_| ()),
        _ => Ok(()),
    }
}

fn address_of(country: &str) -> Value {
    match country {
        "" => Value::Null,
        country => json!({
            "city": null, "country": country, "line1": null, "line2": null, "postal_code": null,
            "state": null,
        }),
    }
}

/// Updates the session's customer: what `customer_update` allows, and what the customer did not have.
fn update_customer(work: &mut Work<'_>, session: &Value) {
    let Ok(before) = customers::live(work, text(session, "/customer")).cloned() else { return };
    let updates = details(work, text(session, "/id")).and_then(|details| details.get("customer_update"));
    let updates = updates.cloned().unwrap_or_default();
    let mut customer = before.clone();
    for member in ["name", "address", "email"] {
        let value = session.pointer(&format!("/customer_details/{member}")).filter(|value| !value.is_null());
        let is_created_here = !text(session, "/customer_creation").is_empty();
        let is_missing =
            before.get(member).is_none_or(Value::is_null) && (member == "email" || is_created_here);
        let is_allowed = updates.get(member).is_some_and(|update| update == "auto");
        if let Some(value) = value
            && (is_missing || is_allowed)
        {
            set(&mut customer, member, value.clone());
        }
    }
    customers::store_changes(work, &before, &customer);
}

#[cfg(test)]
mod tests;
