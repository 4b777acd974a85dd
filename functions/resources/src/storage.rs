//! `GET /api/storage`: returns the storage usage of a workspace, its limits, usage by category, and the largest items.
//! Items in the trash count until they are removed.

use std::sync::Arc;

use domain::{
    Timestamp,
    entitlements::UNLIMITED,
    handle::Handle,
    id::WorkspaceId,
    plan::Plan,
    ports::{Live, Outcome, Resources, Workspaces},
    region::Region,
    resource::{Kind, ResourceId, ResourceName, Slug},
    role::Role,
    usage::Usage,
    workspace::Workspace,
};
use kit::{
    Access, Endpoint, KeyOrMember, NoWorkspace, Output, Params, Ports, Prefetched, RequestContext, Spec,
    TokenIds,
    grants::{resources, workspaces},
    parameters::YesNo,
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Returns storage usage.
pub struct ReadStorage;

/// Dependencies.
pub struct Deps {
    resources: Arc<dyn Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// Level of detail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StorageQuery {
    /// `false`: omit the largest items.
    #[serde(default)]
    details: Option<YesNo>,
    /// `reserved`: include `usage.reservedBytes`.
    #[serde(default)]
    expand: Option<StorageExpansion>,
}

/// Values of `expand`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum StorageExpansion {
    /// Include the bytes that unfinished uploads reserve.
    Reserved,
}

/// Number of largest items.
const LARGEST: usize = 10;

/// Storage usage of a workspace.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    tier: Plan,
    usage: Used,
    /// Time of the last change.
    #[schemars(schema_with = "date_time_or_null")]
    updated_at: Option<Timestamp>,
    breakdown: Breakdown,
    region: Region,
    #[schemars(with = "String")]
    username: Handle,
}
impl Output for Stored {}

/// Usage and limits.
#[derive(Serialize, JsonSchema)]
pub struct Used {
    /// Absent if the plan has no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Gauge>,
    /// Storage in bytes. 2⁵³ − 1 means no limit.
    storage: Gauge,
    /// Bytes reserved for uploads that are not completed. They count towards the limit of storage for a day after the upload began.
    /// Present with `expand=reserved`, because the reference's client does not know it.
    #[serde(rename = "reservedBytes", skip_serializing_if = "Option::is_none")]
    reserved_bytes: Option<u64>,
}

/// A usage value and its limit.
#[derive(Serialize, JsonSchema)]
pub struct Gauge {
    current: u64,
    limit: u64,
    percent: f64,
}

impl Gauge {
    fn new(current: u64, limit: u64) -> Self {
        // In hundredths, so that the shown value equals the counted value.
        let hundredths = u128::from(current) * 10_000 / u128::from(limit.max(1));
        let percent = f64::from(u32::try_from(hundredths).unwrap_or(u32::MAX)) / 100.0;
        Self { current, limit, percent }
    }
}

/// Storage usage in detail.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Breakdown {
    by_category: Categories,
    top_items: Vec<LargestItem>,
}

/// Usage by category. Exports are not counted yet.
#[derive(Serialize, JsonSchema)]
pub struct Categories {
    datasets: Category,
    models: Category,
    exports: Category,
}

/// Bytes and number of resources in a category, including the trash.
#[derive(Default, Serialize, JsonSchema)]
pub struct Category {
    bytes: u64,
    count: u64,
}

/// One of the largest resources.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LargestItem {
    #[serde(rename = "_id")]
    id: ResourceId,
    name: ResourceName,
    slug: Slug,
    size_bytes: u64,
    r#type: Kind,
    /// Name of the model's project.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_name: Option<ResourceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_slug: Option<Slug>,
}

impl From<Live> for LargestItem {
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
    fn new(workspace: &Workspace, usage: &Usage, largest: Vec<Live>, now: Timestamp) -> Self {
        let entitlements = workspace.entitlements(now);
        let in_trash = usage.trashed_models.saturating_add(usage.cascaded_models);
        Self {
            tier: workspace.plan_at(now),
            usage: Used {
                models: entitlements.models.map(|limit| Gauge::new(usage.models, limit)),
                storage: Gauge::new(usage.stored_bytes(), entitlements.storage_bytes.unwrap_or(UNLIMITED)),
                reserved_bytes: None,
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
                top_items: largest.into_iter().map(LargestItem::from).collect(),
            },
            region: workspace.region,
            username: workspace.handle.clone(),
        }
    }
}

impl Endpoint for ReadStorage {
    const SPEC: Spec = spec("storage-read", Get, "/api/storage")
        .summary("Get a workspace's storage usage")
        .access(Access::key_or_member(Role::Viewer))
        .uses(&[workspaces::FIND, resources::USAGE, resources::LARGEST]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<Params<StorageQuery>, Records>;
    type Output = Stored;
    type Error = NoWorkspace;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(Params(query), early): &mut Self::Input) {
        early.read(records(deps, ids.workspace, query)).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<Stored, NoWorkspace> {
        let workspace = call.caller.workspace_record(&*deps.workspaces);
        let records = early.or_read(records(deps, call.caller.workspace(), &query));
        let records = async { Ok::<_, NoWorkspace>(records.await?) };
        let (workspace, (usage, largest)) = futures::try_join!(workspace, records)?;
        let mut stored = Stored::new(&workspace, &usage, largest, call.now);
        stored.usage.reserved_bytes = query.expand.map(|StorageExpansion::Reserved| usage.reserved_bytes());
        Ok(stored)
    }
}

/// Storage usage and the largest items.
type Records = (Usage, Vec<Live>);

async fn records(deps: &Deps, workspace: WorkspaceId, query: &StorageQuery) -> Outcome<Records> {
    let largest = async {
        match query.details {
            Some(YesNo::False) => Ok(Vec::new()),
            _ => deps.resources.largest(workspace, LARGEST).await,
        }
    };
    futures::try_join!(deps.resources.usage(workspace), largest)
}

fn date_time_or_null(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "null"], "format": "date-time" })
}
