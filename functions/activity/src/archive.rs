//! `POST /api/activity/archive`: archives events or, with `archive: false`, returns them to the inbox: named events, or
//! all existing events.

use std::sync::Arc;

use domain::{
    ports::{All, History, Marking},
    role::Role,
};
use kit::{Access, Body, Endpoint, Ports, RequestContext, Spec, grants::history, spec, spec::Method::Post};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::mark_seen::{Error, EventIds, EventNames, InboxKeeper, Marked, mark};

/// Archives events or returns them to the inbox.
pub struct ArchiveEvents;

/// Dependencies.
pub struct Deps {
    history: Arc<dyn History>,
}

/// The events to move: `eventIds` or `all`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "required": ["eventIds"], "properties": { "eventIds": { "type": "array" }, "all": { "const": false } } },
    { "required": ["all"], "properties": { "eventIds": { "type": "null" }, "all": { "const": true } } },
]))]
pub struct ArchiveBody {
    /// Event ids, at most 1,000.
    #[serde(default)]
    event_ids: Option<EventIds>,
    /// `true`: all events up to now.
    #[serde(default)]
    all: bool,
    /// `true` (the default) archives the events; `false` returns them to the inbox.
    #[serde(default = "yes")]
    archive: bool,
}

fn yes() -> bool {
    true
}

impl Endpoint for ArchiveEvents {
    const SPEC: Spec = spec("activity-archive", Post, "/api/activity/archive")
        .summary("Archive events or return them to the inbox")
        .access(Access::member(Role::Viewer))
        .uses(&[history::EXISTING, history::MARK, history::MARK_ALL]);
    type Caller = InboxKeeper;
    type Deps = Deps;
    type Input = Body<ArchiveBody>;
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
        mark(
            &*deps.history,
            call,
            named,
            All::Archived(which.archive),
            Marking::Archived(which.archive, call.now),
        )
        .await
    }
}
