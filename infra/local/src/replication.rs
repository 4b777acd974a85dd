//! Replicates the directory as a [global table] does: every change in the authority is made in each of the other regions,
//! in order, each region on its own, so that one which is down does not hold up the others.
//!
//! [global table]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html

use std::{collections::HashMap, path::PathBuf, sync::Arc};

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
    region::{DIRECTORY, StandIns},
    stream::{self, Stream, Taker, Untaken},
    why,
};

/// The switch that pauses it, and that of the secrets which all regions share.
#[derive(Default)]
pub struct Switch {
    /// Held for reading while a change is made; for writing while paused.
    running: Arc<RwLock<()>>,
    paused: Mutex<Option<OwnedRwLockWriteGuard<()>>>,
}

impl Switch {
    /// Pauses, or goes on. Once paused, nothing more arrives.
    pub async fn set(&self, paused: bool) {
        let mut held = self.paused.lock().await;
        *held = match held.take() {
            None if paused => Some(Arc::clone(&self.running).write_owned().await),
            held => held.filter(|_| paused),
        };
    }

    /// Returns once it is not paused, and keeps it so while what it gives is held.
    pub async fn running(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.running).read_owned().await
    }

    /// Whether it is paused.
    pub async fn is_paused(&self) -> bool {
        self.paused.lock().await.is_some()
    }
}

/// A replica, which changes are made in.
struct Replica {
    client: Client,
    switch: Arc<Switch>,
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

impl Taker for Replica {
    async fn take(&self, records: &[Record]) -> Result<(), Untaken> {
        for (taken, record) in records.iter().enumerate() {
            let _running = self.switch.running().await;
            self.make(record).await.map_err(|reason| Untaken { taken, reason })?;
        }
        Ok(())
    }
}

/// The authority's stream, once for every other region.
pub struct Replication {
    streams: StreamsClient,
    writes: watch::Receiver<u64>,
    http: HttpClient,
    switch: Arc<Switch>,
    replicas: Vec<(Stream, Replica)>,
}

impl Replication {
    /// From `authority` to no replica yet.
    pub fn new(authority: &StandIns, http: &HttpClient, switch: Arc<Switch>) -> Self {
        let streams = StreamsClient::new(&lambda::patient_sdk_config(
            authority.region.aws(),
            &authority.endpoint(outsider("replication")),
            http,
        ));
        let (writes, http) = (authority.aws.directory_writes(), http.clone());
        Self { streams, writes, http, switch, replicas: Vec::new() }
    }

    /// To one more replica. How far it is, is kept in `folder`.
    pub fn add(&mut self, replica: &StandIns, folder: PathBuf) -> Result<(), String> {
        std::fs::create_dir_all(&folder).map_err(why)?;
        let position = stream::position(&folder);
        let (streams, writes) = (self.streams.clone(), self.writes.clone());
        let stream = Stream::open(streams, DIRECTORY.to_owned(), position, writes);
        let client = Client::new(&lambda::patient_sdk_config(
            replica.region.aws(),
            &replica.endpoint(outsider("replication")),
            &self.http,
        ));
        self.replicas.push((stream, Replica { client, switch: Arc::clone(&self.switch) }));
        Ok(())
    }

    /// Returns once every replica has what the authority has.
    pub async fn catch_up(&mut self) -> Result<(), String> {
        let draining = self.replicas.iter_mut().map(|(stream, replica)| stream.drain(&*replica));
        try_join_all(draining).await.map(drop)
    }

    /// Replicates until told to stop, which it does at once: a change that is made twice is made once.
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

/// The same attributes as the other client has them.
fn attributes(
    from: &HashMap<String, AttributeValue>,
) -> HashMap<String, aws_sdk_dynamodb::types::AttributeValue> {
    serde_dynamo::Item::from(from.clone()).into()
}
