//! Reads a table's stream in order and at least once. The position survives a restart.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use aws_sdk_dynamodbstreams::{
    Client,
    types::{Record, ShardIteratorType},
};
use tokio::sync::watch;

use crate::{files, sdk_error::why};

/// The poll interval of streams that notify readers of every write.
const NOTIFIED_POLL: Duration = Duration::from_secs(60);
/// The poll interval of streams of an external emulator, which may have other writers.
const POLL: Duration = Duration::from_secs(1);
/// The maximum delay after a failure.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// The delay after the first failure. It grows with further failures.
const INITIAL_DELAY: Duration = Duration::from_millis(50);
const BATCH: i32 = 100;

/// The poll interval of the streams of `aws` without notifications.
pub fn idle(aws: &aws::Aws) -> Duration {
    if aws.is_embedded() { NOTIFIED_POLL } else { POLL }
}

/// The file in a folder that stores the position in a stream.
pub fn position(folder: &Path) -> PathBuf {
    folder.join("stream-position.json")
}

/// Reads the position from a file.
pub fn read_so_far(position: &Path) -> aws::StreamPositions {
    let read = std::fs::read(position).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    read.unwrap_or_default()
}

/// Processes the records of a stream.
pub trait RecordHandler: Send + Sync {
    /// Processes a batch. Unprocessed records are delivered again.
    fn take(&self, records: &[Record]) -> impl Future<Output = Result<(), BatchFailure>> + Send;
}

/// Why a batch was not processed completely.
pub struct BatchFailure {
    /// The number of processed records from the start of the batch.
    pub taken: usize,
    /// The reason for the failure of the next record.
    pub reason: String,
}

/// The stream of a table and the position in it.
pub struct Stream {
    client: Client,
    table: String,
    writes: watch::Receiver<u64>,
    idle: Duration,
    positions: Positions,
}

impl Stream {
    /// The stream of `table`, starting at the position in the file `position`. `writes` notifies of new records;
    /// otherwise the stream is polled every `idle`.
    pub fn open(
        client: Client,
        table: String,
        position: PathBuf,
        writes: watch::Receiver<u64>,
        idle: Duration,
    ) -> Self {
        Self { client, table, writes, idle, positions: Positions::open(position) }
    }

    /// Processes new records until stopped.
    pub async fn follow(&mut self, taker: &impl RecordHandler, mut stopping: watch::Receiver<bool>) {
        let mut failures = 0_u32;
        loop {
            let wait = match self.drain(taker).await {
                Ok(()) => {
                    failures = 0;
                    self.idle
                }
                Err(error) => {
                    tracing::debug!(error, table = self.table, "stream could not be read");
                    failures = failures.saturating_add(1);
                    MAX_DELAY.min(INITIAL_DELAY * failures)
                }
            };
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                changed = tokio::time::timeout(wait, self.writes.changed()) => {
                    if matches!(changed, Ok(Err(_))) {
                        return;
                    }
                }
            }
        }
    }

    /// Processes all available records.
    pub async fn drain(&mut self, taker: &impl RecordHandler) -> Result<(), String> {
        let listed = self.client.list_streams().table_name(&self.table).send().await.map_err(why)?;
        for arn in listed.streams().iter().filter_map(|stream| stream.stream_arn()) {
            let described = self.client.describe_stream().stream_arn(arn).send().await.map_err(why)?;
            let shards = described.stream_description().map(|stream| stream.shards()).unwrap_or_default();
            for shard in shards.iter().filter_map(|shard| shard.shard_id()) {
                while self.hand_on(arn, shard, taker).await? {}
            }
        }
        Ok(())
    }

    /// Processes one batch of a shard. Returns whether there was one.
    async fn hand_on(&mut self, arn: &str, shard: &str, taker: &impl RecordHandler) -> Result<bool, String> {
        let request = self.client.get_shard_iterator().stream_arn(arn).shard_id(shard);
        let request = match self.positions.of(shard) {
            Some(last) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(last)
            }
            None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        let iterator = request.send().await.map_err(why)?.shard_iterator;
        let request = self.client.get_records().set_shard_iterator(iterator).limit(BATCH);
        let records = request.send().await.map_err(why)?.records.unwrap_or_default();
        if records.is_empty() {
            return Ok(false);
        }
        let outcome = taker.take(&records).await;
        let taken = outcome.as_ref().map_or_else(|untaken| untaken.taken, |()| records.len());
        if let Some(last) = records.iter().take(taken).filter_map(sequence_number).next_back() {
            self.positions.save(shard, last)?;
        }
        outcome.map(|()| true).map_err(|untaken| untaken.reason)
    }
}

/// The sequence number of a record in its shard.
pub fn sequence_number(record: &Record) -> Option<&str> {
    record.dynamodb().and_then(|change| change.sequence_number())
}

/// The position in each shard.
struct Positions {
    file: PathBuf,
    read: aws::StreamPositions,
}

impl Positions {
    fn open(file: PathBuf) -> Self {
        let read = read_so_far(&file);
        Self { file, read }
    }

    fn of(&self, shard: &str) -> Option<&String> {
        self.read.get(shard)
    }

    fn save(&mut self, shard: &str, sequence: &str) -> Result<(), String> {
        self.read.insert(shard.to_owned(), sequence.to_owned());
        files::replace(&self.file, &self.read).map_err(why)
    }
}
