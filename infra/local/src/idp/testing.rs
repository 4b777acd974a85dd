//! A clock, requests and answers for the tests of the providers.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::response::Response;
use domain::Timestamp;
use http::header::LOCATION;
use kit::Clock;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{
    authorize,
    form::OAuthForm,
    provider::{LocalIdentityProvider, ProviderProtocol},
};

/// The verifier and the challenge of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The challenge of [`VERIFIER`].
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A complete query for Google.
pub const GOOGLE_QUERY: &[(&str, &str)] = &[
    ("client_id", "local-google"),
    ("redirect_uri", "http://127.0.0.1:9000/api/auth/oauth/google/callback"),
    ("response_type", "code"),
    ("scope", "openid email profile"),
    ("state", "state-1"),
    ("nonce", "nonce-1"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

/// A complete query for GitHub.
pub const GITHUB_QUERY: &[(&str, &str)] = &[
    ("client_id", "local-github"),
    ("redirect_uri", "http://127.0.0.1:9000/api/auth/oauth/github/callback"),
    ("scope", "user:email"),
    ("state", "state-1"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

/// The fields of the page for signing in as Ada.
const ADA: &[(&str, &str)] = &[
    ("subject", "1001"),
    ("email", "ada@example.com"),
    ("name", "Ada Lovelace"),
    ("verified", "on"),
    ("decision", "allow"),
];

/// A clock that only tests move.
pub struct SteppedClock(AtomicI64);

impl SteppedClock {
    /// A clock that shows a fixed time.
    pub fn start() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_800_000_000)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// A provider at `http://127.0.0.1:9000`, with two more origins.
pub fn provider(protocol: ProviderProtocol, clock: &Arc<SteppedClock>) -> LocalIdentityProvider {
    let origins = ["http://127.0.0.1:9001".to_owned(), "http://localhost:3000".to_owned()];
    let clock: Arc<dyn Clock> = clock.clone();
    LocalIdentityProvider::new(protocol, "http://127.0.0.1:9000/", &origins, clock)
}

/// A form with these parameters, of which some are changed; an empty value removes one.
pub fn form<'a>(parameters: &'a [(&'a str, &'a str)], changed: &'a [(&'a str, &'a str)]) -> OAuthForm {
    let kept = parameters.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
    let pairs = kept.chain(changed);
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    OAuthForm::parse(text.as_bytes())
}

/// The form of the page for signing in as Ada, with changes.
pub fn decision(query: &[(&str, &str)], changed: &[(&str, &str)]) -> OAuthForm {
    form(&[query, ADA].concat(), changed)
}

/// The URL that an answer redirects to.
pub fn location(answer: &Response) -> Url {
    let location = answer.headers().get(LOCATION).expect("a redirect").to_str().unwrap();
    Url::parse(location).unwrap()
}

/// A parameter of a URL.
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Signs in as Ada, with changes to the form, and returns the code.
pub fn code(provider: &LocalIdentityProvider, query: &[(&str, &str)], changed: &[(&str, &str)]) -> String {
    let answer = authorize::decide(provider, &decision(query, changed));
    parameter(&location(&answer), "code").expect("a code")
}

/// The body of an answer.
pub async fn text(answer: Response) -> String {
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// The body of an answer in JSON.
pub async fn body(answer: Response) -> Value {
    serde_json::from_str(&text(answer).await).unwrap()
}
