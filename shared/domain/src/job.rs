//! Jobs: what is asked for with a request, and done by a worker afterwards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Status {
    /// Nothing was done yet.
    Queued,
    /// It is being done.
    Running,
    /// It is done.
    Completed,
    /// It was given up.
    Failed,
}

impl Status {
    /// Whether it is neither done nor given up.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}
