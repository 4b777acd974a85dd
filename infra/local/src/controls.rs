//! `/_local/`: what a laptop and the tests need and a deployment does not have.

use std::{path::PathBuf, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use domain::{Timestamp, region::Region, rotation::SecretName};
use futures::future::join_all;
use kit::Clock;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    binaries::Built,
    clock::{Hands, LocalClock},
    compaction, pages,
    region::RunningRegion,
    replication::Switch,
    rotation,
};

/// What the controls control.
pub struct Controls {
    /// The clock.
    pub clock: Arc<LocalClock>,
    /// The binaries, if functions are run as such: they follow the clock.
    pub built: Option<Arc<Built>>,
    /// Calls and faults.
    pub journal: Arc<aws::Journal>,
    /// Whether the directory is replicated.
    pub switch: Arc<Switch>,
    /// The data folder.
    pub data: PathBuf,
    /// The regions.
    pub regions: Vec<Arc<RunningRegion>>,
}

type Here = State<Arc<Controls>>;

/// The controls' routes.
pub fn router(controls: Arc<Controls>) -> Router {
    Router::new()
        .route("/_local/", get(|| async { Html(pages::INDEX) }))
        .route("/_local/health", get(health))
        .route("/_local/mail", get(mail))
        .route("/_local/mailbox", get(mailbox))
        .route("/_local/clock", get(read_clock).post(move_clock))
        .route("/_local/replication", get(read_replication).post(set_replication))
        .route("/_local/run/{function}", post(run))
        .route("/_local/rotate/{secret}", post(rotate))
        .route("/_local/compact", post(compact))
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
    // Where SDK clients and the AWS command line find each region's stand-ins.
    let aws = here.regions.iter().map(|region| (region.region.to_string(), region.aws.endpoint().into()));
    let aws: Map<String, Value> = aws.collect();
    Json(json!({ "status": "ready", "regions": regions, "aws": aws }))
}

#[derive(Deserialize)]
struct To {
    to: Option<String>,
}

async fn mail(State(here): Here, Query(query): Query<To>) -> Response {
    Json(all_mail(&here, query.to.as_deref())).into_response()
}

async fn mailbox(State(here): Here, Query(query): Query<To>) -> Html<String> {
    Html(pages::mailbox(&all_mail(&here, query.to.as_deref())))
}

/// The mail of all regions, newest first; each names its data region.
fn all_mail(here: &Controls, to: Option<&str>) -> Vec<aws::Mail> {
    let of_region = |running: &Arc<RunningRegion>| {
        let region = running.region;
        running.aws.mail(to).into_iter().map(move |mail| aws::Mail { region: region.to_string(), ..mail })
    };
    let mut all: Vec<aws::Mail> = here.regions.iter().flat_map(of_region).collect();
    all.sort_by_key(|mail| std::cmp::Reverse(mail.sent_at));
    all
}

async fn read_clock(State(here): Here) -> Json<Value> {
    let stopped = matches!(here.clock.hands(), Hands::Stopped(_));
    Json(json!({ "now": here.clock.now(), "stopped": stopped }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Move {
    now: Option<Timestamp>,
    advance_seconds: Option<i64>,
    stopped: Option<bool>,
}

async fn move_clock(State(here): Here, Json(wanted): Json<Move>) -> Response {
    if let Some(Err(stuck)) = here.built.as_ref().map(|built| built.can_follow()) {
        return (StatusCode::NOT_IMPLEMENTED, stuck.to_string()).into_response();
    }
    let moved = match (wanted.now, wanted.advance_seconds, wanted.stopped) {
        (Some(now), None, None) => here.clock.set_to(now),
        (None, Some(seconds), None) => here.clock.advance(seconds),
        (None, None, Some(stopped)) => here.clock.stop(stopped),
        _ => return (StatusCode::BAD_REQUEST, "send one of now, advanceSeconds and stopped").into_response(),
    };
    if let Err(error) = moved {
        return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
    }
    if let Some(Err(stuck)) = here.built.as_ref().map(|built| built.follow(&here.clock)) {
        return (StatusCode::INTERNAL_SERVER_ERROR, stuck.to_string()).into_response();
    }
    join_all(here.regions.iter().map(|region| region.aws.sweep_ttl())).await;
    read_clock(State(here)).await.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    paused: bool,
}

async fn read_replication(State(here): Here) -> Json<Value> {
    Json(json!({ "paused": here.switch.is_paused().await }))
}

async fn set_replication(State(here): Here, Json(Pause { paused }): Json<Pause>) -> Json<Value> {
    here.switch.set(paused).await;
    read_replication(State(here)).await
}

#[derive(Deserialize)]
struct Where {
    region: Option<String>,
}

impl Where {
    fn find<'a>(&self, here: &'a Controls) -> Option<&'a Arc<RunningRegion>> {
        let wanted = self.region.as_deref().unwrap_or("us");
        here.regions.iter().find(|region| region.region.as_str() == wanted)
    }
}

fn no_such_region() -> Response {
    (StatusCode::NOT_FOUND, "there is no such region").into_response()
}

async fn run(
    State(here): Here,
    Path(function): Path<String>,
    Query(place): Query<Where>,
    event: Option<Json<Value>>,
) -> Response {
    let Some(region) = place.find(&here) else { return no_such_region() };
    let Some(worker) = region.functions.worker(&function) else {
        let known = region.functions.worker_ids().join(", ");
        return (StatusCode::NOT_FOUND, format!("there is no such function; there are {known}"))
            .into_response();
    };
    match worker.run(event.map_or(Value::Null, |Json(event)| event)).await {
        Ok(result) => Json(result).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({ "errorMessage": error }))).into_response(),
    }
}

async fn rotate(State(here): Here, Path(secret): Path<String>, Query(place): Query<Where>) -> Response {
    let Some(region) = place.find(&here) else { return no_such_region() };
    let Some(secret) = SecretName::ALL.into_iter().find(|known| known.as_str() == secret) else {
        let known = SecretName::ALL.map(SecretName::as_str).join(", ");
        return (StatusCode::NOT_FOUND, format!("there is no such secret; there are {known}"))
            .into_response();
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
            let reason = format!("{unread} records of streams stay, which nobody has come to read");
            (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn calls(State(here): Here, Query(query): Query<Since>) -> Response {
    Json(here.journal.calls_since(query.since)).into_response()
}

/// A plan may name data regions; the stand-ins know those of AWS.
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
