//! The endpoints under `/_local/`, for developers and tests. A deployment does not have them.

use std::{path::PathBuf, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use domain::{Timestamp, region::Region, rotation::SecretName};
use futures::future::join_all;
use kit::Clock;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    binaries::FunctionBinaries,
    clock::{ClockState, LocalClock},
    compaction,
    functions::MountedEndpoint,
    pages,
    region::RunningRegion,
    replication::ReplicationSwitch,
    rotation, schedule,
};

/// The state that the endpoints control.
pub struct Controls {
    /// The clock.
    pub clock: Arc<LocalClock>,
    /// The binaries, if functions run as binaries. Their clock follows the local clock.
    pub built: Option<Arc<FunctionBinaries>>,
    /// Recorded calls and planned faults.
    pub journal: Arc<aws::Journal>,
    /// Pauses the replication of the directory.
    pub switch: Arc<ReplicationSwitch>,
    /// The data folder.
    pub data: PathBuf,
    /// The regions.
    pub regions: Vec<Arc<RunningRegion>>,
}

type Here = State<Arc<Controls>>;

/// The routes of the endpoints.
pub fn router(controls: Arc<Controls>) -> Router {
    Router::new()
        .route("/_local/", get(|| async { Html(pages::INDEX) }))
        .route("/_local/health", get(health))
        .route("/_local/mail", get(mail))
        .route("/_local/mailbox", get(mailbox))
        .route("/_local/mail-feedback", post(mail_feedback))
        .route("/_local/clock", get(read_clock).post(move_clock))
        .route("/_local/replication", get(read_replication).post(set_replication))
        .route("/_local/run/{function}", post(run))
        .route("/_local/rotate/{secret}", post(rotate))
        .route("/_local/compact", post(compact))
        .route("/_local/queues", get(queues))
        .route("/_local/redeliver", post(redeliver))
        .route("/_local/calls", get(calls))
        .route("/_local/faults", post(set_faults).delete(clear_faults))
        .route(
            "/_local/openapi.json",
            get(|| async { Json(infra::openapi::document(&infra::Functions::all())) }),
        )
        .route("/_local/reference", get(|| async { Html(pages::reference()) }))
        .with_state(controls)
}

async fn health(State(here): Here) -> Json<Value> {
    let regions: Vec<&str> = here.regions.iter().map(|region| region.region.as_str()).collect();
    // The stand-ins of each region, for SDK clients and the AWS CLI.
    let aws = here.regions.iter().map(|region| (region.region.to_string(), region.aws.endpoint().into()));
    let aws: Map<String, Value> = aws.collect();
    Json(json!({ "status": "ready", "regions": regions, "aws": aws }))
}

#[derive(Deserialize)]
struct MailQuery {
    to: Option<String>,
}

async fn mail(State(here): Here, Query(query): Query<MailQuery>) -> Response {
    Json(all_mail(&here, query.to.as_deref())).into_response()
}

async fn mailbox(State(here): Here, Query(query): Query<MailQuery>) -> Html<String> {
    Html(pages::mailbox(&all_mail(&here, query.to.as_deref())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedbackBody {
    to: String,
    feedback: aws::Feedback,
}

/// Has the mails to an address bounce or be reported as spam, in each region that sent it one.
async fn mail_feedback(State(here): Here, Json(body): Json<FeedbackBody>) -> Response {
    let senders = here.regions.iter().filter_map(|running| {
        let mail = running.aws.mail(Some(&body.to)).into_iter().next()?;
        Some(running.aws.report_mail(&mail.to, body.feedback))
    });
    match senders.collect::<Result<Vec<()>, _>>() {
        Ok(sent) if sent.is_empty() => {
            (StatusCode::NOT_FOUND, "no mail went to this address").into_response()
        }
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The mail of all regions, newest first, with the data region in each.
fn all_mail(here: &Controls, to: Option<&str>) -> Vec<aws::SentMail> {
    let of_region = |running: &Arc<RunningRegion>| {
        let region = running.region;
        running.aws.mail(to).into_iter().map(move |mail| aws::SentMail { region: region.to_string(), ..mail })
    };
    let mut all: Vec<aws::SentMail> = here.regions.iter().flat_map(of_region).collect();
    all.sort_by_key(|mail| std::cmp::Reverse(mail.sent_at));
    all
}

async fn read_clock(State(here): Here) -> Json<Value> {
    let stopped = matches!(here.clock.state(), ClockState::Stopped(_));
    Json(json!({ "now": here.clock.now(), "stopped": stopped }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ClockBody {
    now: Option<Timestamp>,
    advance_seconds: Option<i64>,
    stopped: Option<bool>,
}

async fn move_clock(State(here): Here, Json(wanted): Json<ClockBody>) -> Response {
    if let Some(Err(error)) = here.built.as_ref().map(|built| built.can_follow()) {
        return (StatusCode::NOT_IMPLEMENTED, error.to_string()).into_response();
    }
    let moved = match (wanted.now, wanted.advance_seconds, wanted.stopped) {
        (Some(now), None, None) => here.clock.set_to(now),
        (None, Some(seconds), None) => here.clock.advance(seconds),
        (None, None, Some(stopped)) => here.clock.stop(stopped),
        _ => {
            return (StatusCode::BAD_REQUEST, "provide exactly one of now, advanceSeconds, stopped")
                .into_response();
        }
    };
    if let Err(error) = moved {
        return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
    }
    if let Some(Err(error)) = here.built.as_ref().map(|built| built.follow(&here.clock)) {
        return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
    }
    join_all(here.regions.iter().map(|region| region.aws.sweep_ttl())).await;
    read_clock(State(here)).await.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplicationBody {
    paused: bool,
}

async fn read_replication(State(here): Here) -> Json<Value> {
    Json(json!({ "paused": here.switch.is_paused().await }))
}

async fn set_replication(
    State(here): Here,
    Json(ReplicationBody { paused }): Json<ReplicationBody>,
) -> Json<Value> {
    here.switch.set(paused).await;
    read_replication(State(here)).await
}

#[derive(Deserialize)]
struct RegionQuery {
    region: Option<String>,
}

impl RegionQuery {
    fn find<'a>(&self, here: &'a Controls) -> Option<&'a Arc<RunningRegion>> {
        let wanted = self.region.as_deref().unwrap_or("us");
        here.regions.iter().find(|region| region.region.as_str() == wanted)
    }
}

fn no_such_region() -> Response {
    (StatusCode::NOT_FOUND, "unknown region").into_response()
}

async fn run(
    State(here): Here,
    Path(function): Path<String>,
    Query(place): Query<RegionQuery>,
    event: Bytes,
) -> Response {
    let Some(region) = place.find(&here) else { return no_such_region() };
    if let Some(endpoint) = region.functions.endpoint(&function) {
        return invoke(&endpoint, event).await;
    }
    let Some(worker) = region.functions.worker(&function) else {
        let known = region.functions.worker_ids().join(", ");
        return (StatusCode::NOT_FOUND, format!("unknown function; known functions: {known}"))
            .into_response();
    };
    let event = match event.is_empty() {
        // The same event as from its schedule.
        true if worker.spec.schedule().is_some() => Ok(schedule::event()),
        true => Ok(Value::Null),
        false => serde_json::from_slice(&event),
    };
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            return (StatusCode::BAD_REQUEST, format!("the event is not valid JSON: {error}"))
                .into_response();
        }
    };
    match worker.run(event).await {
        Ok(result) => Json(result).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({ "errorMessage": error }))).into_response(),
    }
}

/// Invokes an endpoint with an event of the caller's own, without a gateway.
async fn invoke(endpoint: &MountedEndpoint, event: Bytes) -> Response {
    match endpoint.function.invoke(event).await {
        Ok(result) => ([(header::CONTENT_TYPE, "application/json")], result).into_response(),
        Err(error) => {
            let message = json!({ "errorMessage": error.to_string() });
            (StatusCode::BAD_GATEWAY, Json(message)).into_response()
        }
    }
}

async fn rotate(State(here): Here, Path(secret): Path<String>, Query(place): Query<RegionQuery>) -> Response {
    let Some(region) = place.find(&here) else { return no_such_region() };
    let Some(secret) = SecretName::ALL.into_iter().find(|known| known.as_str() == secret) else {
        let known = SecretName::ALL.map(SecretName::as_str).join(", ");
        return (StatusCode::NOT_FOUND, format!("unknown secret; known secrets: {known}")).into_response();
    };
    match rotation::rotate(region, secret).await {
        Ok(version) => Json(json!({ "version": version })).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({ "errorMessage": error }))).into_response(),
    }
}

async fn compact(State(here): Here) -> Response {
    match compaction::compact(&here.data, &here.regions).await {
        Ok(0) => StatusCode::NO_CONTENT.into_response(),
        Ok(unread) => {
            let reason = format!("{unread} stream records are unread and were kept");
            (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}

/// The messages in each queue that has any, by region: those that can be received, those that a function is handling, and
/// those that wait to be received again.
async fn queues(State(here): Here) -> Json<Value> {
    let of_region = |running: &Arc<RunningRegion>| {
        let queues = running.aws.queues();
        let depth = |name: &str| {
            // A function may end in between.
            let handled = queues.held(name, |receipt| running.handling.has(receipt));
            let aws::QueueDepth { visible, in_flight } = queues.depth(name).unwrap_or_default();
            let waiting = in_flight.saturating_sub(handled);
            let state = json!({ "visible": visible, "handled": handled, "waiting": waiting });
            (visible + in_flight > 0).then(|| (name.to_owned(), state))
        };
        let depths: Map<String, Value> = queues.names().filter_map(depth).collect();
        (running.region.to_string(), Value::from(depths))
    };
    Json(Value::Object(here.regions.iter().map(of_region).collect()))
}

/// Makes failed messages visible now that would otherwise wait for their visibility timeout.
async fn redeliver(State(here): Here) -> Response {
    let mut count = 0;
    for running in &here.regions {
        match running.aws.queues().make_visible(|receipt| running.handling.has(receipt)) {
            Ok(visible) => count += visible,
            Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
    Json(json!({ "messages": count })).into_response()
}

#[derive(Deserialize)]
struct CallsQuery {
    #[serde(default)]
    since: u64,
}

async fn calls(State(here): Here, Query(query): Query<CallsQuery>) -> Response {
    Json(here.journal.calls_since(query.since)).into_response()
}

/// Faults may name data regions; the stand-ins use AWS regions.
async fn set_faults(State(here): Here, Json(mut faults): Json<Vec<aws::Fault>>) -> StatusCode {
    for region in faults.iter_mut().filter_map(|fault| fault.region.as_mut()) {
        if let Ok(named) = region.parse::<Region>() {
            *region = named.aws().to_owned();
        }
    }
    here.journal.set_faults(faults);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(here): Here) -> StatusCode {
    here.journal.clear_faults();
    StatusCode::NO_CONTENT
}
