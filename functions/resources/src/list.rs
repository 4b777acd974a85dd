//! `GET /api/{projects,datasets,models}`: what a workspace has of a kind. Projects and datasets, the newest first; models by
//! project, those of the newest project first and those without one last.

use std::sync::Arc;

use domain::{
    id::ProjectId,
    ports::{Failure, Listed, Resources, Within, Workspaces},
    resource::{Kind, Position},
    role::Role,
    text::Invalid,
};
use kit::{
    Access, Call, Endpoint, Grant, Items, KeyOrMember, Output, Params, Ports, Problem, Spec,
    cursor::{Cursor, Cursors},
    input::PageSize,
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::view::{Collection, Row};

/// Lists what there is.
pub struct List;

/// What it works with.
pub struct Deps {
    resources: Arc<dyn Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// Which.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Wanted {
    kind: Collection,
    /// Of models: those of this project.
    #[serde(default)]
    project_id: Option<ProjectId>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// How many at most: 1 to 100. A page may be shorter though there are more: `nextCursor` tells.
    #[serde(default)]
    limit: PageSize<100>,
}

/// A page; only the list that was asked for is there.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    #[serde(skip_serializing_if = "Option::is_none")]
    projects: Option<Vec<Row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datasets: Option<Vec<Row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Vec<Row>>,
    /// Where the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}
impl Output for Page {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("only models are in projects")]
    NotInProjects,
    #[error("not a cursor of this list")]
    Refused(#[from] Problem),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for List {
    const SPEC: Spec = spec("resources-list", Get, "/api/{kind}")
        .kinds(&["projects", "datasets", "models"])
        .summary("List projects, datasets or models")
        .access(Access::KeyOr(Role::Viewer))
        .grants(&[
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("Query", Items::Projects),
            Grant::items("Query", Items::Datasets),
            Grant::items("Query", Items::Groups),
            Grant::items("BatchGetItem", Items::Models),
            Grant::items("BatchGetItem", Items::Projects),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Params<Wanted>;
    type Output = Page;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<KeyOrMember>,
        Params(wanted): Self::Input,
    ) -> Result<Page, Error> {
        let (kind, workspace) = (wanted.kind.kind(), call.caller.workspace());
        let within = match wanted.project_id {
            None => Within::Workspace(kind),
            Some(project) if kind == Kind::Model => Within::Project(project),
            Some(_) => return Err(Error::NotInProjects),
        };
        let after: Option<Position> = match &wanted.cursor {
            Some(cursor) => Some(cursors(deps, &call.caller, kind).await?.position(cursor)?),
            None => None,
        };
        let Listed { items, next } =
            deps.resources.list(workspace, within, after, wanted.limit.get()).await?;
        let next_cursor = match next {
            Some(next) => Some(cursors(deps, &call.caller, kind).await?.at(&next.to_string())),
            None => None,
        };
        let rows = Some(items.into_iter().map(Row::from).collect());
        Ok(match kind {
            Kind::Project => Page { projects: rows, next_cursor, ..Page::default() },
            Kind::Dataset => Page { datasets: rows, next_cursor, ..Page::default() },
            Kind::Model => Page { models: rows, next_cursor, ..Page::default() },
        })
    }
}

async fn cursors(deps: &Deps, caller: &KeyOrMember, kind: Kind) -> Result<Cursors, Problem> {
    Ok(Cursors::new(&*caller.workspace_record(&*deps.workspaces).await?, kind.plural()))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotInProjects => Self::field("projectId", &Invalid::new("Only models are in projects.")),
            Error::Refused(problem) => problem,
            Error::Failed(failure) => failure.into(),
        }
    }
}
