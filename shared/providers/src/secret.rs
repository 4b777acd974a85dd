//! Reads credentials from Secrets Manager on first use, and caches them for minutes.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_errors::failure;
use aws_sdk_secretsmanager::Client;
use domain::{
    Timestamp,
    ports::{Failure, Outcome},
    rotation::KEPT,
};
use jiff::SignedDuration;
use serde::de::DeserializeOwned;

type Lazy = LazyLock<Client, Box<dyn FnOnce() -> Client + Send + Sync>>;

/// Credentials of the platform at third parties: the JSON document `T` in a secret.
pub struct CredentialSource<T> {
    client: Lazy,
    secret: String,
    short_name: &'static str,
    cache: Mutex<Option<(Timestamp, Arc<T>)>>,
}

impl<T: DeserializeOwned> CredentialSource<T> {
    /// The document in `secret`, which `client` reads on first use. Errors call the secret by its short name.
    pub fn new(
        client: impl FnOnce() -> Client + Send + Sync + 'static,
        secret: String,
        short_name: &'static str,
    ) -> Self {
        Self { client: Lazy::new(Box::new(client)), secret, short_name, cache: Mutex::default() }
    }

    /// The current credentials.
    ///
    /// # Errors
    ///
    /// Secrets Manager failed, or the secret is no such document.
    pub async fn read(&self, now: Timestamp) -> Outcome<Arc<T>> {
        if let Some(cached) = self.cached(now) {
            return Ok(cached);
        }
        let request = self.client.get_secret_value().secret_id(&self.secret);
        let answer = request.send().await.map_err(|error| failure("secretsmanager", &error))?;
        // The error must not repeat any part of the secret.
        let broken = || {
            Failure::Broken(format!("the secret `{}` is no JSON document of credentials", self.short_name))
        };
        let text = answer.secret_string.ok_or_else(broken)?;
        let read: T = serde_json::from_str(&text).map_err(|_| broken())?;
        let read = Arc::new(read);
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&read)));
        Ok(read)
    }

    fn cached(&self, now: Timestamp) -> Option<Arc<T>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, credentials) = cache.as_ref()?;
        let is_fresh = (SignedDuration::ZERO..KEPT).contains(&now.duration_since(*read));
        is_fresh.then(|| Arc::clone(credentials))
    }
}
