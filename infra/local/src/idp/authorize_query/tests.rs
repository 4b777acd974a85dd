use super::*;
use crate::idp::testing::{GITHUB_QUERY, GOOGLE_QUERY, SteppedClock, form, provider};

/// The error for a query with changes: the code for the client, or `shown`.
fn error(protocol: ProviderProtocol, changed: &[(&str, &str)]) -> Option<&'static str> {
    let query = match protocol {
        ProviderProtocol::OpenIdConnect => GOOGLE_QUERY,
        ProviderProtocol::GitHub => GITHUB_QUERY,
    };
    let provider = provider(protocol, &SteppedClock::start());
    match AuthorizeQuery::check(&provider, &form(query, changed)) {
        Ok(_) => None,
        Err(AuthorizeError::Shown(_)) => Some("shown"),
        Err(AuthorizeError::Redirected { code, .. }) => Some(code),
    }
}

#[test]
fn google_query_is_checked() {
    let error = |changed: &[(&str, &str)]| error(ProviderProtocol::OpenIdConnect, changed);
    assert_eq!(error(&[]), None);
    assert_eq!(error(&[("scope", "email openid")]), None);
    assert_eq!(error(&[("response_type", "token")]), Some("unsupported_response_type"));
    for scope in ["email", "openidx", ""] {
        assert_eq!(error(&[("scope", scope)]), Some("invalid_scope"), "{scope}");
    }
    for missing in ["response_type", "state", "nonce", "code_challenge", "code_challenge_method"] {
        assert_eq!(error(&[(missing, "")]), Some("invalid_request"), "{missing}");
    }
    assert_eq!(error(&[("code_challenge", "short")]), Some("invalid_request"));
    assert_eq!(error(&[("code_challenge_method", "plain")]), Some("invalid_request"));
    assert_eq!(error(&[("nonce", "1"), ("nonce", "2")]), Some("invalid_request"));
}

#[test]
fn github_query_is_checked() {
    let error = |changed: &[(&str, &str)]| error(ProviderProtocol::GitHub, changed);
    assert_eq!(error(&[]), None);
    assert_eq!(error(&[("scope", "")]), None);
    for missing in ["state", "code_challenge", "code_challenge_method"] {
        assert_eq!(error(&[(missing, "")]), Some("invalid_request"), "{missing}");
    }
    assert_eq!(error(&[("client_id", "local-google")]), Some("shown"));
}

#[test]
fn wrong_client_or_redirect_uri_is_only_shown() {
    let error = |changed: &[(&str, &str)]| error(ProviderProtocol::OpenIdConnect, changed);
    let right = "http://127.0.0.1:9000/api/auth/oauth/google/callback";
    assert_eq!(error(&[("redirect_uri", right)]), None);
    assert_eq!(error(&[("redirect_uri", right), ("redirect_uri", right)]), Some("shown"));
    for (name, value) in [
        ("client_id", ""),
        ("client_id", "local-github"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/api/auth/oauth/google/callback"),
    ] {
        assert_eq!(error(&[(name, value)]), Some("shown"), "{name}={value}");
    }
}
