//! Jobs: work that a request starts and a worker completes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Status {
    /// No work is done yet.
    Queued,
    /// A worker runs the job.
    Running,
    /// The job completed.
    Completed,
    /// The job failed and is not retried.
    Failed,
}

impl Status {
    /// Whether the job is neither completed nor failed.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}
