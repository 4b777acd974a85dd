//! `POST /api/auth/sign-out`: ends the session of every token in the request, effective from the next request on.
//!
//! Any genuine token ends its session, also an expired access token. An invalid token is not an error ([RFC 7009,
//! section 2.2]): its session has already ended, and the browser must still delete its cookies. Cookies need no CSRF
//! token here, because a reloaded page has none and an attacker gains nothing. Pages of other origins may send tokens of their own,
//! and no cookies.
//!
//! [RFC 7009, section 2.2]: https://www.rfc-editor.org/rfc/rfc7009#section-2.2

use std::sync::Arc;

use domain::{
    id::{SessionId, UserId},
    ports::{Failure, Sessions, TokenKeys},
    region::Region,
    session::RefreshToken,
};
use http::{HeaderName, HeaderValue};
use kit::{
    Anyone, Code, CredentialError, Endpoint, OptionalBody, Output, Ports, Problem, RequestContext, Services,
    Spec, Stop,
    credentials::{self, Credential},
    grants::{directory, sessions, token_keys},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ends sessions.
pub struct SignOut;

/// Dependencies.
pub struct Deps {
    kit: Services,
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn TokenKeys>,
}

/// A session to end in addition to the sessions of the access token and the cookies.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignOutBody {
    /// A refresh token of the session. An invalid token is ignored.
    #[serde(default)]
    refresh_token: Option<String>,
}

/// The sessions were ended.
#[derive(Serialize, JsonSchema)]
pub struct SignedOut {
    /// Always `true`.
    success: bool,
}

impl Output for SignedOut {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        credentials::forget_cookies()
    }
}

kit::errors! {
    pub enum Error from CredentialError, Failure {
        /// A page of another origin sent the request.
        AnotherOrigin => Problem::new(Code::CsrfTokenRequired, "Cross-origin request refused. Send this request from a page of the same origin."),
        /// A session belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for SignOut {
    const SPEC: Spec = spec("auth-sign-out", Post, "/api/auth/sign-out")
        .summary("End the current session")
        .may_forward()
        .problems(&[Code::Unauthorized, Code::CsrfTokenRequired])
        .uses(&[directory::SIGNING_KEYS, token_keys::DERIVATION_KEY, sessions::END]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = OptionalBody<SignOutBody>;
    type Output = SignedOut;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { kit: ports.services(), sessions: ports.sessions(), tokens: ports.token_keys() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        OptionalBody(form): Self::Input,
    ) -> Result<SignedOut, Error> {
        if call.is_from_another_origin() && !brings_tokens_only(call, form.refresh_token.as_deref())? {
            return Err(Error::AnotherOrigin);
        }
        let named = named(deps, call, form.refresh_token).await?;
        for (_, user, session) in named.iter().filter(|(region, ..)| *region == call.region) {
            deps.sessions.end(*user, *session, Default::default()).await?;
        }
        match named.iter().find(|(region, ..)| *region != call.region) {
            Some((region, ..)) if !call.forwarded => Err(Error::Elsewhere(*region)),
            _ => Ok(SignedOut { success: true }),
        }
    }
}

/// Whether the request has a token, and none in a cookie. For a token in a header or in JSON, browsers ask first, in a preflight,
/// whether the page's origin is allowed. A form of any page could be sent without a token, and the response deletes cookies.
fn brings_tokens_only(call: &RequestContext<Anyone>, given: Option<&str>) -> Result<bool, CredentialError> {
    let (header, cookie) = match call.credential()? {
        Some(Credential::Bearer(_)) => (true, false),
        Some(Credential::Cookie(_)) => (false, true),
        None => (false, false),
    };
    Ok((header || given.is_some()) && !cookie && call.refresh_cookie()?.is_none())
}

/// A session and its home region.
type Named = (Region, UserId, SessionId);

/// The distinct sessions of the request's tokens. A refresh token of another region is checked there.
async fn named(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    given: Option<String>,
) -> Result<Vec<Named>, Error> {
    let mut named: Vec<Named> = Vec::new();
    if let Some(Credential::Bearer(token) | Credential::Cookie(token)) = call.credential()? {
        let claims = deps.kit.tokens.verify_even_expired(&token, call.now).await?;
        named.extend(claims.map(|claims| (claims.iss, claims.sub, claims.sid)));
    }
    let cookie = call.refresh_cookie()?;
    for text in [given, cookie].into_iter().flatten() {
        let Ok(token) = text.parse::<RefreshToken>() else { continue };
        let one = (token.region, token.user, token.session);
        let is_new = !named.contains(&one);
        if is_new && (token.region != call.region || is_genuine(deps, &token).await?) {
            named.push(one);
        }
    }
    Ok(named)
}

async fn is_genuine(deps: &Deps, token: &RefreshToken) -> Result<bool, Failure> {
    Ok(token.is_genuine(&deps.tokens.derivation_key(token.session.made_at()).await?))
}
