//! `GET /api/{projects,datasets,models}/{id}`: one of them.

use std::sync::Arc;

use domain::{ports::Resources, role::Role};
use kit::{Access, Call, Endpoint, Grant, Items, KeyOrMember, Params, Ports, Spec, spec, spec::Method::Get};

use crate::view::{Missing, One, Row, Unread};

/// Reads one.
pub struct Read;

/// What it works with.
pub struct Deps {
    resources: Arc<dyn Resources>,
}

impl Endpoint for Read {
    const SPEC: Spec = spec("resources-read", Get, "/api/{kind}/{id}")
        .kinds(&["projects", "datasets", "models"])
        .summary("Read a project, dataset or model")
        .access(Access::KeyOr(Role::Viewer))
        .grants(&[
            Grant::items("GetItem", Items::Projects),
            Grant::items("GetItem", Items::Datasets),
            Grant::items("GetItem", Items::Models),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Params<One>;
    type Output = Row;
    type Error = Unread;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources() }
    }

    async fn handle(deps: &Deps, call: &Call<KeyOrMember>, Params(one): Self::Input) -> Result<Row, Unread> {
        let found = deps.resources.find(call.caller.workspace(), one.id()?).await?;
        Ok(found.ok_or(Missing)?.resource.into())
    }
}
