//! Reads a table's stream: in order, at least once, and from where it was left, also after a restart.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use aws_sdk_dynamodbstreams::{
    Client,
    types::{Record, ShardIteratorType},
};
use tokio::sync::watch;

use crate::{files, why};

/// How often a stream is looked at when nothing is known to have been written.
const IDLE: Duration = Duration::from_secs(1);
/// How long after a failure it is tried again, the first time; every time later.
const PAUSE: Duration = Duration::from_millis(50);
const BATCH: i32 = 100;

/// The file in a folder that says how far a stream was read.
pub fn position(folder: &Path) -> PathBuf {
    folder.join("stream-position.json")
}

/// How far that is.
pub fn read_so_far(position: &Path) -> aws::Read {
    let read = std::fs::read(position).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    read.unwrap_or_default()
}

/// What takes a stream's records over.
pub trait Taker: Send + Sync {
    /// Takes a batch over. What it has not taken over comes again.
    fn take(&self, records: &[Record]) -> impl Future<Output = Result<(), Untaken>> + Send;
}

/// Why not all of a batch was taken over.
pub struct Untaken {
    /// So many records were, from the first on.
    pub taken: usize,
    /// What is wrong with the next one.
    pub reason: String,
}

/// The stream of a table and how far it was read.
pub struct Stream {
    client: Client,
    table: String,
    writes: watch::Receiver<u64>,
    positions: Positions,
}

impl Stream {
    /// The stream of `table`, read from where the file `position` says. `writes` changes when something was written.
    pub fn open(client: Client, table: String, position: PathBuf, writes: watch::Receiver<u64>) -> Self {
        Self { client, table, writes, positions: Positions::open(position) }
    }

    /// Hands new records on as they come, until told to stop.
    pub async fn follow(&mut self, taker: &impl Taker, mut stopping: watch::Receiver<bool>) {
        let mut failures = 0_u32;
        loop {
            let wait = match self.drain(taker).await {
                Ok(()) => {
                    failures = 0;
                    IDLE
                }
                Err(error) => {
                    tracing::debug!(error, table = self.table, "the stream can't be read on right now");
                    failures = failures.saturating_add(1);
                    IDLE.min(PAUSE * failures)
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

    /// Hands on everything that is there.
    pub async fn drain(&mut self, taker: &impl Taker) -> Result<(), String> {
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

    /// Hands on one batch of a shard; whether there was one.
    async fn hand_on(&mut self, arn: &str, shard: &str, taker: &impl Taker) -> Result<bool, String> {
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

/// A record's place in its shard.
pub fn sequence_number(record: &Record) -> Option<&str> {
    record.dynamodb().and_then(|change| change.sequence_number())
}

/// How far each shard was read.
struct Positions {
    file: PathBuf,
    read: aws::Read,
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
