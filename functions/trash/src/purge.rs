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
    trash::{self, may_remove},
};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, KeyOrMember, Output, Ports, Problem, Spec, spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::empty;

/// Removes something for good.
pub struct Purge;

/// What it works with.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
}

/// What to remove.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Form {
    /// One thing.
    One(One),
    /// All.
    All(All),
}

/// One thing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct One {
    id: ResourceId,
    r#type: Kind,
}

/// All.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct All {
    /// `true`.
    #[serde(rename = "all", deserialize_with = "only_true")]
    #[schemars(extend("const" = true))]
    _all: bool,
}

/// It is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    success: bool,
    /// How many things: a project with its models is one.
    deleted_count: u64,
    /// How many models went along with projects.
    #[serde(skip_serializing_if = "Option::is_none")]
    cascaded_models: Option<u64>,
}
impl Output for Removed {}

impl Removed {
    /// So many things, and so many models with projects among them.
    pub(crate) fn new(deleted_count: u64, cascaded_models: Option<u64>) -> Self {
        Self { success: true, deleted_count, cascaded_models }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
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
            Form::One(one) => remove(deps, call, &proof, one).await,
            Form::All(All { .. }) => Ok(empty::empty(&*deps.resources, &*deps.trash, call, &proof).await?),
        }
    }
}

async fn remove(
    deps: &Deps,
    call: &Call<KeyOrMember>,
    proof: &EditsResources,
    one: One,
) -> Result<Removed, Error> {
    if one.id.kind() != one.r#type {
        return Err(Error::Missing);
    }
    loop {
        let (trashed, usage) = deps.trash.find(proof.workspace(), one.id).await?;
        let trashed = trashed.ok_or(Error::Missing)?;
        let removes = may_remove(proof, &trashed, &usage, call.now).ok_or(Error::Missing)?;
        let of = one.id.kind().in_history();
        let mut event = call.event(proof.workspace(), proof.actor(), Action::Deleted, of);
        event.resource_id = Some(one.id.to_string());
        event.resource_name = Some(trashed.resource.name.to_string());
        let notice = Notice::PurgeBegun { workspace: proof.workspace(), root: one.id };
        let purge = trash::Purge { root: one.id, workspace: proof.workspace(), begun_at: call.now };
        let alongside = call.alongside(Some(event), Some(notice), "");
        if deps.trash.remove(&removes, &trashed, &purge, alongside).await? == Saved::Yes {
            return Ok(Removed::new(1, one.id.project().map(|_| trashed.resource.models)));
        }
    }
}

fn only_true<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    match bool::deserialize(from)? {
        true => Ok(true),
        false => Err(serde::de::Error::custom("It must be true.")),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::Missing => Self::not_found(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
