//! `GET /api/auth/sessions`: lists the user's live sessions, newest first. There are at most 100, so the list has one page.

use std::sync::Arc;

use domain::{
    Timestamp,
    id::SessionId,
    ports::{Failure, Sessions},
    session::Session,
};
use kit::{
    Access, Endpoint, Output, Person, Ports, Prefetched, RequestContext, Spec, TokenIds, grants::sessions,
    spec, spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Lists sessions.
pub struct SessionsList;

/// Dependencies.
pub struct Deps {
    sessions: Arc<dyn Sessions>,
}

/// The live sessions.
#[derive(Serialize, JsonSchema)]
pub struct SessionPage {
    /// The sessions, newest first.
    sessions: Vec<ListedSession>,
}
impl Output for SessionPage {}

/// A live session.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedSession {
    session_id: SessionId,
    /// Whether this is the session of the request.
    current: bool,
    /// Time of the sign-in.
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    /// Time of the last refresh. A client in use refreshes its session every 10 minutes.
    #[schemars(schema_with = "kit::input::date_time")]
    last_seen_at: Timestamp,
    /// Time at which the session ends without a refresh.
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Timestamp,
}

impl Endpoint for SessionsList {
    const SPEC: Spec = spec("sessions-list", Get, "/api/auth/sessions")
        .summary("List the sessions of the signed-in user")
        .access(Access::person())
        .uses(&[sessions::LIVE]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Prefetched<(), Vec<Session>>;
    type Output = SessionPage;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { sessions: ports.sessions() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched((), early): &mut Self::Input) {
        early.read(deps.sessions.live(ids.user, ids.now)).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Prefetched((), early): Self::Input,
    ) -> Result<SessionPage, Failure> {
        let current = &call.caller.session;
        let live = early.or_read(deps.sessions.live(current.user, call.now)).await?;
        let sessions = live.iter().map(|session| ListedSession::of(session, current.id));
        Ok(SessionPage { sessions: sessions.collect() })
    }
}

impl ListedSession {
    fn of(session: &Session, current: SessionId) -> Self {
        Self {
            session_id: session.id,
            current: session.id == current,
            created_at: session.created_at,
            last_seen_at: session.refreshed_at,
            expires_at: session.expires_at(),
        }
    }
}
