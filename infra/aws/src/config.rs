//! What the stand-ins of a region are started with.

use std::path::PathBuf;
use std::sync::Arc;

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
    /// The queues of the region. They exist from the start.
    pub queues: Vec<QueueConfig>,
    /// The rules of the region's event buses.
    pub rules: Vec<EventRule>,
    /// The permissions of the functions.
    pub policy: Arc<dyn IamPolicy>,
    /// The keys that a permission for a batch or a transaction is judged with.
    pub leading_keys: LeadingKeys,
}

/// A queue.
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// The name.
    pub name: String,
    /// How long a received message is invisible, in seconds.
    pub visibility_seconds: u32,
    /// How long a message is kept, in seconds.
    pub retention_seconds: u32,
    /// Where messages go that were received too often.
    pub redrive: Option<RedrivePolicy>,
}

/// When a message becomes a dead letter.
#[derive(Debug, Clone)]
pub struct RedrivePolicy {
    /// The name of the dead-letter queue.
    pub queue: String,
    /// How often a message is received before.
    pub max_receives: u32,
}

/// A rule of an event bus: matching events go to a queue.
#[derive(Debug, Clone)]
pub struct EventRule {
    /// The source of the events.
    pub source: String,
    /// Their types.
    pub detail_types: Vec<String>,
    /// The name of the queue.
    pub queue: String,
}
