//! Access tokens: JWTs, verified with public keys alone.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{
    ports::{Directory, Outcome, PublicKey},
    session::Claims,
};
use jiff::{SignedDuration, Timestamp};

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
        let Some(kid) = jwt::key_id(token) else { return Ok(None) };
        let Some(key) = self.key(&kid, now).await? else { return Ok(None) };
        // The claims' type leaves no room for others.
        let claims: Option<Claims> = jwt::verify(jwt::Type::Access, token, &key.x);
        Ok(claims.filter(|claims| claims.iss == key.region && now.as_second() < claims.exp))
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
