//! Third parties. Sign-in by Google and GitHub: where a browser goes, what a code is redeemed for, and who it says has signed in.
//! And the lookup of new passwords in a service of breached ones.
//!
//! No token of a provider is kept: it is used once, to learn who somebody is, and dropped.
//!
//! What every client of a third party needs is public: [`Fetch`], [`safe`] and [`CredentialSource`].

mod answer;
mod breached;
mod config;
mod fetch;
mod github;
mod google;
mod id_token;
mod key_set;
mod range_url;
mod secret;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use domain::{
    Timestamp,
    ports::{Authorization, IdentityProviders, Outcome},
    provider::{AuthorizationError, Provider, ProviderIdentity},
};

use answer::{Answer, separate};
pub use breached::{NoLookup, PasswordRanges};
use config::ProviderCredentials;
pub use config::safe;
pub use fetch::{Fetch, USER_AGENT};
use google::Google;
pub use range_url::RangeUrl;
pub use secret::CredentialSource;

/// The URLs at which browsers reach the platform.
pub struct Origins {
    /// The URL of this region.
    pub own: String,
    /// All of them.
    pub others: Vec<String>,
}

impl Origins {
    /// The URL at which a browser called this host, if it is one of the platform's; otherwise the URL of this region.
    pub fn of_host(&self, host: Option<&str>) -> &str {
        let is_called =
            |origin: &&String| origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
        self.others.iter().find(is_called).unwrap_or(&self.own)
    }
}

/// The time of a request.
type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The providers, over HTTP.
pub struct HttpProviders<F> {
    credentials: CredentialSource<ProviderCredentials>,
    origins: Origins,
    http: F,
    google: Google,
    now: Now,
}

impl<F: Fetch> HttpProviders<F> {
    /// The providers whose credentials are in `secret`, which `client` reads on first use.
    pub fn new(
        client: impl FnOnce() -> Client + Send + Sync + 'static,
        secret: String,
        origins: Origins,
        http: F,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let credentials = CredentialSource::new(client, secret, "providers");
        Self { credentials, origins, http, google: Google::default(), now: Box::new(now) }
    }

    async fn url(&self, authorization: &Authorization<'_>) -> Answer<Option<String>> {
        let (now, http) = ((self.now)(), &self.http);
        let configured = self.credentials.read(now).await?;
        match authorization.provider {
            Provider::Google => match &configured.google {
                Some(config) => self.google.url(http, config, authorization, now).await.map(Some),
                None => Ok(None),
            },
            Provider::GitHub => {
                configured.github.as_ref().map(|config| github::url(config, authorization)).transpose()
            }
        }
    }

    async fn who(&self, of: &Authorization<'_>, code: &str, now: Timestamp) -> Answer<ProviderIdentity> {
        let configured = self.credentials.read((self.now)()).await?;
        match (of.provider, &configured.google, &configured.github) {
            (Provider::Google, Some(config), _) => {
                self.google.identify(&self.http, config, of, code, now).await
            }
            (Provider::GitHub, _, Some(config)) => github::identify(&self.http, config, of, code).await,
            // The credentials were removed meanwhile.
            _ => Err(AuthorizationError::Unavailable.into()),
        }
    }
}

#[async_trait]
impl<F: Fetch> IdentityProviders for HttpProviders<F> {
    fn redirect_uri(&self, provider: Provider, host: Option<&str>) -> String {
        let origin = self.origins.of_host(host);
        format!("{origin}/api/auth/oauth/{provider}/callback")
    }

    async fn authorization_url(
        &self,
        authorization: &Authorization<'_>,
    ) -> Outcome<Result<Option<String>, AuthorizationError>> {
        separate(self.url(authorization).await)
    }

    async fn identify(
        &self,
        authorization: &Authorization<'_>,
        code: &str,
        now: Timestamp,
    ) -> Outcome<Result<ProviderIdentity, AuthorizationError>> {
        separate(self.who(authorization, code, now).await)
    }
}
