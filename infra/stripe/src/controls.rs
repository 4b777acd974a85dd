//! The controls for tests, under `<base>/_test/`. They take and answer JSON, and need no key.

use axum::response::Response;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    deliveries::{AfterLastFailure, Delivery},
    disputes, events,
    faults::Fault,
    params::Params,
    payment_attempts, refunds, routes,
    server::{self, ReadRequest, Shared},
    setup_intents,
    stand_in::WebhookEndpoint,
    subscriptions::member::text,
    webhooks,
    work::Work,
};

/// Answers a request. `path` has the segments after `_test`.
pub(crate) async fn answer(shared: &Shared, request: &ReadRequest, path: &[&str]) -> Response {
    let result = match (request.method.as_str(), path) {
        ("POST", ["deliver"]) => deliver(shared, request).await,
        (method, path) => shared.with(None, |work| perform(work, method, path, request)),
    };
    // Changed settings may let deliveries go.
    shared.wake.notify_one();
    match result {
        Ok(body) => server::json(200, &body),
        Err(error) => server::json(error.status, &error.body()),
    }
}

fn perform(
    work: &mut Work<'_>,
    method: &str,
    path: &[&str],
    request: &ReadRequest,
) -> Result<Value, ApiError> {
    let query = Params::parse(&request.query)?;
    match (method, path) {
        ("GET", ["webhooks" | "settings"]) => Ok(settings(work)),
        ("POST", ["webhooks" | "settings"]) => change_settings(work, body(request)?),
        ("GET", ["events"]) => events_after(work, query.text("after")),
        ("GET", ["calls"]) => Ok(calls_since(work, query.integer("since")?.unwrap_or_default())),
        ("POST", ["faults"]) => plan_fault(work, body(request)?),
        ("DELETE", ["faults"]) => {
            work.state.faults.clear();
            Ok(json!({}))
        }
        ("POST", ["disputes"]) => open_dispute(work, &body(request)?),
        ("POST", ["disputes", id]) => disputes::close(work, id, &body::<StatusBody>(request)?.status),
        ("POST", ["refunds", id]) => match body::<StatusBody>(request)?.status.as_str() {
            "failed" => refunds::fail(work, id),
            _ => Err(ApiError::invalid("status", "Use the status failed.")),
        },
        ("POST", ["settle"]) => {
            let body: IntentBody = body(request)?;
            payment_attempts::settle(work, &body.payment_intent.unwrap_or_default(), body.succeeds)
        }
        ("POST", ["authenticate"]) => authenticate(work, body(request)?),
        _ => Err(ApiError::not_found("Unknown control.")),
    }
}

/// Reads a JSON body.
fn body<T: DeserializeOwned>(request: &ReadRequest) -> Result<T, ApiError> {
    serde_json::from_slice(&request.body)
        .map_err(|error| ApiError::invalid("body", format!("Invalid JSON body: {error}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    hold: Option<bool>,
    double_percent: Option<u64>,
    lose_percent: Option<u64>,
    reorder_percent: Option<u64>,
    seed: Option<u64>,
    after_last_failure: Option<AfterLastFailure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeliverBody {
    #[serde(default)]
    all: bool,
    #[serde(default)]
    events: Vec<String>,
    endpoint: Option<EndpointBody>,
}

/// An endpoint of a test, which gets only the deliveries that it asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointBody {
    url: String,
    secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DisputeBody {
    payment_intent: String,
    amount: Option<i64>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusBody {
    status: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IntentBody {
    payment_intent: Option<String>,
    setup_intent: Option<String>,
    succeeds: bool,
}

fn settings(work: &Work<'_>) -> Value {
    json!(work.state.settings())
}

fn change_settings(work: &mut Work<'_>, body: SettingsBody) -> Result<Value, ApiError> {
    let mut settings = work.state.settings().clone();
    settings.hold = body.hold.unwrap_or(settings.hold);
    settings.double_percent = body.double_percent.unwrap_or(settings.double_percent);
    settings.lose_percent = body.lose_percent.unwrap_or(settings.lose_percent);
    settings.reorder_percent = body.reorder_percent.unwrap_or(settings.reorder_percent);
    settings.seed = body.seed.unwrap_or(settings.seed);
    settings.after_last_failure = body.after_last_failure.unwrap_or(settings.after_last_failure);
    let percentages = [settings.double_percent, settings.lose_percent, settings.reorder_percent];
    if percentages.iter().any(|percentage| *percentage > 100) {
        return Err(ApiError::invalid("double_percent", "A percentage must not exceed 100."));
    }
    work.state.set_settings(settings);
    Ok(self::settings(work))
}

/// All events after one, oldest first.
fn events_after(work: &Work<'_>, after: Option<&str>) -> Result<Value, ApiError> {
    let events: Vec<&Value> = work.all("event").into_iter().rev().collect();
    let start = match after {
        None | Some("") => 0,
        Some(id) => {
            let index = events.iter().position(|event| text(event, "/id") == id);
            index.ok_or_else(|| ApiError::missing("event", id).for_param("after"))?.saturating_add(1)
        }
    };
    let shown: Vec<Value> = events.into_iter().skip(start).map(|event| events::shown(work, event)).collect();
    Ok(Value::Array(shown))
}

fn calls_since(work: &Work<'_>, number: i64) -> Value {
    json!(work.state.calls.since(u64::try_from(number).unwrap_or_default()))
}

fn plan_fault(work: &mut Work<'_>, fault: Fault) -> Result<Value, ApiError> {
    if !routes::has_operation(&fault.operation) {
        let message = format!("Unknown operation: {}. Use a method and a path of the API.", fault.operation);
        return Err(ApiError::invalid("operation", message));
    }
    work.state.faults.plan(fault);
    Ok(json!({}))
}

fn open_dispute(work: &mut Work<'_>, body: &DisputeBody) -> Result<Value, ApiError> {
    let intent = work.get("payment_intent", &body.payment_intent)?;
    let charge = text(intent, "/latest_charge").to_owned();
    disputes::open(work, &charge, body.amount, body.status.as_deref().unwrap_or("needs_response"))
}

/// Ends the authentication of an intent.
fn authenticate(work: &mut Work<'_>, body: IntentBody) -> Result<Value, ApiError> {
    match (body.payment_intent, body.setup_intent) {
        (Some(id), None) => payment_attempts::authenticate(work, &id, body.succeeds),
        (None, Some(id)) => setup_intents::authenticate(work, &id, body.succeeds),
        _ => Err(ApiError::invalid("payment_intent", "Provide `payment_intent` or `setup_intent`.")),
    }
}

/// Delivers events now: the queued ones, or the given ones in this order, to each endpoint or to the given
/// one.
async fn deliver(shared: &Shared, request: &ReadRequest) -> Result<Value, ApiError> {
    let body: DeliverBody = body(request)?;
    let planned = shared.with(None, |work| plan(work, &body))?;
    let given = body.endpoint.map(|EndpointBody { url, secret }| WebhookEndpoint { url, secret });
    let mut results = Vec::new();
    for (event, url) in planned {
        let bytes =
            shared.with(None, |work| work.find("event", &event).and_then(|it| serde_json::to_vec(it).ok()));
        let bytes = bytes.unwrap_or_default();
        let status = match &given {
            Some(endpoint) => webhooks::send_to(shared, endpoint, bytes).await,
            None => webhooks::send(shared, &url, bytes).await,
        };
        if webhooks::is_success(&status) {
            shared.with(None, |work| forget(work, &event, &url));
        }
        results.push(match status {
            Ok(status) => json!({ "event": event, "status": status, "url": url }),
            Err(error) => json!({ "event": event, "status": null, "url": url, "error": error }),
        });
    }
    Ok(Value::Array(results))
}

/// The events and URLs to deliver.
fn plan(work: &Work<'_>, body: &DeliverBody) -> Result<Vec<(String, String)>, ApiError> {
    if body.all && body.endpoint.is_some() {
        let message = "Name the `events` for the `endpoint`: the queued ones have their own.";
        return Err(ApiError::invalid("endpoint", message));
    }
    let queued = work.state.deliveries().all().filter(|_| body.all);
    let mut planned: Vec<(String, String)> =
        queued.map(|delivery| (delivery.event.clone(), delivery.url.clone())).collect();
    for event in &body.events {
        work.get("event", event).map_err(|error| error.for_param("events"))?;
        match &body.endpoint {
            Some(endpoint) => planned.push((event.clone(), endpoint.url.clone())),
            None => planned.extend(work.state.endpoints.iter().map(|url| (event.clone(), url.clone()))),
        }
    }
    Ok(planned)
}

/// Removes the first queued delivery of an event to an endpoint, because a control made it.
fn forget(work: &mut Work<'_>, event: &str, url: &str) {
    let is_same = |delivery: &&Delivery| delivery.event == event && delivery.url == url;
    let number = work.state.deliveries().all().find(is_same).map(|delivery| delivery.number);
    if let Some(number) = number {
        work.state.end_delivery(number);
    }
}
