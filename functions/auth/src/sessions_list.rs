//! `GET /api/auth/sessions`: lists the user's live sessions, newest first. There are at most 100, so the list has one page.

use std::{net::IpAddr, sync::Arc};

use domain::{
    Timestamp,
    id::SessionId,
    ports::{Failure, Sessions, TokenKeys},
    session::Session,
    session_client::SessionClient,
};
use kit::{
    Access, Endpoint, Output, Person, Ports, Prefetched, RequestContext, Spec, TokenIds,
    grants::{sessions, token_keys},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Lists sessions.
pub struct SessionsList;

/// Dependencies.
pub struct Deps {
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn TokenKeys>,
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
    /// Browser and operating system at the last sign-in or refresh. Absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// Network address at the last sign-in or refresh. Absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<IpAddr>,
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
        .uses(&[sessions::LIVE, token_keys::DERIVATION_KEY]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Prefetched<(), Vec<Session>>;
    type Output = SessionPage;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { sessions: ports.sessions(), tokens: ports.token_keys() }
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
        let mut sessions = Vec::with_capacity(live.len());
        for session in &live {
            let client = client(deps, call, session).await?;
            sessions.push(ListedSession::new(session, current.id, client));
        }
        Ok(SessionPage { sessions })
    }
}

/// The client of a session. One that cannot be read does not hide the session, which can be ended.
async fn client(
    deps: &Deps,
    call: &RequestContext<Person>,
    session: &Session,
) -> Result<Option<SessionClient>, Failure> {
    let key = deps.tokens.derivation_key(session.id.made_at()).await?;
    Ok(SessionClient::of(session, &key).unwrap_or_else(|error| {
        call.report_defect("session's client", &session.id, &error.to_string());
        None
    }))
}

impl ListedSession {
    fn new(session: &Session, current: SessionId, client: Option<SessionClient>) -> Self {
        let (device, ip_address) = client.map(|client| (client.device, client.address)).unzip();
        Self {
            session_id: session.id,
            current: session.id == current,
            device: device.map(|device| device.as_str().to_owned()),
            ip_address: ip_address.flatten(),
            created_at: session.created_at,
            last_seen_at: session.refreshed_at,
            expires_at: session.expires_at(),
        }
    }
}
