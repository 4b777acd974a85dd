//! What paths say and what answers show.

use domain::{
    Timestamp,
    id::ProjectId,
    ports::Failure,
    resource::{Description, Kind, Resource, ResourceId, ResourceName, Slug, Visibility},
};
use kit::{Output, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which collection a path names.
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
    /// What it is a collection of.
    pub fn kind(self) -> Kind {
        match self {
            Self::Projects => Kind::Project,
            Self::Datasets => Kind::Dataset,
            Self::Models => Kind::Model,
        }
    }
}

/// One project, dataset or model, as a path names it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    kind: Collection,
    /// Its id.
    id: ResourceId,
}

impl One {
    /// Which it is; what is of another kind is not there.
    pub fn id(&self) -> Result<ResourceId, Missing> {
        (self.id.kind() == self.kind.kind()).then_some(self.id).ok_or(Missing)
    }
}

/// There is no such thing: it never was, it is in the trash, or it is another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such thing")]
pub struct Missing;

impl From<Missing> for Problem {
    fn from(_: Missing) -> Self {
        Self::not_found()
    }
}

/// A project, dataset or model.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    #[serde(rename = "_id")]
    id: ResourceId,
    slug: Slug,
    name: ResourceName,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Description>,
    visibility: Visibility,
    /// The project that a model is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<ProjectId>,
    /// How many models a project has.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_count: Option<u64>,
    /// The bytes of its files; a project's are its models'.
    size_bytes: u64,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    #[schemars(schema_with = "kit::input::date_time")]
    updated_at: Timestamp,
}
impl Output for Row {}

impl From<Resource> for Row {
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

/// What can go wrong with one that there is, or is not.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// There is none.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// AWS failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<Unread> for Problem {
    fn from(error: Unread) -> Self {
        match error {
            Unread::Missing(missing) => missing.into(),
            Unread::Failed(failure) => failure.into(),
        }
    }
}
