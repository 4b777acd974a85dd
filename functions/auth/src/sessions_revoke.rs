//! `DELETE /api/auth/sessions/{id}`: ends one session of the signed-in user, or all but the current one, effective from the next
//! request on.

use std::sync::Arc;

use domain::{
    id::SessionId,
    ports::{Failure, Sessions},
};
use kit::{
    Access, Code, Endpoint, Output, Params, Person, Ports, Problem, RequestContext, Spec, grants::sessions,
    spec, spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ends sessions.
pub struct SessionsRevoke;

/// Dependencies.
pub struct Deps {
    sessions: Arc<dyn Sessions>,
}

/// The sessions to end.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionPath {
    /// The id of a session, or `others` for all sessions but the current one.
    id: String,
}

/// The sessions were ended.
#[derive(Serialize, JsonSchema)]
pub struct RevokedSessions {
    /// Always `true`.
    success: bool,
    /// The number of sessions that were ended.
    ended: usize,
}
impl Output for RevokedSessions {}

kit::errors! {
    pub enum Error from Failure {
        /// The user has no such session.
        NotFound => Problem::not_found(),
    }
}

impl Endpoint for SessionsRevoke {
    const SPEC: Spec = spec("sessions-revoke", Delete, "/api/auth/sessions/{id}")
        .summary("End a session, or all other sessions")
        .access(Access::person())
        .problems(&[Code::NotFound])
        .uses(&[sessions::LIVE, sessions::END, sessions::END_SEVERAL]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Params<SessionPath>;
    type Output = RevokedSessions;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { sessions: ports.sessions() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Params(path): Self::Input,
    ) -> Result<RevokedSessions, Error> {
        let ended = match path.id.as_str() {
            "others" => end_others(deps, call).await?,
            id => end_one(deps, call, id.parse().map_err(|_| Error::NotFound)?).await?,
        };
        Ok(RevokedSessions { success: true, ended })
    }
}

async fn end_one(deps: &Deps, call: &RequestContext<Person>, id: SessionId) -> Result<usize, Error> {
    let ended = deps.sessions.end(call.caller.session.user, id, Default::default()).await?;
    if ended { Ok(1) } else { Err(Error::NotFound) }
}

async fn end_others(deps: &Deps, call: &RequestContext<Person>) -> Result<usize, Error> {
    let current = &call.caller.session;
    let live = deps.sessions.live(current.user, call.now).await?.into_iter();
    let others: Vec<SessionId> = live.map(|session| session.id).filter(|id| *id != current.id).collect();
    deps.sessions.end_several(current.user, &others).await?;
    Ok(others.len())
}
