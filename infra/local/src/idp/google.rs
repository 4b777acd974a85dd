//! The stand-in for Google: an OpenID Connect provider ([OpenID Connect Core]).
//!
//! Like Google, it puts the address into ID tokens only with the scope `email`, and the name only with `profile`. Unlike Google, it
//! signs with ES256, not RS256; clients choose the algorithm by the key in the key set.
//!
//! [OpenID Connect Core]: https://openid.net/specs/openid-connect-core-1_0.html

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use domain::Timestamp;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, WWW_AUTHENTICATE},
};
use serde_json::{Map, Value, json};

use super::{
    authorize, client_auth,
    codes::{self, CodeBinding, TokenRefusal},
    form::OAuthForm,
    id_token_key::IdTokenKey,
    issued,
    provider::LocalIdentityProvider,
};

/// How long tokens live, in seconds.
const TOKEN_LIFE: i64 = 3_600;

struct Google {
    provider: Arc<LocalIdentityProvider>,
    key: IdTokenKey,
}

type Here = State<Arc<Google>>;

/// The routes of the provider.
pub fn router(provider: LocalIdentityProvider, key: IdTokenKey) -> Router {
    let provider = Arc::new(provider);
    let google = Google { provider: Arc::clone(&provider), key };
    Router::new()
        .route("/_local/idp/google/.well-known/openid-configuration", get(configuration))
        .route("/_local/idp/google/jwks", get(key_set))
        .route("/_local/idp/google/token", post(token))
        .with_state(Arc::new(google))
        .merge(authorize::router(provider))
}

async fn configuration(State(google): Here) -> Json<Value> {
    let issuer = &google.provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "email", "profile"],
        "claims_supported":
            ["aud", "azp", "email", "email_verified", "exp", "iat", "iss", "name", "nonce", "sub"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn key_set(State(google): Here) -> Response {
    ([(CACHE_CONTROL, "public, max-age=300")], Json(google.key.key_set())).into_response()
}

async fn token(State(google): Here, headers: HeaderMap, form: Bytes) -> Response {
    match google.exchange(&headers, &OAuthForm::parse(&form)) {
        Ok(tokens) => ([(CACHE_CONTROL, "no-store")], Json(tokens)).into_response(),
        Err(refusal) => refuse(refusal),
    }
}

impl Google {
    /// Exchanges a code for tokens.
    fn exchange(&self, headers: &HeaderMap, form: &OAuthForm) -> Result<Value, TokenRefusal> {
        if form.has_repeated() {
            return Err(TokenRefusal::Request("Specify each parameter only once."));
        }
        let client_id = self.provider.protocol.client_id();
        client_auth::authenticate(headers, form, client_id)?;
        match form.get("grant_type") {
            Some("authorization_code") => (),
            Some(_) => return Err(TokenRefusal::GrantType),
            None => return Err(TokenRefusal::Request("Provide grant_type.")),
        }
        let now = self.provider.now();
        let binding = codes::redeem(&self.provider.codes, form, client_id, now)?;
        let id_token = self.key.sign(&self.claims(&binding, now)).map_err(|_| TokenRefusal::Failed)?;
        // Nothing here accepts the access token: the ID token says everything that a client needs.
        Ok(json!({
            "access_token": issued::random_key(),
            "expires_in": TOKEN_LIFE,
            "id_token": id_token,
            "scope": binding.scope,
            "token_type": "Bearer",
        }))
    }

    fn claims(&self, binding: &CodeBinding, now: Timestamp) -> Value {
        let (issued_at, persona) = (now.as_second(), &binding.persona);
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("iss", json!(self.provider.issuer));
        claim("aud", json!(binding.client_id));
        claim("azp", json!(binding.client_id));
        claim("sub", json!(persona.subject));
        claim("iat", json!(issued_at));
        claim("exp", json!(issued_at.saturating_add(TOKEN_LIFE)));
        if let Some(nonce) = &binding.nonce {
            claim("nonce", json!(nonce));
        }
        let has = |wanted: &str| binding.scope.split(' ').any(|scope| scope == wanted);
        if let (Some(email), true) = (&persona.email, has("email")) {
            claim("email", json!(email));
            claim("email_verified", json!(persona.verified));
        }
        if let (Some(name), true) = (&persona.name, has("profile")) {
            claim("name", json!(name));
        }
        Value::Object(claims)
    }
}

/// The answer to a refused token request ([RFC 6749, section 5.2]).
///
/// [RFC 6749, section 5.2]: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
fn refuse(refusal: TokenRefusal) -> Response {
    let (status, code, description) = match refusal {
        TokenRefusal::Request(description) => (StatusCode::BAD_REQUEST, "invalid_request", description),
        TokenRefusal::Client => {
            (StatusCode::UNAUTHORIZED, "invalid_client", "Use the id and the secret of the local client.")
        }
        TokenRefusal::GrantType => {
            (StatusCode::BAD_REQUEST, "unsupported_grant_type", "Use the grant_type authorization_code.")
        }
        TokenRefusal::Code => {
            (StatusCode::BAD_REQUEST, "invalid_grant", "The code is unknown, redeemed or expired.")
        }
        TokenRefusal::RedirectUri => {
            (StatusCode::BAD_REQUEST, "invalid_grant", "The code was sent to another redirect_uri.")
        }
        TokenRefusal::Verifier => {
            (StatusCode::BAD_REQUEST, "invalid_grant", "The code_verifier does not match the code_challenge.")
        }
        TokenRefusal::Failed => {
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The ID token can't be signed.")
        }
    };
    let body = Json(json!({ "error": code, "error_description": description }));
    let mut answer = (status, [(CACHE_CONTROL, "no-store")], body).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Basic realm=\"local-google\"");
        answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    answer
}

#[cfg(test)]
mod tests;
