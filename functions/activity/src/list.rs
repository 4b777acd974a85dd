//! `GET /api/activity`: a workspace's history, newest first: inbox or archive, searched, between two dates, in pages.
//!
//! A request looks at 1,000 events at the most, however long the history; `nextCursor` says where to go on. The two
//! counts stop at 100 for the same reason: a first page costs the same in a long history as in a short one.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    Timestamp,
    activity::{Action, Event, Inbox, Mark, ResourceType, Standing},
    id::{EventId, UserId, WorkspaceId},
    policy::Member,
    ports::{Accounts, Failure, History},
    role::Role,
    user::User,
    workspace::Workspace,
};
use jiff::SignedDuration;
use kit::{
    Access, Call, Endpoint, Grant, Items, Output, Params, Ports, Problem, Spec,
    cursor::{Cursor, Cursors},
    input::{PageNumber, PageSize, Search, YesNo},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Lists a history.
pub struct List;

/// The most events that one request looks at,
const LOOKED_AT: usize = 1_000;
/// so many at a time (as many as a batch of marks can have).
const CHUNK: usize = 100;
/// Where counts stop.
const COUNTED: usize = 100;
/// How far back it goes unless told otherwise.
const DEFAULT_DAYS: i64 = 30;

/// What it works with.
pub struct Deps {
    history: Arc<dyn History>,
    accounts: Arc<dyn Accounts>,
}

/// Which events.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// `true`: the archive; else the inbox.
    #[serde(default)]
    archived: Option<YesNo>,
    /// Part of a resource's name or type; upper and lower case are the same.
    #[serde(default)]
    search: Option<Search>,
    /// Not before this time. Default: 30 days ago.
    #[serde(default, alias = "start")]
    #[schemars(schema_with = "kit::input::date_time")]
    from: Option<Timestamp>,
    /// Not after this time. Default: now.
    #[serde(default, alias = "end")]
    #[schemars(schema_with = "kit::input::date_time")]
    to: Option<Timestamp>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// Instead of a cursor: which page, from 1.
    #[serde(default)]
    page: Option<PageNumber<10>>,
    /// How many at most: 1 to 100.
    #[serde(default)]
    limit: PageSize<100>,
}

/// A page of a history.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    events: Vec<Row>,
    /// How many there are, if no more than 100; else at least so many.
    total: usize,
    /// How many of the newest 100 are in the inbox and were not seen.
    unseen_count: usize,
    /// Where the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}
impl Output for Page {}

/// An event.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    #[serde(rename = "_id")]
    id: EventId,
    user_id: UserId,
    /// Absent if the user is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    action: Action,
    resource_type: ResourceType,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
    #[schemars(schema_with = "kit::input::date_time")]
    timestamp: Timestamp,
    seen: bool,
    archived: bool,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("not a cursor of this list")]
    Cursor(Problem),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for List {
    const SPEC: Spec = spec("activity-list", Get, "/api/activity")
        .summary("Read a workspace's history")
        .access(Access::Member(Role::Viewer))
        .grants(&[
            Grant::items("Query", Items::Events),
            Grant::items("Query", Items::Marks),
            Grant::items("GetItem", Items::Marks),
            Grant::items("BatchGetItem", Items::Users),
        ]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Params<Wanted>;
    type Output = Page;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { history: ports.history(), accounts: ports.accounts() }
    }

    async fn handle(deps: &Deps, call: &Call<Member>, Params(wanted): Self::Input) -> Result<Page, Error> {
        let workspace = &call.caller.workspace;
        let cursors = Cursors::new(workspace, "activity");
        let mut range = range(&wanted, call.now);
        let skip = match &wanted.cursor {
            Some(cursor) => {
                let last: EventId = cursors.position(cursor).map_err(Error::Cursor)?;
                range.newest = range.newest.min(last.before());
                0
            }
            None => wanted.page.map_or(0, |page| page.skips(wanted.limit.get())),
        };
        let limit = wanted.limit.get();
        let needed = COUNTED.max(skip + limit + 1);
        let archived = wanted.archived == Some(YesNo::True);
        let needle = wanted.search.map(Search::into_needle).unwrap_or_default();
        let wanted =
            |event: &Event, standing: Standing| standing.archived == archived && event.is_found_by(&needle);
        let history = OneHistory { history: &*deps.history, workspace: workspace.id };
        let start = history.start(range, call.now).await?;
        let unseen = start.unseen();
        let found = history.find(range, start, needed, wanted).await?;
        let total = found.matching.len();
        let more = total > skip + limit || found.stopped_at.is_some();
        let rows: Vec<(Event, Standing)> = found.matching.into_iter().skip(skip).take(limit).collect();
        let last =
            if total > skip + limit { rows.last().map(|(event, _)| event.id) } else { found.stopped_at };
        Ok(Page {
            total,
            unseen_count: unseen,
            next_cursor: last.filter(|_| more).map(|last| cursors.at(&last.to_string())),
            events: describe(deps, &call.caller, rows).await?,
        })
    }
}

/// Between which events, both included.
#[derive(Clone, Copy)]
struct Range {
    newest: EventId,
    oldest: EventId,
}

fn range(wanted: &Wanted, now: Timestamp) -> Range {
    let month = SignedDuration::from_hours(DEFAULT_DAYS * 24);
    let to = wanted.to.unwrap_or(now).min(now);
    let from = wanted.from.unwrap_or_else(|| now.saturating_sub(month).unwrap_or(Timestamp::MIN));
    Range { newest: EventId::ceiling(to), oldest: EventId::floor(from.max(Timestamp::UNIX_EPOCH)) }
}

/// What a search found.
struct Found {
    matching: Vec<(Event, Standing)>,
    /// The last event that was looked at, if the range goes on after it.
    stopped_at: Option<EventId>,
}

/// Events, newest first, and what was said of the single ones.
struct Chunk {
    events: Vec<Event>,
    marks: BTreeMap<EventId, Mark>,
    /// Whether the range goes on after them.
    more: bool,
}

/// What a request begins with.
struct Start {
    inbox: Inbox,
    /// The newest events of all.
    newest: Chunk,
    /// The first of the range, if they are others.
    first: Option<Chunk>,
}

impl Start {
    /// How many of the newest events are in the inbox and were not seen.
    fn unseen(&self) -> usize {
        let Chunk { events, marks, .. } = &self.newest;
        let standings = events.iter().map(|event| standing(event, marks, self.inbox));
        standings.filter(|standing| !standing.seen && !standing.archived).count()
    }
}

impl Chunk {
    /// Those from `oldest` on.
    fn since(mut self, oldest: EventId) -> Self {
        let all = self.events.len();
        self.events.retain(|event| event.id >= oldest);
        self.more &= self.events.len() == all;
        self
    }
}

/// The history of a workspace.
struct OneHistory<'a> {
    history: &'a dyn History,
    workspace: WorkspaceId,
}

impl OneHistory<'_> {
    /// Events and their marks, read side by side.
    async fn chunk(&self, range: Range) -> Result<Chunk, Failure> {
        let page = self.history.page(self.workspace, range.newest, range.oldest, CHUNK);
        // An event may be marked a moment before this page has it: more marks than events, to be sure of those of all.
        let marks = self.history.marks(self.workspace, range.newest, 2 * CHUNK);
        let (page, marks) = futures::try_join!(page, marks)?;
        Ok(Chunk { events: page.items, marks, more: page.more })
    }

    /// All that a first page needs, read side by side: it begins with the events in which the unseen are counted.
    async fn start(&self, range: Range, now: Timestamp) -> Result<Start, Failure> {
        let all = Range { newest: EventId::ceiling(now), oldest: EventId::floor(Timestamp::UNIX_EPOCH) };
        let first =
            async { if range.newest < all.newest { self.chunk(range).await.map(Some) } else { Ok(None) } };
        let (inbox, newest, first) =
            futures::try_join!(self.history.inbox(self.workspace), self.chunk(all), first)?;
        Ok(Start { inbox, newest, first })
    }

    /// Looks at events from the newest back until there are `needed` that match or 1,000 were looked at.
    async fn find(
        &self,
        mut range: Range,
        start: Start,
        needed: usize,
        wanted: impl Fn(&Event, Standing) -> bool,
    ) -> Result<Found, Failure> {
        let mut found = Found { matching: Vec::new(), stopped_at: None };
        let mut chunk = start.first.unwrap_or_else(|| start.newest.since(range.oldest));
        for looked_at in (CHUNK..=LOOKED_AT).step_by(CHUNK) {
            found.stopped_at = chunk.events.last().map(|event| event.id).filter(|_| chunk.more);
            for event in chunk.events {
                let standing = standing(&event, &chunk.marks, start.inbox);
                if wanted(&event, standing) {
                    found.matching.push((event, standing));
                }
            }
            match found.stopped_at {
                Some(last) if found.matching.len() < needed && looked_at < LOOKED_AT => {
                    range.newest = last.before();
                    chunk = self.chunk(range).await?;
                }
                _ => break,
            }
        }
        Ok(found)
    }
}

fn standing(event: &Event, marks: &BTreeMap<EventId, Mark>, inbox: Inbox) -> Standing {
    inbox.standing(event.id, marks.get(&event.id).copied().unwrap_or_default())
}

/// Adds who did it, as they are called today.
async fn describe(deps: &Deps, member: &Member, rows: Vec<(Event, Standing)>) -> Result<Vec<Row>, Error> {
    let mut users: Vec<UserId> = rows.iter().map(|(event, _)| event.actor.user).collect();
    users.sort();
    users.dedup();
    let mut people: HashMap<UserId, (User, Option<Workspace>)> = HashMap::new();
    for chunk in users.chunks(CHUNK / 2) {
        let found = deps.accounts.people(chunk).await?;
        people.extend(found.into_iter().map(|person| (person.0.id, person)));
    }
    // Members see each other's names; an address is for the owner and for oneself.
    let sees_address = |user: UserId| member.role == Role::Owner || user == member.user;
    let row = |(event, standing): (Event, Standing)| {
        let person = people.get(&event.actor.user);
        let name =
            person.and_then(|(_, workspace)| Some(workspace.as_ref()?.profile.display_name.to_string()));
        let email =
            person.filter(|(user, _)| sees_address(user.id)).map(|(user, _)| user.primary_email.to_string());
        Row {
            timestamp: event.at(),
            id: event.id,
            user_id: event.actor.user,
            user_email: email,
            user_name: name,
            action: event.action,
            resource_type: event.resource_type,
            resource_id: event.resource_id,
            resource_name: event.resource_name,
            metadata: event.metadata,
            seen: standing.seen,
            archived: standing.archived,
        }
    };
    Ok(rows.into_iter().map(row).collect())
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Cursor(problem) => problem,
            Error::Failed(failure) => failure.into(),
        }
    }
}
