//! `POST /api/activity/archive`: put events into the archive, or, with `archive: false`, back into the inbox: some, or all
//! so far.

use std::sync::Arc;

use domain::{
    policy::Member,
    ports::{All, History, Marking},
    role::Role,
};
use kit::{Access, Body, Call, Endpoint, Grant, Items, Ports, Spec, spec, spec::Method::Post};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::mark_seen::{Error, EventIds, Marked, Named, mark};

/// Archives events, or takes them out again.
pub struct Archive;

/// What it works with.
pub struct Deps {
    history: Arc<dyn History>,
}

/// Which events: `eventIds`, or `all`; and where they go.
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
    /// Into the archive (the default), or out of it.
    #[serde(default = "yes")]
    archive: bool,
}

fn yes() -> bool {
    true
}

impl Endpoint for Archive {
    const SPEC: Spec = spec("activity-archive", Post, "/api/activity/archive")
        .summary("Put events into the archive, or back into the inbox")
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
