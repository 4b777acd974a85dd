//! `GET /api/storage`: what a workspace stores, of how much it may, of what kinds, and what is largest. What is in the trash
//! counts until it is removed.

use std::sync::Arc;

use domain::{
    Timestamp,
    handle::Handle,
    plan::Plan,
    ports::{Failure, Live, Resources, Workspaces},
    region::Region,
    resource::{Kind, ResourceId, ResourceName, Slug},
    role::Role,
    usage::Usage,
    workspace::Workspace,
};
use kit::{
    Access, Call, Endpoint, Grant, Items, KeyOrMember, Output, Params, Ports, Problem, Spec, input::YesNo,
    spec, spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reads what is stored.
pub struct Storage;

/// What it works with.
pub struct Deps {
    resources: Arc<dyn Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// How much of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// `false`: without the largest items.
    #[serde(default)]
    details: Option<YesNo>,
}

/// How many of the largest are shown.
const LARGEST: usize = 10;
/// What stands for a limit where there is none: the largest whole number that every JSON reader holds exactly
/// ([RFC 8259, section 6](https://www.rfc-editor.org/rfc/rfc8259#section-6)).
const UNLIMITED: u64 = (1 << 53) - 1;

/// What is stored.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    tier: Plan,
    usage: Used,
    /// When something of it changed last.
    #[schemars(schema_with = "date_time_or_null")]
    updated_at: Option<Timestamp>,
    breakdown: Breakdown,
    region: Region,
    #[schemars(with = "String")]
    username: Handle,
}
impl Output for Stored {}

/// What is used, of what may be.
#[derive(Serialize, JsonSchema)]
pub struct Used {
    /// Absent if there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Gauge>,
    /// In bytes; no limit is 2⁵³ − 1.
    storage: Gauge,
}

/// A number and its limit.
#[derive(Serialize, JsonSchema)]
pub struct Gauge {
    current: u64,
    limit: u64,
    percent: f64,
}

impl Gauge {
    fn new(current: u64, limit: u64) -> Self {
        // In hundredths, so that what is shown is what was counted.
        let hundredths = u128::from(current) * 10_000 / u128::from(limit.max(1));
        let percent = f64::from(u32::try_from(hundredths).unwrap_or(u32::MAX)) / 100.0;
        Self { current, limit, percent }
    }
}

/// What it is made of.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Breakdown {
    by_category: Categories,
    top_items: Vec<Item>,
}

/// By kind. Exports are not counted yet.
#[derive(Serialize, JsonSchema)]
pub struct Categories {
    datasets: Category,
    models: Category,
    exports: Category,
}

/// One kind: bytes, and how many they belong to, those in the trash among them.
#[derive(Default, Serialize, JsonSchema)]
pub struct Category {
    bytes: u64,
    count: u64,
}

/// One of the largest.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    #[serde(rename = "_id")]
    id: ResourceId,
    name: ResourceName,
    slug: Slug,
    size_bytes: u64,
    r#type: Kind,
    /// Of the project that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_name: Option<ResourceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_slug: Option<Slug>,
}

impl From<Live> for Item {
    fn from(live: Live) -> Self {
        let (parent_name, parent_slug) = live.project.map(|project| (project.name, project.slug)).unzip();
        let resource = live.resource;
        Self {
            id: resource.id,
            name: resource.name,
            slug: resource.slug,
            size_bytes: resource.size_bytes,
            r#type: resource.id.kind(),
            parent_name,
            parent_slug,
        }
    }
}

impl Stored {
    fn new(workspace: &Workspace, usage: &Usage, largest: Vec<Live>) -> Self {
        let limits = workspace.plan.limits();
        let in_trash = usage.trashed_models.saturating_add(usage.cascaded_models);
        Self {
            tier: workspace.plan,
            usage: Used {
                models: limits.models.map(|limit| Gauge::new(usage.models, limit)),
                storage: Gauge::new(usage.stored_bytes(), limits.storage_bytes.unwrap_or(UNLIMITED)),
            },
            updated_at: usage.changed_at,
            breakdown: Breakdown {
                by_category: Categories {
                    datasets: Category {
                        bytes: usage.dataset_bytes,
                        count: usage.datasets.saturating_add(usage.trashed_datasets),
                    },
                    models: Category {
                        bytes: usage.model_bytes,
                        count: usage.models.saturating_add(in_trash),
                    },
                    exports: Category::default(),
                },
                top_items: largest.into_iter().map(Item::from).collect(),
            },
            region: workspace.region,
            username: workspace.handle.clone(),
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("the caller's workspace is gone")]
    Refused(#[from] Problem),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Storage {
    const SPEC: Spec = spec("storage-read", Get, "/api/storage")
        .summary("Read what a workspace stores")
        .access(Access::KeyOr(Role::Viewer))
        .grants(&[
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("GetItem", Items::Usage),
            Grant::items("Query", Items::Sizes),
            Grant::items("BatchGetItem", Items::Datasets),
            Grant::items("BatchGetItem", Items::Models),
            Grant::items("BatchGetItem", Items::Projects),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Params<Wanted>;
    type Output = Stored;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<KeyOrMember>,
        Params(wanted): Self::Input,
    ) -> Result<Stored, Error> {
        let id = call.caller.workspace();
        let largest = async {
            match wanted.details {
                Some(YesNo::False) => Ok(Vec::new()),
                _ => Ok(deps.resources.largest(id, LARGEST).await?),
            }
        };
        let usage = async { Ok(deps.resources.usage(id).await?) };
        let workspace = async { Ok::<_, Error>(call.caller.workspace_record(&*deps.workspaces).await?) };
        let (workspace, usage, largest) = futures::try_join!(workspace, usage, largest)?;
        Ok(Stored::new(&workspace, &usage, largest))
    }
}

fn date_time_or_null(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "null"], "format": "date-time" })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(problem) => problem,
            Error::Failed(failure) => failure.into(),
        }
    }
}
