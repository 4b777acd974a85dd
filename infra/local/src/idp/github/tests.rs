use http::{HeaderName, HeaderValue};

use super::*;
use crate::idp::{
    provider::ProviderProtocol,
    testing::{self, GITHUB_QUERY, SteppedClock, VERIFIER},
};

/// A provider, with its clock.
fn start() -> (GitHub, Arc<SteppedClock>) {
    let clock = SteppedClock::start();
    (GitHub::new(Arc::new(testing::provider(ProviderProtocol::GitHub, &clock))), clock)
}

fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
    let line = |(name, value): &(HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).unwrap());
    lines.iter().map(line).collect()
}

/// A complete token request for a code, with changes.
fn request(code: &str, changed: &[(&str, &str)]) -> OAuthForm {
    let complete = [
        ("code", code),
        ("redirect_uri", "http://127.0.0.1:9000/api/auth/oauth/github/callback"),
        ("code_verifier", VERIFIER),
        ("client_id", "local-github"),
        ("client_secret", "local-secret"),
    ];
    testing::form(&complete, changed)
}

/// Signs in with changes to the form, and returns the headers of an API request with the token.
fn signed_in(github: &GitHub, changed: &[(&str, &str)]) -> HeaderMap {
    let code = testing::code(&github.provider, GITHUB_QUERY, changed);
    let members = github.exchange(&request(&code, &[])).unwrap();
    let (_, token) = members.into_iter().find(|(name, _)| *name == "access_token").unwrap();
    let bearer = format!("Bearer {token}");
    headers(&[(USER_AGENT, "tests"), (AUTHORIZATION, bearer.as_str())])
}

#[test]
fn code_is_exchanged_for_a_token_that_reads_the_account() {
    let (github, _) = start();
    let access = github.access(&signed_in(&github, &[])).unwrap();
    let account =
        json!({ "id": 1001, "login": "ada-1001", "name": "Ada Lovelace", "email": "ada@example.com" });
    assert_eq!(access.profile(), account);
    let found = json!([
        { "email": "ada@example.com", "primary": true, "verified": true, "visibility": "private" },
        { "email": "1001+ada-1001@users.noreply.github.com", "primary": false, "verified": true, "visibility": null },
    ]);
    assert_eq!(access.addresses(), found);
}

#[test]
fn unverified_and_missing_addresses_are_told_as_they_are() {
    let (github, _) = start();
    let unverified = github.access(&signed_in(&github, &[("verified", "")])).unwrap();
    assert_eq!(unverified.addresses().pointer("/0/verified"), Some(&json!(false)));
    let none = github.access(&signed_in(&github, &[("email", ""), ("name", "")])).unwrap();
    assert_eq!(none.addresses().pointer("/0/primary"), Some(&json!(false)));
    assert_eq!(none.profile(), json!({ "id": 1001, "login": "user-1001", "name": null, "email": null }));
}

#[test]
fn wrong_token_requests_are_refused_with_the_codes_of_github() {
    let (github, _) = start();
    let refused = |changed: &[(&str, &str)]| {
        let code = testing::code(&github.provider, GITHUB_QUERY, &[]);
        let members = error_members(github.exchange(&request(&code, changed)).unwrap_err());
        members.into_iter().find(|(name, _)| *name == "error").unwrap().1
    };
    assert_eq!(refused(&[("client_secret", "wrong")]), "incorrect_client_credentials");
    assert_eq!(refused(&[("client_id", "local-google")]), "incorrect_client_credentials");
    let other = "http://127.0.0.1:9001/api/auth/oauth/github/callback";
    assert_eq!(refused(&[("redirect_uri", other)]), "redirect_uri_mismatch");
    let verifier = "A".repeat(43);
    for (name, value) in [("code", "unknown"), ("code_verifier", verifier.as_str()), ("code_verifier", "")] {
        assert_eq!(refused(&[(name, value)]), "bad_verification_code", "{name}={value}");
    }
    assert_eq!(refused(&[("code", "1"), ("code", "2")]), "bad_verification_code");
}

#[test]
fn code_is_redeemed_once_and_within_a_minute() {
    let (github, clock) = start();
    let code = || testing::code(&github.provider, GITHUB_QUERY, &[]);
    let exchanged = |code: &str| github.exchange(&request(code, &[])).map(|_| ());
    let (first, second) = (code(), code());
    clock.advance(59);
    assert_eq!(exchanged(&first), Ok(()));
    assert_eq!(exchanged(&first), Err(TokenRefusal::Code));
    clock.advance(1);
    assert_eq!(exchanged(&second), Err(TokenRefusal::Code));
}

#[tokio::test]
async fn token_endpoint_answers_as_a_form_or_in_json() {
    let (github, _) = start();
    let github = Arc::new(github);
    let ask = async |accept: &str, code: &str| {
        let form = format!(
            "client_id=local-github&client_secret=local-secret&code={code}&code_verifier={VERIFIER}\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A9000%2Fapi%2Fauth%2Foauth%2Fgithub%2Fcallback"
        );
        let answer =
            access_token(State(Arc::clone(&github)), headers(&[(ACCEPT, accept)]), form.into()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        testing::text(answer).await
    };
    let code = || testing::code(&github.provider, GITHUB_QUERY, &[]);
    let form = ask("*/*", &code()).await;
    assert!(form.starts_with("access_token=gho_"), "{form}");
    assert!(form.ends_with("&scope=user%3Aemail&token_type=bearer"), "{form}");
    let json: Value = serde_json::from_str(&ask("application/json", &code()).await).unwrap();
    assert_eq!(json.get("token_type"), Some(&json!("bearer")));
    assert!(ask("*/*", "unknown").await.starts_with("error=bad_verification_code&error_description="));
    let refused: Value = serde_json::from_str(&ask("application/json", "unknown").await).unwrap();
    assert_eq!(refused.get("error"), Some(&json!("bad_verification_code")));
}

#[tokio::test]
async fn api_needs_a_user_agent_a_token_and_the_scope() {
    let (github, clock) = start();
    let github = Arc::new(github);
    let right = signed_in(&github, &[]);
    let narrow = signed_in(&github, &[("scope", "read:user")]);
    let without = |name: HeaderName| {
        let mut headers = right.clone();
        headers.remove(name);
        headers
    };
    let status = async |sent: &HeaderMap| {
        let account = user(State(Arc::clone(&github)), sent.clone()).await;
        let addresses = emails(State(Arc::clone(&github)), sent.clone()).await;
        (account.status().as_u16(), addresses.status().as_u16())
    };
    assert_eq!(status(&right).await, (200, 200));
    assert_eq!(status(&narrow).await, (200, 404));
    assert_eq!(status(&without(USER_AGENT)).await, (403, 403));
    assert_eq!(status(&without(AUTHORIZATION)).await, (401, 401));
    for value in ["Bearer gho_unknown", "Basic gho_unknown", "gho_unknown"] {
        let wrong = headers(&[(USER_AGENT, "tests"), (AUTHORIZATION, value)]);
        assert_eq!(status(&wrong).await, (401, 401), "{value}");
    }
    clock.advance(8 * 3_600);
    assert_eq!(status(&right).await, (401, 401), "expired");
}
