//! `POST /api/auth/refresh`: rotates the refresh token and returns new tokens. A retry after a lost response gets the
//! same tokens. A token that was rotated earlier ends the session, because it was copied. `?session=cookie` needs no
//! body.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    domain_events::DomainEvent,
    ports::{Failure, Rounds, Saved, SessionContext, Sessions, TokenKeys},
    region::Region,
    secret::Digest256,
    session::{self, RefreshToken, RefreshVerdict},
    user::personal_workspace,
};
use kit::{
    Anyone, CredentialError, Endpoint, OptionalBody, Params, Ports, Problem, RequestContext, Spec, Stop,
    grants::{extras, sessions, token_keys},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    new_session::client_of,
    tokens::{Cookies, TokenDeliveryQuery, Tokens, hand_out},
};

/// Rotates a refresh token.
pub struct RefreshSession;

/// Dependencies.
pub struct Deps {
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn TokenKeys>,
}

/// The token to rotate.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RefreshBody {
    /// The refresh token. Omit with `?session=cookie`.
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
}

kit::errors! {
    pub enum Error from CredentialError, Failure {
        /// The request carries no token.
        NoToken => Problem::unauthorized("Missing refresh token. Provide `refreshToken`, or use `?session=cookie` with the session's cookie."),
        /// The request carries two tokens.
        TwoTokens => Problem::new(kit::Code::BadRequest, "Two refresh tokens were sent. Send only one."),
        /// The request does not repeat the CSRF token.
        NoCsrfToken => Problem::new(
            kit::Code::CsrfTokenRequired,
            "Send the session's CSRF token in the X-CSRF-Token header.",
        ),
        /// The token is not valid.
        Refused => Problem::unauthorized("This session is not valid or has ended. Sign in again."),
        /// The session belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for RefreshSession {
    const SPEC: Spec = spec("auth-refresh", Post, "/api/auth/refresh")
        .summary("Refresh the tokens of a session")
        .may_forward()
        .problems(&[kit::Code::Unauthorized, kit::Code::CsrfTokenRequired])
        .uses(&[
            token_keys::DERIVATION_KEY,
            token_keys::SIGN,
            sessions::CONTEXT,
            sessions::REPLACE,
            sessions::END,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = (Params<TokenDeliveryQuery>, OptionalBody<RefreshBody>);
    type Output = Tokens;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { sessions: ports.sessions(), tokens: ports.token_keys() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        (Params(delivery), OptionalBody(form)): Self::Input,
    ) -> Result<Tokens, Error> {
        let presented = presented(deps, call, delivery.session, form.refresh_token).await?;
        let (user, id) = (presented.user, presented.session);
        let key = deps.tokens.derivation_key(id.made_at()).await?;
        if !presented.is_genuine(&key) {
            return Err(Error::Refused);
        }
        let successor = presented.successor(&key);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let context = deps.sessions.context(user, id, personal_workspace(user)).await?;
            let SessionContext { session, workspace, .. } = context.ok_or(Error::Refused)?;
            let onboarded = workspace.is_some();
            let session = match session.judge(presented.hash(), call.now) {
                RefreshVerdict::Rotate => {
                    let rotated = session.rotated(&successor, call.now);
                    let rotated =
                        client_of(call).enter(rotated, &key, call.entropy()).map_err(Failure::from)?;
                    if deps.sessions.replace(&session, &rotated).await? == Saved::Stale {
                        continue;
                    }
                    rotated
                }
                RefreshVerdict::Repeat => session,
                RefreshVerdict::Expired => return Err(Error::Refused),
                RefreshVerdict::Reused => {
                    end(deps, call, &presented, onboarded).await?;
                    return Err(Error::Refused);
                }
            };
            let cookies = delivery.session;
            let tokens = hand_out(&*deps.tokens, &session, &successor, onboarded, cookies, call.now);
            return Ok(tokens.await?);
        }
    }
}

/// The token of the body, or the token of the cookie with a valid CSRF token.
async fn presented(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    cookies: Option<Cookies>,
    given: Option<RefreshToken>,
) -> Result<RefreshToken, Error> {
    let token = match (cookies, given) {
        (None, given) => given.ok_or(Error::NoToken)?,
        (Some(Cookies::Cookie), Some(_)) => return Err(Error::TwoTokens),
        (Some(Cookies::Cookie), None) => {
            call.refresh_cookie()?.and_then(|text| text.parse().ok()).ok_or(Error::Refused)?
        }
    };
    if token.region != call.region {
        return Err(Error::Elsewhere(token.region));
    }
    if cookies.is_some() {
        let key = deps.tokens.derivation_key(token.session.made_at()).await?;
        let wanted = session::csrf_token(token.session, &key);
        let given = call.csrf_header().map(Digest256::of);
        let right = given.is_some_and(|given| given.matches(Digest256::of(wanted.expose())));
        return if right { Ok(token) } else { Err(Error::NoCsrfToken) };
    }
    Ok(token)
}

/// Ends a session whose token was copied, and reports it in the activity and by email.
async fn end(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    token: &RefreshToken,
    onboarded: bool,
) -> Result<(), Error> {
    let actor = Actor { user: token.user, key: None };
    let event = onboarded.then(|| {
        let workspace = personal_workspace(token.user);
        let mut event = call.event(workspace, actor, Action::Deleted, ResourceType::Security);
        event.resource_id = Some(token.session.to_string());
        event.resource_name = Some("Session ended: its refresh token was used twice".to_owned());
        event
    });
    let notice = DomainEvent::RefreshTokenReused { user: token.user, session: token.session };
    deps.sessions.end(token.user, token.session, call.extras(event, Some(notice), "")).await?;
    Ok(())
}
