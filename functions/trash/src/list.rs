//! `GET /api/trash`: what can be restored, newest first, by type, by name, in pages.
//!
//! A request looks at 1,000 things at the most, however full the trash; a cursor leads further. What expired or was emptied is
//! not there, whether or not it was removed yet.

use std::sync::Arc;

use domain::{
    Timestamp,
    ports::{Failure, Trash, Workspaces},
    region::Region,
    resource::{Kind, ResourceId, ResourceName, Slug},
    role::Role,
    text::Invalid,
    trash::{Contents, Origin, Place, Trashed, over_until},
    usage::Usage,
};
use kit::{
    Access, Call, Endpoint, Grant, Items, KeyOrMember, Output, Params, Ports, Problem, Spec,
    cursor::{Cursor, Cursors},
    input::{PageNumber, PageSize, Search},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists the trash.
pub struct List;

/// What it works with.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn domain::ports::Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// The most things that one request looks at.
const LOOKED_AT: usize = 1_000;
/// So many are read at a time.
const CHUNK: usize = 200;
/// How many a page has unless told otherwise.
const PAGE: usize = 50;

/// Which things.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only of this type.
    #[serde(default)]
    r#type: Option<Type>,
    /// Part of the name; upper and lower case are the same.
    #[serde(default)]
    search: Option<Search>,
    /// Which page, from 1.
    #[serde(default)]
    page: Option<PageNumber<1_000>>,
    /// Instead of a page: where the page before ended.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// How many at most: 1 to 200. Default: 50.
    #[serde(default)]
    limit: Option<PageSize<200>>,
    /// `cursor`: say where the next page begins. The reference's client does not know `nextCursor`.
    #[serde(default)]
    expand: Option<Expand>,
}

/// The one word that `expand` takes.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Expand {
    /// Where the next page begins.
    Cursor,
}

/// What to list.
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
pub struct Page {
    items: Vec<Row>,
    /// How many there are; in a search, among the 1,000 that were looked at.
    total: u64,
    page: usize,
    limit: usize,
    total_pages: u64,
    summary: Summary,
    region: Region,
    /// Where the next page begins, if there is one; only with `expand=cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}
impl Output for Page {}

/// Something in the trash.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    #[serde(rename = "_id")]
    id: ResourceId,
    r#type: Kind,
    name: ResourceName,
    slug: Slug,
    #[schemars(schema_with = "kit::input::date_time")]
    trashed_at: Timestamp,
    /// Until it can't be restored any more; the last day counts as a whole.
    days_remaining: i64,
    /// How many models went along with a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    cascaded_count: Option<u64>,
    /// The project that a model was in.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_project: Option<Parent>,
    size_bytes: u64,
}

/// A project.
#[derive(Serialize, JsonSchema)]
pub struct Parent {
    #[serde(rename = "_id")]
    id: domain::id::ProjectId,
    name: ResourceName,
    slug: Slug,
}

impl From<Origin> for Parent {
    fn from(origin: Origin) -> Self {
        Self { id: origin.id, name: origin.name, slug: origin.slug }
    }
}

impl Row {
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
            parent_project: origin.map(Parent::from),
            size_bytes: resource.size_bytes,
        }
    }
}

/// All that can be restored, whatever was asked for.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    total_items: u64,
    total_size_bytes: u64,
    by_type: ByType,
}

/// By type. The bytes of projects are their models'. Exports have no trash yet.
#[derive(Serialize, JsonSchema)]
pub struct ByType {
    projects: Count,
    datasets: Tally,
    models: Tally,
    exports: Tally,
}

/// How many.
#[derive(Serialize, JsonSchema)]
pub struct Count {
    count: u64,
}

/// How many, and their bytes.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    count: u64,
    size_bytes: u64,
}

impl From<Contents> for Summary {
    fn from(contents: Contents) -> Self {
        Self {
            total_items: contents.of(None),
            total_size_bytes: contents.dataset_bytes.saturating_add(contents.model_bytes),
            by_type: ByType {
                projects: Count { count: contents.projects },
                datasets: Tally { count: contents.datasets, size_bytes: contents.dataset_bytes },
                models: Tally { count: contents.models, size_bytes: contents.model_bytes },
                exports: Tally::default(),
            },
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("pages of a full trash end before this one")]
    TooFar,
    #[error("not a cursor of this list")]
    Refused(#[from] Problem),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for List {
    const SPEC: Spec = spec("trash-list", Get, "/api/trash")
        .summary("List what is in the trash")
        .access(Access::KeyOr(Role::Viewer))
        .grants(&[
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("GetItem", Items::Usage),
            Grant::items("Query", Items::TrashList),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Params<Wanted>;
    type Output = Page;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { trash: ports.trash(), resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<KeyOrMember>,
        Params(wanted): Self::Input,
    ) -> Result<Page, Error> {
        let limit = wanted.limit.map_or(PAGE, PageSize::get);
        let skip = wanted.page.map_or(0, |page| page.skips(limit));
        let newest: Option<Place> = match &wanted.cursor {
            Some(cursor) => Some(cursors(deps, &call.caller).await?.position(cursor)?),
            None if skip >= LOOKED_AT => return Err(Error::TooFar),
            None => None,
        };
        let usage = deps.resources.usage(call.caller.workspace()).await?;
        let looking = Looking { deps, workspace: call.caller.workspace(), usage: &usage, now: call.now };
        let kind = wanted.r#type.and_then(Type::kind);
        let needle = wanted.search.map(Search::into_needle).filter(|needle| !needle.is_empty());
        let found = looking.find(newest, skip + limit, kind, needle.as_deref()).await?;
        let contents = looking.contents(&found, newest).await?;
        let total = match needle {
            Some(_) => u64::try_from(found.matching.len()).unwrap_or(u64::MAX),
            None => contents.of(kind),
        };
        let next = found.next_after(skip + limit).filter(|_| wanted.expand.is_some());
        let next_cursor = match next {
            Some(next) => Some(cursors(deps, &call.caller).await?.at(&next.to_string())),
            None => None,
        };
        let rows = found.matching.into_iter().skip(skip).take(limit);
        Ok(Page {
            items: rows.map(|trashed| Row::new(trashed, call.now)).collect(),
            total,
            page: skip / limit + 1,
            limit,
            total_pages: total.div_ceil(u64::try_from(limit).unwrap_or(1)),
            summary: contents.into(),
            region: call.region,
            next_cursor,
        })
    }
}

/// A look into the trash of a workspace.
struct Looking<'a> {
    deps: &'a Deps,
    workspace: domain::id::WorkspaceId,
    usage: &'a Usage,
    now: Timestamp,
}

/// What was found.
struct Found {
    matching: Vec<Trashed>,
    /// All that was looked at.
    looked_at: Contents,
    /// Right after the last that was looked at, if there is more.
    goes_on_at: Option<Place>,
}

impl Found {
    /// Where a page that ends with this row of the matching ones ends, if there may be more.
    fn next_after(&self, row: usize) -> Option<Place> {
        match self.matching.get(..row).filter(|_| self.matching.len() > row) {
            Some(page) => page.last().map(goes_on),
            None => self.goes_on_at,
        }
    }
}

impl Looking<'_> {
    /// Looks at the trash from `newest` back until there is one more than `needed` that matches, or 1,000 were looked at.
    async fn find(
        &self,
        newest: Option<Place>,
        needed: usize,
        kind: Option<Kind>,
        needle: Option<&str>,
    ) -> Result<Found, Failure> {
        let mut found = Found { matching: Vec::new(), looked_at: Contents::default(), goes_on_at: newest };
        let over = over_until(self.now, self.usage);
        // A search goes on to the end, since its total is what it finds.
        let enough = if needle.is_some() { LOOKED_AT } else { needed };
        for _ in (0..LOOKED_AT).step_by(CHUNK) {
            let page = self.deps.trash.page(self.workspace, found.goes_on_at, over, CHUNK).await?;
            found.goes_on_at = page.items.last().map(goes_on).filter(|_| page.more);
            for trashed in page.items {
                found.looked_at.add(&trashed.resource);
                let is_kind = kind.is_none_or(|kind| trashed.resource.id.kind() == kind);
                let is_named = |needle: &str| trashed.resource.name.as_str().to_lowercase().contains(needle);
                if is_kind && needle.is_none_or(is_named) {
                    found.matching.push(trashed);
                }
            }
            if found.goes_on_at.is_none() || found.matching.len() > enough {
                break;
            }
        }
        Ok(found)
    }

    /// All that can be restored: what was looked at, if that was everything; else what is counted, without what expired and
    /// still waits to be removed.
    async fn contents(&self, found: &Found, newest: Option<Place>) -> Result<Contents, Failure> {
        if newest.is_none() && found.goes_on_at.is_none() {
            return Ok(found.looked_at);
        }
        let mut contents = Contents::counted(self.usage);
        let emptied = self.usage.emptied_until.unwrap_or(Timestamp::UNIX_EPOCH);
        let mut newest = Place::last_at(over_until(self.now, self.usage));
        // The daily run is hardly ever later than that.
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

/// Where a list goes on after this one.
fn goes_on(last: &Trashed) -> Place {
    last.place().before()
}

async fn cursors(deps: &Deps, caller: &KeyOrMember) -> Result<Cursors, Problem> {
    Ok(Cursors::new(&*caller.workspace_record(&*deps.workspaces).await?, "trash"))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::TooFar => Self::field(
                "page",
                &Invalid::new("Pages end after 1,000 items. Use the cursor that expand=cursor gives."),
            ),
            Error::Refused(problem) => problem,
            Error::Failed(failure) => failure.into(),
        }
    }
}
