//! `POST /api/trash`: take something out of the trash, back to where it was: a project with all its models; a model to its
//! project, or without one if that is not there.

use std::sync::Arc;

use domain::{
    activity::{Action, Event},
    policy::{Denied, EditsResources},
    ports::{Failure, Resources, Restored, Trash, Workspaces},
    resource::{Kind, Resource, ResourceId, Slug},
    role::Role,
    trash::Trashed,
};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, KeyOrMember, Output, Ports, Problem, Spec, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Restores something.
pub struct Restore;

/// What it works with.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// What to restore.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    id: ResourceId,
    r#type: Kind,
    /// Another slug, if the old one belongs to another by now.
    #[serde(default)]
    slug: Option<Slug>,
}

/// It is back.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Back {
    success: bool,
    /// How many models came with a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    restored_models: Option<u64>,
}
impl Output for Back {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("it is not in the trash")]
    Missing,
    #[error("the slug belongs to another")]
    SlugTaken,
    #[error("the plan has no room")]
    LimitReached,
    #[error("the caller's workspace is gone")]
    Refused(#[from] Problem),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Restore {
    const SPEC: Spec = spec("trash-restore", Post, "/api/trash")
        .summary("Restore something from the trash")
        .access(Access::KeyOr(Role::Editor))
        .once()
        .problems(&[Code::NotFound, Code::SlugTaken, Code::PlanLimitReached])
        .grants(&[
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("GetItem", Items::Projects),
            Grant::items("GetItem", Items::Usage),
            Grant::items("BatchGetItem", Items::Trash),
            Grant::items("BatchGetItem", Items::Usage),
            Grant::items("DeleteItem", Items::Trash),
            Grant::items("DeleteItem", Items::TrashList),
            Grant::items("DeleteItem", Items::Due),
            Grant::items("PutItem", Items::Projects),
            Grant::items("PutItem", Items::Datasets),
            Grant::items("PutItem", Items::Models),
            Grant::items("PutItem", Items::Groups),
            Grant::items("PutItem", Items::Slugs),
            Grant::items("PutItem", Items::Sizes),
            Grant::items("UpdateItem", Items::Projects),
            Grant::items("UpdateItem", Items::Usage),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Receipts),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = Back;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { trash: ports.trash(), resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn handle(deps: &Deps, call: &Call<KeyOrMember>, Body(form): Self::Input) -> Result<Back, Error> {
        let proof = call.caller.edits_resources()?;
        if let Some(models) = call.made_before::<u64>() {
            return Ok(Back::new(form.id, models));
        }
        if form.id.kind() != form.r#type {
            return Err(Error::Missing);
        }
        let limit = call.caller.workspace_record(&*deps.workspaces).await?.plan.limits().models;
        loop {
            let (trashed, usage) = deps.trash.find(proof.workspace(), form.id).await?;
            let trashed = trashed.filter(|trashed| trashed.is_restorable(call.now, &usage));
            let trashed = trashed.ok_or(Error::Missing)?;
            let back = back(deps, call, &trashed, form.slug.as_ref()).await?;
            let alongside = call.alongside(Some(event(call, &proof, &back)), None, back.models);
            match deps.trash.restore(&proof, &trashed, &back, limit, alongside).await? {
                Restored::Yes => return Ok(Back::new(form.id, back.models)),
                Restored::SlugTaken => return Err(Error::SlugTaken),
                Restored::LimitReached => return Err(Error::LimitReached),
                Restored::Stale => {}
            }
        }
    }
}

impl Back {
    fn new(id: ResourceId, models: u64) -> Self {
        Self { success: true, restored_models: id.project().map(|_| models) }
    }
}

/// What it will be: in its project only if that is there.
async fn back(
    deps: &Deps,
    call: &Call<KeyOrMember>,
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

fn event(call: &Call<KeyOrMember>, proof: &EditsResources, back: &Resource) -> Event {
    let of = back.id.kind().in_history();
    let mut event = call.event(proof.workspace(), proof.actor(), Action::Restored, of);
    event = event.about(back.id, &back.name);
    event
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::Missing => Self::not_found(),
            Error::SlugTaken => Self::new(
                Code::SlugTaken,
                "Another one has this slug by now. Restore it under another: send slug along.",
            ),
            Error::LimitReached => Self::plan_limit_reached(),
            Error::Refused(problem) => problem,
            Error::Failed(failure) => failure.into(),
        }
    }
}
