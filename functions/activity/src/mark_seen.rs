//! `POST /api/activity/mark-seen`: events were seen: some, or all so far. Ids of no event of this workspace are passed
//! over, so that nobody learns whether they exist.

use std::sync::Arc;

use domain::{
    activity::Watermark,
    id::EventId,
    policy::{self, Member},
    ports::{All, Failure, History, Marking},
    role::Role,
};
use kit::{
    Access, Body, Call, Endpoint, Grant, Items, Output, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Marks events as seen.
pub struct MarkSeen;

/// DynamoDB answers for at most 100 keys at once.
const CHUNK: usize = 100;

/// What it works with.
pub struct Deps {
    history: Arc<dyn History>,
}

/// Which events: `eventIds`, or `all`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "required": ["eventIds"], "properties": { "eventIds": { "type": "array" }, "all": { "const": false } } },
    { "required": ["all"], "properties": { "eventIds": { "type": "null" }, "all": { "const": true } } },
]))]
pub struct Which {
    /// These; at most 1,000.
    #[serde(default)]
    event_ids: Option<EventIds>,
    /// All so far.
    #[serde(default)]
    all: bool,
}

/// The events that a request names.
pub(crate) enum Named {
    Some(Vec<EventId>),
    All,
}

impl Named {
    pub(crate) fn of(ids: Option<EventIds>, all: bool) -> Result<Self, Error> {
        match (ids, all) {
            (Some(ids), false) => Ok(Self::Some(ids.0)),
            (None, true) => Ok(Self::All),
            (Some(_), true) | (None, false) => Err(Error::NothingNamed),
        }
    }
}

/// Up to 1,000 ids.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "Vec<EventId>")]
#[schemars(inline)]
pub struct EventIds(#[schemars(length(max = 1_000))] pub Vec<EventId>);

impl TryFrom<Vec<EventId>> for EventIds {
    type Error = domain::text::Invalid;

    fn try_from(mut ids: Vec<EventId>) -> Result<Self, Self::Error> {
        if ids.len() > 1_000 {
            return Err(domain::text::Invalid("It may name 1,000 events at the most.".into()));
        }
        ids.sort();
        ids.dedup();
        Ok(Self(ids))
    }
}

/// They are marked.
#[derive(Serialize, JsonSchema)]
pub struct Marked {
    /// Always true.
    pub(crate) success: bool,
}
impl Output for Marked {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("neither some nor all")]
    NothingNamed,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for MarkSeen {
    const SPEC: Spec = spec("activity-mark-seen", Post, "/api/activity/mark-seen")
        .summary("Mark events as seen")
        .access(Access::Member(Role::Viewer))
        .grants(&[Grant::items("BatchGetItem", Items::Events), Grant::items("UpdateItem", Items::Marks)]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Body<Which>;
    type Output = Marked;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { history: ports.history() }
    }

    async fn handle(deps: &Deps, call: &Call<Member>, Body(which): Self::Input) -> Result<Marked, Error> {
        let named = Named::of(which.event_ids, which.all)?;
        mark(&*deps.history, call, named, All::Seen, Marking::Seen).await
    }
}

/// Says `one` of each event named, or `all` of all so far.
pub(crate) async fn mark(
    history: &dyn History,
    call: &Call<Member>,
    named: Named,
    all: All,
    one: Marking,
) -> Result<Marked, Error> {
    let proof = policy::may_keep_inbox(&call.caller);
    match named {
        Named::Some(ids) => {
            for chunk in ids.chunks(CHUNK) {
                let existing = history.existing(proof.workspace(), chunk).await?;
                let marks: Vec<(EventId, Marking)> = existing.into_iter().map(|id| (id, one)).collect();
                history.mark(&proof, &marks).await?;
            }
        }
        Named::All => {
            let watermark = Watermark { up_to: EventId::ceiling(call.now), at: call.now };
            history.mark_all(&proof, all, watermark).await?;
        }
    }
    Ok(Marked { success: true })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NothingNamed => Self::field(
                "eventIds",
                &domain::text::Invalid("Name events in eventIds, or send all: true, and not both.".into()),
            ),
            Error::Failed(failure) => failure.into(),
        }
    }
}
