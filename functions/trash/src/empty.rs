//! `DELETE /api/trash/empty`: permanently deletes all items in the trash. One record marks the trash as emptied, so the
//! items disappear and no longer count immediately. A worker removes the items and writes an activity event for each.

use std::sync::Arc;

use domain::{
    domain_events::DomainEvent,
    permissions::{EditsResources, Member},
    ports::{Failure, Resources, Rounds, Saved, Trash},
    role::Role,
    trash::moment,
};
use kit::{
    Access, Endpoint, Permitted, Ports, RequestContext, Spec,
    grants::{extras, resources, trash},
    spec,
    spec::Method::Delete,
};

use crate::removed::Removed;

/// Empties the trash.
pub struct Empty;

/// Dependencies.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
}

impl Endpoint for Empty {
    const SPEC: Spec = spec("trash-empty", Delete, "/api/trash/empty")
        .summary("Empty the trash permanently")
        .access(Access::member(Role::Editor))
        .uses(&[resources::USAGE, trash::EMPTY, extras::MESSAGE]);
    type Caller = Permitted<Member, EditsResources>;
    type Deps = Deps;
    type Input = ();
    type Output = Removed;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { trash: ports.trash(), resources: ports.resources() }
    }

    async fn handle(deps: &Deps, call: &RequestContext<Self::Caller>, (): ()) -> Result<Removed, Failure> {
        empty(&*deps.resources, &*deps.trash, call, &call.caller.proof).await
    }
}

/// Empties the trash of a workspace.
pub(crate) async fn empty<C>(
    resources: &dyn Resources,
    trash: &dyn Trash,
    call: &RequestContext<C>,
    proof: &EditsResources,
) -> Result<Removed, Failure> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let seen = resources.usage(proof.workspace()).await?;
        if seen.trashed() == 0 {
            return Ok(Removed::new(0, Some(0)));
        }
        let notice = DomainEvent::TrashEmptied { workspace: proof.workspace() };
        let extras = call.extras(None, Some(notice), "");
        if trash.empty(proof, &seen, moment(call.now, &seen), extras).await? == Saved::Yes {
            return Ok(Removed::new(seen.trashed(), Some(seen.cascaded_models)));
        }
    }
}
