//! What is answered when something was removed for good, be it one thing or all.

use kit::Output;
use schemars::JsonSchema;
use serde::Serialize;

/// It is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    success: bool,
    /// How many things: a project with its models is one.
    deleted_count: u64,
    /// How many models went along with projects.
    #[serde(skip_serializing_if = "Option::is_none")]
    cascaded_models: Option<u64>,
}
impl Output for Removed {}

impl Removed {
    /// So many things, and so many models with projects among them.
    pub(crate) fn new(deleted_count: u64, cascaded_models: Option<u64>) -> Self {
        Self { success: true, deleted_count, cascaded_models }
    }
}
