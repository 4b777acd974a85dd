//! `DELETE /api/trash`: permanently deletes one item in the trash, or all items. Deleted items disappear and no longer
//! count immediately; a worker removes their files and models.

use std::sync::Arc;

use domain::{
    activity::Action,
    domain_events::DomainEvent,
    id::RequestedId,
    permissions::EditsResources,
    ports::{Failure, Resources, Rounds, Saved, Trash},
    resource::{Kind, ResourceId},
    role::Role,
    text::Invalid,
    trash::may_remove,
};
use kit::{
    Access, Body, Code, Editor, Endpoint, Ports, Problem, RequestContext, Spec,
    grants::{extras, resources, trash},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{empty::empty, removed::Removed};

/// Permanently deletes items in the trash.
pub struct PurgeResource;

/// Dependencies.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
}

/// The items to delete: one item by `id` and `type`, or `all`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["id", "type"], "properties": { "all": false } },
    { "required": ["all"], "properties": { "id": false, "type": false } },
]))]
pub struct PurgeBody {
    /// The item's id.
    #[serde(default)]
    #[schemars(with = "RequestedId<ResourceId>")]
    id: Option<RequestedId<ResourceId>>,
    /// The item's type.
    #[serde(default)]
    #[schemars(with = "Kind")]
    r#type: Option<Kind>,
    /// `true`: delete all items.
    #[serde(default)]
    #[schemars(with = "bool", extend("const" = true))]
    all: Option<bool>,
}

kit::errors! {
    pub enum Error from Failure {
        /// The request names neither one item nor all.
        Unclear => Problem::field("id", &Invalid::new("Provide `id` and `type`, or `all: true`.")),
        /// The item is not in the trash.
        Missing => Problem::not_found(),
    }
}

impl Endpoint for PurgeResource {
    const SPEC: Spec = spec("trash-purge", Delete, "/api/trash")
        .summary("Permanently delete one item in the trash, or all items")
        .access(Access::key_or_member(Role::Editor))
        .problems(&[Code::NotFound])
        .uses(&[resources::USAGE, trash::EMPTY, trash::FIND, trash::REMOVE, extras::EVENT, extras::MESSAGE]);
    type Caller = Editor;
    type Deps = Deps;
    type Input = Body<PurgeBody>;
    type Output = Removed;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { trash: ports.trash(), resources: ports.resources() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Editor>,
        Body(form): Self::Input,
    ) -> Result<Removed, Error> {
        let proof = &call.caller.proof;
        match form {
            PurgeBody { id: Some(id), r#type: Some(kind), all: None } => {
                let id = id.known().filter(|id| id.kind() == kind).ok_or(Error::Missing)?;
                remove(deps, call, proof, id).await
            }
            PurgeBody { id: None, r#type: None, all: Some(true) } => {
                Ok(empty(&*deps.resources, &*deps.trash, call, proof).await?)
            }
            _ => Err(Error::Unclear),
        }
    }
}

async fn remove(
    deps: &Deps,
    call: &RequestContext<Editor>,
    proof: &EditsResources,
    id: ResourceId,
) -> Result<Removed, Error> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let (trashed, usage) = deps.trash.find(proof.workspace(), id).await?;
        let trashed = trashed.ok_or(Error::Missing)?;
        let removes = may_remove(proof, &trashed, &usage, call.now).ok_or(Error::Missing)?;
        let of = id.kind().in_history();
        let mut event = call.event(proof.workspace(), proof.actor(), Action::Deleted, of);
        event = event.about(id, &trashed.resource.name);
        let notice = DomainEvent::PurgeBegun { workspace: proof.workspace(), root: id };
        let purge = domain::trash::Purge { root: id, workspace: proof.workspace(), begun_at: call.now };
        let extras = call.extras(Some(event), Some(notice), "");
        if deps.trash.remove(&removes, &trashed, &purge, extras).await? == Saved::Yes {
            return Ok(Removed::new(1, id.project().map(|_| trashed.resource.models)));
        }
    }
}
