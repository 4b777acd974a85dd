//! EventBridge: `PutEvents` on any bus
//! (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>). Accepted events go to
//! the queues of the matching rules, in the envelope that consumers receive.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::account::ACCOUNT;
use crate::answer::Refusal;
use crate::bus::EventBuses;
use crate::config::{StandInConfig, TimeSource};
use crate::durable;

/// The maximum number of entries per call.
const MAX_ENTRIES: usize = 10;
const LARGEST: usize = 256 * 1024;

/// The EventBridge stand-in.
pub(crate) struct Events {
    region: String,
    now: TimeSource,
    bus: Arc<EventBuses>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    resources: Vec<String>,
    time: Option<f64>,
}

impl Events {
    pub(crate) fn new(config: &StandInConfig, bus: Arc<EventBuses>) -> Self {
        Self { region: config.region.clone(), now: Arc::clone(&config.now), bus }
    }

    pub(crate) fn apply(&self, operation: &str, body: &Bytes) -> Result<Value, Refusal> {
        if operation != "PutEvents" {
            return Err(Refusal::bare("UnknownOperationException"));
        }
        let request: PutEvents =
            serde_json::from_slice(body).map_err(|_| Refusal::bare("SerializationException"))?;
        let entries = request.entries;
        if entries.is_empty() || entries.len() > MAX_ENTRIES {
            let (value, bound) = if entries.is_empty() {
                ("[]", "greater than or equal to 1")
            } else {
                ("[...]", "less than or equal to 10")
            };
            let message = format!(
                "1 validation error detected: Value '{value}' at 'entries' failed to satisfy constraint: Member must have length {bound}"
            );
            return Err(Refusal::new("ValidationException", message));
        }
        if entries.iter().map(Entry::size).sum::<usize>() > LARGEST {
            let message = "Total size of the entries in the request is over the limit.";
            return Err(Refusal::new("ValidationException", message));
        }
        let results: Vec<Value> = entries.into_iter().map(|entry| self.put(entry)).collect();
        let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
        Ok(json!({ "FailedEntryCount": failed, "Entries": results }))
    }

    fn put(&self, entry: Entry) -> Value {
        let detail = match entry.check() {
            Ok(detail) => detail,
            Err((code, message)) => return json!({ "ErrorCode": code, "ErrorMessage": message }),
        };
        let given = entry.time.and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
        let time = given.unwrap_or_else(|| (self.now)());
        let id = durable::uuid();
        let envelope = json!({
            "version": "0",
            "id": id,
            "detail-type": entry.detail_type,
            "source": entry.source,
            "account": ACCOUNT,
            // Events have a resolution of one second.
            "time": Timestamp::from_second(time.as_second()).unwrap_or(time).to_string(),
            "region": self.region,
            "resources": entry.resources,
            "detail": detail,
        });
        match self.bus.put(&envelope) {
            Ok(()) => json!({ "EventId": id }),
            Err(error) => {
                tracing::error!(%error, "event could not be stored");
                json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "Internal failure" })
            }
        }
    }
}

impl Entry {
    /// The size of an entry in bytes
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>).
    fn size(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let resources: usize = self.resources.iter().map(String::len).sum();
        let time = if self.time.is_some() { 14 } else { 0 };
        time + length(&self.source) + length(&self.detail_type) + length(&self.detail) + resources
    }

    fn check(&self) -> Result<Map<String, Value>, (&'static str, &'static str)> {
        let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if !filled(&self.source) {
            return Err((
                "InvalidArgument",
                "Parameter Source is not valid. Reason: Source is a required argument.",
            ));
        }
        if !filled(&self.detail_type) {
            return Err((
                "InvalidArgument",
                "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
            ));
        }
        if !filled(&self.detail) {
            return Err((
                "InvalidArgument",
                "Parameter Detail is not valid. Reason: Detail is a required argument.",
            ));
        }
        if self.source.as_ref().is_some_and(|source| source.starts_with("aws.")) {
            return Err(("NotAuthorizedForSourceException", "Not authorized for the source."));
        }
        serde_json::from_str(self.detail.as_deref().unwrap_or(""))
            .map_err(|_| ("MalformedDetail", "Detail is malformed."))
    }
}
