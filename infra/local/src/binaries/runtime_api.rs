//! The [Lambda Runtime API] of one instance: the instance asks for the next event and sends its result. Each instance
//! has its own listener, which identifies the process that holds an event.
//!
//! [Lambda Runtime API]: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use domain::Timestamp;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::functions::MAX_PAYLOAD;

/// The result of an event, or the error message of the function.
pub type Reply = Result<Bytes, String>;

/// An event for the instance.
pub struct Invocation {
    /// The AWS request id of the invocation.
    pub id: String,
    /// The time at which the instance will be killed.
    pub deadline: Timestamp,
    /// The event, as JSON.
    pub event: Bytes,
}

/// The progress of the init phase.
#[derive(Debug, Clone)]
enum InitState {
    Starting,
    /// The instance asked for an event.
    Ready,
    /// The instance reported an init error.
    Failed(String),
}

/// The Runtime API of one instance. Dropping it stops the listener.
pub struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::Sender<(Invocation, oneshot::Sender<Reply>)>,
    beginning: watch::Receiver<InitState>,
    server: JoinHandle<()>,
}

struct Shared {
    arn: String,
    events: tokio::sync::Mutex<mpsc::Receiver<(Invocation, oneshot::Sender<Reply>)>>,
    /// The event that the instance is processing.
    held: Mutex<Option<(String, oneshot::Sender<Reply>)>>,
    beginning: watch::Sender<InitState>,
}

type Here = State<Arc<Shared>>;

impl RuntimeApi {
    /// Starts a listener for an instance of the function `arn`.
    pub async fn start(arn: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (events, waiting) = mpsc::channel(1);
        let (beginning, begun) = watch::channel(InitState::Starting);
        let shared = Shared { arn, events: waiting.into(), held: Mutex::default(), beginning };
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router(shared)).await {
                tracing::error!(%error, "Runtime API failed");
            }
        });
        Ok(Self { address, events, beginning: begun, server })
    }

    /// The address of the listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the instance asks for its first event. Returns an error if init fails.
    pub async fn ready(&mut self) -> Result<(), String> {
        let begun = self.beginning.wait_for(|it| !matches!(it, InitState::Starting)).await;
        match begun.as_deref() {
            Ok(InitState::Failed(reason)) => Err(reason.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err("Runtime API ended".to_owned()),
        }
    }

    /// Sends an event when the instance asks for one, and waits for the result.
    pub async fn invoke(&self, invocation: Invocation) -> Reply {
        let (reply, replied) = oneshot::channel();
        let gone = |_| "Runtime API ended".to_owned();
        self.events.send((invocation, reply)).await.map_err(|_| gone(()))?;
        replied.await.map_err(|_| gone(()))?
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(fail))
        .route("/2018-06-01/runtime/init/error", post(fail_to_begin))
        .with_state(Arc::new(shared))
}

async fn next(State(here): Here) -> Response {
    here.beginning.send_replace(InitState::Ready);
    let Some((invocation, reply)) = here.events.lock().await.recv().await else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "no more events").into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.id.clone()),
        ("lambda-runtime-deadline-ms", invocation.deadline.as_millisecond().to_string()),
        ("lambda-runtime-invoked-function-arn", here.arn.clone()),
        ("lambda-runtime-trace-id", format!("Root={};Parent=0000000000000000;Sampled=0", invocation.id)),
        ("content-type", "application/json".to_owned()),
    ];
    *here.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((invocation.id, reply));
    (headers, invocation.event).into_response()
}

async fn respond(here: Here, Path(id): Path<String>, body: Body) -> Response {
    match to_bytes(body, MAX_PAYLOAD).await {
        Ok(result) => settle(&here, &id, Ok(result)),
        Err(_) => {
            let settled = settle(&here, &id, Err("result too large".to_owned()));
            if settled.status() != StatusCode::ACCEPTED {
                return settled;
            }
            refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge")
        }
    }
}

async fn fail(here: Here, Path(id): Path<String>, body: Bytes) -> Response {
    settle(&here, &id, Err(reason(&body)))
}

async fn fail_to_begin(State(here): Here, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers.get("lambda-runtime-function-error-type").and_then(|kind| kind.to_str().ok());
    let reason = format!("{} {}", kind.unwrap_or("Runtime.Unknown"), reason(&body));
    here.beginning.send_replace(InitState::Failed(reason));
    accepted()
}

/// Accepts a reply only for the event that the instance is processing.
fn settle(here: &Shared, id: &str, reply: Reply) -> Response {
    let mut held = here.held.lock().unwrap_or_else(PoisonError::into_inner);
    match held.take_if(|(holding, _)| holding == id) {
        Some((_, waiting)) => {
            // The caller may have given up.
            let _ = waiting.send(reply);
            accepted()
        }
        None => refuse(StatusCode::BAD_REQUEST, "InvalidRequestID"),
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}

fn refuse(status: StatusCode, kind: &str) -> Response {
    (status, Json(json!({ "errorType": kind, "errorMessage": kind }))).into_response()
}

/// The runtime reports errors as `{errorType, errorMessage}`.
fn reason(body: &[u8]) -> String {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    said.get("errorMessage").and_then(Value::as_str).unwrap_or("no error message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An instance as seen by its Runtime API.
    struct Runtime(SocketAddr);

    impl Runtime {
        fn url(&self, path: &str) -> String {
            format!("http://{}/2018-06-01/runtime/{path}", self.0)
        }

        async fn next(&self) -> reqwest::Response {
            reqwest::get(self.url("invocation/next")).await.unwrap()
        }

        async fn say(&self, path: &str, body: impl Into<reqwest::Body>) -> u16 {
            let request = reqwest::Client::new().post(self.url(path)).body(body);
            request.send().await.unwrap().status().as_u16()
        }
    }

    /// A Runtime API with an event in progress, its instance, and the id of the event.
    async fn holding() -> (JoinHandle<Reply>, Runtime, String) {
        let mut api = RuntimeApi::start("arn:aws:lambda:::function:f".to_owned()).await.unwrap();
        let runtime = Runtime(api.address());
        let reply = tokio::spawn(async move {
            api.ready().await?;
            let deadline = Timestamp::from_second(1_583_348_638).unwrap();
            let event = Bytes::from_static(br#"{"a":1}"#);
            api.invoke(Invocation { id: "1-2-3".to_owned(), deadline, event }).await
        });
        let next = runtime.next().await;
        let header = |name: &str| next.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("lambda-runtime-deadline-ms"), "1583348638000");
        assert_eq!(header("lambda-runtime-invoked-function-arn"), "arn:aws:lambda:::function:f");
        assert!(header("lambda-runtime-trace-id").starts_with("Root=1-2-3;"));
        let id = header("lambda-runtime-aws-request-id");
        assert_eq!(next.text().await.unwrap(), r#"{"a":1}"#);
        (reply, runtime, id)
    }

    #[tokio::test]
    async fn event_is_answered_once_by_its_id() {
        let (reply, runtime, id) = holding().await;
        assert_eq!(runtime.say("invocation/another/response", "{}").await, 400);
        assert!(!reply.is_finished());
        assert_eq!(runtime.say(&format!("invocation/{id}/response"), r#"{"b":2}"#).await, 202);
        assert_eq!(reply.await.unwrap().unwrap(), r#"{"b":2}"#);
    }

    #[tokio::test]
    async fn result_above_six_megabytes_fails_the_event() {
        let (reply, runtime, id) = holding().await;
        let path = format!("invocation/{id}/response");
        assert_eq!(runtime.say(&path, vec![b' '; MAX_PAYLOAD + 1]).await, 413);
        assert_eq!(reply.await.unwrap().unwrap_err(), "result too large");
        let (reply, runtime, id) = holding().await;
        let path = format!("invocation/{id}/response");
        assert_eq!(runtime.say(&path, vec![b' '; MAX_PAYLOAD]).await, 202);
        assert_eq!(reply.await.unwrap().unwrap().len(), MAX_PAYLOAD);
    }

    #[tokio::test]
    async fn function_error_has_its_message() {
        let (reply, runtime, id) = holding().await;
        let error = r#"{"errorType":"E","errorMessage":"no such thing"}"#;
        assert_eq!(runtime.say(&format!("invocation/{id}/error"), error).await, 202);
        assert_eq!(reply.await.unwrap().unwrap_err(), "no such thing");
    }

    #[tokio::test]
    async fn init_error_has_its_message() {
        let mut api = RuntimeApi::start(String::new()).await.unwrap();
        let runtime = Runtime(api.address());
        assert_eq!(runtime.say("init/error", r#"{"errorMessage":"no key"}"#).await, 202);
        assert_eq!(api.ready().await.unwrap_err(), "Runtime.Unknown no key");
    }
}
