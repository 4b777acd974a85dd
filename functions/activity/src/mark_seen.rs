//! `POST /api/activity/mark-seen`: marks named events, or all existing events, as seen. Ids of other workspaces' events
//! are ignored, so that the response does not reveal whether they exist.

use std::sync::Arc;

use domain::{
    activity::Watermark,
    id::{EventId, RequestedId},
    permissions::{KeepsInbox, Member},
    ports::{All, Failure, History, Marking},
    role::Role,
};
use kit::{
    Access, Body, Endpoint, Output, Permitted, Ports, Problem, RequestContext, Spec, grants::history, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Marks events as seen.
pub struct MarkSeen;

/// Maximum number of keys per DynamoDB batch read.
const CHUNK: usize = 100;

/// Dependencies.
pub struct Deps {
    history: Arc<dyn History>,
}

/// The events to mark: `eventIds` or `all`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "required": ["eventIds"], "properties": { "eventIds": { "type": "array" }, "all": { "const": false } } },
    { "required": ["all"], "properties": { "eventIds": { "type": "null" }, "all": { "const": true } } },
]))]
pub struct MarkSeenBody {
    /// Event ids, at most 1,000.
    #[serde(default)]
    event_ids: Option<EventIds>,
    /// `true`: all events up to now.
    #[serde(default)]
    all: bool,
}

/// A member, who may mark events.
pub(crate) type InboxKeeper = Permitted<Member, KeepsInbox>;

/// The events of a request.
pub(crate) enum EventNames {
    Some(Vec<EventId>),
    All,
}

impl EventNames {
    pub(crate) fn of(ids: Option<EventIds>, all: bool) -> Result<Self, Error> {
        match (ids, all) {
            (Some(ids), false) => Ok(Self::Some(ids.0)),
            (None, true) => Ok(Self::All),
            (Some(_), true) | (None, false) => Err(Error::NothingNamed),
        }
    }
}

/// At most 1,000 ids.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "Vec<RequestedId<EventId>>")]
#[schemars(inline)]
pub struct EventIds(#[schemars(with = "Vec<RequestedId<EventId>>", length(max = 1_000))] pub Vec<EventId>);

impl TryFrom<Vec<RequestedId<EventId>>> for EventIds {
    type Error = domain::text::Invalid;

    fn try_from(ids: Vec<RequestedId<EventId>>) -> Result<Self, Self::Error> {
        if ids.len() > 1_000 {
            return Err(domain::text::Invalid("Specify at most 1,000 event ids.".into()));
        }
        let mut ids: Vec<EventId> = ids.into_iter().filter_map(RequestedId::known).collect();
        ids.sort();
        ids.dedup();
        Ok(Self(ids))
    }
}

/// The events were marked.
#[derive(Serialize, JsonSchema)]
pub struct Marked {
    /// Always `true`.
    pub(crate) success: bool,
}
impl Output for Marked {}

kit::errors! {
    pub enum Error from Failure {
        /// The request names neither some events nor all.
        NothingNamed => Problem::field(
            "eventIds",
            &domain::text::Invalid("Provide either `eventIds` or `all: true`, not both.".into()),
        ),
    }
}

impl Endpoint for MarkSeen {
    const SPEC: Spec = spec("activity-mark-seen", Post, "/api/activity/mark-seen")
        .summary("Mark events as seen")
        .access(Access::member(Role::Viewer))
        .uses(&[history::EXISTING, history::MARK, history::MARK_ALL]);
    type Caller = InboxKeeper;
    type Deps = Deps;
    type Input = Body<MarkSeenBody>;
    type Output = Marked;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { history: ports.history() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<InboxKeeper>,
        Body(which): Self::Input,
    ) -> Result<Marked, Error> {
        let named = EventNames::of(which.event_ids, which.all)?;
        mark(&*deps.history, call, named, All::Seen, Marking::Seen).await
    }
}

/// Marks each named event with `one`, or all existing events with `all`.
pub(crate) async fn mark(
    history: &dyn History,
    call: &RequestContext<InboxKeeper>,
    named: EventNames,
    all: All,
    one: Marking,
) -> Result<Marked, Error> {
    let proof = &call.caller.proof;
    match named {
        EventNames::Some(ids) => {
            for chunk in ids.chunks(CHUNK) {
                let existing = history.existing(proof.workspace(), chunk).await?;
                let marks: Vec<(EventId, Marking)> = existing.into_iter().map(|id| (id, one)).collect();
                history.mark(proof, &marks).await?;
            }
        }
        EventNames::All => {
            let watermark = Watermark { up_to: EventId::ceiling(call.now), at: call.now };
            history.mark_all(proof, all, watermark).await?;
        }
    }
    Ok(Marked { success: true })
}
