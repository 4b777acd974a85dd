//! Forwards requests to a database, embedded or external, and adapts requests and responses.
//!
//! Data requests to an embedded database always ask for consumed capacity
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>). The journal records
//! it; the response contains it only if the caller asked.

use std::path::PathBuf;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, BoxError, Refusal, success, whole};
use crate::dynamo::database::Database;
use crate::dynamo::operations::writes;
use crate::index::{self, StreamRetention};
use crate::journal::{CallOutcome, Capacity};
use crate::service::Service;
use crate::upstream::Upstream;

/// The prefix of dynoxide's ARNs, with its fixed region.
const DYNOXIDE_ARN: &str = "arn:aws:dynamodb:dynoxide:";

/// A database that serves requests.
pub(crate) struct Backend {
    upstream: Option<Upstream>,
    /// The file of an embedded database.
    embedded: Option<PathBuf>,
    region: String,
    arn_prefix: String,
}

impl Backend {
    /// An embedded database.
    pub(crate) fn embedded(region: &str, database: &Database) -> Self {
        let upstream = database.address().to_string().parse().ok().map(Upstream::new);
        Self { embedded: Some(database.file().to_owned()), ..Self::external(region, upstream) }
    }

    /// A database of another server.
    pub(crate) fn external(region: &str, upstream: Option<Upstream>) -> Self {
        let arn_prefix = format!("arn:aws:dynamodb:{region}:");
        Self { upstream, embedded: None, region: region.to_owned(), arn_prefix }
    }

    /// Serves one request.
    pub(crate) async fn apply(
        &self,
        operation: &str,
        parts: &Parts,
        body: Bytes,
        outcome: &mut CallOutcome,
    ) -> Answer {
        if self.embedded.is_some() && operation.ends_with("ContinuousBackups") {
            return backups(operation, &body);
        }
        match self.forward(operation, parts, body, outcome).await {
            Ok(answer) => answer,
            Err(error) => Refusal::internal(Service::DynamoDb, &error).answer(Service::DynamoDb),
        }
    }

    async fn forward(
        &self,
        operation: &str,
        parts: &Parts,
        body: Bytes,
        outcome: &mut CallOutcome,
    ) -> Result<Answer, BoxError> {
        let upstream = self.upstream.as_ref().ok_or("the external address has no host")?;
        // An external emulator may check the signature, which covers the body. The request is forwarded unchanged.
        let (body, strip) = match self.embedded {
            Some(_) if has_capacity(operation) => with_capacity(body),
            _ => (body, false),
        };
        let body = match self.embedded {
            Some(_) => replace(operation, body, &self.arn_prefix, DYNOXIDE_ARN),
            None => body,
        };
        let answer = upstream.send(parts, whole(body), true).await?;
        let (mut head, body) = answer.into_parts();
        let mut body = body.collect().await?.to_bytes();
        if self.embedded.is_some() {
            body = replace(operation, body, DYNOXIDE_ARN, &self.arn_prefix);
        }
        if has_capacity(operation) && head.status.is_success() {
            body = take_capacity(operation, body, strip, outcome);
        }
        if operation == "CreateTable" && head.status.is_success() {
            self.maintain().await;
        }
        if operation == "GetRecords" && self.embedded.is_some() {
            body = name_region(body, &self.region);
        }
        // The checksum covers the original body.
        head.headers.remove("x-amz-crc32");
        head.headers.remove("content-length");
        Ok(Answer::from_parts(head, whole(body)))
    }

    async fn maintain(&self) {
        let Some(file) = self.embedded.clone() else { return };
        let maintained =
            tokio::task::spawn_blocking(move || index::maintain(&file, StreamRetention::Forever)).await;
        if let Ok(Err(error)) = maintained {
            tracing::warn!(%error, "stream indexes were not created");
        }
    }
}

/// Point-in-time recovery, which dynoxide lacks. The response only reports it as enabled.
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

fn has_capacity(operation: &str) -> bool {
    writes(operation)
        || matches!(operation, "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems")
}

/// Adds a request for consumed capacity if the caller did not ask. Returns whether the response must omit the capacity.
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

fn take_capacity(operation: &str, body: Bytes, strip: bool, outcome: &mut CallOutcome) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(&body) else { return body };
    let Some(consumed) = answer.remove("ConsumedCapacity") else { return body };
    let units = |one: &Value| one.get("CapacityUnits").and_then(Value::as_f64).unwrap_or(0.0);
    let total = consumed.as_array().map_or_else(|| units(&consumed), |all| all.iter().map(units).sum());
    outcome.capacity = Some(match writes(operation) {
        true => Capacity { read: 0.0, write: total },
        false => Capacity { read: total, write: 0.0 },
    });
    if strip { Value::Object(answer).to_string().into() } else { body }
}

/// Replaces the region in ARNs. Items are left unchanged.
fn replace(operation: &str, body: Bytes, from: &str, to: &str) -> Bytes {
    let named = operation.ends_with("Table")
        || operation.ends_with("Resource")
        || matches!(operation, "ListStreams" | "DescribeStream" | "GetShardIterator");
    match std::str::from_utf8(&body) {
        Ok(text) if named && text.contains(from) => text.replace(from, to).into(),
        _ => body,
    }
}

/// Writes the region into stream records.
fn name_region(body: Bytes, region: &str) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(&body) else { return body };
    if let Some(Value::Array(records)) = answer.get_mut("Records") {
        for record in records.iter_mut().filter_map(Value::as_object_mut) {
            record.insert("awsRegion".to_owned(), json!(region));
        }
    }
    Value::Object(answer).to_string().into()
}
