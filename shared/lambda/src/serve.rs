//! Serves one function, in Lambda until it ends the process, or in the process of the local platform.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use kit::{
    Endpoint, Ports, Services, Worker,
    worker::{BatchResponse, MessageBatch, handle_batch},
};
use lambda_http::{LambdaEvent, lambda_runtime::Runtime, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use tracing_subscriber::{fmt::MakeWriter, util::SubscriberInitExt};

use crate::{
    boot::FunctionRuntime,
    payload::{ApiGatewayEvent, ApiGatewayResponse, InvalidEvent},
};

/// An error that ends a function.
pub type Error = lambda_http::Error;

/// An endpoint and its dependencies.
pub struct Server<E: Endpoint> {
    kit: Services,
    deps: E::Deps,
}

impl<E: Endpoint> Server<E> {
    /// Creates the dependencies of the endpoint.
    pub fn new(boot: &FunctionRuntime) -> Self {
        Self { kit: boot.services(), deps: E::deps(boot) }
    }

    /// Answers one request.
    pub async fn answer(&self, event: ApiGatewayEvent) -> Result<ApiGatewayResponse, InvalidEvent> {
        Ok(kit::dispatch::<E>(&self.kit, &self.deps, event.try_into()?).await.into())
    }
}

/// A worker and its dependencies.
pub struct WorkerHost<W: Worker> {
    boot: FunctionRuntime,
    deps: W::Deps,
}

impl<W: Worker> WorkerHost<W> {
    /// Creates the dependencies of the worker.
    pub fn new(boot: FunctionRuntime) -> Self {
        Self { deps: W::deps(&boot), boot }
    }

    /// Runs the worker, which has so much `time`, with an event or a batch of messages. An error is a message for logs.
    pub async fn run(&self, event: &[u8], time: Duration) -> Result<WorkerResponse<W::Result>, String> {
        let batch = W::SPEC.reads_queue().then(|| serde_json::from_slice::<MessageBatch>(event));
        if let Some(Ok(batch)) = batch {
            let response = handle_batch::<W>(&self.deps, || self.boot.job(), batch, time).await;
            return Ok(WorkerResponse::Batch(response));
        }
        let event = serde_json::from_slice(event).map_err(|error| format!("invalid event: {error}"))?;
        let result = W::handle(&self.deps, &self.boot.job(), event).await;
        result.map(WorkerResponse::Single).map_err(|error| error.to_string())
    }
}

/// The response of a worker.
#[derive(Serialize)]
#[serde(untagged)]
pub enum WorkerResponse<R> {
    /// To a batch of messages.
    Batch(BatchResponse),
    /// To a single event.
    Single(R),
}

/// Serves an endpoint until Lambda ends the process.
pub fn serve<E: Endpoint>() -> Result<(), Error> {
    block_on(async {
        let boot = FunctionRuntime::from_env()?;
        let server = Arc::new(Server::<E>::new(&boot));
        boot.connect().await;
        // Without the span of the runtime: dispatch logs one line per request.
        Runtime::new(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            let server = Arc::clone(&server);
            async move {
                let event: ApiGatewayEvent = serde_json::from_str(event.payload.get())?;
                server.answer(event).await.map_err(Error::from)
            }
        }))
        .run()
        .await
    })
}

/// Serves a worker until Lambda ends the process.
pub fn work<W: Worker>() -> Result<(), Error> {
    block_on(async {
        let hand = Arc::new(WorkerHost::<W>::new(FunctionRuntime::from_env()?));
        hand.boot.connect().await;
        Runtime::new(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            let hand = Arc::clone(&hand);
            async move {
                let time = remaining(hand.boot.job().now, event.context.deadline);
                hand.run(event.payload.get().as_bytes(), time).await.map_err(Error::from)
            }
        }))
        .run()
        .await
    })
}

/// The time until the deadline of an invocation, in milliseconds since 1970.
fn remaining(now: Timestamp, deadline: u64) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Duration::from_millis(deadline.saturating_sub(now))
}

/// Log lines as Lambda expects them: JSON with `level`, and with `timestamp` in RFC 3339 ([format]). Lambda takes a line without a
/// valid timestamp for one of level INFO.
///
/// [format]: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
fn log_lines<W>(writer: W) -> impl SubscriberInitExt
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_writer(writer).finish()
}

fn block_on(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    log_lines(std::io::stdout).init();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use domain::Timestamp;
    use serde_json::Value;

    use super::*;

    #[test]
    fn log_line_has_time_level_and_fields() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        tracing::dispatcher::with_default(&log_lines(Arc::new(writer)).into(), || {
            tracing::error!(code = "X", "it failed");
            tracing::info!(days = 31, "it is old");
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let members = |line: &Value, names: [&str; 3]| names.map(|name| line[name].clone());
        let expected: [Value; 3] = ["ERROR".into(), "it failed".into(), "X".into()];
        assert_eq!(members(&lines[0], ["level", "message", "code"]), expected);
        let expected: [Value; 3] = ["INFO".into(), "it is old".into(), 31.into()];
        assert_eq!(members(&lines[1], ["level", "message", "days"]), expected);
        for line in lines {
            let timestamp = line["timestamp"].as_str().unwrap();
            assert!(timestamp.ends_with('Z') && timestamp.contains('T'), "{timestamp}");
            timestamp.parse::<Timestamp>().unwrap();
        }
    }
}
