//! `GET /api/{projects,datasets,models}/{id}`: returns a resource.

use std::sync::Arc;

use domain::{
    ports::{Live, Resources},
    role::Role,
};
use kit::{
    Access, Endpoint, KeyOrMember, Params, Ports, Prefetched, RequestContext, Spec, TokenIds,
    grants::resources, spec, spec::Method::Get,
};

use crate::view::{Missing, ResourcePath, ResourceRow, Unread};

/// Returns a resource.
pub struct Read;

/// Dependencies.
pub struct Deps {
    resources: Arc<dyn Resources>,
}

impl Endpoint for Read {
    const SPEC: Spec = spec("resources-read", Get, "/api/{kind}/{id}")
        .kinds(&["projects", "datasets", "models"])
        .summary("Get a project, dataset or model")
        .access(Access::key_or_member(Role::Viewer))
        .uses(&[resources::FIND]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<Params<ResourcePath>, Option<Live>>;
    type Output = ResourceRow;
    type Error = Unread;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(Params(path), early): &mut Self::Input) {
        if let Ok(id) = path.id() {
            early.read(deps.resources.find(ids.workspace, id)).await;
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched(Params(path), early): Self::Input,
    ) -> Result<ResourceRow, Unread> {
        let found = deps.resources.find(call.caller.workspace(), path.id()?);
        Ok(early.or_read(found).await?.ok_or(Missing)?.resource.into())
    }
}
