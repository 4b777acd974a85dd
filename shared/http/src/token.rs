//! Access tokens: EdDSA JWTs ([RFC 7519], [RFC 8037]), verified with public keys alone.
//!
//! [RFC 7519]: https://www.rfc-editor.org/rfc/rfc7519
//! [RFC 8037]: https://www.rfc-editor.org/rfc/rfc8037

use std::sync::{Arc, Mutex, PoisonError};

use domain::{
    ports::{Directory, Outcome, PublicKey},
    session::Claims,
};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

/// Public keys are asked for again at most this often, however many tokens name unknown ones;
const REFETCH_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// and at least this often, so that one that was withdrawn is forgotten.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Verifies access tokens with the directory's public keys.
pub struct Verifier {
    directory: Arc<dyn Directory>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: Vec<PublicKey>,
    fetched_at: Option<Timestamp>,
}

impl Verifier {
    /// A verifier that knows no keys yet.
    pub fn new(directory: Arc<dyn Directory>) -> Self {
        Self { directory, known: Mutex::default() }
    }

    /// What a token says, if one of the platform's keys signed it and it is still good.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Outcome<Option<Claims>> {
        let Ok(header) = jsonwebtoken::decode_header(token) else { return Ok(None) };
        let (Algorithm::EdDSA, Some(kid)) = (header.alg, header.kid) else { return Ok(None) };
        let Some(key) = self.key(&kid, now).await? else { return Ok(None) };
        Ok(claims(token, &key).filter(|claims| claims.iss == key.region && now.as_second() < claims.exp))
    }

    async fn key(&self, kid: &str, now: Timestamp) -> Outcome<Option<PublicKey>> {
        let find = |keys: &[PublicKey]| keys.iter().find(|key| key.kid == kid).cloned();
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let found = find(&known.keys);
            let kept_for = if found.is_some() { KEPT } else { REFETCH_AFTER };
            if known.fetched_at.is_some_and(|at| now.duration_since(at).abs() < kept_for) {
                return Ok(found);
            }
        }
        let keys = self.directory.signing_keys().await?;
        let found = find(&keys);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Known { keys, fetched_at: Some(now) };
        Ok(found)
    }
}

fn claims(token: &str, key: &PublicKey) -> Option<Claims> {
    // The call's clock decides on `exp` (see `verify`), not the machine's; and the claims' types leave no room for others.
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_ed_components(&key.x).ok()?;
    Some(jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?.claims)
}
