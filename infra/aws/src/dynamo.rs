//! DynamoDB and DynamoDB Streams: dynoxide on one SQLite file, served by its own router on a thread of its
//! own and called as if it were elsewhere; or an external emulator, which really is.
//!
//! Every data request to the embedded one asks for consumed capacity
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>), which is
//! recorded and taken out of the answer again if the caller did not ask.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use dynoxide::Database;
use dynoxide::storage::Storage;
use dynoxide::storage_backend::Clock;
use http::request::Parts;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::answer::{Answer, BoxError, Refusal, success, whole};
use crate::journal::{Capacity, Seen};
use crate::request::{Caller, Service};
use crate::upstream::Upstream;
use crate::{Now, StartError, index};

/// The region that dynoxide's ARNs name.
const THEIRS: &str = "arn:aws:dynamodb:dynoxide:";

/// The running database.
pub(crate) struct Dynamo {
    file: PathBuf,
    address: SocketAddr,
    now: Now,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Dynamo {
    /// Opens `dynamodb.sqlite` and serves it. The thread is its own because dynoxide answers on the thread
    /// that asks, and a write waits for the disk.
    pub(crate) async fn start(folder: &Path, now: &Now) -> Result<Self, StartError> {
        let file = folder.join("dynamodb.sqlite");
        let unreadable = |error: &dyn std::fmt::Display| StartError::Unreadable {
            path: file.clone(),
            reason: error.to_string(),
        };
        let database = Database::new(&file.to_string_lossy()).map_err(|error| unreadable(&error))?;
        index::cure(&file).map_err(|error| unreadable(&error))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let listener = listener.into_std().map_err(StartError::Listen)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Listen)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let listener = TcpListener::from_std(listener).map_err(|error| error.to_string())?;
            let stopped = async { drop(stopped.await) };
            dynoxide::server::serve_with_shutdown(listener, database, stopped).await
        };
        let thread = std::thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve) {
                    tracing::error!(error, "DynamoDB stopped");
                }
            })
            .map_err(StartError::Listen)?;
        Ok(Self { file, address, now: Arc::clone(now), stop: Some(stop), thread: Some(thread) })
    }

    /// Deletes what has expired by the local clock: a second connection, because a database on a file can't
    /// be given one.
    pub(crate) async fn sweep_ttl(&self) -> Result<usize, BoxError> {
        let (file, now) = (self.file.clone(), Arc::clone(&self.now));
        let runtime = tokio::runtime::Handle::current();
        let swept = tokio::task::spawn_blocking(move || {
            // Streams are trimmed on the same occasion.
            if let Err(error) = index::cure(&file) {
                tracing::warn!(%error, "old stream records stay");
            }
            let storage = Storage::new(&file.to_string_lossy())?.with_clock(Arc::new(LocalClock(now)));
            runtime.block_on(dynoxide::ttl::sweep_expired_items(&storage))
        });
        Ok(swept.await?.map_err(|error| error.to_string())?)
    }

    /// Returns when the file is closed.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

struct LocalClock(Now);

impl Clock for LocalClock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from((self.0)().as_second()).unwrap_or(0)
    }

    fn now_unix_secs_f64(&self) -> f64 {
        (self.0)().as_duration().as_secs_f64()
    }
}

/// The way to the database, whichever it is.
pub(crate) struct Tables {
    upstream: Option<Upstream>,
    /// Ours, if it is ours.
    embedded: Option<PathBuf>,
    region: String,
    ours: String,
}

impl Tables {
    pub(crate) fn new(region: &str, dynamo: Option<&Dynamo>, external: Option<Upstream>) -> Self {
        let embedded = dynamo.and_then(|dynamo| dynamo.address.to_string().parse().ok()).map(Upstream::new);
        Self {
            upstream: external.or(embedded),
            embedded: dynamo.map(|dynamo| dynamo.file.clone()),
            region: region.to_owned(),
            ours: format!("arn:aws:dynamodb:{region}:"),
        }
    }

    /// Whether an operation changes items.
    pub(crate) fn writes(operation: &str) -> bool {
        matches!(operation, "TransactWriteItems" | "BatchWriteItem" | "PutItem" | "UpdateItem" | "DeleteItem")
    }

    /// The tables that a request names, each once, in order.
    pub(crate) fn named(caller: &Caller, body: &[u8]) -> Option<String> {
        if caller.service != Service::DynamoDb {
            return None;
        }
        let request: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let mut names = BTreeSet::new();
        names.extend(request.get("TableName").and_then(Value::as_str));
        names.extend(request.get("StreamArn").and_then(Value::as_str).and_then(table_of_stream));
        if let Some(Value::Object(tables)) = request.get("RequestItems") {
            names.extend(tables.keys().map(String::as_str));
        }
        if let Some(Value::Array(items)) = request.get("TransactItems") {
            let actions = items.iter().filter_map(Value::as_object).flat_map(Map::values);
            names.extend(actions.filter_map(|action| action.get("TableName").and_then(Value::as_str)));
        }
        let names: Vec<&str> = names.into_iter().map(short).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    /// Serves one request.
    pub(crate) async fn apply(&self, caller: &Caller, parts: &Parts, body: Bytes, seen: &mut Seen) -> Answer {
        let operation = caller.operation.as_str();
        if self.embedded.is_some() && operation.ends_with("ContinuousBackups") {
            return backups(operation, &body);
        }
        match self.forward(operation, parts, body, seen).await {
            Ok(answer) => answer,
            Err(error) => Refusal::internal(Service::DynamoDb, &error).answer(Service::DynamoDb),
        }
    }

    async fn forward(
        &self,
        operation: &str,
        parts: &Parts,
        body: Bytes,
        seen: &mut Seen,
    ) -> Result<Answer, BoxError> {
        let upstream = self.upstream.as_ref().ok_or("the external address has no host")?;
        // An external emulator may check the signature, which covers the body: it gets what was sent.
        let (body, strip) = match self.embedded {
            Some(_) if has_capacity(operation) => with_capacity(body),
            _ => (body, false),
        };
        let body = match self.embedded {
            Some(_) => replace(operation, body, &self.ours, THEIRS),
            None => body,
        };
        let answer = upstream.send(parts, whole(body), true).await?;
        let (mut head, body) = answer.into_parts();
        let mut body = body.collect().await?.to_bytes();
        if self.embedded.is_some() {
            body = replace(operation, body, THEIRS, &self.ours);
        }
        if has_capacity(operation) && head.status.is_success() {
            body = take_capacity(operation, body, strip, seen);
        }
        if operation == "CreateTable" && head.status.is_success() {
            self.cure().await;
        }
        if operation == "GetRecords" && self.embedded.is_some() {
            body = name_region(body, &self.region);
        }
        // They are those of the body as it was.
        head.headers.remove("x-amz-crc32");
        head.headers.remove("content-length");
        Ok(Answer::from_parts(head, whole(body)))
    }

    async fn cure(&self) {
        let Some(file) = self.embedded.clone() else { return };
        let cured = tokio::task::spawn_blocking(move || index::cure(&file)).await;
        if let Ok(Err(error)) = cured {
            tracing::warn!(%error, "streams stay slow");
        }
    }
}

/// Point-in-time recovery, which dynoxide has not: it is switched on in name.
fn backups(operation: &str, body: &Bytes) -> Answer {
    let request: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let asked = request.get("PointInTimeRecoverySpecification");
    let enabled = asked.and_then(|asked| asked.get("PointInTimeRecoveryEnabled")).and_then(Value::as_bool);
    let status = match (operation, enabled) {
        ("UpdateContinuousBackups", Some(true)) => "ENABLED",
        _ => "DISABLED",
    };
    let description = json!({
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": status },
    });
    success(Service::DynamoDb, &json!({ "ContinuousBackupsDescription": description }))
}

/// `…:table/NAME/stream/LABEL`
fn table_of_stream(arn: &str) -> Option<&str> {
    arn.split_once(":table/")?.1.split('/').next()
}

/// A table may be named by its ARN.
fn short(name: &str) -> &str {
    name.rsplit_once(":table/").map_or(name, |(_, name)| name)
}

fn has_capacity(operation: &str) -> bool {
    Tables::writes(operation)
        || matches!(operation, "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems")
}

/// Asks for capacity, unless the caller did. Tells whether the answer has to lose it.
fn with_capacity(body: Bytes) -> (Bytes, bool) {
    let Ok(request) = serde_json::from_slice::<Map<String, Value>>(&body) else { return (body, false) };
    match request.get("ReturnConsumedCapacity").and_then(Value::as_str) {
        Some("TOTAL" | "INDEXES") => (body, false),
        _ => {
            let mut request = request;
            request.insert("ReturnConsumedCapacity".to_owned(), json!("TOTAL"));
            (Value::Object(request).to_string().into(), true)
        }
    }
}

fn take_capacity(operation: &str, body: Bytes, strip: bool, seen: &mut Seen) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(&body) else { return body };
    let Some(consumed) = answer.remove("ConsumedCapacity") else { return body };
    let units = |one: &Value| one.get("CapacityUnits").and_then(Value::as_f64).unwrap_or(0.0);
    let total = consumed.as_array().map_or_else(|| units(&consumed), |all| all.iter().map(units).sum());
    seen.capacity = Some(match Tables::writes(operation) {
        true => Capacity { read: 0.0, write: total },
        false => Capacity { read: total, write: 0.0 },
    });
    if strip { Value::Object(answer).to_string().into() } else { body }
}

/// ARNs name the caller's region, not dynoxide's. Items are left as they are.
fn replace(operation: &str, body: Bytes, from: &str, to: &str) -> Bytes {
    let named = operation.ends_with("Table")
        || operation.ends_with("Resource")
        || matches!(operation, "ListStreams" | "DescribeStream" | "GetShardIterator");
    match std::str::from_utf8(&body) {
        Ok(text) if named && text.contains(from) => text.replace(from, to).into(),
        _ => body,
    }
}

/// Stream records name the region they come from.
fn name_region(body: Bytes, region: &str) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(&body) else { return body };
    if let Some(Value::Array(records)) = answer.get_mut("Records") {
        for record in records.iter_mut().filter_map(Value::as_object_mut) {
            record.insert("awsRegion".to_owned(), json!(region));
        }
    }
    Value::Object(answer).to_string().into()
}
