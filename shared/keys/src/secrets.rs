//! The region's secrets in Secrets Manager, each a JSON document, read when first needed and kept for minutes so that a
//! rotation takes hold.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    email::EmailAddress,
    entropy::{self, Entropy},
    id::AttemptId,
    ports::{AddressHashes, Codes, Failure, ForwardingKeys, Outcome, PublicKey, TokenKeys},
    region::Region,
    secret::{Digest256, MacKey, Secret},
    session::Claims,
    sign_up::Code,
    user::EmailHash,
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{AlgorithmParameters, Jwk},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::Instant;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::failure::unavailable;

/// How long a secret is used before it is read again.
const KEPT: Duration = Duration::from_secs(300);

/// The secret that access tokens are signed with and refresh tokens derived from.
pub const TOKENS: &str = "tokens";
/// The secret that addresses are hashed with; the same in every region.
pub const ADDRESSES: &str = "addresses";
/// The secret that mailed codes are derived from.
pub const CODES: &str = "codes";
/// The secret that regions sign requests with which they send on to each other; the same in every region.
pub const FORWARDING: &str = "forwarding";

/// What [`TOKENS`] holds.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct TokenSecret {
    /// Names the signing key.
    #[zeroize(skip)]
    pub kid: String,
    /// The Ed25519 key, PKCS #8 in base64.
    signing: String,
    /// 32 bytes in base64.
    derivation: String,
}

/// What [`ADDRESSES`], [`CODES`] and [`FORWARDING`] hold.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct MacSecret {
    /// 32 bytes in base64.
    key: String,
}

/// An Ed25519 private key in PKCS #8 is this and the 32 bytes of its seed ([RFC 8410]).
///
/// [RFC 8410]: https://www.rfc-editor.org/rfc/rfc8410
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

impl TokenSecret {
    /// A new secret.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let seed: [u8; 32] = entropy::bytes(entropy);
        let kid: [u8; 8] = entropy::bytes(entropy);
        let pkcs8: Vec<u8> = PKCS8_ED25519.into_iter().chain(seed).collect();
        Self {
            kid: kid.iter().map(|byte| format!("{byte:02x}")).collect(),
            signing: BASE64_STANDARD.encode(pkcs8),
            derivation: BASE64_STANDARD.encode(entropy::bytes::<32>(entropy)),
        }
    }

    /// The public half of the signing key.
    pub fn public_key(&self, region: Region) -> Outcome<PublicKey> {
        let jwk = Jwk::from_encoding_key(&self.encoding_key()?, Algorithm::EdDSA).map_err(broken)?;
        match jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(pair) => {
                Ok(PublicKey { kid: self.kid.clone(), region, x: pair.x })
            }
            _ => Err(broken("not an Ed25519 key")),
        }
    }

    fn encoding_key(&self) -> Outcome<EncodingKey> {
        Ok(EncodingKey::from_ed_der(&BASE64_STANDARD.decode(&self.signing).map_err(broken)?))
    }
}

impl MacSecret {
    /// A new secret.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self { key: BASE64_STANDARD.encode(entropy::bytes::<32>(entropy)) }
    }

    fn mac_key(&self) -> Outcome<MacKey> {
        mac_key(&self.key)
    }
}

fn mac_key(text: &str) -> Outcome<MacKey> {
    let bytes = BASE64_STANDARD.decode(text).map_err(broken)?;
    Ok(MacKey::new(bytes.try_into().map_err(|_| broken("a key has 32 bytes"))?))
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Broken(format!("a secret can't be used: {error}"))
}

/// The secrets of one region.
pub struct Secrets {
    client: Client,
    region: Region,
    prefix: String,
    shared_prefix: String,
    cache: Mutex<HashMap<&'static str, (Instant, Arc<Secret>)>>,
}

impl Secrets {
    /// The secrets of `region`, whose names begin with `prefix`, and those of all regions, with `shared_prefix`.
    pub fn new(client: Client, region: Region, prefix: String, shared_prefix: String) -> Self {
        Self { client, region, prefix, shared_prefix, cache: Mutex::default() }
    }

    /// A secret's document.
    async fn read<T: DeserializeOwned>(&self, name: &'static str) -> Outcome<T> {
        let cached = {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.get(name).filter(|(since, _)| since.elapsed() < KEPT).map(|(_, text)| Arc::clone(text))
        };
        let text = match cached {
            Some(text) => text,
            None => self.fetch(name).await?,
        };
        serde_json::from_str(text.expose()).map_err(broken)
    }

    async fn fetch(&self, name: &'static str) -> Outcome<Arc<Secret>> {
        let prefix = if matches!(name, ADDRESSES | FORWARDING) { &self.shared_prefix } else { &self.prefix };
        let request = self.client.get_secret_value().secret_id(format!("{prefix}{name}"));
        let answer = request.send().await.map_err(|error| unavailable("secretsmanager", &error))?;
        let text = Arc::new(Secret::new(answer.secret_string.unwrap_or_default()));
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(name, (Instant::now(), Arc::clone(&text)));
        Ok(text)
    }
}

#[async_trait]
impl TokenKeys for Secrets {
    async fn sign(&self, claims: &Claims) -> Outcome<Secret> {
        let secret: TokenSecret = self.read(TOKENS).await?;
        let header = Header { kid: Some(secret.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &secret.encoding_key()?).map(Secret::new).map_err(broken)
    }

    async fn derivation_key(&self) -> Outcome<MacKey> {
        mac_key(&self.read::<TokenSecret>(TOKENS).await?.derivation)
    }
}

#[async_trait]
impl AddressHashes for Secrets {
    async fn hash(&self, address: &EmailAddress) -> Outcome<EmailHash> {
        let key = self.read::<MacSecret>(ADDRESSES).await?.mac_key()?;
        Ok(EmailHash(Digest256::from_bytes(key.derive("email", &[address.canonical().as_bytes()]))))
    }
}

#[async_trait]
impl ForwardingKeys for Secrets {
    async fn forwarding_key(&self) -> Outcome<MacKey> {
        self.read::<MacSecret>(FORWARDING).await?.mac_key()
    }
}

#[async_trait]
impl Codes for Secrets {
    async fn sign_up_codes(&self, attempts: &[AttemptId]) -> Outcome<Vec<Code>> {
        let key = self.read::<MacSecret>(CODES).await?.mac_key()?;
        let code = |attempt: &AttemptId| {
            Code::from_bytes(&key.derive("sign-up", &[attempt.to_string().as_bytes()]), self.region)
        };
        Ok(attempts.iter().map(code).collect())
    }
}
