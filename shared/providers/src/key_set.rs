//! The public keys of an OpenID provider ([RFC 7517]). A provider rotates its keys: an unknown key id has the set fetched again, but
//! not for each token with an invented id. While the provider can't be reached, the last set stays in use.
//!
//! [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::{Timestamp, provider::AuthorizationError};
use http::{Response, header};
use jiff::SignedDuration;
use jwt::PublicJwk;
use serde::Deserialize;

use crate::{
    answer::Answer,
    fetch::{Fetch, get},
};

/// The set is fetched at most this often.
const COOL_DOWN: SignedDuration = SignedDuration::from_mins(5);
/// A set is fetched again after its own `max-age`, at the latest after this time.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// The keys of one provider.
#[derive(Default)]
pub struct ProviderKeys(Mutex<Option<Known>>);

#[derive(Clone)]
struct Known {
    url: String,
    keys: Arc<Vec<PublicJwk>>,
    tried_at: Timestamp,
    good_until: Timestamp,
}

#[derive(Deserialize)]
struct KeySetDocument {
    /// Keys of kinds that are not known here don't spoil the others.
    keys: Vec<serde_json::Value>,
}

impl ProviderKeys {
    /// The keys that may have signed a token with this key id.
    pub async fn find(
        &self,
        http: &impl Fetch,
        url: &str,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Answer<Vec<PublicJwk>> {
        let known =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|known| known.url == url);
        let Some(known) = known else {
            return Ok(named(&self.fetch(http, url, now).await?, kid));
        };
        let found = named(&known.keys, kid);
        let is_current = now < known.good_until && !found.is_empty();
        let has_just_tried = now.duration_since(known.tried_at).abs() < COOL_DOWN;
        if is_current || has_just_tried {
            return Ok(found);
        }
        match self.fetch(http, url, now).await {
            Ok(keys) => Ok(named(&keys, kid)),
            Err(_) => {
                self.remember(Known { tried_at: now, ..known });
                Ok(found)
            }
        }
    }

    async fn fetch(&self, http: &impl Fetch, url: &str, now: Timestamp) -> Answer<Arc<Vec<PublicJwk>>> {
        let (document, response): (KeySetDocument, _) =
            get(http, url, None).await.map_err(|_| AuthorizationError::Unavailable)?;
        let keys = document.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        let keys: Arc<Vec<PublicJwk>> = Arc::new(keys.collect());
        let good_until = now.saturating_add(max_age(&response)).unwrap_or(now);
        self.remember(Known { url: url.to_owned(), keys: Arc::clone(&keys), tried_at: now, good_until });
        Ok(keys)
    }

    fn remember(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

/// The keys with an id. A token without one may be of any key.
fn named(keys: &[PublicJwk], kid: Option<&str>) -> Vec<PublicJwk> {
    let is_named = |key: &&PublicJwk| kid.is_none() || key.kid.as_deref() == kid;
    keys.iter().filter(is_named).take(10).cloned().collect()
}

/// For how long a response may be kept ([RFC 9111], section 5.2.2.1), within limits.
///
/// [RFC 9111]: https://www.rfc-editor.org/rfc/rfc9111
pub fn max_age(response: &Response<Bytes>) -> SignedDuration {
    let value = response.headers().get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let directive = value
        .into_iter()
        .flat_map(|value| value.split(','))
        .find_map(|part| part.trim().strip_prefix("max-age=")?.parse().ok());
    SignedDuration::from_secs(directive.unwrap_or(0)).clamp(COOL_DOWN, LONGEST)
}
