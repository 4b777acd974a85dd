//! `GET /api/auth/oauth/{provider}/callback`: the provider sends the browser back. Redeems the code, and gives the browser a sealed
//! ticket with what the provider said. Nothing is stored: `auth-oauth-complete` signs in with the ticket, `connections-add` connects
//! the identity to the account that is signed in.

use std::sync::Arc;

use domain::{
    id::OfUser,
    ports::{Authorization, AuthorizationRequests, Failure, IdentityKeys, IdentityProviders},
    provider::{
        AuthorizationError, AuthorizationRequest, BrowserSecret, IdentityTicket, OauthState, Provider,
        ProviderIdentity, TICKET_VALID,
    },
    region::Region,
    throttle::NetworkLimit,
};
use kit::{
    Anyone, Code, CredentialError, Endpoint, Params, Ports, Problem, RequestContext, Spec, Stop,
    credentials::{IDENTITY_COOKIE, set_cookie},
    grants::{authorization_requests, identity_keys, identity_providers},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::redirect::Redirected;

/// Ends an authorization.
pub struct OauthCallback;

/// Dependencies.
pub struct Deps {
    requests: Arc<dyn AuthorizationRequests>,
    providers: Arc<dyn IdentityProviders>,
    keys: Arc<dyn IdentityKeys>,
}

/// What the provider says ([RFC 6749, section 4.1.2]). Providers add parameters of their own, which are ignored.
///
/// [RFC 6749, section 4.1.2]: https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2
#[derive(Deserialize, JsonSchema)]
pub struct OauthCallbackQuery {
    /// The provider.
    provider: Provider,
    /// The state of the authorization request.
    #[schemars(length(max = 100))]
    #[serde(default)]
    state: Option<String>,
    /// The authorization code.
    #[schemars(length(max = 2048))]
    #[serde(default)]
    code: Option<String>,
    /// Why there is no code.
    #[schemars(length(max = 200))]
    #[serde(default)]
    error: Option<String>,
}

kit::errors! {
    pub enum Error from CredentialError, Failure {
        /// The state is unknown, used or expired, or of another browser.
        Unknown => Problem::new(
            Code::AuthorizationInvalid,
            "This sign-in has expired, was completed already, or was started in another browser. Start it again.",
        ),
        /// The record is in another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for OauthCallback {
    const SPEC: Spec = spec("auth-oauth-callback", Get, "/api/auth/oauth/{provider}/callback")
        .summary("Receive the authorization of Google or GitHub")
        .answers(303)
        .may_forward()
        .limits_network(NetworkLimit::Oauth)
        .problems(&[Code::AuthorizationInvalid])
        .uses(&[authorization_requests::TAKE, identity_providers::IDENTIFY, identity_keys::SEAL]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<OauthCallbackQuery>;
    type Output = Redirected;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            requests: ports.authorization_requests(),
            providers: ports.identity_providers(),
            keys: ports.identity_keys(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Params(query): Self::Input,
    ) -> Result<Redirected, Error> {
        let state: Option<OauthState> = query.state.as_deref().and_then(|state| state.parse().ok());
        let state = state.ok_or(Error::Unknown)?;
        if state.region != call.region {
            return Err(Error::Elsewhere(state.region));
        }
        let browser = call.oauth_cookie()?.as_deref().and_then(BrowserSecret::parse).ok_or(Error::Unknown)?;
        let request = deps.requests.take(state.hash(), browser.hash()).await?;
        let request = request.filter(|request| request.provider == query.provider);
        let request = request.filter(|request| call.now < request.expires_at).ok_or(Error::Unknown)?;
        let page = &request.return_to;
        match identify(deps, call, &query, (&state, &browser), &request).await? {
            Ok(identity) => {
                let ticket = IdentityTicket::new(identity, call.id::<OfUser>(), request.connects, call.now);
                let sealed = deps.keys.seal_ticket(&ticket).await?;
                let cookie = set_cookie(IDENTITY_COOKIE, sealed.expose(), TICKET_VALID.as_secs());
                Ok(Redirected::to(page.with("provider", query.provider.as_str())).setting(cookie))
            }
            Err(error) => Ok(Redirected::to(page.with("error", error.as_str()))),
        }
    }
}

/// Redeems the code, if the provider sent one.
async fn identify(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    query: &OauthCallbackQuery,
    (state, browser): (&OauthState, &BrowserSecret),
    request: &AuthorizationRequest,
) -> Result<Result<ProviderIdentity, AuthorizationError>, Failure> {
    let (provider, redirect_uri) = (request.provider, request.redirect_uri.as_str());
    match (&query.error, &query.code) {
        (None, Some(code)) if !code.is_empty() => {
            let authorization = Authorization { provider, state, browser, redirect_uri };
            deps.providers.identify(&authorization, code, call.now).await
        }
        (Some(_), _) => Ok(Err(AuthorizationError::Denied)),
        (None, _) => Ok(Err(AuthorizationError::Invalid)),
    }
}
