//! DynamoDB and DynamoDB Streams: dynoxide on SQLite files, each served by its own router on a thread of its
//! own and called as if it were elsewhere; or an external emulator, which really is.
//!
//! A region has two files: one for its own tables, and one for its replica of the directory, which in AWS is
//! one global table
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GlobalTables.html>). An emulator tells
//! regions apart by signature and keeps the replica beside the region's own tables.

mod database;
mod named;
mod tables;
mod way;

use std::sync::Arc;

use crate::index::Streams;
use crate::{Config, StartError, durable};
use database::Database;
pub(crate) use named::{Named, short};
pub(crate) use tables::Tables;

/// A region's embedded databases.
pub(crate) struct Databases {
    pub(crate) own: Database,
    pub(crate) directory: Database,
}

impl Databases {
    /// Opens both at the same time: each waits for the disk. Replication may be paused for longer than a day,
    /// so nothing of the directory's stream is dropped.
    pub(crate) async fn start(config: &Config) -> Result<Self, StartError> {
        durable::make_folder(&config.directory.folder)?;
        let (own, directory) = tokio::try_join!(
            Database::start(&config.folder, Arc::clone(&config.now), Streams::ADay),
            Database::start(&config.directory.folder, Arc::clone(&config.now), Streams::Whole),
        )?;
        Ok(Self { own, directory })
    }

    /// Returns when the files are closed.
    pub(crate) async fn stop(self) {
        tokio::join!(self.own.stop(), self.directory.stop());
    }
}
