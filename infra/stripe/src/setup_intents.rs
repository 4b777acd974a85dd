//! Setup intents, which save a payment method for later (<https://docs.stripe.com/api/setup_intents>).

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    cards::{self, CardOutcome},
    customers,
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    payment_attempts::{last_error, next_action},
    payment_methods,
    random::random_text,
    routes::{Route, path_id, route},
    subscriptions::member::{set, text, update_metadata},
    work::Work,
};

/// The operations on setup intents.
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/v1/setup_intents", create),
    route("GET", "/v1/setup_intents", list),
    route("GET", "/v1/setup_intents/{id}", retrieve),
    route("POST", "/v1/setup_intents/{id}", update),
    route("POST", "/v1/setup_intents/{id}/confirm", confirm_by_request),
    route("POST", "/v1/setup_intents/{id}/cancel", cancel),
];

/// The parameters of a creation.
const CREATE: [&str; 10] = [
    "customer",
    "payment_method",
    "confirm",
    "usage",
    "metadata",
    "description",
    "payment_method_types",
    "automatic_payment_methods",
    "return_url",
    "use_stripe_sdk",
];

/// A new setup intent, which is not stored yet.
pub(crate) fn new(work: &mut Work<'_>) -> Value {
    let id = work.new_id("seti");
    json!({
        "object": "setup_intent", "application": null, "automatic_payment_methods": null,
        "cancellation_reason": null, "client_secret": format!("{id}_secret_{}", random_text(25)),
        "created": work.now, "customer": null, "customer_account": null, "description": null,
        "excluded_payment_method_types": null, "flow_directions": null, "id": id, "last_setup_error": null,
        "latest_attempt": null, "livemode": false, "mandate": null, "metadata": {}, "next_action": null,
        "on_behalf_of": null, "payment_method": null, "payment_method_configuration_details": null,
        "payment_method_options": { "card": {
            "mandate_options": null, "network": null, "request_three_d_secure": "automatic",
        } },
        "payment_method_types": ["card"], "single_use_mandate": null, "status": "requires_payment_method",
        "usage": "off_session",
    })
}

/// Stores a new setup intent.
pub(crate) fn announce(work: &mut Work<'_>, intent: &Value) {
    work.put(intent.clone());
    work.emit("setup_intent.created", intent.clone(), None);
}

/// Confirms a setup intent with a payment method, and stores what comes of it. `authenticates` says that the
/// customer authenticates at once if the bank asks for it. Returns the intent: `succeeded` or
/// `requires_action`.
///
/// # Errors
///
/// 402 with the intent, if the card is declined.
pub(crate) fn confirm(
    work: &mut Work<'_>,
    mut intent: Value,
    method: &Value,
    return_url: Option<&str>,
    authenticates: bool,
) -> Result<Value, ApiError> {
    let id = text(method, "/id");
    set(&mut intent, "payment_method", id);
    set(&mut intent, "last_setup_error", Value::Null);
    let outcome = work.state.card(id).map_or(CardOutcome::Succeeds, cards::setup_outcome);
    match outcome {
        CardOutcome::Declined { code, decline_code } => {
            Err(fail(work, intent, method, cards::decline_error(code, decline_code)))
        }
        CardOutcome::NeedsAuthentication if !authenticates => {
            let action = next_action(work.base, text(&intent, "/id"), return_url);
            set(&mut intent, "next_action", action);
            set(&mut intent, "status", "requires_action");
            work.put(intent.clone());
            work.emit("setup_intent.requires_action", intent.clone(), None);
            Ok(intent)
        }
        _ => Ok(succeed(work, intent, method)),
    }
}

/// Ends the authentication of a setup intent that is `requires_action`.
///
/// # Errors
///
/// 402 with the intent, if the authentication failed; 400, if the intent waits for none.
pub(crate) fn authenticate(work: &mut Work<'_>, id: &str, succeeds: bool) -> Result<Value, ApiError> {
    let intent = work.get("setup_intent", id)?.clone();
    if text(&intent, "/status") != "requires_action" {
        return Err(unexpected_state(&intent, "authenticated"));
    }
    let method = work.get("payment_method", text(&intent, "/payment_method"))?.clone();
    if succeeds {
        return Ok(succeed(work, intent, &method));
    }
    let message = "The customer did not authenticate. Use another payment method.";
    let error = ApiError::card("setup_intent_authentication_failure", None, message);
    Err(fail(work, intent, &method, error))
}

fn succeed(work: &mut Work<'_>, mut intent: Value, method: &Value) -> Value {
    set(&mut intent, "next_action", Value::Null);
    set(&mut intent, "status", "succeeded");
    work.put(intent.clone());
    let customer = text(&intent, "/customer");
    if !customer.is_empty() {
        payment_methods::save(work, method.clone(), customer);
    }
    payment_methods::mark_set_up(work, text(method, "/id"));
    work.emit("setup_intent.succeeded", intent.clone(), None);
    intent
}

fn fail(work: &mut Work<'_>, mut intent: Value, method: &Value, error: ApiError) -> ApiError {
    set(&mut intent, "last_setup_error", last_error(&error, method, None));
    set(&mut intent, "next_action", Value::Null);
    set(&mut intent, "payment_method", Value::Null);
    set(&mut intent, "status", "requires_payment_method");
    work.put(intent.clone());
    work.emit("setup_intent.setup_failed", intent.clone(), None);
    error.with_object("setup_intent", intent)
}

fn unexpected_state(intent: &Value, done: &str) -> ApiError {
    let status = text(intent, "/status");
    let message = format!("This setup intent can't be {done} because its status is {status}.");
    ApiError::state("setup_intent_unexpected_state", message).with_object("setup_intent", intent.clone())
}

fn create(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&CREATE)?;
    let mut intent = new(work);
    if let Some(customer) = params.text("customer") {
        customers::live(work, customer).map_err(|error| error.for_param("customer"))?;
        set(&mut intent, "customer", customer);
    }
    if let Some(usage) = params.choice("usage", &["off_session", "on_session"])? {
        set(&mut intent, "usage", usage);
    }
    let types: Vec<Value> = params.list("payment_method_types").into_iter().map(|kind| kind.0).collect();
    if types.is_empty() {
        set(
            &mut intent,
            "automatic_payment_methods",
            json!({ "allow_redirects": "always", "enabled": true }),
        );
    } else {
        set(&mut intent, "payment_method_types", types);
    }
    apply_details(params, &mut intent)?;
    let given = given_method(work, params, &intent)?;
    if params.flag("confirm")?.unwrap_or_default() {
        params.required("payment_method")?;
    }
    let method = given.map(|id| payment_methods::resolve(work, id)).transpose()?;
    if let Some(method) = &method {
        set(&mut intent, "payment_method", text(method, "/id"));
        set(&mut intent, "status", "requires_confirmation");
    }
    announce(work, &intent);
    match method {
        Some(method) if params.flag("confirm")? == Some(true) => {
            confirm(work, intent, &method, params.text("return_url"), false)
        }
        _ => Ok(intent),
    }
}

fn given_method<'a>(
    work: &Work<'_>,
    params: &'a Params,
    intent: &Value,
) -> Result<Option<&'a str>, ApiError> {
    let customer = Some(text(intent, "/customer")).filter(|customer| !customer.is_empty());
    let given = params.text("payment_method");
    match given {
        Some(id) => payment_methods::check_usable(work, id, customer, "payment_method").map(|()| given),
        None => Ok(None),
    }
}

fn apply_details(params: &Params, intent: &mut Value) -> Result<(), ApiError> {
    if let Some(description) = params.text("description") {
        set(intent, "description", Some(description).filter(|description| !description.is_empty()));
    }
    update_metadata(intent, params)
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["client_secret"])?;
    work.get("setup_intent", path_id(ids, 0)).cloned()
}

fn update(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["metadata", "description"])?;
    let mut intent = work.get("setup_intent", path_id(ids, 0))?.clone();
    apply_details(params, &mut intent)?;
    work.put(intent.clone());
    Ok(intent)
}

fn is_open(intent: &Value) -> bool {
    matches!(text(intent, "/status"), "requires_payment_method" | "requires_confirmation" | "requires_action")
}

fn confirm_by_request(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["payment_method", "return_url"])?;
    let intent = work.get("setup_intent", path_id(ids, 0))?.clone();
    if !is_open(&intent) {
        return Err(unexpected_state(&intent, "confirmed"));
    }
    let known = text(&intent, "/payment_method").to_owned();
    let given = given_method(work, params, &intent)?.unwrap_or(&known);
    if given.is_empty() {
        let message = "The setup intent has no payment method. Provide `payment_method`.";
        return Err(ApiError::invalid_code("parameter_missing", "payment_method", message));
    }
    let method = payment_methods::resolve(work, given)?;
    confirm(work, intent, &method, params.text("return_url"), false)
}

fn cancel(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["cancellation_reason"])?;
    let reason =
        params.choice("cancellation_reason", &["abandoned", "duplicate", "requested_by_customer"])?;
    let mut intent = work.get("setup_intent", path_id(ids, 0))?.clone();
    if !is_open(&intent) {
        return Err(unexpected_state(&intent, "canceled"));
    }
    set(&mut intent, "status", "canceled");
    set(&mut intent, "cancellation_reason", reason);
    set(&mut intent, "next_action", Value::Null);
    work.put(intent.clone());
    work.emit("setup_intent.canceled", intent.clone(), None);
    Ok(intent)
}

/// Cancels the open setup intent of a Checkout session that expired.
pub(crate) fn abandon(work: &mut Work<'_>, id: &str) {
    let open = work.find("setup_intent", id).filter(|intent| is_open(intent)).cloned();
    if let Some(mut intent) = open {
        set(&mut intent, "status", "canceled");
        set(&mut intent, "cancellation_reason", "abandoned");
        set(&mut intent, "next_action", Value::Null);
        work.put(intent.clone());
        work.emit("setup_intent.canceled", intent, None);
    }
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["customer", "payment_method"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let mut intents = work.all("setup_intent");
    intents.retain(|intent| matches(params, intent, "customer") && matches(params, intent, "payment_method"));
    list_answer(params, intents, "/v1/setup_intents")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestBench, id};

    fn set_up(bench: &mut TestBench, customer: &str, method: &str) -> Result<Value, ApiError> {
        let params =
            format!("customer={customer}&payment_method={method}&confirm=true&payment_method_types[]=card");
        bench.call("POST", "/v1/setup_intents", &params)
    }

    #[test]
    fn card_is_attached_when_it_is_set_up() {
        let mut bench = TestBench::new();
        let customer = bench.customer();
        let intent = set_up(&mut bench, &customer, "pm_card_visa").unwrap();
        assert_eq!(intent["status"], "succeeded");
        let method = bench.get(&format!("/v1/payment_methods/{}", text(&intent, "/payment_method")));
        assert_eq!(method["customer"], customer.as_str());
        let events = ["setup_intent.created", "payment_method.attached", "setup_intent.succeeded"];
        assert!(bench.event_types().ends_with(&events.map(str::to_owned)));
    }

    #[test]
    fn declined_card_is_not_attached() {
        let mut bench = TestBench::new();
        let customer = bench.customer();
        let error = set_up(&mut bench, &customer, "pm_card_chargeDeclined").unwrap_err();
        assert_eq!((error.status, error.code), (402, Some("card_declined")));
        let intent = &error.body()["error"]["setup_intent"];
        assert_eq!(intent["status"], "requires_payment_method");
        assert_eq!(bench.get(&format!("/v1/customers/{customer}/payment_methods"))["data"], json!([]));
    }

    #[test]
    fn customer_authenticates_a_setup() {
        let mut bench = TestBench::new();
        let customer = bench.customer();
        let intent = set_up(&mut bench, &customer, "pm_card_authenticationRequiredOnSetup").unwrap();
        assert_eq!(intent["status"], "requires_action");
        let done = authenticate(&mut bench.work(), &id(&intent), true).unwrap();
        assert_eq!(done["status"], "succeeded");
        let method = text(&done, "/payment_method");
        assert!(bench.state.card(method).unwrap().set_up);
        assert!(authenticate(&mut bench.work(), &id(&intent), true).is_err());
    }

    #[test]
    fn open_setup_is_canceled() {
        let mut bench = TestBench::new();
        let intent = bench.post("/v1/setup_intents", "metadata[a]=1");
        let path = format!("/v1/setup_intents/{}", id(&intent));
        assert_eq!(bench.post(&format!("{path}/cancel"), "")["status"], "canceled");
        let error =
            bench.call("POST", &format!("{path}/confirm"), "payment_method=pm_card_visa").unwrap_err();
        assert_eq!(error.code, Some("setup_intent_unexpected_state"));
    }
}
