//! A provider: its registered client, the URIs that it may redirect to, and the codes that it issued.

use std::{iter, sync::Arc};

use domain::Timestamp;
use jiff::SignedDuration;
use kit::Clock;
use url::Url;

use super::{codes::CodeBinding, issued::Issued};

/// The secret of both clients.
pub const CLIENT_SECRET: &str = "local-secret";

/// How long a code lives.
const CODE_LIFE: SignedDuration = SignedDuration::from_secs(60);

/// The protocol of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderProtocol {
    /// OpenID Connect, which Google speaks.
    OpenIdConnect,
    /// GitHub's OAuth 2, without ID tokens.
    GitHub,
}

impl ProviderProtocol {
    /// The provider's name, for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::OpenIdConnect => "Google",
            Self::GitHub => "GitHub",
        }
    }

    /// The provider's name in paths.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::OpenIdConnect => "google",
            Self::GitHub => "github",
        }
    }

    /// The id of the registered client.
    pub const fn client_id(self) -> &'static str {
        match self {
            Self::OpenIdConnect => "local-google",
            Self::GitHub => "local-github",
        }
    }

    /// The path of the authorization endpoint, which is also the page for signing in.
    pub const fn authorize_path(self) -> &'static str {
        match self {
            Self::OpenIdConnect => "/_local/idp/google/authorize",
            Self::GitHub => "/_local/idp/github/login/oauth/authorize",
        }
    }
}

/// A running provider.
pub struct LocalIdentityProvider {
    /// Its protocol.
    pub protocol: ProviderProtocol,
    /// The identifier of the issuer, under which its endpoints are.
    pub issuer: String,
    /// The origins of the client. The page for signing in may lead to them.
    pub origins: Vec<String>,
    /// The codes that were not redeemed yet.
    pub codes: Issued<CodeBinding>,
    clock: Arc<dyn Clock>,
}

impl LocalIdentityProvider {
    /// A provider at `base`, with a client at `base` and at `origins`.
    pub fn new(protocol: ProviderProtocol, base: &str, origins: &[String], clock: Arc<dyn Clock>) -> Self {
        let base = base.trim_end_matches('/');
        let others = origins.iter().map(|origin| origin.trim_end_matches('/'));
        Self {
            protocol,
            issuer: format!("{base}/_local/idp/{}", protocol.slug()),
            origins: iter::once(base).chain(others).map(str::to_owned).collect(),
            codes: Issued::new("", CODE_LIFE),
            clock,
        }
    }

    /// The time of the platform.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a redirect URI belongs to the client: `ORIGIN/api/auth/oauth/PROVIDER/…`, in its normal form, because a path with
    /// `..` would lead elsewhere.
    pub fn allows_redirect(&self, uri: &str) -> bool {
        let path = format!("/api/auth/oauth/{}/", self.protocol.slug());
        let is_below =
            |origin: &String| uri.strip_prefix(origin.as_str()).is_some_and(|it| it.starts_with(&path));
        let is_normal = Url::parse(uri).is_ok_and(|url| url.as_str() == uri && url.fragment().is_none());
        is_normal && self.origins.iter().any(is_below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idp::testing::{SteppedClock, provider};

    #[test]
    fn redirect_uri_must_be_below_the_callback_of_an_origin() {
        let google = provider(ProviderProtocol::OpenIdConnect, &SteppedClock::start());
        for allowed in [
            "http://127.0.0.1:9000/api/auth/oauth/google/callback",
            "http://127.0.0.1:9001/api/auth/oauth/google/callback?link=true",
            "http://localhost:3000/api/auth/oauth/google/callback",
        ] {
            assert!(google.allows_redirect(allowed), "{allowed}");
        }
        for refused in [
            "",
            "callback",
            "http://127.0.0.1:9000/",
            "http://127.0.0.1:9000/api/auth/oauth/github/callback",
            "http://127.0.0.1:9000/api/auth/oauth/google/../github/callback",
            "http://127.0.0.1:9000/api/auth/oauth/google/%2e%2e/github/callback",
            "http://127.0.0.1:9000/api/auth/oauth/google/callback#fragment",
            "http://127.0.0.1:9000@evil.example/api/auth/oauth/google/callback",
            "http://127.0.0.1:90001/api/auth/oauth/google/callback",
            "https://127.0.0.1:9000/api/auth/oauth/google/callback",
            "http://localhost:3000.evil.example/api/auth/oauth/google/callback",
            "https://evil.example/api/auth/oauth/google/callback",
        ] {
            assert!(!google.allows_redirect(refused), "{refused}");
        }
    }

    #[test]
    fn issuer_is_below_the_base() {
        let clock = SteppedClock::start();
        let issuer = |protocol| provider(protocol, &clock).issuer;
        assert_eq!(issuer(ProviderProtocol::OpenIdConnect), "http://127.0.0.1:9000/_local/idp/google");
        assert_eq!(issuer(ProviderProtocol::GitHub), "http://127.0.0.1:9000/_local/idp/github");
    }
}
