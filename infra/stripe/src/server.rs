//! The HTTP server of the stand-in: the state behind its lock, and the dispatch of requests.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{self, Request},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    api_error::ApiError,
    billing_pages,
    calls::Call,
    checkout, controls,
    deliveries::Delivery,
    dispatch, events,
    faults::Fault,
    journal::Journal,
    page, prices, renewal,
    stand_in::{Deliver, StripeOptions, StripeStartError, WebhookEndpoint},
    state::{RequestReference, State},
    webhooks::DueDelivery,
    work::Work,
};

/// The path under which all routes are.
const PREFIX: &str = "/_local/stripe";

/// The greatest body of a request, in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// What requests and tasks share.
pub(crate) struct Shared {
    /// The URL of the stand-in, without a slash at the end.
    pub base: String,
    /// The key of the API.
    pub secret_key: String,
    /// The webhook endpoints.
    pub endpoints: Vec<WebhookEndpoint>,
    /// Sends events to the endpoints.
    pub deliver: Deliver,
    /// Wakes the task that delivers events.
    pub wake: Notify,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    store: Mutex<Store>,
}

struct Store {
    state: State,
    journal: Option<Journal>,
}

/// A request, whose body was read.
pub(crate) struct ReadRequest {
    /// The HTTP method.
    pub method: String,
    /// The path, without `/_local/stripe`.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl ReadRequest {
    /// The body as text. Bytes that are not UTF-8 are replaced.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Shared {
    /// Reads the state of the file, and provisions what is always there.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be used.
    pub fn open(options: StripeOptions) -> Result<Self, StripeStartError> {
        let urls = options.endpoints.iter().map(|endpoint| endpoint.url.clone()).collect();
        let mut state = State::new(urls);
        let journal = options.file.as_deref().map(|path| Journal::open(path, &mut state)).transpose()?;
        let shared = Self {
            base: options.base.trim_end_matches('/').to_owned(),
            secret_key: options.secret_key,
            endpoints: options.endpoints,
            deliver: options.deliver,
            wake: Notify::new(),
            now: options.now,
            store: Mutex::new(Store { state, journal }),
        };
        shared.with(None, prices::provision);
        Ok(shared)
    }

    /// The time, in Unix seconds.
    pub fn now_second(&self) -> i64 {
        (self.now)().as_second()
    }

    /// Performs what is due, and then a piece of work, and keeps the changes in the file.
    pub fn with<T>(&self, request: Option<RequestReference>, run: impl FnOnce(&mut Work<'_>) -> T) -> T {
        let now = self.now_second();
        let mut store = self.lock();
        let mut work = Work { state: &mut store.state, now, base: &self.base };
        work.state.request = None;
        renewal::tick(&mut work);
        checkout::tick(&mut work);
        events::prune(&mut work);
        work.state.request = request;
        let answer = run(&mut work);
        store.state.request = None;
        store.keep();
        let is_waiting = store.state.deliveries().next_due(now).is_some();
        drop(store);
        if is_waiting {
            self.wake.notify_one();
        }
        answer
    }

    /// Counts a call of an operation, and returns the fault that happens to it.
    pub fn take_fault(&self, method: &str, path: &str) -> Option<Fault> {
        self.lock().state.faults.take(method, path)
    }

    /// Records a call.
    pub fn record(&self, call: Call) {
        self.lock().state.calls.record(call);
    }

    /// The next delivery that is due. Deliveries of events that are gone end here.
    pub fn next_delivery(&self) -> Option<DueDelivery> {
        let now = self.now_second();
        let mut store = self.lock();
        loop {
            if store.state.settings().hold {
                return None;
            }
            let delivery = store.state.deliveries().next_due(now)?.clone();
            let event = store.state.object(&delivery.event).and_then(|event| serde_json::to_vec(event).ok());
            let is_known = self.endpoints.iter().any(|endpoint| endpoint.url == delivery.url);
            match event {
                Some(body) if is_known => return Some(DueDelivery { delivery, body }),
                _ => {
                    store.state.end_delivery(delivery.number);
                    store.keep();
                }
            }
        }
    }

    /// Ends a delivery, or plans its next attempt.
    pub fn finish_delivery(&self, delivery: &Delivery, succeeded: bool) {
        let now = self.now_second();
        let mut store = self.lock();
        store.state.release_before(delivery.number);
        // A control may have delivered it in the meantime.
        if store.state.deliveries().get(delivery.number).is_none() {
            return;
        }
        let next = if succeeded { None } else { delivery.clone().after_failure(now) };
        match next {
            Some(next) => store.state.queue(next),
            None => store.state.end_delivery(delivery.number),
        }
        store.keep();
    }

    /// Lets late deliveries go, because no other one came to overtake them.
    pub fn release_late(&self) {
        self.lock().state.release_before(u64::MAX);
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // A panic in a request leaves at worst a half-done change, which a stand-in may keep.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Writes the new changes to the file.
    fn keep(&mut self) {
        let changes = self.state.take_changes();
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.append(&changes)
        {
            tracing::error!(%error, "the state of the Stripe stand-in can't be written");
        }
    }
}

/// The routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/_local/stripe/{*path}", any(entry)).with_state(shared)
}

async fn entry(extract::State(shared): extract::State<Arc<Shared>>, request: Request) -> Response {
    // The request goes on if its client goes away, as at Stripe.
    match tokio::spawn(answer(shared, request)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a request of the Stripe stand-in failed");
            json(500, &ApiError::api(500, "The stand-in failed.").body())
        }
    }
}

async fn answer(shared: Arc<Shared>, request: Request) -> Response {
    let request = match read(request).await {
        Ok(request) => request,
        Err(error) => return json(error.status, &error.body()),
    };
    let path = request.path.clone();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method.as_str(), segments.as_slice()) {
        (_, ["v1", ..]) => dispatch::answer(&shared, &request).await,
        (_, ["_test", control @ ..]) => controls::answer(&shared, &request, control).await,
        ("GET", ["pay", id]) => page::show(&shared, id),
        ("POST", ["pay", id]) => page::submit(&shared, id, &request.body_text()),
        ("GET", ["authenticate", id]) => page::show_authentication(&shared, id),
        ("POST", ["authenticate", id]) => page::authenticate(&shared, id, &request.body_text()),
        ("GET", ["receipts", id]) => billing_pages::receipt(&shared, id),
        ("GET", ["invoices", id]) => billing_pages::invoice(&shared, id),
        ("POST", ["invoices", id]) => billing_pages::pay_invoice(&shared, id, &request.body_text()),
        ("GET", ["invoices", id, "pdf"]) => billing_pages::invoice_pdf(&shared, id),
        _ => json(404, &ApiError::not_found("Not found.").body()),
    }
}

async fn read(request: Request<Body>) -> Result<ReadRequest, ApiError> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| {
        let message = "The body must not exceed 1 MiB.";
        ApiError::invalid("body", message)
    })?;
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    Ok(ReadRequest { method: parts.method.to_string(), path, query, headers: parts.headers, body })
}

/// An answer in JSON.
pub(crate) fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (status, headers, body.to_string()).into_response()
}

/// Waits in real time.
pub(crate) async fn wait(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[cfg(test)]
mod tests;
