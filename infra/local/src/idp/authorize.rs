//! The authorization endpoint of both providers: `GET` shows the page for signing in, `POST` takes its form.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, HeaderValue, LOCATION},
};
use url::Url;

use super::{
    authorize_query::{AuthorizeError, AuthorizeQuery},
    form::OAuthForm,
    page,
    persona::Persona,
    provider::{LocalIdentityProvider, ProviderProtocol},
};

type Here = State<Arc<LocalIdentityProvider>>;

/// The routes of the endpoint.
pub fn router(provider: Arc<LocalIdentityProvider>) -> Router {
    let path = provider.protocol.authorize_path();
    Router::new().route(path, get(show_page).post(take_form)).with_state(provider)
}

async fn show_page(State(provider): Here, RawQuery(query): RawQuery) -> Response {
    show(&provider, &OAuthForm::parse(query.unwrap_or_default().as_bytes()))
}

async fn take_form(State(provider): Here, form: Bytes) -> Response {
    decide(&provider, &OAuthForm::parse(&form))
}

/// Answers a query: with the page, or with the error.
fn show(provider: &LocalIdentityProvider, query: &OAuthForm) -> Response {
    match AuthorizeQuery::check(provider, query) {
        Ok(_) => page::sign_in(provider, query),
        Err(error) => refuse(provider, &error),
    }
}

/// Answers the form of the page: with a code, with the denial, or with the error.
pub fn decide(provider: &LocalIdentityProvider, form: &OAuthForm) -> Response {
    let query = match AuthorizeQuery::check(provider, form) {
        Ok(query) => query,
        Err(error) => return refuse(provider, &error),
    };
    let answer = |pairs: &[(&str, &str)]| redirect(provider, &query.redirect_uri, Some(&query.state), pairs);
    match form.get("decision") {
        Some("allow") => match Persona::from_form(form, provider.protocol == ProviderProtocol::GitHub) {
            Ok(persona) => {
                let binding = query.bind(provider.protocol.client_id(), persona);
                let code = provider.codes.issue(binding, provider.now());
                answer(&[("code", code.as_str())])
            }
            Err(message) => page::error(message),
        },
        Some("deny") => {
            answer(&[("error", "access_denied"), ("error_description", "The user denied the request.")])
        }
        _ => page::error("Provide decision: allow or deny."),
    }
}

fn refuse(provider: &LocalIdentityProvider, error: &AuthorizeError) -> Response {
    match error {
        AuthorizeError::Shown(message) => page::error(message),
        AuthorizeError::Redirected { redirect_uri, state, code, description } => {
            let pairs = [("error", *code), ("error_description", *description)];
            redirect(provider, redirect_uri, state.as_deref(), &pairs)
        }
    }
}

/// Redirects to a checked redirect URI. The issuer protects the client from mixing up providers ([RFC 9207]); GitHub is sent
/// none, because the client can't expect it there.
///
/// [RFC 9207]: https://www.rfc-editor.org/rfc/rfc9207
fn redirect(
    provider: &LocalIdentityProvider,
    to: &str,
    state: Option<&str>,
    pairs: &[(&str, &str)],
) -> Response {
    let issuer = (provider.protocol == ProviderProtocol::OpenIdConnect).then_some(provider.issuer.as_str());
    let Ok(mut url) = Url::parse(to) else { return page::error("Invalid redirect_uri.") };
    url.query_pairs_mut()
        .extend_pairs(pairs)
        .extend_pairs(state.map(|state| ("state", state)))
        .extend_pairs(issuer.map(|issuer| ("iss", issuer)));
    match HeaderValue::from_str(url.as_str()) {
        Ok(location) => {
            let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::FOUND, headers).into_response()
        }
        Err(_) => page::error("Invalid redirect_uri."),
    }
}

#[cfg(test)]
mod tests;
