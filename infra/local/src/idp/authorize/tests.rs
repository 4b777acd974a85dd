use super::*;
use crate::idp::testing::{
    GITHUB_QUERY, GOOGLE_QUERY, SteppedClock, decision, form, location, parameter, provider,
};

fn google() -> LocalIdentityProvider {
    provider(ProviderProtocol::OpenIdConnect, &SteppedClock::start())
}

#[test]
fn allowed_request_gets_a_code_with_state_and_issuer() {
    let google = google();
    let answer = decide(&google, &decision(GOOGLE_QUERY, &[]));
    assert_eq!(answer.status(), StatusCode::FOUND);
    let to = location(&answer);
    assert!(to.as_str().starts_with("http://127.0.0.1:9000/api/auth/oauth/google/callback?code="));
    assert_eq!(parameter(&to, "state").as_deref(), Some("state-1"));
    assert_eq!(parameter(&to, "iss").as_deref(), Some(google.issuer.as_str()));
    let binding = google.codes.take(&parameter(&to, "code").unwrap(), google.now()).unwrap();
    assert_eq!((binding.persona.subject.as_str(), binding.persona.verified), ("1001", true));
    assert_eq!((binding.client_id.as_str(), binding.nonce.as_deref()), ("local-google", Some("nonce-1")));
}

#[test]
fn unverified_box_and_query_of_the_redirect_uri_are_kept() {
    let google = google();
    let callback = "http://127.0.0.1:9000/api/auth/oauth/google/callback?link=true";
    let answer = decide(&google, &decision(GOOGLE_QUERY, &[("verified", ""), ("redirect_uri", callback)]));
    let to = location(&answer);
    assert_eq!(parameter(&to, "link").as_deref(), Some("true"));
    let binding = google.codes.take(&parameter(&to, "code").unwrap(), google.now()).unwrap();
    assert!(!binding.persona.verified);
}

#[test]
fn github_sends_no_issuer() {
    let github = provider(ProviderProtocol::GitHub, &SteppedClock::start());
    let to = location(&decide(&github, &decision(GITHUB_QUERY, &[])));
    assert!(parameter(&to, "code").is_some());
    assert_eq!(parameter(&to, "iss"), None);
}

#[test]
fn denied_request_gets_access_denied() {
    let to = location(&decide(&google(), &decision(GOOGLE_QUERY, &[("decision", "deny")])));
    assert_eq!(parameter(&to, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&to, "state").as_deref(), Some("state-1"));
    assert_eq!(parameter(&to, "code"), None);
}

#[test]
fn unclear_decision_or_identity_is_shown_as_an_error() {
    for changed in [("decision", ""), ("decision", "maybe"), ("subject", "a b")] {
        let answer = decide(&google(), &decision(GOOGLE_QUERY, &[changed]));
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{changed:?}");
        assert!(answer.headers().get(LOCATION).is_none());
    }
}

#[test]
fn query_gets_the_page_or_its_error() {
    let show = |changed: &[(&str, &str)]| show(&google(), &form(GOOGLE_QUERY, changed));
    assert_eq!(show(&[]).status(), StatusCode::OK);
    let to = location(&show(&[("nonce", "")]));
    assert_eq!(parameter(&to, "error").as_deref(), Some("invalid_request"));
    assert_eq!(parameter(&to, "state").as_deref(), Some("state-1"));
    assert!(parameter(&to, "iss").is_some());
    let shown = show(&[("redirect_uri", "https://evil.example/")]);
    assert_eq!((shown.status(), shown.headers().get(LOCATION)), (StatusCode::BAD_REQUEST, None));
}
