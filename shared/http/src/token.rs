//! Access tokens: JWTs, verified with public keys alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    ports::{Directory, Outcome, PublicKey},
    secret::Digest256,
    session::Claims,
};
use jiff::{SignedDuration, Timestamp};

/// Public keys are asked for again at most this often, however many tokens name unknown ones;
const REFETCH_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// and at least this often, so that one that was withdrawn is forgotten.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// Maximum number of verified tokens to remember.
const REMEMBERED: usize = 512;

/// Verifies access tokens with the directory's public keys.
///
/// A client sends the same token for minutes, and verifying its signature is the most expensive part of a session check. So the
/// verifier remembers which tokens it has verified, by their SHA-256, and with which key. Everything else is checked each time.
pub struct Verifier {
    directory: Arc<dyn Directory>,
    known: Mutex<Known>,
    verified: Mutex<HashMap<Digest256, Verified>>,
}

/// What the signature of a token proves.
#[derive(Clone)]
struct Verified {
    key: PublicKey,
    claims: Claims,
}

#[derive(Default)]
struct Known {
    keys: Vec<PublicKey>,
    fetched_at: Option<Timestamp>,
}

impl Verifier {
    /// A verifier that knows no keys yet.
    pub fn new(directory: Arc<dyn Directory>) -> Self {
        Self { directory, known: Mutex::default(), verified: Mutex::default() }
    }

    /// The claims of a token that has not expired, if one of the platform's keys signed it.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Outcome<Option<Claims>> {
        Ok(self.verify_even_expired(token, now).await?.filter(|claims| !claims.has_expired(now)))
    }

    /// The claims of a token, if one of the platform's keys signed it. An expired token names a session that its bearer had;
    /// it opens nothing.
    pub async fn verify_even_expired(&self, token: &str, now: Timestamp) -> Outcome<Option<Claims>> {
        let digest = Digest256::of(token);
        let verified = match self.remembered(&digest, now).await? {
            Some(verified) => Some(verified),
            None => self.verify_signature(token, digest, now).await?,
        };
        let plausible =
            |Verified { key, claims }: &Verified| claims.iss == key.region && claims.is_plausible(now);
        Ok(verified.filter(plausible).map(|verified| verified.claims))
    }

    /// A token that was verified before, if its key has not been withdrawn or replaced since.
    async fn remembered(&self, digest: &Digest256, now: Timestamp) -> Outcome<Option<Verified>> {
        let found = self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        let Some(verified) = found else { return Ok(None) };
        let key = self.key(&verified.key.kid, now).await?;
        Ok(Some(verified).filter(|verified| key.as_ref() == Some(&verified.key)))
    }

    async fn verify_signature(
        &self,
        token: &str,
        digest: Digest256,
        now: Timestamp,
    ) -> Outcome<Option<Verified>> {
        let Some(kid) = jwt::key_id(token) else { return Ok(None) };
        let Some(key) = self.key(&kid, now).await? else { return Ok(None) };
        // The claims' type leaves no room for others.
        let claims: Option<Claims> = jwt::verify(jwt::TokenType::Access, token, &key.x);
        let Some(claims) = claims else { return Ok(None) };
        let verified = Verified { key, claims };
        let mut remembered = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(digest, verified.clone());
        Ok(Some(verified))
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
