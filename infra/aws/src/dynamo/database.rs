//! Runs an embedded dynoxide server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use dynoxide::storage::Storage;
use dynoxide::storage_backend::Clock;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::answer::BoxError;
use crate::config::TimeSource;
use crate::index::{self, StreamPositions, StreamRetention};
use crate::start_error::StandInError;

/// A running database server. Dropping it stops the server without waiting.
pub(crate) struct Database {
    file: PathBuf,
    address: SocketAddr,
    now: TimeSource,
    streams: StreamRetention,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Database {
    /// Opens `dynamodb.sqlite` and serves it on a thread of its own, because dynoxide blocks its thread while a write
    /// waits for the disk.
    pub(crate) async fn start(
        folder: &Path,
        now: TimeSource,
        streams: StreamRetention,
    ) -> Result<Self, StandInError> {
        let file = folder.join("dynamodb.sqlite");
        let database = open(file.clone(), streams).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StandInError::Listen)?;
        let address = listener.local_addr().map_err(StandInError::Listen)?;
        let listener = listener.into_std().map_err(StandInError::Listen)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StandInError::Listen)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let listener = TcpListener::from_std(listener).map_err(|error| error.to_string())?;
            let stopped = async { drop(stopped.await) };
            dynoxide::server::serve_with_shutdown(listener, database, stopped).await
        };
        let thread = std::thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve) {
                    tracing::error!(error, "DynamoDB stopped");
                }
            })
            .map_err(StandInError::Listen)?;
        Ok(Self { file, address, now, streams, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Deletes expired items according to the local clock, and trims streams. Uses a second connection, because
    /// dynoxide's `Database` can't set the clock of a database on disk.
    pub(crate) async fn sweep_ttl(&self) -> Result<usize, BoxError> {
        let (file, now, streams) = (self.file.clone(), Arc::clone(&self.now), self.streams);
        let runtime = tokio::runtime::Handle::current();
        let swept = tokio::task::spawn_blocking(move || {
            if let Err(error) = index::maintain(&file, streams) {
                tracing::warn!(%error, "stream records were not trimmed");
            }
            let storage = Storage::new(&file.to_string_lossy())?.with_clock(Arc::new(DatabaseClock(now)));
            runtime.block_on(dynoxide::ttl::sweep_expired_items(&storage))
        });
        Ok(swept.await?.map_err(|error| error.to_string())?)
    }

    /// Erases deleted data and the stream records up to `read` from the file. Returns the number of stream records
    /// after `read`.
    pub(crate) async fn compact(&self, read: StreamPositions) -> Result<u64, BoxError> {
        let file = self.file.clone();
        Ok(tokio::task::spawn_blocking(move || index::compact(&file, &read)).await??)
    }

    /// Stops the server. Returns after the file is closed.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// Opens the file on a blocking thread, because opening waits for the disk.
async fn open(file: PathBuf, streams: StreamRetention) -> Result<dynoxide::Database, StandInError> {
    let path = file.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let database =
            dynoxide::Database::new(&path.to_string_lossy()).map_err(|error| unreadable(&path, &error))?;
        index::maintain(&path, streams).map_err(|error| unreadable(&path, &error))?;
        Ok(database)
    });
    opened.await.map_err(|error| unreadable(&file, &error))?
}

fn unreadable(file: &Path, error: &dyn std::fmt::Display) -> StandInError {
    StandInError::Unreadable { path: file.to_owned(), reason: error.to_string() }
}

struct DatabaseClock(TimeSource);

impl Clock for DatabaseClock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from((self.0)().as_second()).unwrap_or(0)
    }

    fn now_unix_secs_f64(&self) -> f64 {
        (self.0)().as_duration().as_secs_f64()
    }
}
