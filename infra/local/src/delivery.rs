//! What carries messages from the outbox to their consumers: the table's stream to `publish-events`, the bus to whoever
//! subscribes. At least once, in order per stream, and durable: what was taken over is delivered after a restart.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_sdk_dynamodbstreams::{
    Client,
    types::{Record, ShardIteratorType},
};
use domain::region::Region;
use lambda::{Endpoint, HttpClient};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::functions::Functions;

/// How often a stream is looked at when nothing is known to have been written.
const IDLE: Duration = Duration::from_secs(1);
/// An event that fails is tried again so often. A deployment has a dead-letter queue after that.
const TRIES: u32 = 16;
const BATCH: i32 = 100;

/// The stream of a table and how far it was read.
pub struct Stream {
    /// The stand-in's client.
    pub client: Client,
    /// The table.
    pub table: String,
    /// Where the position is kept.
    pub position: PathBuf,
    /// Changes when something was written.
    pub writes: watch::Receiver<u64>,
}

/// A client for streams.
pub fn stream_client(region: Region, endpoint: &Endpoint, http: HttpClient) -> Client {
    Client::new(&lambda::sdk_config(region.aws(), endpoint, http))
}

/// Hands new records to the workers that read the stream, until told to stop.
pub async fn deliver_stream(
    mut stream: Stream,
    functions: Arc<Functions>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut positions = Positions::open(stream.position.clone());
    loop {
        if let Err(error) = drain(&stream, &functions, &mut positions).await {
            tracing::debug!(error, "the stream can't be read right now");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            changed = tokio::time::timeout(IDLE, stream.writes.changed()) => {
                if matches!(changed, Ok(Err(_))) {
                    return;
                }
            }
        }
    }
}

/// Delivers everything that is there.
async fn drain(stream: &Stream, functions: &Functions, positions: &mut Positions) -> Result<(), String> {
    let listed = stream.client.list_streams().table_name(&stream.table).send().await.map_err(text)?;
    for arn in listed.streams().iter().filter_map(|stream| stream.stream_arn()) {
        let described = stream.client.describe_stream().stream_arn(arn).send().await.map_err(text)?;
        let shards = described.stream_description().map(|stream| stream.shards()).unwrap_or_default();
        for shard in shards.iter().filter_map(|shard| shard.shard_id()) {
            while drain_shard(stream, arn, shard, functions, positions).await? {}
        }
    }
    Ok(())
}

/// Delivers one batch of a shard; whether there was one.
async fn drain_shard(
    stream: &Stream,
    arn: &str,
    shard: &str,
    functions: &Functions,
    positions: &mut Positions,
) -> Result<bool, String> {
    let request = stream.client.get_shard_iterator().stream_arn(arn).shard_id(shard);
    let request = match positions.of(shard) {
        Some(last) => {
            request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(last)
        }
        None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
    };
    let iterator = request.send().await.map_err(text)?.shard_iterator;
    let got =
        stream.client.get_records().set_shard_iterator(iterator).limit(BATCH).send().await.map_err(text)?;
    let Some(last) = got.records().last().and_then(sequence_number) else { return Ok(false) };
    let batch = json!({ "Records": got.records().iter().map(record).collect::<Vec<_>>() });
    for worker in functions.stream_readers() {
        let result = worker.run(batch.clone()).await?;
        let failed = result.pointer("/batchItemFailures/0/itemIdentifier").and_then(Value::as_str);
        if let Some(failed) = failed {
            let sequences = got.records().iter().filter_map(sequence_number);
            if let Some(done) = sequences.take_while(|sequence| *sequence != failed).last() {
                positions.save(shard, done)?;
            }
            return Err(format!("the batch failed at {failed}"));
        }
    }
    positions.save(shard, last)?;
    Ok(true)
}

fn sequence_number(record: &Record) -> Option<&str> {
    record.dynamodb().and_then(|change| change.sequence_number())
}

/// A record as [Lambda gets it](https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html).
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

/// How far each shard was read.
struct Positions {
    file: PathBuf,
    read: BTreeMap<String, String>,
}

impl Positions {
    fn open(file: PathBuf) -> Self {
        let read = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { file, read: read.unwrap_or_default() }
    }

    fn of(&self, shard: &str) -> Option<&String> {
        self.read.get(shard)
    }

    fn save(&mut self, shard: &str, sequence: &str) -> Result<(), String> {
        self.read.insert(shard.to_owned(), sequence.to_owned());
        let bytes = serde_json::to_vec(&self.read).map_err(text)?;
        let temporary = self.file.with_extension("new");
        std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, &self.file)).map_err(text)
    }
}

/// The event bus: what `PutEvents` accepted lies here, a file an event, until it is delivered.
pub struct LocalBus {
    folder: PathBuf,
    arrived: Notify,
}

impl LocalBus {
    /// The bus that keeps its events in `folder`.
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

impl aws::Bus for LocalBus {
    fn put(&self, _: &str, event: Value) {
        let id = event.get("id").and_then(Value::as_str).unwrap_or("event");
        // The message's id sorts by time; the envelope's own does not.
        let order = event.pointer("/detail/id").and_then(Value::as_str).unwrap_or_default();
        let file = self.folder.join(format!("{order}-{id}.json"));
        let temporary = file.with_extension("new");
        let written =
            std::fs::write(&temporary, event.to_string()).and_then(|()| std::fs::rename(&temporary, &file));
        if let Err(error) = written {
            tracing::error!(%error, "an event could not be kept");
        }
        self.arrived.notify_one();
    }
}

/// Hands events to their consumers, until told to stop. What fails stays and is tried again with growing pauses; what
/// fails too often is set aside.
pub async fn deliver_bus(bus: Arc<LocalBus>, functions: Arc<Functions>, mut stopping: watch::Receiver<bool>) {
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
                Err(error) if tries >= TRIES => {
                    failed.remove(&file);
                    tracing::error!(%error, file = %file.display(), "an event was given up and set aside");
                    let _ = std::fs::rename(&file, file.with_extension("dead"));
                }
                Err(error) => {
                    tracing::warn!(%error, tries, "an event will be delivered again");
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

async fn deliver_event(file: &Path, functions: &Functions) -> Result<(), String> {
    let event: Value = serde_json::from_slice(&std::fs::read(file).map_err(text)?).map_err(text)?;
    let detail_type = event.get("detail-type").and_then(Value::as_str).unwrap_or_default();
    for (id, worker) in functions.consumers(detail_type) {
        worker.run(event.clone()).await.map_err(|error| format!("{id}: {error}"))?;
    }
    Ok(())
}

fn forget(file: &Path) {
    if let Err(error) = std::fs::remove_file(file) {
        tracing::error!(%error, "a delivered event could not be removed");
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
