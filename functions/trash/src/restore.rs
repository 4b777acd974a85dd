//! `POST /api/trash`: restores an item from the trash: a project with all its models, or a model to its project, or
//! without project if that no longer exists.

use std::sync::Arc;

use domain::{
    activity::{Action, ActivityEvent},
    id::RequestedId,
    permissions::EditsResources,
    ports::{Failure, Resources, Restored, Rounds, Trash, Workspaces},
    resource::{Kind, Resource, ResourceId, Slug},
    role::Role,
    trash::Trashed,
};
use kit::{
    Access, Body, Code, Editor, Endpoint, NoWorkspace, Output, Ports, Problem, RequestContext, Spec,
    grants::{extras, resources, trash, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Restores an item from the trash.
pub struct Restore;

/// Dependencies.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// The item to restore.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreBody {
    id: RequestedId<ResourceId>,
    r#type: Kind,
    /// A new slug, if the old slug is in use.
    #[serde(default)]
    slug: Option<Slug>,
}

/// The item was restored.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredItem {
    success: bool,
    /// Number of models that were restored with a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    restored_models: Option<u64>,
}
impl Output for RestoredItem {}

kit::errors! {
    pub enum Error from NoWorkspace, Failure {
        /// The item is not in the trash.
        Missing => Problem::not_found(),
        /// The slug is in use.
        SlugTaken => Problem::new(
            Code::SlugTaken,
            "This slug is in use. Provide a different `slug`.",
        ),
        /// The plan's limit is reached.
        LimitReached => Problem::plan_limit_reached(),
    }
}

impl Endpoint for Restore {
    const SPEC: Spec = spec("trash-restore", Post, "/api/trash")
        .summary("Restore an item from the trash")
        .access(Access::key_or_member(Role::Editor))
        .once()
        .problems(&[Code::NotFound, Code::SlugTaken, Code::PlanLimitReached])
        .uses(&[workspaces::FIND, resources::FIND_PROJECT, trash::FIND, trash::RESTORE, extras::EVENT]);
    type Caller = Editor;
    type Deps = Deps;
    type Input = Body<RestoreBody>;
    type Output = RestoredItem;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { trash: ports.trash(), resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Editor>,
        Body(form): Self::Input,
    ) -> Result<RestoredItem, Error> {
        let proof = &call.caller.proof;
        let id = form.id.known().filter(|id| id.kind() == form.r#type).ok_or(Error::Missing)?;
        if let Some(models) = call.made_before::<u64>() {
            return Ok(RestoredItem::new(id, models));
        }
        let limit = call.caller.who.workspace_record(&*deps.workspaces).await?.entitlements(call.now).models;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let (trashed, usage) = deps.trash.find(proof.workspace(), id).await?;
            let trashed = trashed.filter(|trashed| trashed.is_restorable(call.now, &usage));
            let trashed = trashed.ok_or(Error::Missing)?;
            let back = back(deps, call, &trashed, form.slug.as_ref()).await?;
            let extras = call.extras(Some(event(call, proof, &back)), None, back.models);
            match deps.trash.restore(proof, &trashed, &back, limit, extras).await? {
                Restored::Yes => return Ok(RestoredItem::new(id, back.models)),
                Restored::SlugTaken => return Err(Error::SlugTaken),
                Restored::LimitReached => return Err(Error::LimitReached),
                Restored::Stale => {}
            }
        }
    }
}

impl RestoredItem {
    fn new(id: ResourceId, models: u64) -> Self {
        Self { success: true, restored_models: id.project().map(|_| models) }
    }
}

/// The restored resource: in its project only if that exists.
async fn back(
    deps: &Deps,
    call: &RequestContext<Editor>,
    trashed: &Trashed,
    slug: Option<&Slug>,
) -> Result<Resource, Failure> {
    let before = trashed.resource.clone();
    let project = match before.project {
        Some(project) => {
            let found = deps.resources.find(before.workspace, ResourceId::Project(project)).await?;
            found.map(|_| project)
        }
        None => None,
    };
    let slug = slug.cloned().unwrap_or_else(|| before.slug.clone());
    let version = before.version.saturating_add(1);
    Ok(Resource { project, slug, version, updated_at: call.now, ..before })
}

fn event(call: &RequestContext<Editor>, proof: &EditsResources, back: &Resource) -> ActivityEvent {
    let of = back.id.kind().in_history();
    let mut event = call.event(proof.workspace(), proof.actor(), Action::Restored, of);
    event = event.about(back.id, &back.name);
    event
}
