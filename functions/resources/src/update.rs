//! `PATCH /api/{projects,datasets,models}/{id}`: updates fields of a resource.

use std::sync::Arc;

use domain::{
    activity::ActivityEvent,
    permissions::EditsResources,
    ports::{Changed, Failure, Resources, Rounds},
    resource::{Edited, Patch, ResourceId},
    role::Role,
};
use kit::{
    Access, Body, Code, Editor, Endpoint, Params, Ports, Problem, RequestContext, Spec,
    grants::{extras, resources},
    spec,
    spec::Method,
};

use crate::view::{Missing, ResourcePath, ResourceRow};

/// Updates a resource.
pub struct Update;

/// Dependencies.
pub struct Deps {
    resources: Arc<dyn Resources>,
}

kit::errors! {
    pub enum Error from Missing, Failure {
        /// The slug is in use.
        SlugTaken => Problem::slug_taken(),
    }
}

impl Endpoint for Update {
    const SPEC: Spec = spec("resources-update", Method::Patch, "/api/{kind}/{id}")
        .kinds(&["projects", "datasets", "models"])
        .summary("Update a project, dataset or model")
        .access(Access::key_or_member(Role::Editor))
        .problems(&[Code::SlugTaken])
        .uses(&[resources::FIND, resources::REPLACE, extras::EVENT]);
    type Caller = Editor;
    type Deps = Deps;
    type Input = (Params<ResourcePath>, Body<Patch>);
    type Output = ResourceRow;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Editor>,
        (Params(one), Body(patch)): Self::Input,
    ) -> Result<ResourceRow, Error> {
        let (proof, id) = (&call.caller.proof, one.id()?);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let before = deps.resources.find(proof.workspace(), id).await?.ok_or(Missing)?.resource;
            let Some(edited) = patch.apply(&before, call.now) else { return Ok(before.into()) };
            let extras = call.extras(Some(event(call, proof, id, &edited)), None, "");
            match deps.resources.replace(proof, &before, &edited.resource, extras).await? {
                Changed::Yes => return Ok(edited.resource.into()),
                Changed::SlugTaken => return Err(Error::SlugTaken),
                Changed::Stale => {}
            }
        }
    }
}

fn event(
    call: &RequestContext<Editor>,
    proof: &EditsResources,
    id: ResourceId,
    edited: &Edited,
) -> ActivityEvent {
    let mut event = call.event(proof.workspace(), proof.actor(), edited.action, id.kind().in_history());
    event = event.about(id, &edited.resource.name);
    event.metadata.insert("fields".to_owned(), edited.fields.clone().into());
    event
}
