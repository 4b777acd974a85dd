//! `GET /api/{projects,datasets,models}`: lists the resources of one type. Projects and datasets are sorted newest
//! first; models by project, newest project first, models without project last.

use std::sync::Arc;

use domain::{
    id::{ProjectId, RequestedId, WorkspaceId},
    ports::{Failure, Listed, Resources, Within, Workspaces},
    resource::{Kind, Position, ResourceId},
    role::Role,
    text::Invalid,
};
use kit::{
    Access, Code, CursorError, Endpoint, KeyOrMember, NoWorkspace, Output, Params, Ports, Prefetched,
    Problem, RequestContext, Spec, TokenIds,
    cursor::{Cursor, Cursors},
    grants::{resources, workspaces},
    parameters::PageSize,
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::view::{Collection, Missing, ResourceRow};

/// Lists resources.
pub struct ListResources;

/// Dependencies.
pub struct Deps {
    resources: Arc<dyn Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// Filters and page.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ResourcesQuery {
    kind: Collection,
    /// List only the models of this project.
    #[serde(default)]
    project_id: Option<RequestedId<ProjectId>>,
    /// Cursor from the previous page.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// Page size, 1 to 100. A page may be shorter than `limit` although more items exist; check `nextCursor`.
    #[serde(default)]
    limit: PageSize<100>,
}

/// A page of resources. Only the requested list is present.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourcePage {
    #[serde(skip_serializing_if = "Option::is_none")]
    projects: Option<Vec<ResourceRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datasets: Option<Vec<ResourceRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Vec<ResourceRow>>,
    /// Cursor of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}
impl Output for ResourcePage {
    fn next_page(&self) -> Option<&Cursor> {
        self.next_cursor.as_ref()
    }
}

kit::errors! {
    pub enum Error from Missing, NoWorkspace, CursorError, Failure {
        /// Only models are in projects.
        NotInProjects => Problem::field("projectId", &Invalid::new("Only models can belong to a project. Remove `projectId`.")),
    }
}

impl Endpoint for ListResources {
    const SPEC: Spec = spec("resources-list", Get, "/api/{kind}")
        .kinds(&["projects", "datasets", "models"])
        .summary("List projects, datasets or models")
        .access(Access::key_or_member(Role::Viewer))
        .problems(&[Code::NotFound])
        .uses(&[workspaces::FIND, resources::FIND_PROJECT, resources::LIST]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<Params<ResourcesQuery>, Listed>;
    type Output = ResourcePage;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(Params(query), early): &mut Self::Input) {
        if let (Ok(within), None) = (query.within(), &query.cursor) {
            early.read(deps.resources.list(ids.workspace, within, None, query.limit.get())).await;
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<ResourcePage, Error> {
        let (kind, workspace, within) = (query.kind.kind(), call.caller.workspace(), query.within()?);
        let after: Option<Position> = match &query.cursor {
            Some(cursor) => Some(cursors(deps, call, kind).await?.position(cursor)?),
            None => None,
        };
        let listed = deps.resources.list(workspace, within, after, query.limit.get());
        let Listed { items, next } = early.or_read(listed).await?;
        if let (Within::Project(project), true, None) = (within, items.is_empty(), after) {
            ensure_there(deps, workspace, project).await?;
        }
        let next_cursor = match next {
            Some(next) => Some(cursors(deps, call, kind).await?.at(&next.to_string())),
            None => None,
        };
        Ok(ResourcePage::new(kind, items.into_iter().map(ResourceRow::from).collect(), next_cursor))
    }
}

impl ResourcesQuery {
    /// Item types to list.
    fn within(&self) -> Result<Within, Error> {
        match (self.kind.kind(), &self.project_id) {
            (kind, None) => Ok(Within::Workspace(kind)),
            (Kind::Model, Some(project)) => Ok(Within::Project(project.known().ok_or(Missing)?)),
            (Kind::Project | Kind::Dataset, Some(_)) => Err(Error::NotInProjects),
        }
    }
}

impl ResourcePage {
    fn new(kind: Kind, rows: Vec<ResourceRow>, next_cursor: Option<Cursor>) -> Self {
        let page = Self { next_cursor, ..Self::default() };
        match kind {
            Kind::Project => Self { projects: Some(rows), ..page },
            Kind::Dataset => Self { datasets: Some(rows), ..page },
            Kind::Model => Self { models: Some(rows), ..page },
        }
    }
}

/// A project without models may not exist.
async fn ensure_there(deps: &Deps, workspace: WorkspaceId, project: ProjectId) -> Result<(), Error> {
    let found = deps.resources.find(workspace, ResourceId::Project(project)).await?;
    found.map(|_| ()).ok_or(Error::Missing(Missing))
}

async fn cursors(
    deps: &Deps,
    call: &RequestContext<KeyOrMember>,
    kind: Kind,
) -> Result<Cursors, NoWorkspace> {
    Ok(call.cursors(&*call.caller.workspace_record(&*deps.workspaces).await?, kind.plural()))
}
