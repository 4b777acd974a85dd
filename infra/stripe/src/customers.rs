//! Customers (<https://docs.stripe.com/api/customers>).

use serde_json::{Map, Value, json};

use crate::{
    api_error::ApiError,
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    payment_methods,
    random::random_text,
    routes::{Route, path_id, route},
    subscriptions,
    subscriptions::member::{previous, set, set_at, text, update_metadata},
    tax_ids,
    work::Work,
};

/// The operations on customers.
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/v1/customers", create),
    route("GET", "/v1/customers", list),
    route("GET", "/v1/customers/{id}", retrieve),
    route("POST", "/v1/customers/{id}", update),
    route("DELETE", "/v1/customers/{id}", delete),
];

/// The parameters that creating and updating share.
const SHARED: [&str; 11] = [
    "name",
    "email",
    "phone",
    "address",
    "metadata",
    "description",
    "tax_exempt",
    "invoice_settings",
    "preferred_locales",
    "shipping",
    "balance",
];

/// The members of an address.
const ADDRESS: [&str; 6] = ["city", "country", "line1", "line2", "postal_code", "state"];

/// The customer with this id, who must not be deleted.
///
/// # Errors
///
/// 404 `resource_missing`.
pub(crate) fn live<'a>(work: &'a Work<'_>, id: &str) -> Result<&'a Value, ApiError> {
    let customer = work.get("customer", id)?;
    if is_deleted(customer) { Err(ApiError::missing("customer", id)) } else { Ok(customer) }
}

fn is_deleted(customer: &Value) -> bool {
    customer.get("deleted").is_some()
}

fn create(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[SHARED.as_slice(), ["payment_method", "tax_id_data"].as_slice()].concat())?;
    let mut customer = new(work);
    apply(work, params, &mut customer)?;
    let tax_ids = params.list("tax_id_data");
    for tax_id in &tax_ids {
        tax_ids::check(tax_id)?;
    }
    let method = match params.text("payment_method") {
        Some(id) => {
            payment_methods::check_usable(work, id, None, "payment_method")?;
            Some(payment_methods::resolve(work, id)?)
        }
        None => None,
    };
    let id = text(&customer, "/id").to_owned();
    work.put(customer.clone());
    if let Some(method) = method
        && let Err(error) = payment_methods::attach(work, method, &id)
    {
        work.remove(&id);
        return Err(error);
    }
    work.emit("customer.created", customer.clone(), None);
    for tax_id in &tax_ids {
        tax_ids::add(work, &id, tax_id)?;
    }
    Ok(customer)
}

/// Makes and stores a customer from what a customer typed on the page of a Checkout session.
pub(crate) fn create_from_details(work: &mut Work<'_>, email: &str, name: &str) -> Value {
    let mut customer = new(work);
    set(&mut customer, "email", Some(email).filter(|email| !email.is_empty()));
    set(&mut customer, "name", Some(name).filter(|name| !name.is_empty()));
    work.put(customer.clone());
    work.emit("customer.created", customer.clone(), None);
    customer
}

fn new(work: &mut Work<'_>) -> Value {
    json!({
        "id": work.new_id("cus"), "object": "customer", "address": null, "balance": 0, "created": work.now,
        "currency": null, "customer_account": null, "default_source": null, "delinquent": false,
        "description": null, "discount": null, "email": null, "invoice_prefix": random_text(8).to_uppercase(),
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
        },
        "livemode": false, "metadata": {}, "name": null, "next_invoice_sequence": 1, "phone": null,
        "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
    })
}

/// Applies the parameters that creating and updating share. An empty value unsets a member.
fn apply(work: &Work<'_>, params: &Params, customer: &mut Value) -> Result<(), ApiError> {
    for member in ["name", "email", "phone", "description"] {
        if let Some(value) = params.text(member) {
            check_text(member, value)?;
            set(customer, member, Some(value).filter(|value| !value.is_empty()));
        }
    }
    if let Some(exempt) = params.choice("tax_exempt", &["", "exempt", "none", "reverse"])? {
        set(customer, "tax_exempt", if exempt.is_empty() { "none" } else { exempt });
    }
    if let Some(balance) = params.integer("balance")? {
        set(customer, "balance", balance);
    }
    if params.has("address") {
        set(customer, "address", address(params, "address")?);
    }
    apply_shipping(params, customer)?;
    if params.has("preferred_locales") {
        let locales: Vec<Value> =
            params.list("preferred_locales").into_iter().map(|locale| locale.0).collect();
        set(customer, "preferred_locales", locales);
    }
    apply_invoice_settings(work, params, customer)?;
    update_metadata(customer, params)
}

fn check_text(member: &str, value: &str) -> Result<(), ApiError> {
    let limit = match member {
        "email" => 512,
        "phone" => 20,
        "name" => 256,
        _ => 5_000,
    };
    if value.chars().count() > limit {
        let message = format!("Invalid {member}: must not exceed {limit} characters.");
        return Err(ApiError::invalid(member, message));
    }
    let is_email = |(local, domain): (&str, &str)| !local.is_empty() && !domain.is_empty();
    let is_wrong = !value.split_once('@').is_some_and(is_email) || value.contains(char::is_whitespace);
    if member == "email" && !value.is_empty() && is_wrong {
        return Err(ApiError::invalid_code(
            "email_invalid",
            "email",
            format!("Invalid email address: {value}"),
        ));
    }
    Ok(())
}

/// The address at a path: all its members, or null for an empty parameter.
fn address(params: &Params, path: &str) -> Result<Value, ApiError> {
    let Some(given) = params.map(path) else { return Ok(Value::Null) };
    if let Some(unknown) = given.keys().find(|member| !ADDRESS.contains(&member.as_str())) {
        let message = format!("Received unknown parameter: {path}[{unknown}]");
        return Err(ApiError::invalid_code("parameter_unknown", path, message));
    }
    let value = |member: &str| given.get(member).and_then(Value::as_str).filter(|value| !value.is_empty());
    let is_country = |code: &str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    if value("country").is_some_and(|code| !is_country(code)) {
        let message = "Invalid country: use a code of two letters (ISO 3166-1).";
        return Err(ApiError::invalid_code("country_code_invalid", &format!("{path}[country]"), message));
    }
    let members: Map<String, Value> =
        ADDRESS.into_iter().map(|member| (member.to_owned(), Value::from(value(member)))).collect();
    Ok(Value::Object(members))
}

fn apply_shipping(params: &Params, customer: &mut Value) -> Result<(), ApiError> {
    match params.map("shipping") {
        Some(_) => {
            let name = params.required("shipping.name")?;
            let address = address(params, "shipping.address")?;
            let phone = params.text("shipping.phone");
            set(customer, "shipping", json!({ "address": address, "name": name, "phone": phone }));
        }
        None if params.has("shipping") => set(customer, "shipping", Value::Null),
        None => (),
    }
    Ok(())
}

fn apply_invoice_settings(work: &Work<'_>, params: &Params, customer: &mut Value) -> Result<(), ApiError> {
    if let Some(method) = params.text("invoice_settings.default_payment_method") {
        let id = text(customer, "/id");
        let found = work.find("payment_method", method);
        let is_attached = found.is_some_and(|found| text(found, "/customer") == id);
        if !method.is_empty() && !is_attached {
            let message = format!(
                "The customer has no payment method with the id {method}. Attach the payment method first."
            );
            let error = ApiError::not_found(message);
            return Err(error.for_param("invoice_settings[default_payment_method]"));
        }
        let method = Some(method).filter(|method| !method.is_empty());
        set_at(customer, "/invoice_settings/default_payment_method", method);
    }
    if let Some(footer) = params.text("invoice_settings.footer") {
        set_at(customer, "/invoice_settings/footer", Some(footer).filter(|footer| !footer.is_empty()));
    }
    Ok(())
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    work.get("customer", path_id(ids, 0)).cloned()
}

fn update(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&SHARED)?;
    let before = live(work, path_id(ids, 0))?.clone();
    let mut customer = before.clone();
    apply(work, params, &mut customer)?;
    store_changes(work, &before, &customer);
    Ok(customer)
}

/// Stores a customer and emits `customer.updated`, if anything changed.
pub(crate) fn store_changes(work: &mut Work<'_>, before: &Value, customer: &Value) {
    if let Some(changed) = previous(before, customer) {
        work.put(customer.clone());
        work.emit("customer.updated", customer.clone(), Some(changed));
    }
}

/// Removes a detached payment method from the customer's settings.
pub(crate) fn forget_default(work: &mut Work<'_>, customer: &str, payment_method: &str) {
    let Ok(before) = live(work, customer).cloned() else { return };
    let default = "/invoice_settings/default_payment_method";
    if text(&before, default) == payment_method {
        let mut customer = before.clone();
        set_at(&mut customer, default, Value::Null);
        store_changes(work, &before, &customer);
    }
}

fn delete(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    let customer = live(work, path_id(ids, 0))?.clone();
    let id = text(&customer, "/id");
    for subscription in ids_of(work, "subscription", id) {
        subscriptions::cancel_now(work, &subscription);
    }
    for method in ids_of(work, "payment_method", id) {
        if let Some(method) = work.find("payment_method", &method).cloned() {
            payment_methods::detach_from_customer(work, &method);
        }
    }
    for tax_id in ids_of(work, "tax_id", id) {
        work.remove(&tax_id);
    }
    let deleted = json!({ "id": id, "object": "customer", "deleted": true });
    work.put(deleted.clone());
    work.emit("customer.deleted", customer.clone(), None);
    Ok(deleted)
}

/// The ids of a customer's objects of a kind.
fn ids_of(work: &Work<'_>, kind: &str, customer: &str) -> Vec<String> {
    let objects = work.all(kind).into_iter().filter(|object| text(object, "/customer") == customer);
    objects.map(|object| text(object, "/id").to_owned()).collect()
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["email"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let mut customers = work.all("customer");
    customers.retain(|customer| !is_deleted(customer) && matches(params, customer, "email"));
    list_answer(params, customers, "/v1/customers")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::TestBench;

    #[test]
    fn customer_is_created_updated_and_unset() {
        let mut bench = TestBench::new();
        let customer =
            bench.post("/v1/customers", "name=Ada&metadata[a]=1&address[country]=DE&address[city]=Ulm");
        assert_eq!(customer["address"]["line1"], json!(null));
        assert_eq!(customer["address"]["country"], "DE");
        let path = format!("/v1/customers/{}", customer["id"].as_str().unwrap());
        let updated = bench.post(&path, "name=&metadata[a]=&metadata[b]=2&address=");
        assert_eq!((&updated["name"], &updated["address"]), (&json!(null), &json!(null)));
        assert_eq!(updated["metadata"], json!({ "b": "2" }));
        assert_eq!(bench.event_types(), ["customer.created", "customer.updated"]);
        let event = bench.state.all("event")[0];
        assert_eq!(event["data"]["previous_attributes"]["name"], "Ada");
    }

    #[test]
    fn unchanged_customer_makes_no_event() {
        let mut bench = TestBench::new();
        let customer = bench.customer();
        bench.post(&format!("/v1/customers/{customer}"), "name=Ada");
        assert_eq!(bench.event_types(), ["customer.created"]);
    }

    #[test]
    fn deleted_customer_answers_a_stub() {
        let mut bench = TestBench::new();
        let customer = bench.customer();
        let path = format!("/v1/customers/{customer}");
        let stub = json!({ "id": customer, "object": "customer", "deleted": true });
        assert_eq!(bench.call("DELETE", &path, "").unwrap(), stub);
        assert_eq!(bench.get(&path), stub);
        assert_eq!(bench.call("POST", &path, "name=B").unwrap_err().status, 404);
        assert_eq!(bench.get("/v1/customers")["data"], json!([]));
    }

    #[test]
    fn default_payment_method_must_be_attached() {
        let mut bench = TestBench::new();
        let (customer, _) = bench.customer_with_card("4242424242424242");
        let (_, other) = bench.customer_with_card("4242424242424242");
        let params = format!("invoice_settings[default_payment_method]={other}");
        let error = bench.call("POST", &format!("/v1/customers/{customer}"), &params).unwrap_err();
        assert_eq!((error.status, error.code), (400, Some("resource_missing")));
    }

    #[test]
    fn wrong_members_are_refused() {
        let mut bench = TestBench::new();
        for (params, code) in [
            ("email=ada", Some("email_invalid")),
            ("address[country]=Germany", Some("country_code_invalid")),
            ("address[street]=1", Some("parameter_unknown")),
            ("tax_exempt=maybe", None),
            ("nickname=A", Some("parameter_unknown")),
        ] {
            let error = bench.call("POST", "/v1/customers", params).unwrap_err();
            assert_eq!((error.status, error.code), (400, code), "{params}");
        }
        assert!(bench.event_types().is_empty());
    }

    #[test]
    fn customers_are_listed_by_email() {
        let mut bench = TestBench::new();
        bench.post("/v1/customers", "email=a@example.com");
        bench.post("/v1/customers", "email=b@example.com");
        let list = bench.call("GET", "/v1/customers", "email=a@example.com").unwrap();
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        assert_eq!(list["data"][0]["email"], "a@example.com");
    }
}
