//! What a job did, for the views of usage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{DatasetId, KeyId, ModelId, UserId},
    reference::Reference,
};

/// What a job does. A plan limits how many jobs of a category run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum JobCategory {
    /// The training of a model.
    Training,
    /// A deployed model, for a period.
    Deployment,
    /// Predictions with a shared model.
    Inference,
}

/// What a job did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// The category.
    pub category: JobCategory,
    /// The type of GPU that it ran on, as the service names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_type: Option<Reference>,
    /// The user who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The API key that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<KeyId>,
    /// The dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetId>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Reference>,
}
