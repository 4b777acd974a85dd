//! `DELETE /api/{projects,datasets,models}/{id}`: put it into the trash, a project with all its models. It can be restored
//! for 30 days.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::Action,
    policy::Denied,
    ports::{Failure, Live, Resources, Saved, Trash as TrashPort},
    role::Role,
    trash::{Origin, Trashed, moment},
};
use kit::{
    Access, Call, Endpoint, Grant, Items, KeyOrMember, Output, Params, Ports, Problem, Spec, spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::view::{Missing, One};

/// Puts one into the trash.
pub struct Trash;

/// What it works with.
pub struct Deps {
    resources: Arc<dyn Resources>,
    trash: Arc<dyn TrashPort>,
}

/// It is in the trash.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gone {
    success: bool,
    /// Until then it can be restored.
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Timestamp,
    /// How many models went along with a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    cascaded_models: Option<u64>,
}
impl Output for Gone {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Trash {
    const SPEC: Spec = spec("resources-trash", Delete, "/api/{kind}/{id}")
        .kinds(&["projects", "datasets", "models"])
        .summary("Put a project, dataset or model into the trash")
        .access(Access::KeyOr(Role::Editor))
        .grants(&[
            Grant::items("BatchGetItem", Items::Projects),
            Grant::items("BatchGetItem", Items::Datasets),
            Grant::items("BatchGetItem", Items::Models),
            Grant::items("BatchGetItem", Items::Usage),
            Grant::items("GetItem", Items::Projects),
            Grant::items("DeleteItem", Items::Projects),
            Grant::items("DeleteItem", Items::Datasets),
            Grant::items("DeleteItem", Items::Models),
            Grant::items("DeleteItem", Items::Groups),
            Grant::items("DeleteItem", Items::Slugs),
            Grant::items("DeleteItem", Items::Sizes),
            Grant::items("UpdateItem", Items::Projects),
            Grant::items("UpdateItem", Items::Usage),
            Grant::items("PutItem", Items::Trash),
            Grant::items("PutItem", Items::TrashList),
            Grant::items("PutItem", Items::Due),
            Grant::items("PutItem", Items::Events),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Params<One>;
    type Output = Gone;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), trash: ports.trash() }
    }

    async fn handle(deps: &Deps, call: &Call<KeyOrMember>, Params(one): Self::Input) -> Result<Gone, Error> {
        let (proof, id) = (call.caller.edits_resources()?, one.id()?);
        loop {
            let (live, usage) = deps.resources.find_with_usage(proof.workspace(), id).await?;
            let live = live.ok_or(Missing)?;
            let (resource, at) = (live.resource.clone(), moment(call.now, &usage));
            let trashed = Trashed { resource, origin: origin(&live), by: proof.actor(), at };
            let of = id.kind().in_history();
            let mut event = call.event(proof.workspace(), proof.actor(), Action::Trashed, of);
            event = event.about(id, &trashed.resource.name);
            let alongside = call.alongside(Some(event), None, "");
            if deps.trash.put(&proof, &live, &trashed, alongside).await? == Saved::Yes {
                let models = id.project().map(|_| trashed.resource.models);
                return Ok(Gone { success: true, expires_at: trashed.expires_at(), cascaded_models: models });
            }
        }
    }
}

/// The project that it is in.
fn origin(live: &Live) -> Option<Origin> {
    let project = live.project.as_ref()?;
    Some(Origin { id: project.id.project()?, name: project.name.clone(), slug: project.slug.clone() })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::Missing(missing) => missing.into(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
