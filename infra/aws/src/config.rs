//! What the stand-ins of a region are started with.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use crate::directory::DirectoryTable;
use crate::journal::Journal;
use crate::permission::{IamPolicy, LeadingKeys};

/// The source of the current time.
pub type TimeSource = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// The configuration of one region's stand-ins.
pub struct StandInConfig {
    /// The region whose signatures are accepted.
    pub region: String,
    /// The folder for all durable data except mail. Created if missing.
    pub folder: PathBuf,
    /// The file for sent mail. Created if missing.
    pub mail: PathBuf,
    /// The directory and the region's replica.
    pub directory: DirectoryTable,
    /// The local clock.
    pub now: TimeSource,
    /// An external emulator for DynamoDB, DynamoDB Streams and S3 instead of the embedded stand-ins.
    pub external: Option<Url>,
    /// Records calls and injects faults; shared by all regions.
    pub journal: Arc<Journal>,
    /// Receives the events that `PutEvents` accepts.
    pub bus: Arc<dyn EventSink>,
    /// The permissions of the functions.
    pub policy: Arc<dyn IamPolicy>,
    /// The keys that a permission for a batch or a transaction is judged with.
    pub leading_keys: LeadingKeys,
}

/// Receives the events that `PutEvents` accepts, and delivers them to consumers.
pub trait EventSink: Send + Sync {
    /// Takes an event in the envelope that consumers receive, from `version` to `detail`.
    fn put(&self, region: &str, event: Value);
}
