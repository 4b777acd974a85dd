//! One database, embedded or elsewhere, and what is changed in requests and answers on the way.
//!
//! Every data request to an embedded one asks for consumed capacity
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>), which is
//! recorded and taken out of the answer again if the caller did not ask.

use std::path::PathBuf;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, BoxError, Refusal, success, whole};
use crate::dynamo::Tables;
use crate::dynamo::database::Database;
use crate::index::{self, Streams};
use crate::journal::{Capacity, Seen};
use crate::service::Service;
use crate::upstream::Upstream;

/// The region that dynoxide's ARNs name.
const THEIRS: &str = "arn:aws:dynamodb:dynoxide:";

/// The way to a database.
pub(crate) struct Way {
    upstream: Option<Upstream>,
    /// Ours, if it is ours.
    embedded: Option<PathBuf>,
    region: String,
    ours: String,
}

impl Way {
    /// To one of ours.
    pub(crate) fn embedded(region: &str, database: &Database) -> Self {
        let upstream = database.address().to_string().parse().ok().map(Upstream::new);
        Self { embedded: Some(database.file().to_owned()), ..Self::external(region, upstream) }
    }

    /// To another server's.
    pub(crate) fn external(region: &str, upstream: Option<Upstream>) -> Self {
        let ours = format!("arn:aws:dynamodb:{region}:");
        Self { upstream, embedded: None, region: region.to_owned(), ours }
    }

    /// Serves one request.
    pub(crate) async fn apply(&self, operation: &str, parts: &Parts, body: Bytes, seen: &mut Seen) -> Answer {
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
        let cured = tokio::task::spawn_blocking(move || index::cure(&file, Streams::Whole)).await;
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
