//! `GET /api/auth/session`: returns the current session and, for a session in cookies, its CSRF token.
//!
//! A reloaded page has only cookies. The refresh cookie is sufficient, so that the page gets the CSRF token for
//! refreshing an expired access token. Pages of other origins, also of the same site, may send this request but cannot
//! read its response without CORS headers.

use std::sync::Arc;

use domain::{
    Timestamp,
    id::{SessionId, UserId},
    plan::Plan,
    ports::{Failure, SessionContext, Sessions, Teams, TokenKeys},
    region::Region,
    role::Role,
    session::{self, Claims, RefreshToken, RefreshVerdict, Session},
    team::MOST_LISTED,
    user::personal_workspace,
    workspace::{Workspace, WorkspaceKind},
};
use kit::{
    Anyone, Code, CredentialError, Endpoint, Output, Ports, Problem, RegionClient, RequestContext, Services,
    Spec, Stop,
    credentials::Credential,
    grants::{directory, sessions, teams, token_keys},
    spec,
    spec::Method::Get,
};
use regions::{
    team_list::summaries,
    team_summary::{DeniedReason, TeamSummary},
};
use schemars::JsonSchema;
use serde::Serialize;

/// Returns the current session.
pub struct SessionRead;

/// Dependencies.
pub struct Deps {
    kit: Services,
    regions: RegionClient,
    sessions: Arc<dyn Sessions>,
    teams: Arc<dyn Teams>,
    tokens: Arc<dyn TokenKeys>,
}

/// The current session.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Current {
    user_id: UserId,
    /// Absent before onboarding.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Whether onboarding is complete.
    onboarded: bool,
    /// The personal workspace, then the teams in all regions in the order of their usernames, at most 1,000. Empty before
    /// onboarding.
    workspaces: Vec<OwnWorkspace>,
    /// The user's data region.
    region: Region,
    session_id: SessionId,
    /// Time at which the session started.
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    /// End of the current step-up, which sensitive actions require. Absent if the session is not stepped up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    step_up_until: Option<Timestamp>,
    /// Send this token in the `X-CSRF-Token` header of state-changing requests. Present only for cookie sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<String>,
}
impl Output for Current {}

/// A workspace in which the user may act: send `owner=<username>`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnWorkspace {
    username: String,
    account_type: WorkspaceKind,
    region: Region,
    plan: Plan,
    role: Role,
    /// Why the caller has no access at the moment. Absent if the caller has access.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_reason: Option<DeniedReason>,
}

impl OwnWorkspace {
    fn personal(workspace: &Workspace, role: Role, now: Timestamp) -> Self {
        Self {
            username: workspace.handle.to_string(),
            account_type: workspace.kind,
            region: workspace.region,
            plan: workspace.plan_at(now),
            role,
            denied_reason: None,
        }
    }

    fn team(team: TeamSummary) -> Self {
        Self {
            region: team.region(),
            plan: team.plan(),
            role: team.role,
            denied_reason: team.denied_reason(),
            username: team.username,
            account_type: WorkspaceKind::Team,
        }
    }
}

kit::errors! {
    pub enum Error from CredentialError, Failure {
        /// No token is valid.
        Refused => Problem::unauthorized("This session is not valid or has ended. Sign in again."),
        /// The session belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for SessionRead {
    const SPEC: Spec = spec("auth-session", Get, "/api/auth/session")
        .summary("Get the current session and its CSRF token")
        .may_forward()
        .problems(&[Code::BadRequest, Code::Unauthorized])
        .uses(&[directory::SIGNING_KEYS, sessions::CONTEXT, token_keys::DERIVATION_KEY, teams::OF]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = ();
    type Output = Current;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            kit: ports.services(),
            regions: ports.region_client(),
            sessions: ports.sessions(),
            teams: ports.teams(),
            tokens: ports.token_keys(),
        }
    }

    async fn handle(deps: &Deps, call: &RequestContext<Anyone>, (): ()) -> Result<Current, Error> {
        let token = presented(deps, call).await?.ok_or(Error::Refused)?;
        let (region, user, id) = token.names();
        if region != call.region {
            return Err(Error::Elsewhere(region));
        }
        // A forged refresh token reads no session.
        if let Token::RefreshCookie(token) = &token
            && !token.is_genuine(&deps.tokens.derivation_key(id.made_at()).await?)
        {
            return Err(Error::Refused);
        }
        let context = deps.sessions.context(user, id, personal_workspace(user)).await?;
        let context = context.filter(|context| token.opens(&context.session, call.now));
        let SessionContext { session, workspace, role } = context.ok_or(Error::Refused)?;
        let csrf_token = match token {
            Token::Bearer(_) => None,
            Token::AccessCookie(_) | Token::RefreshCookie(_) => {
                let key = deps.tokens.derivation_key(id.made_at()).await?;
                Some(session::csrf_token(id, &key).expose().to_owned())
            }
        };
        let workspaces = match workspace.as_ref().zip(role) {
            Some(personal) => own_workspaces(deps, user, personal, call.now).await?,
            None => Vec::new(),
        };
        Ok(Current {
            user_id: user,
            onboarded: workspace.is_some(),
            username: workspace.map(|workspace| workspace.handle.to_string()),
            workspaces,
            region,
            session_id: id,
            created_at: session.created_at,
            step_up_until: session.is_stepped_up(call.now).then(|| session.stepped_up_until()),
            csrf_token,
        })
    }
}

/// The personal workspace, then the teams.
async fn own_workspaces(
    deps: &Deps,
    user: UserId,
    (personal, role): (&Workspace, Role),
    now: Timestamp,
) -> Result<Vec<OwnWorkspace>, Failure> {
    let teams = deps.teams.of(user, MOST_LISTED).await?;
    let teams = summaries(&deps.regions, user, &teams, now).await.into_iter().map(OwnWorkspace::team);
    Ok(std::iter::once(OwnWorkspace::personal(personal, role, now)).chain(teams).collect())
}

/// The token that identifies the session.
enum Token {
    Bearer(Claims),
    AccessCookie(Claims),
    RefreshCookie(RefreshToken),
}

impl Token {
    fn names(&self) -> (Region, UserId, SessionId) {
        match self {
            Self::Bearer(claims) | Self::AccessCookie(claims) => (claims.iss, claims.sub, claims.sid),
            Self::RefreshCookie(token) => (token.region, token.user, token.session),
        }
    }

    fn opens(&self, session: &Session, now: Timestamp) -> bool {
        match self {
            Self::Bearer(_) | Self::AccessCookie(_) => session.is_live(now),
            Self::RefreshCookie(token) => {
                matches!(session.judge(token.hash(), now), RefreshVerdict::Rotate | RefreshVerdict::Repeat)
            }
        }
    }
}

/// The access token, or the refresh token of a browser whose access token has expired.
async fn presented(deps: &Deps, call: &RequestContext<Anyone>) -> Result<Option<Token>, Error> {
    match call.credential()? {
        Some(Credential::Bearer(token)) => {
            return Ok(deps.kit.tokens.verify(&token, call.now).await?.map(Token::Bearer));
        }
        Some(Credential::Cookie(token)) => {
            if let Some(claims) = deps.kit.tokens.verify(&token, call.now).await? {
                return Ok(Some(Token::AccessCookie(claims)));
            }
        }
        None => {}
    }
    let cookie = call.refresh_cookie()?;
    Ok(cookie.and_then(|text| text.parse().ok()).map(Token::RefreshCookie))
}
