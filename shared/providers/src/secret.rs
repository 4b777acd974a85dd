//! Reads the credentials from Secrets Manager on first use, and caches them for minutes.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_errors::failure;
use aws_sdk_secretsmanager::Client;
use domain::{
    Timestamp,
    ports::{Failure, Outcome},
    rotation::KEPT,
};
use jiff::SignedDuration;

use crate::config::ProviderCredentials;

type Lazy = LazyLock<Client, Box<dyn FnOnce() -> Client + Send + Sync>>;

/// The credentials of the platform.
pub struct CredentialSource {
    client: Lazy,
    secret: String,
    cache: Mutex<Option<(Timestamp, Arc<ProviderCredentials>)>>,
}

impl CredentialSource {
    pub fn new(client: impl FnOnce() -> Client + Send + Sync + 'static, secret: String) -> Self {
        Self { client: Lazy::new(Box::new(client)), secret, cache: Mutex::default() }
    }

    /// The current credentials.
    pub async fn read(&self, now: Timestamp) -> Outcome<Arc<ProviderCredentials>> {
        if let Some(cached) = self.cached(now) {
            return Ok(cached);
        }
        let request = self.client.get_secret_value().secret_id(&self.secret);
        let answer = request.send().await.map_err(|error| failure("secretsmanager", &error))?;
        // The error must not repeat any part of the secret.
        let broken =
            || Failure::Broken("the secret `providers` is no JSON document of credentials".to_owned());
        let text = answer.secret_string.ok_or_else(broken)?;
        let read: ProviderCredentials = serde_json::from_str(&text).map_err(|_| broken())?;
        let read = Arc::new(read);
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&read)));
        Ok(read)
    }

    fn cached(&self, now: Timestamp) -> Option<Arc<ProviderCredentials>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, credentials) = cache.as_ref()?;
        let is_fresh = (SignedDuration::ZERO..KEPT).contains(&now.duration_since(*read));
        is_fresh.then(|| Arc::clone(credentials))
    }
}
