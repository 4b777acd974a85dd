//! DynamoDB and DynamoDB Streams: embedded dynoxide servers on SQLite files, or an external emulator.
//!
//! A region has two databases: one for its own tables, and one for its replica of the directory, a global table in AWS
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GlobalTables.html>). An external emulator
//! separates regions by signature and holds the replica together with the region's own tables.

mod backend;
mod database;
mod operations;
mod reserved;
mod table_names;
mod tables;

use std::sync::Arc;

use crate::config::StandInConfig;
use crate::durable;
use crate::index::StreamRetention;
use crate::start_error::StandInError;
use database::Database;
pub(crate) use operations::writes;
pub(crate) use table_names::{TableNames, short};
pub(crate) use tables::Tables;

/// The embedded databases of a region.
pub(crate) struct Databases {
    pub(crate) own: Database,
    pub(crate) directory: Database,
}

impl Databases {
    /// Opens both databases concurrently, because opening waits for the disk. The directory's stream is never trimmed,
    /// because replication may be paused for more than a day.
    pub(crate) async fn start(config: &StandInConfig) -> Result<Self, StandInError> {
        durable::make_folder(&config.directory.folder)?;
        let (own, directory) = tokio::try_join!(
            Database::start(&config.folder, Arc::clone(&config.now), StreamRetention::OneDay),
            Database::start(&config.directory.folder, Arc::clone(&config.now), StreamRetention::Forever),
        )?;
        Ok(Self { own, directory })
    }

    /// Stops both databases. Returns after their files are closed.
    pub(crate) async fn stop(self) {
        tokio::join!(self.own.stop(), self.directory.stop());
    }
}
