//! `GET /api/auth/oauth/{provider}/start`: sends the browser to Google or GitHub. The authorization is bound to the browser by a
//! cookie, can be completed once, and lasts ten minutes. It signs in or, with `link=true`, connects the identity to the account that
//! is signed in.

use std::sync::Arc;

use domain::{
    ports::{Authorization, AuthorizationRequests, Failure, IdentityProviders},
    provider::{
        AUTHORIZED_WITHIN, AuthorizationError, AuthorizationRequest, BrowserSecret, ConnectsTo, OauthState,
        Provider, ReturnPath,
    },
    throttle::NetworkLimit,
};
use kit::{
    Anyone, Code, CredentialError, Endpoint, Params, Ports, Problem, RequestContext, Services, Spec,
    credentials::{Credential, OAUTH_COOKIE, set_cross_site_cookie},
    grants::{authorization_requests, directory, identity_providers},
    parameters::YesNo,
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::redirect::Redirected;

/// Begins an authorization.
pub struct OauthStart;

/// Dependencies.
pub struct Deps {
    kit: Services,
    requests: Arc<dyn AuthorizationRequests>,
    providers: Arc<dyn IdentityProviders>,
}

/// The provider, and the page to return to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OauthStartQuery {
    /// The provider.
    provider: Provider,
    /// The page of this site that the browser sees after the authorization. Default: `/sign-in`.
    #[serde(default)]
    return_to: ReturnPath,
    /// Connects the identity to the account that is signed in. The default is to sign in with the identity.
    #[serde(default)]
    link: Option<YesNo>,
}

kit::errors! {
    pub enum Error from CredentialError, Failure {
        /// Nobody is signed in.
        SignInNeeded => Problem::unauthorized("Sign in before you connect an account."),
        /// The deployment has no credentials for the provider.
        NotOffered(provider: Provider) => Problem::new(
            Code::NotFound,
            format!("Sign-in with {} is not available here.", provider.display_name()),
        ),
        /// The provider does not answer.
        Unavailable(provider: Provider) => Problem {
            retry_after: Some(5),
            ..Problem::new(
                Code::Unavailable,
                format!("{} does not respond. Try again, or sign in another way.", provider.display_name()),
            )
        },
    }
}

impl Endpoint for OauthStart {
    const SPEC: Spec = spec("auth-oauth-start", Get, "/api/auth/oauth/{provider}/start")
        .summary("Begin a sign-in with Google or GitHub")
        .answers(303)
        .limits_network(NetworkLimit::Oauth)
        .problems(&[Code::Unauthorized, Code::NotFound])
        .uses(&[
            authorization_requests::SAVE,
            identity_providers::AUTHORIZATION_URL,
            directory::SIGNING_KEYS,
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<OauthStartQuery>;
    type Output = Redirected;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            kit: ports.services(),
            requests: ports.authorization_requests(),
            providers: ports.identity_providers(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Params(OauthStartQuery { provider, return_to, link }): Self::Input,
    ) -> Result<Redirected, Error> {
        let connects = if link == Some(YesNo::True) { Some(signed_in(deps, call).await?) } else { None };
        // The browser keeps its secret, so that an authorization in another tab goes on.
        let known = call.oauth_cookie()?.as_deref().and_then(BrowserSecret::parse);
        let browser = known.unwrap_or_else(|| BrowserSecret::new(call.entropy()));
        let state = OauthState::new(call.region, call.entropy());
        let redirect_uri = deps.providers.redirect_uri(provider, call.host());
        let authorization =
            Authorization { provider, state: &state, browser: &browser, redirect_uri: &redirect_uri };
        let url = deps.providers.authorization_url(&authorization).await?;
        let url = url.map_err(|_: AuthorizationError| Error::Unavailable(provider))?;
        let url = url.ok_or(Error::NotOffered(provider))?;
        let expires_at = call.now.saturating_add(AUTHORIZED_WITHIN).unwrap_or(call.now);
        let request = AuthorizationRequest {
            state: state.hash(),
            provider,
            browser: browser.hash(),
            redirect_uri,
            return_to,
            connects,
            expires_at,
        };
        deps.requests.save(&request).await?;
        let cookie = set_cross_site_cookie(OAUTH_COOKIE, &browser.text(), AUTHORIZED_WITHIN.as_secs());
        Ok(Redirected::to(url).setting(cookie))
    }
}

/// The account that is signed in. Whether its session has ended is checked when the identity is connected.
async fn signed_in(deps: &Deps, call: &RequestContext<Anyone>) -> Result<ConnectsTo, Error> {
    let (Credential::Bearer(token) | Credential::Cookie(token)) =
        call.credential()?.ok_or(Error::SignInNeeded)?;
    let claims = deps.kit.tokens.verify(&token, call.now).await?.ok_or(Error::SignInNeeded)?;
    Ok(ConnectsTo::account_of(claims.sub))
}
