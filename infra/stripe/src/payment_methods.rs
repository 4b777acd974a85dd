//! Payment methods (<https://docs.stripe.com/api/payment_methods>).

use serde_json::{Map, Value, json};

use crate::{
    api_error::ApiError,
    cards::{self, CardOutcome, HiddenCard},
    customers,
    lists::{LIST_PARAMS, list_answer, matches},
    params::{Params, bracketed},
    routes::{Route, path_id, route},
    subscriptions::member::{previous, set, set_at, text, update_metadata},
    work::Work,
};

/// The operations on payment methods.
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/v1/payment_methods", create),
    route("GET", "/v1/payment_methods", list),
    route("GET", "/v1/payment_methods/{id}", retrieve),
    route("POST", "/v1/payment_methods/{id}", update),
    route("POST", "/v1/payment_methods/{id}/attach", attach_to_customer),
    route("POST", "/v1/payment_methods/{id}/detach", detach),
    route("GET", "/v1/customers/{id}/payment_methods", list_of_customer),
    route("GET", "/v1/customers/{id}/payment_methods/{id}", retrieve_of_customer),
];

/// The test id of a bank account.
const TEST_BANK_ACCOUNT: &str = "pm_usBankAccount";

fn create(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["type", "card", "billing_details", "metadata", "allow_redisplay"])?;
    if params.required("type")? != "card" {
        return Err(ApiError::invalid("type", "Invalid type: only card can be created with the API."));
    }
    let method = create_of(work, params)?;
    work.put(method.clone());
    Ok(method)
}

/// Makes a card's payment method from the parameters `card`, `billing_details` and `metadata`. Stores only
/// the number.
fn create_of(work: &mut Work<'_>, params: &Params) -> Result<Value, ApiError> {
    let year = year(work.now);
    let (number, exp_month, exp_year) = match params.text("card.token") {
        Some(token) => {
            let number = cards::test_number(token, "tok_");
            let missing = || ApiError::missing("token", token).for_param("card[token]");
            (number.ok_or_else(missing)?.to_owned(), 12, year.saturating_add(3))
        }
        None => {
            let number = params.required("card.number")?.replace(' ', "");
            cards::check_number(&number)?;
            let (month, year) = expiry(params, year)?;
            (number, month, year)
        }
    };
    let mut details = billing_details();
    apply_billing_details(params, "billing_details", &mut details)?;
    let mut method = method(work, "card", cards::card_object(&number, exp_month, exp_year));
    set(&mut method, "billing_details", details);
    set(&mut method, "allow_redisplay", params.text("allow_redisplay").unwrap_or("unspecified"));
    update_metadata(&mut method, params)?;
    work.state.set_card(text(&method, "/id"), HiddenCard::new(&number));
    Ok(method)
}

fn expiry(params: &Params, this_year: i64) -> Result<(i64, i64), ApiError> {
    params.required("card.exp_month")?;
    params.required("card.exp_year")?;
    let month = params.integer("card.exp_month")?.unwrap_or_default();
    let year = params.integer("card.exp_year")?.unwrap_or_default();
    let year = if year < 100 { year.saturating_add(2_000) } else { year };
    if !(1..=12).contains(&month) {
        let error = ApiError::card("invalid_expiry_month", None, "The card's expiration month is invalid.");
        return Err(ApiError { param: Some("card[exp_month]".to_owned()), ..error });
    }
    if !(this_year..=this_year.saturating_add(50)).contains(&year) {
        let error = ApiError::card("invalid_expiry_year", None, "The card's expiration year is invalid.");
        return Err(ApiError { param: Some("card[exp_year]".to_owned()), ..error });
    }
    Ok((month, year))
}

/// Makes and stores the payment method of a card that the customer typed.
pub(crate) fn create_card(work: &mut Work<'_>, number: &str, details: Value) -> Value {
    let exp_year = year(work.now).saturating_add(3);
    let mut method = method(work, "card", cards::card_object(number, 12, exp_year));
    set(&mut method, "billing_details", details);
    work.state.set_card(text(&method, "/id"), HiddenCard::new(number));
    work.put(method.clone());
    method
}

/// Makes and stores the payment method of a bank account, whose payments take days.
pub(crate) fn create_bank_account(work: &mut Work<'_>, details: Value) -> Value {
    let account = json!({
        "account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": null, "fingerprint": cards::fingerprint("000123456789"),
        "last4": "6789", "networks": { "preferred": "ach", "supported": ["ach"] },
        "routing_number": "110000000",
        "status_details": {},
    });
    let mut method = method(work, "us_bank_account", account);
    set(&mut method, "billing_details", details);
    work.put(method.clone());
    method
}

fn method(work: &mut Work<'_>, kind: &str, details: Value) -> Value {
    json!({
        "id": work.new_id("pm"), "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": billing_details(), kind: details, "created": work.now, "customer": null,
        "customer_account": null, "livemode": false, "metadata": {}, "type": kind,
    })
}

/// Billing details without a value.
pub(crate) fn billing_details() -> Value {
    let address = json!({
        "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
    });
    json!({ "address": address, "email": null, "name": null, "phone": null, "tax_id": null })
}

fn apply_billing_details(params: &Params, path: &str, details: &mut Value) -> Result<(), ApiError> {
    for (member, value) in params.map(path).into_iter().flatten() {
        match (member.as_str(), value) {
            ("address", Value::Object(address)) => {
                apply_address(&format!("{path}.address"), address, details)?
            }
            ("address", _) => set(details, "address", billing_details().get("address").cloned()),
            ("email" | "name" | "phone" | "tax_id", Value::String(value)) => {
                set(details, member, Some(value.as_str()).filter(|value| !value.is_empty()));
            }
            _ => return Err(unknown(&bracketed(&format!("{path}.{member}")))),
        }
    }
    Ok(())
}

fn apply_address(path: &str, address: &Map<String, Value>, details: &mut Value) -> Result<(), ApiError> {
    for (member, value) in address {
        let pointer = format!("/address/{member}");
        if details.pointer(&pointer).is_none() {
            return Err(unknown(&bracketed(&format!("{path}.{member}"))));
        }
        set_at(details, &pointer, value.as_str().filter(|value| !value.is_empty()));
    }
    Ok(())
}

fn unknown(param: &str) -> ApiError {
    ApiError::invalid_code("parameter_unknown", param, format!("Received unknown parameter: {param}"))
}

/// The year of a time, in UTC.
fn year(now: i64) -> i64 {
    let time = jiff::Timestamp::from_second(now).unwrap_or_default();
    i64::from(jiff::tz::Offset::UTC.to_datetime(time).year())
}

/// The payment method with this id. A test id like `pm_card_visa` makes a new one.
///
/// # Errors
///
/// 404 `resource_missing`.
pub(crate) fn resolve(work: &mut Work<'_>, id: &str) -> Result<Value, ApiError> {
    if id == TEST_BANK_ACCOUNT {
        return Ok(create_bank_account(work, billing_details()));
    }
    match cards::test_number(id, "pm_card_") {
        Some(number) => Ok(create_card(work, number, billing_details())),
        None => work.get("payment_method", id).cloned(),
    }
}

/// Checks that a payment method exists and can be used for this customer, before anything is stored. `param`
/// names it.
///
/// # Errors
///
/// 400, if it does not exist, is another customer's, or was detached.
pub(crate) fn check_usable(
    work: &Work<'_>,
    id: &str,
    customer: Option<&str>,
    param: &str,
) -> Result<(), ApiError> {
    if id == TEST_BANK_ACCOUNT || cards::test_number(id, "pm_card_").is_some() {
        return Ok(());
    }
    let method = work.get("payment_method", id).map_err(|error| error.for_param(param))?;
    let owner = method.get("customer").and_then(Value::as_str);
    match (owner, customer) {
        (Some(owner), Some(customer)) if owner != customer => {
            let message = format!("The payment method {id} belongs to another customer.");
            Err(ApiError::invalid(param, message))
        }
        (Some(_), None) => {
            let message = format!("The payment method {id} belongs to a customer. Provide its `customer`.");
            Err(ApiError::invalid(param, message))
        }
        (None, _) if work.state.card(id).is_some_and(|card| card.used_up) => Err(used_up(id)),
        _ => Ok(()),
    }
}

fn used_up(id: &str) -> ApiError {
    let message = format!(
        "The payment method {id} was detached, or it was used without being attached to a customer. \
         It can't be used again."
    );
    ApiError::invalid("payment_method", message)
}

/// Attaches a payment method to a customer.
///
/// # Errors
///
/// 402, if the bank refuses the card; 400, if it is another customer's or can't be used again, or if there is
/// no such customer.
pub(crate) fn attach(work: &mut Work<'_>, method: Value, customer: &str) -> Result<Value, ApiError> {
    customers::live(work, customer).map_err(|error| error.for_param("customer"))?;
    let id = text(&method, "/id");
    match text(&method, "/customer") {
        "" => (),
        owner if owner == customer => return Ok(method),
        _ => {
            let message = "The payment method is attached to another customer. Detach it first.";
            return Err(ApiError::invalid("payment_method", message));
        }
    }
    if let Some(card) = work.state.card(id) {
        if card.used_up {
            return Err(used_up(id));
        }
        if let CardOutcome::Declined { code, decline_code } = cards::attach_outcome(card) {
            return Err(cards::decline_error(code, decline_code));
        }
    }
    Ok(save(work, method, customer))
}

/// Attaches a payment method that the bank has just accepted.
pub(crate) fn save(work: &mut Work<'_>, mut method: Value, customer: &str) -> Value {
    if text(&method, "/customer") != customer {
        set(&mut method, "customer", customer);
        work.put(method.clone());
        work.emit("payment_method.attached", method.clone(), None);
    }
    method
}

/// Remembers that the customer authenticated for later payments.
pub(crate) fn mark_set_up(work: &mut Work<'_>, id: &str) {
    update_card(work, id, |card| HiddenCard { set_up: true, ..card });
}

/// Remembers that a payment method without a customer can't be used again.
pub(crate) fn mark_used_up(work: &mut Work<'_>, id: &str) {
    update_card(work, id, |card| HiddenCard { used_up: true, ..card });
}

/// Remembers whether the customer has just authenticated, for the charge that follows.
pub(crate) fn mark_authenticated(work: &mut Work<'_>, id: &str, authenticated: bool) {
    update_card(work, id, |card| HiddenCard { authenticated, ..card });
}

fn update_card(work: &mut Work<'_>, id: &str, change: impl FnOnce(HiddenCard) -> HiddenCard) {
    if let Some(card) = work.state.card(id).cloned() {
        work.state.set_card(id, change(card));
    }
}

fn attach_to_customer(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["customer"])?;
    let customer = params.required("customer")?;
    customers::live(work, customer).map_err(|error| error.for_param("customer"))?;
    let method = resolve(work, path_id(ids, 0))?;
    attach(work, method, customer)
}

fn detach(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    let method = work.get("payment_method", path_id(ids, 0))?.clone();
    if text(&method, "/customer").is_empty() {
        let message = "The payment method is not attached to a customer, so it can't be detached.";
        return Err(ApiError::invalid("payment_method", message));
    }
    let detached = detach_from_customer(work, &method);
    customers::forget_default(work, text(&method, "/customer"), text(&method, "/id"));
    Ok(detached)
}

/// Detaches a payment method, which can't be used again.
pub(crate) fn detach_from_customer(work: &mut Work<'_>, method: &Value) -> Value {
    let mut detached = method.clone();
    set(&mut detached, "customer", Value::Null);
    work.put(detached.clone());
    mark_used_up(work, text(method, "/id"));
    work.emit("payment_method.detached", detached.clone(), previous(method, &detached));
    detached
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    resolve(work, path_id(ids, 0))
}

fn update(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["billing_details", "metadata", "allow_redisplay", "card"])?;
    let before = work.get("payment_method", path_id(ids, 0))?.clone();
    let mut method = before.clone();
    let mut details = method.get("billing_details").cloned().unwrap_or_else(billing_details);
    apply_billing_details(params, "billing_details", &mut details)?;
    set(&mut method, "billing_details", details);
    if params.has("card") {
        let (month, year) = expiry(params, year(work.now))?;
        set_at(&mut method, "/card/exp_month", month);
        set_at(&mut method, "/card/exp_year", year);
    }
    if let Some(allow) = params.choice("allow_redisplay", &["always", "limited", "unspecified"])? {
        set(&mut method, "allow_redisplay", allow);
    }
    update_metadata(&mut method, params)?;
    if let Some(changed) = previous(&before, &method) {
        work.put(method.clone());
        work.emit("payment_method.updated", method.clone(), Some(changed));
    }
    Ok(method)
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["customer", "type"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let Some(customer) = params.text("customer") else {
        return list_answer(params, Vec::new(), "/v1/payment_methods");
    };
    customers::live(work, customer).map_err(|error| error.for_param("customer"))?;
    list_answer(params, of_customer(work, params, customer), "/v1/payment_methods")
}

fn list_of_customer(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["type", "allow_redisplay"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let customer = path_id(ids, 0);
    customers::live(work, customer)?;
    let url = format!("/v1/customers/{customer}/payment_methods");
    list_answer(params, of_customer(work, params, customer), &url)
}

fn of_customer<'a>(work: &'a Work<'_>, params: &Params, customer: &str) -> Vec<&'a Value> {
    let mut methods = work.all("payment_method");
    methods.retain(|method| {
        text(method, "/customer") == customer
            && matches(params, method, "type")
            && matches(params, method, "allow_redisplay")
    });
    methods
}

fn retrieve_of_customer(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    let (customer, id) = (path_id(ids, 0), path_id(ids, 1));
    let method = work.get("payment_method", id)?;
    if text(method, "/customer") != customer {
        return Err(ApiError::missing("payment_method", id));
    }
    Ok(method.clone())
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestBench, id};

    #[test]
    fn card_shows_its_last_digits_only() {
        let mut bench = TestBench::new();
        let params = "type=card&card[number]=5555555555554444&card[exp_month]=12&card[exp_year]=2034";
        let method = bench.post("/v1/payment_methods", params);
        assert_eq!(method["card"]["brand"], "mastercard");
        assert_eq!(method["card"]["last4"], "4444");
        assert!(!method.to_string().contains("5555555555554444"));
    }

    #[test]
    fn invalid_cards_are_refused() {
        let mut bench = TestBench::new();
        for (card, code) in [
            ("card[number]=4242424242424241&card[exp_month]=12&card[exp_year]=2034", "incorrect_number"),
            ("card[number]=4242424242424242&card[exp_month]=13&card[exp_year]=2034", "invalid_expiry_month"),
            ("card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2020", "invalid_expiry_year"),
            ("card[number]=4242424242424242", "parameter_missing"),
            ("card[token]=tok_none", "resource_missing"),
        ] {
            let error = bench.call("POST", "/v1/payment_methods", &format!("type=card&{card}")).unwrap_err();
            assert_eq!(error.code, Some(code), "{card}");
        }
    }

    #[test]
    fn attached_method_is_listed_until_it_is_detached() {
        let mut bench = TestBench::new();
        let (customer, method) = bench.customer_with_card("4242424242424242");
        let list = format!("/v1/customers/{customer}/payment_methods");
        assert_eq!(bench.get(&list)["data"][0]["id"], method.as_str());
        let detached = bench.post(&format!("/v1/payment_methods/{method}/detach"), "");
        assert!(detached["customer"].is_null());
        assert_eq!(bench.get(&list)["data"].as_array().unwrap().len(), 0);
        let customer_object = bench.get(&format!("/v1/customers/{customer}"));
        assert!(customer_object["invoice_settings"]["default_payment_method"].is_null());
        let attach = format!("/v1/payment_methods/{method}/attach");
        let again = bench.call("POST", &attach, &format!("customer={customer}")).unwrap_err();
        assert_eq!(again.status, 400);
    }

    #[test]
    fn test_id_attaches_a_new_method() {
        let mut bench = TestBench::new();
        let customer = bench.customer();
        let params = format!("customer={customer}");
        let one = id(&bench.post("/v1/payment_methods/pm_card_visa/attach", &params));
        let other = id(&bench.post("/v1/payment_methods/pm_card_visa/attach", &params));
        assert_ne!(one, other);
        let path = "/v1/payment_methods/pm_card_chargeDeclined/attach";
        assert_eq!(bench.call("POST", path, &params).unwrap_err().code, Some("card_declined"));
        assert!(bench.call("POST", "/v1/payment_methods/pm_card_chargeCustomerFail/attach", &params).is_ok());
    }

    #[test]
    fn expiry_can_be_updated() {
        let mut bench = TestBench::new();
        let (_, method) = bench.customer_with_card("4242424242424242");
        let path = format!("/v1/payment_methods/{method}");
        let updated = bench.post(&path, "card[exp_month]=1&card[exp_year]=2040");
        assert_eq!(updated["card"]["exp_year"], 2040);
        assert_eq!(bench.event_types().last().unwrap(), "payment_method.updated");
    }
}
