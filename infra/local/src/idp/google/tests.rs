use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use http::header::AUTHORIZATION;

use super::*;
use crate::idp::{
    provider::ProviderProtocol,
    testing::{self, GOOGLE_QUERY, SteppedClock, VERIFIER},
};

/// A provider, with its clock.
fn start() -> (Google, Arc<SteppedClock>) {
    let clock = SteppedClock::start();
    let provider = testing::provider(ProviderProtocol::OpenIdConnect, &clock);
    (Google { provider: Arc::new(provider), key: IdTokenKey::generate().unwrap() }, clock)
}

/// A complete token request for a code, with changes.
fn request(code: &str, changed: &[(&str, &str)]) -> OAuthForm {
    let complete = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", "http://127.0.0.1:9000/api/auth/oauth/google/callback"),
        ("code_verifier", VERIFIER),
        ("client_id", "local-google"),
        ("client_secret", "local-secret"),
    ];
    testing::form(&complete, changed)
}

/// Signs in, and exchanges the code with these changes.
fn exchanged(google: &Google, changed: &[(&str, &str)]) -> Result<Value, TokenRefusal> {
    let code = testing::code(&google.provider, GOOGLE_QUERY, &[]);
    google.exchange(&HeaderMap::new(), &request(&code, changed))
}

/// A part of the ID token in an answer: 0 is the header, 1 has the claims.
fn part(tokens: &Value, part: usize) -> Value {
    let token = tokens.get("id_token").and_then(Value::as_str).unwrap();
    let encoded = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}

#[test]
fn code_is_exchanged_for_an_id_token() {
    let (google, _) = start();
    let tokens = exchanged(&google, &[]).unwrap();
    assert_eq!(tokens.get("token_type"), Some(&json!("Bearer")));
    assert_eq!(tokens.get("scope"), Some(&json!("openid email profile")));
    let kid = google.key.key_set().pointer("/keys/0/kid").cloned().unwrap();
    assert_eq!(part(&tokens, 0), json!({ "alg": "ES256", "kid": kid, "typ": "JWT" }));
    let claims = json!({
        "iss": "http://127.0.0.1:9000/_local/idp/google",
        "aud": "local-google",
        "azp": "local-google",
        "sub": "1001",
        "iat": 1_800_000_000,
        "exp": 1_800_003_600,
        "nonce": "nonce-1",
        "email": "ada@example.com",
        "email_verified": true,
        "name": "Ada Lovelace",
    });
    assert_eq!(part(&tokens, 1), claims);
}

#[test]
fn claims_follow_scope_and_identity() {
    let (google, _) = start();
    let claims = |changed: &[(&str, &str)]| {
        let code = testing::code(&google.provider, GOOGLE_QUERY, changed);
        part(&google.exchange(&HeaderMap::new(), &request(&code, &[])).unwrap(), 1)
    };
    let unverified = claims(&[("verified", "")]);
    assert_eq!(unverified.get("email_verified"), Some(&json!(false)));
    let narrow = claims(&[("scope", "openid")]);
    let nameless = claims(&[("email", ""), ("name", "")]);
    for absent in ["email", "email_verified", "name"] {
        assert_eq!((narrow.get(absent), nameless.get(absent)), (None, None), "{absent}");
    }
}

#[test]
fn credentials_in_the_header_are_accepted() {
    let (google, _) = start();
    let exchanged = |credentials: &str| {
        let value = format!("Basic {}", BASE64_STANDARD.encode(credentials));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&value).unwrap())]);
        let code = testing::code(&google.provider, GOOGLE_QUERY, &[]);
        google.exchange(&headers, &request(&code, &[("client_id", ""), ("client_secret", "")])).map(|_| ())
    };
    assert_eq!(exchanged("local-google:local-secret"), Ok(()));
    assert_eq!(exchanged("local-google:wrong"), Err(TokenRefusal::Client));
}

#[test]
fn wrong_token_requests_are_refused() {
    let (google, _) = start();
    let refused = |changed: &[(&str, &str)]| exchanged(&google, changed).map(|_| ()).unwrap_err();
    assert_eq!(refused(&[("grant_type", "refresh_token")]), TokenRefusal::GrantType);
    assert_eq!(refused(&[("client_secret", "wrong")]), TokenRefusal::Client);
    assert_eq!(refused(&[("client_id", "local-github")]), TokenRefusal::Client);
    assert_eq!(refused(&[("code", "unknown")]), TokenRefusal::Code);
    let verifier = "A".repeat(43);
    assert_eq!(refused(&[("code_verifier", verifier.as_str())]), TokenRefusal::Verifier);
    let other = "http://127.0.0.1:9001/api/auth/oauth/google/callback";
    assert_eq!(refused(&[("redirect_uri", other)]), TokenRefusal::RedirectUri);
    for wrong in [&[("grant_type", "")][..], &[("code_verifier", "")], &[("code", "1"), ("code", "2")]] {
        assert!(matches!(refused(wrong), TokenRefusal::Request(_)), "{wrong:?}");
    }
}

#[test]
fn code_is_redeemed_once_and_within_a_minute() {
    let (google, clock) = start();
    let exchanged = |code: &str| google.exchange(&HeaderMap::new(), &request(code, &[])).map(|_| ());
    let (first, second) = (
        testing::code(&google.provider, GOOGLE_QUERY, &[]),
        testing::code(&google.provider, GOOGLE_QUERY, &[]),
    );
    clock.advance(59);
    assert_eq!(exchanged(&first), Ok(()));
    assert_eq!(exchanged(&first), Err(TokenRefusal::Code));
    clock.advance(1);
    assert_eq!(exchanged(&second), Err(TokenRefusal::Code));
}

#[test]
fn wrong_credentials_do_not_end_the_code() {
    let (google, _) = start();
    let code = testing::code(&google.provider, GOOGLE_QUERY, &[]);
    let exchanged = |changed: &[(&str, &str)]| google.exchange(&HeaderMap::new(), &request(&code, changed));
    assert_eq!(exchanged(&[("client_secret", "wrong")]).unwrap_err(), TokenRefusal::Client);
    assert!(exchanged(&[]).is_ok());
}

#[tokio::test]
async fn refusals_have_the_form_of_the_standard() {
    for (refusal, status, code) in [
        (TokenRefusal::Request("Provide code."), StatusCode::BAD_REQUEST, "invalid_request"),
        (TokenRefusal::Client, StatusCode::UNAUTHORIZED, "invalid_client"),
        (TokenRefusal::GrantType, StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        (TokenRefusal::Code, StatusCode::BAD_REQUEST, "invalid_grant"),
        (TokenRefusal::RedirectUri, StatusCode::BAD_REQUEST, "invalid_grant"),
        (TokenRefusal::Verifier, StatusCode::BAD_REQUEST, "invalid_grant"),
    ] {
        let answer = refuse(refusal);
        assert_eq!(answer.status(), status, "{refusal:?}");
        assert_eq!(answer.headers().contains_key(WWW_AUTHENTICATE), refusal == TokenRefusal::Client);
        assert_eq!(answer.headers().get(CACHE_CONTROL).unwrap(), "no-store");
        assert_eq!(testing::body(answer).await.get("error"), Some(&json!(code)), "{refusal:?}");
    }
}

#[tokio::test]
async fn configuration_names_the_endpoints_below_the_issuer() {
    let (google, _) = start();
    let google = Arc::new(google);
    let Json(found) = configuration(State(Arc::clone(&google))).await;
    let issuer = "http://127.0.0.1:9000/_local/idp/google";
    assert_eq!(found.get("issuer"), Some(&json!(issuer)));
    for (name, path) in
        [("authorization_endpoint", "authorize"), ("token_endpoint", "token"), ("jwks_uri", "jwks")]
    {
        assert_eq!(found.get(name), Some(&json!(format!("{issuer}/{path}"))));
    }
    let keys = testing::body(key_set(State(google)).await).await;
    assert_eq!(keys.pointer("/keys/0/alg"), Some(&json!("ES256")));
}
