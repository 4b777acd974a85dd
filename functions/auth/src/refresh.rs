//! `POST /api/auth/refresh`: the next pair of tokens. A retry whose answer was lost gets the same pair; a token that was
//! rotated longer ago ends the session, since two must have it.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    outbox::Notice,
    ports::{Failure, Saved, Sessions, Standing, TokenKeys},
    region::Region,
    secret::Digest256,
    session::{self, Refresh as Verdict, RefreshToken},
    user::personal_workspace,
};
use kit::{
    Anyone, Body, Call, Endpoint, Grant, Items, Params, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::tokens::{Cookies, Delivery, Tokens, hand_out};

/// Rotates a refresh token.
pub struct Refresh;

/// What it works with.
pub struct Deps {
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn TokenKeys>,
}

/// The token to rotate.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Form {
    /// The token. Left out with `?session=cookie`.
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("no token")]
    NoToken,
    #[error("two tokens")]
    TwoTokens,
    #[error("no CSRF token")]
    NoCsrfToken,
    #[error("not a good token")]
    Refused,
    #[error("the session lives in {0}")]
    Elsewhere(Region),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Refresh {
    const SPEC: Spec = spec("auth-refresh", Post, "/api/auth/refresh")
        .summary("Get the next pair of tokens")
        .roams()
        .problems(&[kit::Code::Unauthorized, kit::Code::CsrfTokenRequired])
        .grants(&[
            Grant::secret("tokens"),
            Grant::items("BatchGetItem", Items::Sessions),
            Grant::items("BatchGetItem", Items::Workspaces),
            Grant::items("PutItem", Items::Sessions),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Outbox),
            Grant::items("DeleteItem", Items::Sessions),
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = (Params<Delivery>, Body<Form>);
    type Output = Tokens;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { sessions: ports.sessions(), tokens: ports.token_keys() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<Anyone>,
        (Params(delivery), Body(form)): Self::Input,
    ) -> Result<Tokens, Error> {
        let presented = presented(deps, call, delivery.session, form.refresh_token).await?;
        let (user, id) = (presented.user, presented.session);
        let key = deps.tokens.derivation_key(id.made_at()).await?;
        if !presented.is_genuine(&key) {
            return Err(Error::Refused);
        }
        let successor = presented.successor(&key);
        loop {
            let standing = deps.sessions.standing(user, id, personal_workspace(user)).await?;
            let Standing { session, workspace, .. } = standing.ok_or(Error::Refused)?;
            let onboarded = workspace.is_some();
            match session.judge(presented.hash(), call.now) {
                Verdict::Rotate => {
                    let rotated = session.rotated(&successor, call.now);
                    if deps.sessions.replace(&session, &rotated).await? == Saved::Stale {
                        continue;
                    }
                    return Ok(hand_out(
                        &*deps.tokens,
                        &rotated,
                        &successor,
                        onboarded,
                        delivery.session,
                        call.now,
                    )
                    .await?);
                }
                Verdict::Repeat => {
                    return Ok(hand_out(
                        &*deps.tokens,
                        &session,
                        &successor,
                        onboarded,
                        delivery.session,
                        call.now,
                    )
                    .await?);
                }
                Verdict::Expired => return Err(Error::Refused),
                Verdict::Reused => {
                    end(deps, call, &presented, onboarded).await?;
                    return Err(Error::Refused);
                }
            }
        }
    }
}

/// The token of the body or of the cookie; a cookie's counts only with the CSRF token.
async fn presented(
    deps: &Deps,
    call: &Call<Anyone>,
    cookies: Option<Cookies>,
    given: Option<RefreshToken>,
) -> Result<RefreshToken, Error> {
    let token = match (cookies, given) {
        (None, given) => given.ok_or(Error::NoToken)?,
        (Some(Cookies::Cookie), Some(_)) => return Err(Error::TwoTokens),
        (Some(Cookies::Cookie), None) => {
            call.refresh_cookie().and_then(|text| text.parse().ok()).ok_or(Error::Refused)?
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

/// Ends a session whose token somebody else has, and says so in the history and by mail.
async fn end(deps: &Deps, call: &Call<Anyone>, token: &RefreshToken, onboarded: bool) -> Result<(), Error> {
    let actor = Actor { user: token.user, key: None };
    let event = onboarded.then(|| {
        let workspace = personal_workspace(token.user);
        let mut event = call.event(workspace, actor, Action::Deleted, ResourceType::Security);
        event.resource_id = Some(token.session.to_string());
        event.resource_name = Some("Session ended: its refresh token was used twice".to_owned());
        event
    });
    let notice = Notice::RefreshTokenReused { user: token.user, session: token.session };
    deps.sessions.end(token.user, token.session, call.alongside(event, Some(notice), "")).await?;
    Ok(())
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NoToken => Self::required("refreshToken"),
            Error::TwoTokens => Self::new(kit::Code::BadRequest, "Send one refresh token, not two."),
            Error::NoCsrfToken => Self::new(
                kit::Code::CsrfTokenRequired,
                "Send the session's CSRF token in the X-CSRF-Token header.",
            ),
            Error::Elsewhere(region) => Self::elsewhere(region),
            Error::Refused => Self::unauthorized("This session is not valid or has ended. Sign in again."),
            Error::Failed(failure) => failure.into(),
        }
    }
}
