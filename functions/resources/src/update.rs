//! `PATCH /api/{projects,datasets,models}/{id}`: change some of its fields.

use std::sync::Arc;

use domain::{
    activity::Event,
    policy::{Denied, EditsResources},
    ports::{Changed, Failure, Resources},
    resource::{Edited, Patch, ResourceId},
    role::Role,
};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, KeyOrMember, Params, Ports, Problem, Spec, spec,
    spec::Method,
};

use crate::view::{Missing, One, Row};

/// Changes one.
pub struct Update;

/// What it works with.
pub struct Deps {
    resources: Arc<dyn Resources>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error("the slug belongs to another")]
    SlugTaken,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Update {
    const SPEC: Spec = spec("resources-update", Method::Patch, "/api/{kind}/{id}")
        .kinds(&["projects", "datasets", "models"])
        .summary("Change a project, dataset or model")
        .access(Access::KeyOr(Role::Editor))
        .problems(&[Code::SlugTaken])
        .grants(&[
            Grant::items("GetItem", Items::Projects),
            Grant::items("GetItem", Items::Datasets),
            Grant::items("GetItem", Items::Models),
            Grant::items("PutItem", Items::Projects),
            Grant::items("PutItem", Items::Datasets),
            Grant::items("PutItem", Items::Models),
            Grant::items("ConditionCheckItem", Items::Projects),
            Grant::items("PutItem", Items::Slugs),
            Grant::items("DeleteItem", Items::Slugs),
            Grant::items("PutItem", Items::Events),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = (Params<One>, Body<Patch>);
    type Output = Row;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<KeyOrMember>,
        (Params(one), Body(patch)): Self::Input,
    ) -> Result<Row, Error> {
        let (proof, id) = (call.caller.edits_resources()?, one.id()?);
        loop {
            let before = deps.resources.find(proof.workspace(), id).await?.ok_or(Missing)?.resource;
            let Some(edited) = patch.apply(&before, call.now) else { return Ok(before.into()) };
            let alongside = call.alongside(Some(event(call, &proof, id, &edited)), None, "");
            match deps.resources.replace(&proof, &before, &edited.resource, alongside).await? {
                Changed::Yes => return Ok(edited.resource.into()),
                Changed::SlugTaken => return Err(Error::SlugTaken),
                Changed::Stale => {}
            }
        }
    }
}

fn event(call: &Call<KeyOrMember>, proof: &EditsResources, id: ResourceId, edited: &Edited) -> Event {
    let mut event = call.event(proof.workspace(), proof.actor(), edited.action, id.kind().in_history());
    event = event.about(id, &edited.resource.name);
    event.metadata.insert("fields".to_owned(), edited.fields.clone().into());
    event
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::Missing(missing) => missing.into(),
            Error::SlugTaken => Self::slug_taken(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
