//! `GET /api/activity`: lists the activity of a workspace, newest first: inbox or archive, with search, time range and
//! pages.
//!
//! A request reads at most the newest 1,000 events, and a request for a later page 1,000 more, from `nextCursor` on.
//! Both counts stop at 100.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    Timestamp,
    activity::{
        Action, ActivityEvent, COUNTED, EventState, Inbox, LOOKED_AT, Mark, ResourceType, UnseenCount,
    },
    id::{EventId, UserId, WorkspaceId},
    permissions::Member,
    ports::{Accounts, Failure, History, Outcome},
    role::Role,
    search::SearchTerm,
    text::Invalid,
    user::User,
    workspace::Profile,
};
use jiff::SignedDuration;
use kit::{
    Access, CursorError, Endpoint, Output, Params, Ports, Prefetched, Problem, RequestContext, Spec,
    TokenIds,
    cursor::Cursor,
    grants::{accounts, history},
    parameters::{PageNumber, PageSize, Search, TimeOrDate, YesNo},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Lists the activity of a workspace.
pub struct ListEvents;

/// Number of events per read.
const CHUNK: usize = 100;
/// Default time range.
const DEFAULT_DAYS: i64 = 30;

/// Dependencies.
pub struct Deps {
    history: Arc<dyn History>,
    accounts: Arc<dyn Accounts>,
}

/// Filters and page.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// `true` lists archived events; otherwise the inbox.
    #[serde(default)]
    archived: Option<YesNo>,
    /// Search term: part of a resource's name or type, ignoring case and accents.
    #[serde(default)]
    search: Option<Search>,
    /// Earliest time, or day in UTC, inclusive. Default: 30 days ago.
    #[serde(default)]
    from: Option<TimeOrDate>,
    /// Alias of `from`.
    #[serde(default)]
    start: Option<TimeOrDate>,
    /// Latest time, or day in UTC, inclusive. Default: now.
    #[serde(default)]
    to: Option<TimeOrDate>,
    /// Alias of `to`.
    #[serde(default)]
    end: Option<TimeOrDate>,
    /// Cursor from the previous page.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// Page number, starting at 1. Ignored if there is a `cursor`.
    #[serde(default)]
    page: Option<PageNumber<10>>,
    /// Page size, 1 to 100.
    #[serde(default)]
    limit: PageSize<100>,
}

/// A page of a workspace's activity.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    events: Vec<EventRow>,
    /// Number of matching events, counted from the cursor if there is one. A lower bound if `nextCursor` is present.
    total: usize,
    /// Number of unseen events in the inbox among the newest 1,000 events, independent of filters. Counting stops at 100, which
    /// means 100 or more.
    unseen_count: usize,
    /// Cursor of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}
impl Output for EventPage {
    fn next_page(&self) -> Option<&Cursor> {
        self.next_cursor.as_ref()
    }
}

/// An activity event.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventRow {
    #[serde(rename = "_id")]
    id: EventId,
    user_id: UserId,
    /// Absent if the user was deleted.
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

kit::errors! {
    pub enum Error from CursorError, Failure {
        /// Two parameters that mean the same.
        Repeated(second: &'static str) => {
            Problem::field(second, &Invalid::new("Specify this parameter only once."))
        },
        /// The range ends before it begins.
        Range => Problem::field("from", &Invalid::new("`from` is later than `to`. Swap the two values.")),
    }
}

impl Endpoint for ListEvents {
    const SPEC: Spec = spec("activity-list", Get, "/api/activity")
        .summary("List a workspace's activity")
        .access(Access::member(Role::Viewer))
        .uses(&[history::PAGE, history::INBOX, history::MARKS, accounts::PEOPLE]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Prefetched<Params<EventsQuery>, Records>;
    type Output = EventPage;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { history: ports.history(), accounts: ports.accounts() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(Params(query), early): &mut Self::Input) {
        if let (Ok(range), None) = (range(query, ids.now), &query.cursor) {
            early.read(records(deps, ids.workspace, query, range, ids.now)).await;
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<EventPage, Error> {
        let workspace = &call.caller.workspace;
        let cursors = call.cursors(workspace, "activity");
        let mut range = range(&query, call.now)?;
        if let Some(cursor) = &query.cursor {
            let last: EventId = cursors.position(cursor)?;
            range.newest = range.newest.min(last.before());
        }
        let records = early.or_read(records(deps, workspace.id, &query, range, call.now)).await?;
        let Records { unseen, matching, stopped_at } = records;
        let (total, skip, limit) = (matching.len(), query.skip(), query.limit.get());
        let more = total > skip + limit || stopped_at.is_some();
        let rows: Vec<(ActivityEvent, EventState)> = matching.into_iter().skip(skip).take(limit).collect();
        let last = if total > skip + limit { rows.last().map(|(event, _)| event.id) } else { stopped_at };
        Ok(EventPage {
            total,
            unseen_count: unseen.get(),
            next_cursor: last.filter(|_| more).map(|last| cursors.at(&last.to_string())),
            events: describe(deps, &call.caller, rows).await?,
        })
    }
}

/// The first and last event of the time range, inclusive.
#[derive(Clone, Copy)]
struct Range {
    newest: EventId,
    oldest: EventId,
}

impl EventsQuery {
    /// How many events come before the page. A cursor begins at its page.
    fn skip(&self) -> usize {
        let page = self.page.filter(|_| self.cursor.is_none());
        page.map_or(0, |page| page.skips(self.limit.get()))
    }
}

/// The events that match, and the count of unseen ones.
pub struct Records {
    unseen: UnseenCount,
    matching: Vec<(ActivityEvent, EventState)>,
    /// The last visited event, if the range may have more events.
    stopped_at: Option<EventId>,
}

async fn records(
    deps: &Deps,
    workspace: WorkspaceId,
    query: &EventsQuery,
    range: Range,
    now: Timestamp,
) -> Outcome<Records> {
    let needed = COUNTED.max(query.skip() + query.limit.get() + 1);
    let archived = query.archived == Some(YesNo::True);
    let everything = SearchTerm::default();
    let term = query.search.as_ref().map_or(&everything, Search::term);
    let matches = |event: &ActivityEvent, standing: EventState| {
        standing.archived == archived && event.is_found_by(term)
    };
    let history = OneHistory { history: &*deps.history, workspace };
    let (unseen, found) = history.find(Listing::new(range, needed, matches), now).await?;
    Ok(Records { unseen, matching: found.matching, stopped_at: found.stopped_at })
}

fn range(query: &EventsQuery, now: Timestamp) -> Result<Range, Error> {
    let month = SignedDuration::from_hours(DEFAULT_DAYS * 24);
    let from = one("start", (query.from, query.start))?.map(TimeOrDate::begins);
    let to = one("end", (query.to, query.end))?.map(TimeOrDate::ends);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Error::Range);
    }
    let to = to.unwrap_or(now).min(now);
    let from = from.unwrap_or_else(|| now.saturating_sub(month).unwrap_or(Timestamp::MIN));
    Ok(Range { newest: EventId::ceiling(to), oldest: EventId::floor(from.max(Timestamp::UNIX_EPOCH)) })
}

/// The value of a parameter and its alias.
fn one(
    second: &'static str,
    values: (Option<TimeOrDate>, Option<TimeOrDate>),
) -> Result<Option<TimeOrDate>, Error> {
    match values {
        (Some(_), Some(_)) => Err(Error::Repeated(second)),
        (first, second) => Ok(first.or(second)),
    }
}

/// Events, newest first, with their individual marks.
struct Chunk {
    events: Vec<ActivityEvent>,
    marks: BTreeMap<EventId, Mark>,
    /// Whether the history has more events.
    more: bool,
}

impl Chunk {
    /// Each event with its state.
    fn standings(&self, inbox: Inbox) -> impl Iterator<Item = (&ActivityEvent, EventState)> {
        let mark = |id| self.marks.get(&id).copied().unwrap_or_default();
        self.events.iter().map(move |event| (event, inbox.standing(event.id, mark(event.id))))
    }

    /// The last event, if the history has more events.
    fn stops_at(&self) -> Option<EventId> {
        self.events.last().map(|event| event.id).filter(|_| self.more)
    }
}

/// Visits the events of a history, newest first.
trait Visitor: Send {
    /// Visits the next events. Returns whether more events are needed. Not called again after `false`.
    fn visit(&mut self, chunk: &Chunk, inbox: Inbox) -> bool;
}

impl Visitor for UnseenCount {
    fn visit(&mut self, chunk: &Chunk, inbox: Inbox) -> bool {
        chunk.standings(inbox).for_each(|(_, standing)| self.add(standing));
        chunk.stops_at().is_some_and(|last| self.goes_on_before(last, inbox))
    }
}

/// The events of a page, and further events to count.
struct Listing<W> {
    range: Range,
    /// Number of events needed.
    needed: usize,
    matches: W,
    matching: Vec<(ActivityEvent, EventState)>,
    /// The last visited event, if the range may have more events.
    stopped_at: Option<EventId>,
}

impl<W> Listing<W> {
    fn new(range: Range, needed: usize, matches: W) -> Self {
        Self { range, needed, matches, matching: Vec::new(), stopped_at: None }
    }
}

impl<W: Fn(&ActivityEvent, EventState) -> bool + Send> Visitor for Listing<W> {
    fn visit(&mut self, chunk: &Chunk, inbox: Inbox) -> bool {
        let oldest = self.range.oldest;
        let matching = chunk
            .standings(inbox)
            .filter(|(event, standing)| event.id >= oldest && (self.matches)(event, *standing));
        self.matching.extend(matching.map(|(event, standing)| (event.clone(), standing)));
        self.stopped_at = chunk.stops_at().filter(|last| *last > oldest);
        self.stopped_at.is_some() && self.matching.len() < self.needed
    }
}

/// The activity of a workspace.
struct OneHistory<'a> {
    history: &'a dyn History,
    workspace: WorkspaceId,
}

impl OneHistory<'_> {
    /// Reads events from `newest` back and their marks concurrently.
    async fn chunk(&self, newest: EventId) -> Result<Chunk, Failure> {
        let oldest = EventId::floor(Timestamp::UNIX_EPOCH);
        let page = self.history.page(self.workspace, newest, oldest, CHUNK);
        // An event may be marked just before this page is read, so more marks than events are read.
        let marks = self.history.marks(self.workspace, newest, 2 * CHUNK);
        let (page, marks) = futures::try_join!(page, marks)?;
        Ok(Chunk { events: page.items, marks, more: page.more })
    }

    /// Counts the unseen events and fills a list: from the same events if the list begins with the newest event,
    /// otherwise concurrently.
    async fn find<W: Fn(&ActivityEvent, EventState) -> bool + Send>(
        &self,
        mut listing: Listing<W>,
        now: Timestamp,
    ) -> Result<(UnseenCount, Listing<W>), Failure> {
        let (newest, begin) = (EventId::ceiling(now), listing.range.newest);
        let mut unseen = UnseenCount::default();
        let others = async { if begin < newest { self.chunk(begin).await.map(Some) } else { Ok(None) } };
        let (inbox, first, others) =
            futures::try_join!(self.history.inbox(self.workspace), self.chunk(newest), others)?;
        match others {
            None => self.visit(first, inbox, vec![&mut unseen, &mut listing]).await?,
            Some(others) => {
                let count = self.visit(first, inbox, vec![&mut unseen]);
                futures::try_join!(count, self.visit(others, inbox, vec![&mut listing]))?;
            }
        }
        Ok((unseen, listing))
    }

    /// Passes events to visitors until none needs more or 1,000 events were read.
    async fn visit(
        &self,
        mut chunk: Chunk,
        inbox: Inbox,
        mut visitors: Vec<&mut dyn Visitor>,
    ) -> Result<(), Failure> {
        for looked_at in (CHUNK..=LOOKED_AT).step_by(CHUNK) {
            visitors.retain_mut(|visitor| visitor.visit(&chunk, inbox));
            let Some(last) = chunk.stops_at().filter(|_| !visitors.is_empty() && looked_at < LOOKED_AT)
            else {
                break;
            };
            chunk = self.chunk(last.before()).await?;
        }
        Ok(())
    }
}

/// Adds the current names of the actors.
async fn describe(
    deps: &Deps,
    member: &Member,
    rows: Vec<(ActivityEvent, EventState)>,
) -> Result<Vec<EventRow>, Error> {
    let mut users: Vec<UserId> = rows.iter().map(|(event, _)| event.actor.user).collect();
    users.sort();
    users.dedup();
    let mut people: HashMap<UserId, (User, Option<Profile>)> = HashMap::new();
    for chunk in users.chunks(CHUNK / 2) {
        let found = deps.accounts.people(chunk).await?;
        people.extend(found.into_iter().map(|person| (person.0.id, person)));
    }
    // Members see each other's names. Email addresses are visible only to the owner and to the user.
    let sees_address = |user: UserId| member.role == Role::Owner || user == member.user;
    let row = |(event, standing): (ActivityEvent, EventState)| {
        let person = people.get(&event.actor.user);
        let name = person.and_then(|(_, profile)| Some(profile.as_ref()?.display_name.to_string()));
        let email =
            person.filter(|(user, _)| sees_address(user.id)).map(|(user, _)| user.primary_email.to_string());
        EventRow {
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
