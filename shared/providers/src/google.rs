//! Google, or another OpenID provider at its place.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{
    Timestamp,
    ports::Authorization,
    provider::{AuthorizationError, ProviderIdentity},
};
use serde::Deserialize;

use crate::{
    answer::Answer,
    config::{GoogleConfig, safe},
    fetch::{Fetch, get, post, with_query},
    id_token::{Expected, identity},
    key_set::{ProviderKeys, max_age},
};

/// The provider's endpoints and keys, as far as they are known.
#[derive(Default)]
pub struct Google {
    discovered: Mutex<Option<(Timestamp, Arc<Discovery>)>>,
    keys: ProviderKeys,
}

/// The parts of the [discovery document] that are used.
///
/// [discovery document]: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct TokenResponse {
    id_token: String,
}

impl Google {
    /// The page that asks for consent.
    pub async fn url(
        &self,
        http: &impl Fetch,
        config: &GoogleConfig,
        authorization: &Authorization<'_>,
        now: Timestamp,
    ) -> Answer<String> {
        let Authorization { state, browser, redirect_uri, .. } = authorization;
        let discovery = self.discovery(http, config, now).await?;
        let (state_text, nonce, challenge) =
            (state.text(), browser.nonce(state), browser.code_challenge(state));
        let parameters = [
            ("response_type", "code"),
            ("client_id", &config.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", "openid email"),
            ("state", &state_text),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            // People with several accounts would otherwise get the last one without a question.
            ("prompt", "select_account"),
        ];
        with_query(&discovery.authorization_endpoint, &parameters)
    }

    /// Redeems a code for an id token, and verifies it.
    pub async fn identify(
        &self,
        http: &impl Fetch,
        config: &GoogleConfig,
        authorization: &Authorization<'_>,
        code: &str,
        now: Timestamp,
    ) -> Answer<ProviderIdentity> {
        let Authorization { state, browser, redirect_uri, .. } = authorization;
        let discovery = self.discovery(http, config, now).await?;
        let verifier = browser.code_verifier(state);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("client_id", &config.client_id),
            ("client_secret", &config.client_secret),
            ("code_verifier", &verifier),
        ];
        let (answer, _): (TokenResponse, _) = post(http, &discovery.token_endpoint, &form).await?;
        let header = jwt::header(&answer.id_token).ok_or(AuthorizationError::Invalid)?;
        let keys = self.keys.find(http, &discovery.jwks_uri, header.kid.as_deref(), now).await?;
        let nonce = browser.nonce(state);
        let expected = Expected { issuer: &config.issuer, client_id: &config.client_id, nonce: &nonce, now };
        Ok(identity(&answer.id_token, &header, &keys, &expected)?)
    }

    /// The discovery document. While it can't be fetched, the last one stays in use.
    async fn discovery(
        &self,
        http: &impl Fetch,
        config: &GoogleConfig,
        now: Timestamp,
    ) -> Answer<Arc<Discovery>> {
        let known = self.discovered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = known.filter(|(_, known)| known.issuer == config.issuer);
        if let Some((good_until, known)) = &known
            && now < *good_until
        {
            return Ok(Arc::clone(known));
        }
        match discover(http, config).await {
            Ok((discovery, kept)) => {
                let (discovery, until) = (Arc::new(discovery), now.saturating_add(kept).unwrap_or(now));
                *self.discovered.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((until, Arc::clone(&discovery)));
                Ok(discovery)
            }
            Err(error) => known.map(|(_, known)| known).ok_or(error),
        }
    }
}

async fn discover(http: &impl Fetch, config: &GoogleConfig) -> Answer<(Discovery, jiff::SignedDuration)> {
    let url = format!("{}/.well-known/openid-configuration", config.issuer);
    let (discovery, response): (Discovery, _) =
        get(http, &url, None).await.map_err(|_| AuthorizationError::Unavailable)?;
    let endpoints = [&discovery.authorization_endpoint, &discovery.token_endpoint, &discovery.jwks_uri];
    // Section 4.3: otherwise the document is another provider's.
    if discovery.issuer != config.issuer || endpoints.into_iter().any(|url| safe(url).is_err()) {
        return Err(AuthorizationError::Unavailable.into());
    }
    Ok((discovery, max_age(&response)))
}
