//! Stand-ins for the identity providers that users sign in with, under `/_local/idp/`. A deployment does not have them.
//!
//! - `google`: an OpenID Connect provider. Its issuer is `<base>/_local/idp/google`; the client `local-google`.
//! - `github`: GitHub's OAuth 2 and the two parts of its API that sign-in needs, under `<base>/_local/idp/github`; the client
//!   `local-github`.
//!
//! The secret of both clients is `local-secret`. There are no passwords: the page for signing in offers personas, and a form
//! for any other identity. Every client must use PKCE with S256 and a `state`. A redirect URI must begin with
//! `ORIGIN/api/auth/oauth/PROVIDER/`, where the origin is one of the platform's or of its option `--origins`.
//!
//! Scripts send the form of the page themselves: `POST` to the authorization endpoint with the parameters of the query, plus
//! `subject`, `email`, `name`, `verified` (`on`, or absent) and `decision` (`allow` or `deny`).
//!
//! Codes, access tokens and the key of ID tokens are in the memory of the process. A restart ends the codes and the tokens, and
//! makes a key with another `kid`.

mod authorize;
mod authorize_query;
mod client_auth;
mod codes;
mod form;
mod github;
mod google;
mod id_token_key;
mod issued;
mod page;
mod persona;
mod provider;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use axum::Router;
use kit::Clock;
use ring::error::Unspecified;

use self::{
    id_token_key::IdTokenKey,
    provider::{LocalIdentityProvider, ProviderProtocol},
};

/// The routes of both providers, at the entry point with the URL `base`, for clients at `base` and at `origins`.
///
/// # Errors
///
/// Fails if no key can be made.
pub fn router(
    base: &str,
    origins: &[String],
    clock: Arc<impl Clock + 'static>,
) -> Result<Router, Unspecified> {
    let clock: Arc<dyn Clock> = clock;
    let provider = |protocol| LocalIdentityProvider::new(protocol, base, origins, Arc::clone(&clock));
    let google = google::router(provider(ProviderProtocol::OpenIdConnect), IdTokenKey::generate()?);
    Ok(google.merge(github::router(provider(ProviderProtocol::GitHub))))
}

#[cfg(test)]
mod tests;
