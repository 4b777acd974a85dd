//! The content of a secret: a JSON document with keys and their start times.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    Timestamp,
    entropy::{self, Entropy},
    ports::{Failure, NewVersion, Outcome, PublicKey},
    region::Region,
    rotation::{Keyring, SecretName},
    secret::{MacKey, Secret},
    session,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// One version of a secret. An empty version (`{}`) has no keys yet.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretDocument {
    /// The keys for derivation and authentication.
    keys: Keyring<MacText>,
    /// The signing keys; only in [`SecretName::Tokens`].
    signing: Keyring<SigningKey>,
    /// The version from which this version was created.
    made_from: Option<String>,
    /// The ids of the signing keys that were removed when this version was created.
    retired: Vec<String>,
}

/// 32 bytes in base64.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
struct MacText(String);

/// An Ed25519 signing key.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct SigningKey {
    /// The key id (`kid`).
    #[zeroize(skip)]
    pub kid: String,
    /// The private key as PKCS #8 in base64.
    private: String,
}

/// The PKCS #8 prefix of an Ed25519 private key; the 32-byte seed follows ([RFC 8410]).
///
/// [RFC 8410]: https://www.rfc-editor.org/rfc/rfc8410
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

impl SecretDocument {
    /// Creates the first version of a secret.
    pub fn first(secret: SecretName, entropy: &dyn Entropy) -> Self {
        let mut first = Self::default();
        first.add_keys(secret, Timestamp::UNIX_EPOCH, entropy);
        first
    }

    /// Parses the text of a version.
    pub fn read(text: &Secret) -> Outcome<Self> {
        serde_json::from_str(text.expose()).map_err(broken)
    }

    /// Serializes the version.
    pub fn write(&self) -> Outcome<Secret> {
        serde_json::to_string(self).map(Secret::new).map_err(broken)
    }

    /// Whether the version has no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.newest_from().is_none()
    }

    /// Creates the version after this one (whose id is `current`) with new keys and without keys that are no longer
    /// needed. Returns `None` if a key of the secret can't be replaced.
    pub fn successor(
        mut self,
        secret: SecretName,
        current: Option<String>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Option<Self> {
        if secret.matters_for().is_none() && !self.is_empty() {
            return None;
        }
        self.made_from = current;
        self.add_keys(secret, now, entropy);
        Some(self)
    }

    fn add_keys(&mut self, secret: SecretName, now: Timestamp, entropy: &dyn Entropy) {
        let matters_for = secret.matters_for().unwrap_or_default();
        self.keys.add(MacText::generate(entropy), now, matters_for);
        self.retired.clear();
        if secret == SecretName::Tokens {
            let retired = self.signing.add(SigningKey::generate(entropy), now, session::ACCESS_VALID);
            self.retired.extend(retired.iter().map(|key| key.kid.clone()));
        }
    }

    /// The key for values created at `time`.
    pub fn mac_key(&self, time: Timestamp) -> Outcome<MacKey> {
        let text = self.keys.at(time).ok_or_else(no_keys)?;
        let bytes = BASE64_STANDARD.decode(&text.0).map_err(broken)?;
        Ok(MacKey::new(bytes.try_into().map_err(|_| broken("a key must have 32 bytes"))?))
    }

    /// The signing key at `time`.
    pub fn signing_key(&self, time: Timestamp) -> Outcome<&SigningKey> {
        self.signing.at(time).ok_or_else(no_keys)
    }

    /// The public keys of the signing keys, oldest first.
    pub fn public_keys(&self, region: Region) -> Outcome<Vec<PublicKey>> {
        self.signing.keys().map(|key| key.public(region)).collect()
    }

    /// The changes of this version.
    pub fn news(&self, region: Region) -> Outcome<NewVersion> {
        Ok(NewVersion {
            made_from: self.made_from.clone(),
            newest_from: self.keys.newest_from().ok_or_else(no_keys)?,
            public_keys: self.public_keys(region)?,
            retired: self.retired.clone(),
        })
    }
}

impl MacText {
    fn generate(entropy: &dyn Entropy) -> Self {
        Self(BASE64_STANDARD.encode(entropy::bytes::<32>(entropy)))
    }
}

impl SigningKey {
    fn generate(entropy: &dyn Entropy) -> Self {
        let seed: [u8; 32] = entropy::bytes(entropy);
        let kid: [u8; 8] = entropy::bytes(entropy);
        let pkcs8: Vec<u8> = PKCS8_ED25519.into_iter().chain(seed).collect();
        Self {
            kid: kid.iter().map(|byte| format!("{byte:02x}")).collect(),
            private: BASE64_STANDARD.encode(pkcs8),
        }
    }

    /// Signs claims as a JSON Web Token.
    pub fn sign(&self, of: jwt::TokenType, claims: &impl Serialize) -> Outcome<String> {
        jwt::sign(of, &self.kid, &self.private()?, claims).map_err(broken)
    }

    fn public(&self, region: Region) -> Outcome<PublicKey> {
        let x = jwt::public_key(&self.private()?).map_err(broken)?;
        Ok(PublicKey { kid: self.kid.clone(), region, x })
    }

    fn private(&self) -> Outcome<Zeroizing<Vec<u8>>> {
        BASE64_STANDARD.decode(&self.private).map(Zeroizing::new).map_err(broken)
    }
}

/// The failure of an invalid secret.
pub fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Broken(format!("invalid secret: {error}"))
}

/// The failure of an empty secret. The first rotation of a new deployment fills it shortly.
fn no_keys() -> Failure {
    Failure::Unavailable { service: "secretsmanager", detail: "the secret has no keys yet".to_owned() }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    struct Counter(std::sync::atomic::AtomicU8);
    impl Entropy for Counter {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000 + hour)
    }

    /// A first version and further versions created at these hours.
    fn rotated(secret: SecretName, hours: &[i64]) -> SecretDocument {
        let entropy = Counter(0.into());
        let first = SecretDocument::first(secret, &entropy);
        hours.iter().fold(first, |document, hour| {
            let read = SecretDocument::read(&document.write().unwrap()).unwrap();
            read.successor(secret, Some("before".to_owned()), at(*hour), &entropy).unwrap()
        })
    }

    #[test]
    fn rotations_keep_the_derived_tokens_of_a_session() {
        let before = rotated(SecretName::Tokens, &[]);
        let after = rotated(SecretName::Tokens, &[24, 25, 720]);
        let derived = |document: &SecretDocument, hour| document.mac_key(at(hour)).unwrap().derive("t", &[]);
        assert_eq!(derived(&before, 24), derived(&after, 24));
        let keys: std::collections::BTreeSet<_> = [24, 25, 26, 721].map(|hour| derived(&after, hour)).into();
        assert_eq!(keys.len(), 4, "each key is used from an hour after it was made");
    }

    #[test]
    fn expired_signing_and_derivation_keys_are_dropped() {
        let document = rotated(SecretName::Tokens, &[24, 720]);
        assert_eq!(document.retired.len(), 1);
        assert_eq!((document.signing.keys().count(), document.keys.keys().count()), (2, 3));
        let valid = SecretName::Tokens.matters_for().unwrap().as_hours();
        let early = rotated(SecretName::Tokens, &[24, 720, 24 + valid, 24 + 1 + valid]);
        assert_eq!(early.keys.keys().count(), 5, "the first key is still needed");
        let late = rotated(SecretName::Tokens, &[24, 720, 24 + 1 + valid, 24 + 2 + valid]);
        assert_eq!(late.keys.keys().count(), 4, "the first key was removed");
        assert!(late.retired.is_empty(), "a retired key is reported only once");
    }

    #[test]
    fn consecutive_rotations_retire_no_key_too_early() {
        let document = rotated(SecretName::Tokens, &[24, 24, 25]);
        assert!(document.retired.is_empty());
        assert_eq!(document.public_keys(Region::Eu).unwrap().len(), 4);
    }

    #[test]
    fn key_of_address_hashes_never_changes() {
        let entropy = Counter(0.into());
        let next =
            |document: SecretDocument| document.successor(SecretName::Addresses, None, at(1), &entropy);
        let first = next(SecretDocument::default()).unwrap();
        assert!(next(first).is_none());
    }

    #[test]
    fn empty_secret_is_unavailable() {
        let empty = SecretDocument::read(&Secret::new("{}".to_owned())).unwrap();
        assert!(empty.is_empty());
        assert!(matches!(empty.mac_key(at(0)), Err(Failure::Unavailable { .. })));
        assert!(SecretDocument::read(&Secret::new("a password".to_owned())).is_err());
    }
}
