//! The stand-in for GitHub: the OAuth 2 of its web flow, and the two parts of its API that sign-in needs.
//!
//! Like GitHub, it answers errors of the token endpoint with status 200, in the form encoding or, if asked for, in JSON; it has
//! no ID tokens; it refuses API requests without `User-Agent`; and it tells the addresses only with the scope `user:email`. Unlike
//! GitHub, it requires PKCE, `state` and `redirect_uri`.

mod account;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, USER_AGENT},
};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use self::account::GitHubAccess;
use super::{
    authorize,
    codes::{self, TokenRefusal},
    form::OAuthForm,
    issued::Issued,
    provider::{CLIENT_SECRET, LocalIdentityProvider},
};

/// How long an access token lives. Those of GitHub have no end, but here they would fill the memory.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(8);

struct GitHub {
    provider: Arc<LocalIdentityProvider>,
    tokens: Issued<GitHubAccess>,
}

type Here = State<Arc<GitHub>>;

/// The members of an answer of the token endpoint.
type Members = Vec<(&'static str, String)>;

/// The routes of the provider.
pub fn router(provider: LocalIdentityProvider) -> Router {
    let provider = Arc::new(provider);
    let github = GitHub::new(Arc::clone(&provider));
    Router::new()
        .route("/_local/idp/github/login/oauth/access_token", post(access_token))
        .route("/_local/idp/github/user", get(user))
        .route("/_local/idp/github/user/emails", get(emails))
        .with_state(Arc::new(github))
        .merge(authorize::router(provider))
}

async fn access_token(State(github): Here, headers: HeaderMap, form: Bytes) -> Response {
    let members = github.exchange(&OAuthForm::parse(&form)).unwrap_or_else(error_members);
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/json") {
        let members: Map<String, Value> =
            members.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        return ([(CACHE_CONTROL, "no-store")], Json(members)).into_response();
    }
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&members).finish();
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], text).into_response()
}

async fn user(State(github): Here, headers: HeaderMap) -> Response {
    github.access(&headers).map_or_else(ApiRefusal::into_response, |it| Json(it.profile()).into_response())
}

async fn emails(State(github): Here, headers: HeaderMap) -> Response {
    match github.access(&headers) {
        Ok(access) if access.tells_addresses() => Json(access.addresses()).into_response(),
        Ok(_) => ApiRefusal::OutOfScope.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

impl GitHub {
    fn new(provider: Arc<LocalIdentityProvider>) -> Self {
        Self { provider, tokens: Issued::new("gho_", TOKEN_LIFE) }
    }

    /// Exchanges a code for an access token.
    fn exchange(&self, form: &OAuthForm) -> Result<Members, TokenRefusal> {
        if form.has_repeated() {
            return Err(TokenRefusal::Request("Specify each parameter only once."));
        }
        let client_id = self.provider.protocol.client_id();
        if form.get("client_id") != Some(client_id) || form.get("client_secret") != Some(CLIENT_SECRET) {
            return Err(TokenRefusal::Client);
        }
        let now = self.provider.now();
        let binding = codes::redeem(&self.provider.codes, form, client_id, now)?;
        // GitHub takes scopes with spaces or commas, and returns them with commas.
        let scope = binding.scope.replace(' ', ",");
        let access = GitHubAccess { persona: binding.persona, scope: scope.clone() };
        let token = self.tokens.issue(access, now);
        Ok(vec![("access_token", token), ("scope", scope), ("token_type", "bearer".to_owned())])
    }

    /// What the token of an API request may read.
    fn access(&self, headers: &HeaderMap) -> Result<GitHubAccess, ApiRefusal> {
        if !headers.contains_key(USER_AGENT) {
            return Err(ApiRefusal::NoUserAgent);
        }
        let header = headers.get(AUTHORIZATION).ok_or(ApiRefusal::NoToken)?;
        let (scheme, token) =
            header.to_str().ok().and_then(|it| it.split_once(' ')).ok_or(ApiRefusal::BadToken)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(ApiRefusal::BadToken);
        }
        self.tokens.read(token, self.provider.now()).ok_or(ApiRefusal::BadToken)
    }
}

/// The answer to a refused token request, with GitHub's codes.
fn error_members(refusal: TokenRefusal) -> Members {
    let (code, description) = match refusal {
        TokenRefusal::Client => {
            ("incorrect_client_credentials", "Use the id and the secret of the local client.")
        }
        TokenRefusal::RedirectUri => ("redirect_uri_mismatch", "The code was sent to another redirect_uri."),
        TokenRefusal::Verifier => {
            ("bad_verification_code", "The code_verifier does not match the code_challenge.")
        }
        TokenRefusal::Request(description) => ("bad_verification_code", description),
        TokenRefusal::Code | TokenRefusal::GrantType | TokenRefusal::Failed => {
            ("bad_verification_code", "The code is unknown, redeemed or expired.")
        }
    };
    vec![("error", code.to_owned()), ("error_description", description.to_owned())]
}

/// Why an API request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ApiRefusal {
    NoUserAgent,
    NoToken,
    BadToken,
    OutOfScope,
}

impl IntoResponse for ApiRefusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NoUserAgent => (StatusCode::FORBIDDEN, "Send a User-Agent header."),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "Requires authentication"),
            Self::BadToken => (StatusCode::UNAUTHORIZED, "Bad credentials"),
            Self::OutOfScope => (StatusCode::NOT_FOUND, "Not Found"),
        };
        (status, Json(json!({ "message": message, "status": status.as_str() }))).into_response()
    }
}

#[cfg(test)]
mod tests;
