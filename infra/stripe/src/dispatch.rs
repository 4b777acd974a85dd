//! Performs the requests of the API: key, version, faults, idempotency, operation, expansion.

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::{
    api_error::ApiError,
    authentication,
    calls::Call,
    events::API_VERSION,
    expand,
    faults::{Fault, FaultKind},
    idempotency::{IdempotencyRecord, fingerprint},
    params::Params,
    random::random_text,
    routes::{self, Lookup, Route},
    server::{ReadRequest, Shared, json, wait},
    state::RequestReference,
    work::Work,
};

/// An answer, and where it comes from.
struct Answer {
    status: u16,
    body: Value,
    /// The id of the first request of the idempotency key, if its answer was kept.
    original: Option<String>,
}

impl Answer {
    fn of(result: Result<Value, ApiError>) -> Self {
        match result {
            Ok(body) => Self { status: 200, body, original: None },
            Err(error) => Self { status: error.status, body: error.body(), original: None },
        }
    }

    fn kept(record: IdempotencyRecord) -> Self {
        Self { status: record.status, body: record.body, original: Some(record.request_id) }
    }
}

/// A request whose parameters are parsed.
struct Operation<'a> {
    route: &'static Route,
    ids: Vec<&'a str>,
    params: Params,
    /// The idempotency key; `GET` has none.
    key: Option<&'a str>,
    request_id: &'a str,
}

/// Answers a request of the API.
pub(crate) async fn answer(shared: &Shared, request: &ReadRequest) -> Response {
    let request_id = format!("req_{}", random_text(14));
    let key = key(request);
    let answer = match prepare(shared, request, &request_id, key) {
        Ok(operation) => perform(shared, request, &operation).await,
        Err(error) => Answer::of(Err(error)),
    };
    shared.record(Call {
        n: 0,
        method: request.method.clone(),
        path: request.path.clone(),
        idempotency_key: key.map(str::to_owned),
        status: answer.status,
        replayed: answer.original.is_some(),
    });
    respond(&answer, &request_id, key, request.method == "POST")
}

fn key(request: &ReadRequest) -> Option<&str> {
    let has_key = matches!(request.method.as_str(), "POST" | "DELETE");
    request.header("idempotency-key").filter(|key| has_key && !key.is_empty())
}

/// Checks the request until its operation and parameters are known.
fn prepare<'a>(
    shared: &Shared,
    request: &'a ReadRequest,
    request_id: &'a str,
    key: Option<&'a str>,
) -> Result<Operation<'a>, ApiError> {
    authentication::check(&request.headers, &shared.secret_key)?;
    if let Some(version) = request.header("stripe-version").filter(|version| *version != API_VERSION) {
        let message = format!("Invalid Stripe API version: {version}. The stand-in has {API_VERSION}.");
        return Err(ApiError::invalid("stripe-version", message));
    }
    let Lookup::Found(route, ids) = routes::find(&request.method, &request.path) else {
        let message = format!("Unrecognized request URL ({}: {}).", request.method, request.path);
        return Err(ApiError { code: None, ..ApiError::not_found(message) });
    };
    let body = request.body_text();
    let separator = if request.query.is_empty() || body.is_empty() { "" } else { "&" };
    let params = Params::parse(&format!("{}{separator}{body}", request.query))?;
    expand::check(&params)?;
    Ok(Operation { route, ids, params, key, request_id })
}

async fn perform(shared: &Shared, request: &ReadRequest, operation: &Operation<'_>) -> Answer {
    let fault = shared.take_fault(operation.route.method, operation.route.path);
    match fault.as_ref().map(|fault| fault.kind) {
        Some(FaultKind::Refused) => {
            return Answer::of(Err(ApiError::api(
                503,
                "The service is unavailable. Repeat the request later.",
            )));
        }
        Some(FaultKind::RateLimited) => return Answer::of(Err(ApiError::rate_limit())),
        _ => (),
    }
    let answer = once(shared, request, operation, fault.as_ref()).await;
    match fault.map(|fault| fault.kind) {
        Some(FaultKind::LostResponse) => Answer::of(Err(ApiError::api(502, "The response was lost."))),
        _ => answer,
    }
}

/// Performs an operation once for its idempotency key.
async fn once(
    shared: &Shared,
    request: &ReadRequest,
    operation: &Operation<'_>,
    fault: Option<&Fault>,
) -> Answer {
    let fingerprint = fingerprint(&request.method, &request.path, &operation.params);
    let begun = shared.with(None, |work| match operation.key {
        Some(key) => work.state.answers().begin(key, &fingerprint, work.now),
        None => Ok(None),
    });
    match begun {
        Ok(None) => (),
        Ok(Some(record)) => return Answer::kept(record),
        Err(error) => return Answer::of(Err(error)),
    }
    if let Some(fault) = fault.filter(|fault| fault.kind == FaultKind::Stall) {
        wait(fault.millis).await;
    }
    let reference = RequestReference {
        id: operation.request_id.to_owned(),
        idempotency_key: operation.key.map(str::to_owned),
    };
    let fails = fault.is_some_and(|fault| fault.kind == FaultKind::Error);
    shared.with(Some(reference), |work| {
        let result =
            if fails { Err(ApiError::api(500, "An unknown error occurred.")) } else { run(work, operation) };
        let is_kept = result.as_ref().err().is_none_or(|error| !error.is_validation());
        let answer = Answer::of(result);
        if let Some(key) = operation.key {
            work.state.answers().end(key);
            if is_kept {
                work.state.keep_answer(IdempotencyRecord {
                    key: key.to_owned(),
                    fingerprint,
                    status: answer.status,
                    body: answer.body.clone(),
                    request_id: operation.request_id.to_owned(),
                    created: work.now,
                });
            }
        }
        answer
    })
}

fn run(work: &mut Work<'_>, operation: &Operation<'_>) -> Result<Value, ApiError> {
    let mut answer = (operation.route.handler)(work, &operation.params, &operation.ids)?;
    expand::apply(work, &operation.params, &mut answer);
    Ok(answer)
}

fn respond(answer: &Answer, request_id: &str, key: Option<&str>, is_post: bool) -> Response {
    let mut response = json(answer.status, &answer.body);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    };
    set("request-id", request_id);
    set("stripe-version", API_VERSION);
    if let Some(key) = key {
        set("idempotency-key", key);
    }
    if let Some(original) = &answer.original {
        set("idempotent-replayed", "true");
        set("original-request", original);
    }
    // A kept error would only be answered again.
    if is_post && answer.status == 500 {
        set("stripe-should-retry", "false");
    }
    response
}
