//! Replicates the directory as a [global table] does: copies every change in the authority to each of the other
//! regions, in order. Regions are independent, so an unavailable region does not delay the others.
//!
//! [global table]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodbstreams::{
    Client as StreamsClient,
    types::{AttributeValue, Record},
};
use futures::future::try_join_all;
use lambda::HttpClient;
use tokio::{
    sync::{Mutex, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, watch},
    task::JoinHandle,
};

use crate::{
    functions::outsider,
    region::StandIns,
    region_config::DIRECTORY,
    sdk_error::why,
    stream::{self, BatchFailure, RecordHandler, Stream},
};

/// Pauses the replication of the directory and of the shared secrets.
#[derive(Default)]
pub struct ReplicationSwitch {
    /// Locked for reading while a change is copied, for writing while paused.
    running: Arc<RwLock<()>>,
    paused: Mutex<Option<OwnedRwLockWriteGuard<()>>>,
}

impl ReplicationSwitch {
    /// Pauses or resumes replication. While it is paused, no change is copied.
    pub async fn set(&self, paused: bool) {
        let mut held = self.paused.lock().await;
        *held = match held.take() {
            None if paused => Some(Arc::clone(&self.running).write_owned().await),
            held => held.filter(|_| paused),
        };
    }

    /// Waits until replication is not paused. Replication can't be paused while the guard is held.
    pub async fn running(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.running).read_owned().await
    }

    /// Whether replication is paused.
    pub async fn is_paused(&self) -> bool {
        self.paused.lock().await.is_some()
    }
}

/// A replica that receives changes.
struct Replica {
    client: Client,
    switch: Arc<ReplicationSwitch>,
}

impl Replica {
    async fn make(&self, record: &Record) -> Result<(), String> {
        let Some(change) = record.dynamodb() else { return Ok(()) };
        match change.new_image() {
            Some(item) => {
                let request = self.client.put_item().table_name(DIRECTORY).set_item(Some(attributes(item)));
                request.send().await.map_err(why)?;
            }
            None => {
                let key = change.keys().map(attributes);
                let request = self.client.delete_item().table_name(DIRECTORY).set_key(key);
                request.send().await.map_err(why)?;
            }
        }
        Ok(())
    }
}

impl RecordHandler for Replica {
    async fn take(&self, records: &[Record]) -> Result<(), BatchFailure> {
        for (taken, record) in records.iter().enumerate() {
            let _running = self.switch.running().await;
            self.make(record).await.map_err(|reason| BatchFailure { taken, reason })?;
        }
        Ok(())
    }
}

/// The stream of the authority, with one reader per replica.
pub struct Replication {
    streams: StreamsClient,
    writes: watch::Receiver<u64>,
    idle: Duration,
    http: HttpClient,
    switch: Arc<ReplicationSwitch>,
    replicas: Vec<(Stream, Replica)>,
}

impl Replication {
    /// Starts with `authority` and no replicas.
    pub fn new(authority: &StandIns, http: &HttpClient, switch: Arc<ReplicationSwitch>) -> Self {
        let streams = StreamsClient::new(&lambda::patient_sdk_config(
            authority.region.aws(),
            &authority.endpoint(outsider("replication")),
            http,
        ));
        let (writes, idle) = (authority.aws.directory_writes(), stream::idle(&authority.aws));
        Self { streams, writes, idle, http: http.clone(), switch, replicas: Vec::new() }
    }

    /// Adds a replica. Its position in the stream is stored in `folder`.
    pub fn add(&mut self, replica: &StandIns, folder: PathBuf) -> Result<(), String> {
        std::fs::create_dir_all(&folder).map_err(why)?;
        let position = stream::position(&folder);
        let (streams, writes) = (self.streams.clone(), self.writes.clone());
        let stream = Stream::open(streams, DIRECTORY.to_owned(), position, writes, self.idle);
        let client = Client::new(&lambda::patient_sdk_config(
            replica.region.aws(),
            &replica.endpoint(outsider("replication")),
            &self.http,
        ));
        self.replicas.push((stream, Replica { client, switch: Arc::clone(&self.switch) }));
        Ok(())
    }

    /// Returns after every replica is up to date.
    pub async fn catch_up(&mut self) -> Result<(), String> {
        let draining = self.replicas.iter_mut().map(|(stream, replica)| stream.drain(&*replica));
        try_join_all(draining).await.map(drop)
    }

    /// Replicates until stopped. Stops immediately: repeating a change has no effect.
    pub fn start(self, stopping: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        let follow = |(mut stream, replica): (Stream, Replica)| {
            let (following, mut stopping) = (stopping.clone(), stopping.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = stream.follow(&replica, following) => {}
                    _ = stopping.wait_for(|stop| *stop) => {}
                }
            })
        };
        self.replicas.into_iter().map(follow).collect()
    }
}

/// Converts attributes to the types of the other client.
fn attributes(
    from: &HashMap<String, AttributeValue>,
) -> HashMap<String, aws_sdk_dynamodb::types::AttributeValue> {
    serde_dynamo::Item::from(from.clone()).into()
}
