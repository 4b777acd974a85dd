//! Batches of messages from a queue. A failed message fails no other: the function reports it, and only this message is received
//! again ([partial batch response]).
//!
//! [partial batch response]:
//! https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting

use std::time::Duration;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::endpoint::{RunContext, Worker};

/// The time that remains for the response.
const MARGIN: Duration = Duration::from_secs(2);

/// An invocation by a queue.
#[derive(Deserialize)]
pub struct MessageBatch {
    #[serde(rename = "Records")]
    records: Vec<QueuedMessage>,
}

/// A message of a queue.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueuedMessage {
    message_id: String,
    /// The event, as JSON.
    body: String,
}

/// The messages or records to deliver again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// Empty if all succeeded.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A message or record that failed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// The id of the message, or the sequence number of the record.
    pub item_identifier: String,
}

/// Handles the messages of a batch at the same time, and reports those that failed, cannot be read, or are not handled when
/// the function's `time` ends.
pub async fn handle_batch<W: Worker>(
    deps: &W::Deps,
    context: impl Fn() -> RunContext,
    batch: MessageBatch,
    time: Duration,
) -> BatchResponse {
    let until = Instant::now() + time.saturating_sub(MARGIN);
    let runs = batch.records.iter().map(|message| async {
        let run = timeout_at(until, handle_message::<W>(deps, context(), &message.body));
        let error = match run.await {
            Ok(Ok(_)) => return None,
            Ok(Err(error)) => error,
            Err(_) => "out of time".to_owned(),
        };
        tracing::error!(worker = W::SPEC.id, message = message.message_id, error, "message failed");
        Some(ItemFailure { item_identifier: message.message_id.clone() })
    });
    let failures = join_all(runs).await;
    BatchResponse { batch_item_failures: failures.into_iter().flatten().collect() }
}

async fn handle_message<W: Worker>(
    deps: &W::Deps,
    context: RunContext,
    body: &str,
) -> Result<W::Result, String> {
    let event = serde_json::from_str(body).map_err(|error| format!("unreadable event: {error}"))?;
    W::handle(deps, &context, event).await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{entropy::Entropy, region::Region};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        ports::Ports,
        spec::{Trigger, WorkerSpec, worker},
    };

    struct NoEntropy;

    impl Entropy for NoEntropy {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    /// Handles `{"ok": true}`, fails on `false`, and never ends otherwise.
    struct Choosy;

    #[derive(Deserialize)]
    struct Choice {
        ok: Option<bool>,
    }

    impl Worker for Choosy {
        const SPEC: WorkerSpec = worker("choosy", Trigger::Bus, "", &[]);
        type Deps = ();
        type Event = Choice;
        type Result = ();
        type Error = &'static str;

        fn deps(_: &impl Ports) {}

        async fn handle((): &(), _: &RunContext, event: Choice) -> Result<(), &'static str> {
            match event.ok {
                Some(true) => Ok(()),
                Some(false) => Err("failed"),
                None => std::future::pending().await,
            }
        }
    }

    async fn failed(bodies: &[&str]) -> Value {
        let record = |(n, body): (usize, &&str)| json!({ "messageId": n.to_string(), "body": body });
        let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
        let batch = serde_json::from_value(json!({ "Records": records })).unwrap();
        let context =
            || RunContext { now: Timestamp::UNIX_EPOCH, region: Region::Us, entropy: Arc::new(NoEntropy) };
        let time = MARGIN + Duration::from_millis(100);
        serde_json::to_value(handle_batch::<Choosy>(&(), context, batch, time).await).unwrap()
    }

    #[tokio::test]
    async fn failed_unreadable_or_late_message_fails_no_other() {
        let (good, bad, late) = (r#"{"ok":true}"#, r#"{"ok":false}"#, "{}");
        assert_eq!(failed(&[good, good]).await, json!({ "batchItemFailures": [] }));
        let ids = ["1", "2", "4"].map(|id| json!({ "itemIdentifier": id }));
        let mixed = failed(&[good, bad, "{", good, late]).await;
        assert_eq!(mixed, json!({ "batchItemFailures": ids }));
    }
}
