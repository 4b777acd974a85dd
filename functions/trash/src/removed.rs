//! The response to a permanent deletion of one or all items.

use kit::Output;
use schemars::JsonSchema;
use serde::Serialize;

/// The items were permanently deleted.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    success: bool,
    /// Number of deleted items. A project and its models count as one item.
    deleted_count: u64,
    /// Number of models that were deleted with their projects.
    #[serde(skip_serializing_if = "Option::is_none")]
    cascaded_models: Option<u64>,
}
impl Output for Removed {}

impl Removed {
    /// Makes the response for these numbers of items and of models in projects.
    pub(crate) fn new(deleted_count: u64, cascaded_models: Option<u64>) -> Self {
        Self { success: true, deleted_count, cascaded_models }
    }
}
