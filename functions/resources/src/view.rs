//! Paths and responses of resources.

use domain::{
    Timestamp,
    id::{ProjectId, RequestedId},
    ports::Failure,
    resource::{Description, Kind, Resource, ResourceId, ResourceName, Slug, Visibility},
};
use kit::{Output, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The collection in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Collection {
    /// Projects.
    Projects,
    /// Datasets.
    Datasets,
    /// Models.
    Models,
}

impl Collection {
    /// The type of the collection's resources.
    pub fn kind(self) -> Kind {
        match self {
            Self::Projects => Kind::Project,
            Self::Datasets => Kind::Dataset,
            Self::Models => Kind::Model,
        }
    }
}

/// A project, dataset or model in a path.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcePath {
    kind: Collection,
    /// The resource's id.
    id: RequestedId<ResourceId>,
}

impl ResourcePath {
    /// The resource's id. An id of another type counts as missing.
    pub fn id(&self) -> Result<ResourceId, Missing> {
        self.id.known().filter(|id| id.kind() == self.kind.kind()).ok_or(Missing)
    }
}

/// The resource does not exist, is in the trash, or belongs to another workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the resource does not exist")]
pub struct Missing;

impl From<Missing> for Problem {
    fn from(_: Missing) -> Self {
        Self::not_found()
    }
}

/// A project, dataset or model.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRow {
    #[serde(rename = "_id")]
    id: ResourceId,
    slug: Slug,
    name: ResourceName,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Description>,
    visibility: Visibility,
    /// The project of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<ProjectId>,
    /// Number of models in a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_count: Option<u64>,
    /// Size of all files in bytes. The size of a project is the size of its models.
    size_bytes: u64,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    #[schemars(schema_with = "kit::input::date_time")]
    updated_at: Timestamp,
}
impl Output for ResourceRow {}

impl From<Resource> for ResourceRow {
    fn from(resource: Resource) -> Self {
        let is_project = resource.id.kind() == Kind::Project;
        Self {
            id: resource.id,
            slug: resource.slug,
            name: resource.name,
            description: resource.description,
            visibility: resource.visibility,
            project_id: resource.project,
            model_count: is_project.then_some(resource.models),
            size_bytes: resource.size_bytes,
            created_at: resource.created_at,
            updated_at: resource.updated_at,
        }
    }
}

kit::errors! {
    pub enum Unread from Missing, Failure {}
}
