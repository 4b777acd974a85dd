//! `DELETE /api/trash`: remove something in the trash for good, or all of it. It is gone, and no longer counted, at once; its
//! files and models are removed in the background.

use std::sync::Arc;

use domain::{
    activity::Action,
    outbox::Notice,
    policy::{Denied, EditsResources},
    ports::{Failure, Resources, Saved, Trash},
    resource::{Kind, ResourceId},
    role::Role,
    text::Invalid,
    trash::{self, may_remove},
};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, KeyOrMember, Ports, Problem, Spec, spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{empty::empty, removed::Removed};

/// Removes something for good.
pub struct Purge;

/// What it works with.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
}

/// What to remove: one thing, by `id` and `type`, or `all`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["id", "type"], "properties": { "all": false } },
    { "required": ["all"], "properties": { "id": false, "type": false } },
]))]
pub struct Form {
    /// What.
    #[serde(default)]
    #[schemars(with = "ResourceId")]
    id: Option<ResourceId>,
    /// What it is.
    #[serde(default)]
    #[schemars(with = "Kind")]
    r#type: Option<Kind>,
    /// `true`: everything.
    #[serde(default)]
    #[schemars(with = "bool", extend("const" = true))]
    all: Option<bool>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("neither one thing nor all")]
    Unclear,
    #[error("it is not in the trash")]
    Missing,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Purge {
    const SPEC: Spec = spec("trash-purge", Delete, "/api/trash")
        .summary("Remove something in the trash, or all of it, for good")
        .access(Access::KeyOr(Role::Editor))
        .problems(&[Code::NotFound])
        .grants(&[
            Grant::items("GetItem", Items::Usage),
            Grant::items("BatchGetItem", Items::Trash),
            Grant::items("BatchGetItem", Items::Usage),
            Grant::items("DeleteItem", Items::Trash),
            Grant::items("DeleteItem", Items::TrashList),
            Grant::items("DeleteItem", Items::Due),
            Grant::items("PutItem", Items::Due),
            Grant::items("PutItem", Items::Purges),
            Grant::items("UpdateItem", Items::Usage),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Outbox),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = Removed;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { trash: ports.trash(), resources: ports.resources() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<KeyOrMember>,
        Body(form): Self::Input,
    ) -> Result<Removed, Error> {
        let proof = call.caller.edits_resources()?;
        match form {
            Form { id: Some(id), r#type: Some(kind), all: None } => {
                remove(deps, call, &proof, (id, kind)).await
            }
            Form { id: None, r#type: None, all: Some(true) } => {
                Ok(empty(&*deps.resources, &*deps.trash, call, &proof).await?)
            }
            _ => Err(Error::Unclear),
        }
    }
}

async fn remove(
    deps: &Deps,
    call: &Call<KeyOrMember>,
    proof: &EditsResources,
    (id, kind): (ResourceId, Kind),
) -> Result<Removed, Error> {
    if id.kind() != kind {
        return Err(Error::Missing);
    }
    loop {
        let (trashed, usage) = deps.trash.find(proof.workspace(), id).await?;
        let trashed = trashed.ok_or(Error::Missing)?;
        let removes = may_remove(proof, &trashed, &usage, call.now).ok_or(Error::Missing)?;
        let of = id.kind().in_history();
        let mut event = call.event(proof.workspace(), proof.actor(), Action::Deleted, of);
        event = event.about(id, &trashed.resource.name);
        let notice = Notice::PurgeBegun { workspace: proof.workspace(), root: id };
        let purge = trash::Purge { root: id, workspace: proof.workspace(), begun_at: call.now };
        let alongside = call.alongside(Some(event), Some(notice), "");
        if deps.trash.remove(&removes, &trashed, &purge, alongside).await? == Saved::Yes {
            return Ok(Removed::new(1, id.project().map(|_| trashed.resource.models)));
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::Unclear => {
                Self::field("id", &Invalid::new("Send id and type of one thing, or all: true."))
            }
            Error::Missing => Self::not_found(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
