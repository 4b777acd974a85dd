//! Delivers messages from the outbox to their consumers: the table's stream triggers `publish-events`, and the bus
//! triggers its consumers. Delivery is at least once, in order per stream, and survives a restart.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_sdk_dynamodbstreams::types::Record;
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{
    functions::MountedFunctions,
    stream::{BatchFailure, RecordHandler, sequence_number},
};

/// The maximum number of attempts to deliver an event. A deployment then moves it to the dead-letter queue.
const MAX_ATTEMPTS: u32 = 16;

/// The workers that the stream of the outbox triggers.
pub struct Outbox(pub Arc<MountedFunctions>);

impl RecordHandler for Outbox {
    async fn take(&self, records: &[Record]) -> Result<(), BatchFailure> {
        let batch = json!({ "Records": records.iter().map(record).collect::<Vec<_>>() });
        for worker in self.0.stream_readers() {
            let result =
                worker.run(batch.clone()).await.map_err(|reason| BatchFailure { taken: 0, reason })?;
            let failed = result.pointer("/batchItemFailures/0/itemIdentifier").and_then(Value::as_str);
            if let Some(failed) = failed {
                let taken = records.iter().position(|record| sequence_number(record) == Some(failed));
                let reason = format!("batch failed at {failed}");
                return Err(BatchFailure { taken: taken.unwrap_or_default(), reason });
            }
        }
        Ok(())
    }
}

/// A stream record [in the format of Lambda](https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html).
fn record(record: &Record) -> Value {
    let image = record.dynamodb().and_then(|change| change.new_image()).map(|image| {
        let item: serde_dynamo::Item = image.clone().into();
        item
    });
    json!({
        "eventName": record.event_name().map(|name| name.as_str()),
        "dynamodb": { "SequenceNumber": sequence_number(record), "NewImage": image },
    })
}

/// The event bus. Accepted events are stored in one file each until they are delivered.
pub struct LocalBus {
    folder: PathBuf,
    arrived: Notify,
}

impl LocalBus {
    /// Opens the bus with its events in `folder`.
    pub fn open(folder: PathBuf) -> std::io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, arrived: Notify::new() })
    }

    fn waiting(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        files
    }
}

impl aws::EventSink for LocalBus {
    fn put(&self, _: &str, event: Value) {
        let id = event.get("id").and_then(Value::as_str).unwrap_or("event");
        // Message ids sort by time; the id of the envelope does not.
        let order = event.pointer("/detail/id").and_then(Value::as_str).unwrap_or_default();
        let file = self.folder.join(format!("{order}-{id}.json"));
        let temporary = file.with_extension("new");
        let written =
            std::fs::write(&temporary, event.to_string()).and_then(|()| std::fs::rename(&temporary, &file));
        if let Err(error) = written {
            tracing::error!(%error, "event could not be stored");
        }
        self.arrived.notify_one();
    }
}

/// Delivers events to their consumers until stopped. Retries failed events with increasing delays, and sets an event
/// aside after the maximum number of attempts.
pub async fn deliver_bus(
    bus: Arc<LocalBus>,
    functions: Arc<MountedFunctions>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut failed: BTreeMap<PathBuf, (u32, Instant)> = BTreeMap::new();
    loop {
        for file in bus.waiting() {
            let (tries, due) = failed.get(&file).copied().unwrap_or((0, Instant::now()));
            if due > Instant::now() {
                continue;
            }
            match deliver_event(&file, &functions).await {
                Ok(()) => {
                    failed.remove(&file);
                    forget(&file);
                }
                Err(error) if tries >= MAX_ATTEMPTS => {
                    failed.remove(&file);
                    tracing::error!(%error, file = %file.display(), "event failed permanently and was set aside");
                    let _ = std::fs::rename(&file, file.with_extension("dead"));
                }
                Err(error) => {
                    tracing::warn!(%error, tries, "event failed and will be retried");
                    failed.insert(
                        file,
                        (tries + 1, Instant::now() + Duration::from_millis(50 << tries.min(8))),
                    );
                }
            }
        }
        let next = failed.values().map(|(_, due)| *due).min();
        let wake = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = bus.arrived.notified() => {}
            () = tokio::time::sleep_until(wake) => {}
        }
    }
}

async fn deliver_event(file: &Path, functions: &MountedFunctions) -> Result<(), String> {
    let event: Value = serde_json::from_slice(&std::fs::read(file).map_err(text)?).map_err(text)?;
    let detail_type = event.get("detail-type").and_then(Value::as_str).unwrap_or_default();
    for (id, worker) in functions.consumers(detail_type) {
        worker.run(event.clone()).await.map_err(|error| format!("{id}: {error}"))?;
    }
    Ok(())
}

fn forget(file: &Path) {
    if let Err(error) = std::fs::remove_file(file) {
        tracing::error!(%error, "delivered event could not be removed");
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
