//! `DELETE /api/trash/empty`: remove all that is in the trash for good. It is gone, and no longer counted, at once, however
//! much it is: one record says until when the trash is empty. The rest follows in the background, with a line in the history
//! for each thing.

use std::sync::Arc;

use domain::{
    outbox::Notice,
    policy::{self, Denied, EditsResources, Member},
    ports::{Failure, Resources, Saved, Trash},
    role::Role,
    trash::moment,
};
use kit::{Access, Call, Endpoint, Grant, Items, Ports, Problem, Spec, spec, spec::Method::Delete};

use crate::removed::Removed;

/// Empties the trash.
pub struct Empty;

/// What it works with.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Empty {
    const SPEC: Spec = spec("trash-empty", Delete, "/api/trash/empty")
        .summary("Remove all that is in the trash for good")
        .access(Access::Member(Role::Editor))
        .grants(&[
            Grant::items("GetItem", Items::Usage),
            Grant::items("UpdateItem", Items::Usage),
            Grant::items("PutItem", Items::Due),
            Grant::items("PutItem", Items::Outbox),
        ]);
    type Caller = Member;
    type Deps = Deps;
    type Input = ();
    type Output = Removed;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { trash: ports.trash(), resources: ports.resources() }
    }

    async fn handle(deps: &Deps, call: &Call<Member>, (): ()) -> Result<Removed, Error> {
        let proof = policy::may_edit_resources(&call.caller)?;
        Ok(empty(&*deps.resources, &*deps.trash, call, &proof).await?)
    }
}

/// Empties the trash of a workspace.
pub(crate) async fn empty<C>(
    resources: &dyn Resources,
    trash: &dyn Trash,
    call: &Call<C>,
    proof: &EditsResources,
) -> Result<Removed, Failure> {
    loop {
        let seen = resources.usage(proof.workspace()).await?;
        if seen.trashed() == 0 {
            return Ok(Removed::new(0, Some(0)));
        }
        let notice = Notice::TrashEmptied { workspace: proof.workspace() };
        let alongside = call.alongside(None, Some(notice), "");
        if trash.empty(proof, &seen, moment(call.now, &seen), alongside).await? == Saved::Yes {
            return Ok(Removed::new(seen.trashed(), Some(seen.cascaded_models)));
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
