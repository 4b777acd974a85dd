//! `GET /api/trash`: lists the restorable items, newest first, with type filter, search and pages.
//!
//! A request reads at most 1,000 items; a cursor continues. Expired and emptied items are not listed, even if they are
//! not removed yet.

use std::sync::Arc;

use domain::{
    Timestamp,
    id::{ProjectId, WorkspaceId},
    ports::{Failure, Outcome, Resources, Trash, Workspaces},
    region::Region,
    resource::{Kind, ResourceId, ResourceName, Slug},
    role::Role,
    search::SearchTerm,
    text::Invalid,
    trash::{Contents, Origin, TrashPosition, Trashed, over_until},
    usage::Usage,
};
use kit::{
    Access, CursorError, Endpoint, KeyOrMember, NoWorkspace, Output, Params, Ports, Prefetched, Problem,
    RequestContext, Spec, TokenIds,
    cursor::{Cursor, Cursors},
    grants::{resources, trash, workspaces},
    parameters::{PageNumber, PageSize, Search},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists the trash.
pub struct ListTrash;

/// Dependencies.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// Maximum number of items that a request reads.
const LOOKED_AT: usize = 1_000;
/// Number of items per read.
const CHUNK: usize = 200;

/// Filters and page.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrashQuery {
    /// List only items of this type.
    #[serde(default)]
    r#type: Option<Type>,
    /// Search term: part of the name, ignoring case and accents.
    #[serde(default)]
    search: Option<Search>,
    /// Page number, starting at 1. Ignored if there is a `cursor`.
    #[serde(default)]
    page: Option<PageNumber<1_000>>,
    /// Cursor from the previous page.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// Page size, 1 to 200.
    #[serde(default)]
    limit: PageSize<200, 50>,
    /// `cursor`: include `nextCursor`, which the reference's client does not know.
    #[serde(default)]
    expand: Option<TrashExpansion>,
}

/// Values of `expand`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum TrashExpansion {
    /// Include `nextCursor`.
    Cursor,
}

/// Item types to list.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Type {
    All,
    Project,
    Dataset,
    Model,
}

impl Type {
    fn kind(self) -> Option<Kind> {
        match self {
            Self::All => None,
            Self::Project => Some(Kind::Project),
            Self::Dataset => Some(Kind::Dataset),
            Self::Model => Some(Kind::Model),
        }
    }
}

/// A page of the trash.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrashPage {
    items: Vec<TrashRow>,
    /// Number of items. In a search, the number of matches among the newest 1,000 items.
    total: u64,
    page: usize,
    limit: usize,
    total_pages: u64,
    summary: TrashSummary,
    region: Region,
    /// Cursor of the next page. Present only with `expand=cursor` and if more items exist. The `Link` header always names the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
    #[serde(skip)]
    next_page: Option<Cursor>,
}
impl Output for TrashPage {
    fn next_page(&self) -> Option<&Cursor> {
        self.next_page.as_ref()
    }
}

/// An item in the trash.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrashRow {
    #[serde(rename = "_id")]
    id: ResourceId,
    r#type: Kind,
    name: ResourceName,
    slug: Slug,
    #[schemars(schema_with = "kit::input::date_time")]
    trashed_at: Timestamp,
    /// Days during which the item can be restored, rounded up.
    days_remaining: i64,
    /// Number of models that were moved with a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    cascaded_count: Option<u64>,
    /// The former project of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_project: Option<TrashedParent>,
    size_bytes: u64,
}

/// A project.
#[derive(Serialize, JsonSchema)]
pub struct TrashedParent {
    #[serde(rename = "_id")]
    id: ProjectId,
    name: ResourceName,
    slug: Slug,
}

impl From<Origin> for TrashedParent {
    fn from(origin: Origin) -> Self {
        Self { id: origin.id, name: origin.name, slug: origin.slug }
    }
}

impl TrashRow {
    fn new(trashed: Trashed, now: Timestamp) -> Self {
        let days_remaining = trashed.days_remaining(now);
        let Trashed { resource, origin, at, .. } = trashed;
        Self {
            id: resource.id,
            r#type: resource.id.kind(),
            name: resource.name,
            slug: resource.slug,
            trashed_at: at,
            days_remaining,
            cascaded_count: resource.id.project().map(|_| resource.models),
            parent_project: origin.map(TrashedParent::from),
            size_bytes: resource.size_bytes,
        }
    }
}

/// Totals of all restorable items, independent of filters.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrashSummary {
    total_items: u64,
    total_size_bytes: u64,
    by_type: ByType,
}

/// Totals by type. The size of a project is the size of its models. Exports have no trash yet.
#[derive(Serialize, JsonSchema)]
pub struct ByType {
    projects: TypeCount,
    datasets: Tally,
    models: Tally,
    exports: Tally,
}

/// A number of items.
#[derive(Serialize, JsonSchema)]
pub struct TypeCount {
    count: u64,
}

/// A number of items and their size in bytes.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    count: u64,
    size_bytes: u64,
}

impl From<Contents> for TrashSummary {
    fn from(contents: Contents) -> Self {
        Self {
            total_items: contents.of(None),
            total_size_bytes: contents.dataset_bytes.saturating_add(contents.model_bytes),
            by_type: ByType {
                projects: TypeCount { count: contents.projects },
                datasets: Tally { count: contents.datasets, size_bytes: contents.dataset_bytes },
                models: Tally { count: contents.models, size_bytes: contents.model_bytes },
                exports: Tally::default(),
            },
        }
    }
}

kit::errors! {
    pub enum Error from NoWorkspace, CursorError, Failure {
        /// Pages of a full trash end before this one.
        TooFar => Problem::field(
            "page",
            &Invalid::new("`page` can't go beyond 1,000 items. Use `expand=cursor` and `cursor`."),
        ),
    }
}

impl Endpoint for ListTrash {
    const SPEC: Spec = spec("trash-list", Get, "/api/trash")
        .summary("List the items in the trash")
        .access(Access::key_or_member(Role::Viewer))
        .uses(&[workspaces::FIND, resources::USAGE, trash::PAGE]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<Params<TrashQuery>, Records>;
    type Output = TrashPage;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { trash: ports.trash(), resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(Params(query), early): &mut Self::Input) {
        if query.cursor.is_none() && query.skip() < LOOKED_AT {
            early.read(records(deps, ids.workspace, None, ids.now)).await;
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<TrashPage, Error> {
        let (limit, skip, workspace) = (query.limit.get(), query.skip(), call.caller.workspace());
        let newest: Option<TrashPosition> = match &query.cursor {
            Some(cursor) => Some(cursors(deps, call).await?.position(cursor)?),
            None if skip >= LOOKED_AT => return Err(Error::TooFar),
            None => None,
        };
        let (usage, first) = early.or_read(records(deps, workspace, newest, call.now)).await?;
        let looking = Looking { deps, workspace, usage: &usage, now: call.now };
        let (kind, term) = (query.r#type.and_then(Type::kind), query.term());
        let found = looking.find(first, skip + limit, kind, term).await?;
        let contents = looking.contents(&found, newest).await?;
        let total = match term {
            Some(_) => u64::try_from(found.matching.len()).unwrap_or(u64::MAX),
            None => contents.of(kind),
        };
        let next_page = match found.next_after(skip + limit) {
            Some(next) => Some(cursors(deps, call).await?.at(&next.to_string())),
            None => None,
        };
        let rows = found.matching.into_iter().skip(skip).take(limit);
        Ok(TrashPage {
            items: rows.map(|trashed| TrashRow::new(trashed, call.now)).collect(),
            total,
            page: skip / limit + 1,
            limit,
            total_pages: total.div_ceil(u64::try_from(limit).unwrap_or(1)),
            summary: contents.into(),
            region: call.region,
            next_cursor: next_page.clone().filter(|_| query.expand.is_some()),
            next_page,
        })
    }
}

impl TrashQuery {
    fn skip(&self) -> usize {
        self.page.map_or(0, |page| page.skips(self.limit.get()))
    }

    fn term(&self) -> Option<&SearchTerm> {
        self.search.as_ref().map(Search::term).filter(|term| !term.is_empty())
    }
}

/// The counters, and the newest items of the trash.
type Records = (Usage, domain::ports::Page<Trashed>);

/// Reads both side by side: the page may hold items that the trash was emptied of and that were not removed yet.
async fn records(
    deps: &Deps,
    workspace: WorkspaceId,
    newest: Option<TrashPosition>,
    now: Timestamp,
) -> Outcome<Records> {
    let expired = over_until(now, &Usage::default());
    let page = deps.trash.page(workspace, newest, expired, CHUNK);
    let (usage, mut page) = futures::try_join!(deps.resources.usage(workspace), page)?;
    let (read, over) = (page.items.len(), over_until(now, &usage));
    page.items.retain(|trashed| trashed.at > over);
    page.more &= page.items.len() == read;
    Ok((usage, page))
}

/// A reader of a workspace's trash.
struct Looking<'a> {
    deps: &'a Deps,
    workspace: WorkspaceId,
    usage: &'a Usage,
    now: Timestamp,
}

/// The result of reading the trash.
struct Found {
    matching: Vec<Trashed>,
    /// All items that were read.
    looked_at: Contents,
    /// The position after the last item that was read, if there are more.
    goes_on_at: Option<TrashPosition>,
}

impl Found {
    /// The end position of a page whose last row is this matching item, if there may be more.
    fn next_after(&self, row: usize) -> Option<TrashPosition> {
        match self.matching.get(..row).filter(|_| self.matching.len() > row) {
            Some(page) => page.last().map(goes_on),
            None => self.goes_on_at,
        }
    }
}

impl Looking<'_> {
    /// Looks at the trash from its `first` page on until there is one more than `needed` that matches, or 1,000 were looked at.
    async fn find(
        &self,
        first: domain::ports::Page<Trashed>,
        needed: usize,
        kind: Option<Kind>,
        term: Option<&SearchTerm>,
    ) -> Outcome<Found> {
        let mut found = Found { matching: Vec::new(), looked_at: Contents::default(), goes_on_at: None };
        let over = over_until(self.now, self.usage);
        // A search reads to the end, because its total is the number of matches.
        let enough = if term.is_some() { LOOKED_AT } else { needed };
        let mut page = first;
        for looked_at in (CHUNK..=LOOKED_AT).step_by(CHUNK) {
            found.goes_on_at = page.items.last().map(goes_on).filter(|_| page.more);
            for trashed in page.items {
                found.looked_at.add(&trashed.resource);
                let is_kind = kind.is_none_or(|kind| trashed.resource.id.kind() == kind);
                if is_kind && term.is_none_or(|term| term.is_in(trashed.resource.name.as_str())) {
                    found.matching.push(trashed);
                }
            }
            if found.goes_on_at.is_none() || found.matching.len() > enough || looked_at == LOOKED_AT {
                break;
            }
            page = self.deps.trash.page(self.workspace, found.goes_on_at, over, CHUNK).await?;
        }
        Ok(found)
    }

    /// Totals of restorable items: from the items that were read if these are all, otherwise from the counters without
    /// expired items that are not removed yet.
    async fn contents(&self, found: &Found, newest: Option<TrashPosition>) -> Outcome<Contents> {
        if newest.is_none() && found.goes_on_at.is_none() {
            return Ok(found.looked_at);
        }
        let mut contents = Contents::counted(self.usage);
        let emptied = self.usage.emptied_until.unwrap_or(Timestamp::UNIX_EPOCH);
        let mut newest = TrashPosition::last_at(over_until(self.now, self.usage));
        // The daily run is rarely later than that.
        for _ in (0..LOOKED_AT).step_by(CHUNK) {
            let page = self.deps.trash.page(self.workspace, Some(newest), emptied, CHUNK).await?;
            for trashed in &page.items {
                contents.remove(&trashed.resource);
            }
            match page.items.last().filter(|_| page.more) {
                Some(last) => newest = goes_on(last),
                None => break,
            }
        }
        Ok(contents)
    }
}

/// The position in a list after this item.
fn goes_on(last: &Trashed) -> TrashPosition {
    last.place().before()
}

async fn cursors(deps: &Deps, call: &RequestContext<KeyOrMember>) -> Result<Cursors, NoWorkspace> {
    Ok(call.cursors(&*call.caller.workspace_record(&*deps.workspaces).await?, "trash"))
}
