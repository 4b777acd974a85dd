//! The secrets in Secrets Manager, read when first needed and kept for minutes so that a rotation takes hold.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use domain::{
    Timestamp, deletion,
    email::EmailAddress,
    id::AttemptId,
    ports::{AddressHashes, Codes, ForwardingKeys, Outcome, TokenKeys},
    region::Region,
    rotation::{KEPT, SecretName},
    secret::{Digest256, MacKey, Secret},
    session::Claims,
    sign_up::Code,
    user::EmailHash,
};
use jiff::SignedDuration;

use crate::{
    Lazy,
    document::{Document, broken},
    failure::unavailable,
};

/// Where the time comes from by which a secret is read again. A container is frozen between requests, and its monotonic clock
/// with it: only the time of day says how old something is.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a region's secrets are called.
#[derive(Debug, Clone)]
pub struct SecretNames {
    /// What the names of the region's own begin with.
    pub own: String,
    /// What the names of those begin with that are the same in every region.
    pub shared: String,
}

impl SecretNames {
    /// A secret's full name.
    pub fn of(&self, secret: SecretName) -> String {
        let prefix = if secret.is_shared() { &self.shared } else { &self.own };
        format!("{prefix}{}", secret.as_str())
    }

    /// Which secret a name or an ARN means. To the name in an ARN, Secrets Manager adds a hyphen and six characters.
    pub fn find(&self, id: &str) -> Option<SecretName> {
        let named = match id.strip_prefix("arn:") {
            Some(arn) => {
                let name = arn.splitn(6, ':').nth(5)?;
                name.rsplit_once('-').filter(|(_, mark)| mark.len() == 6)?.0
            }
            None => id,
        };
        SecretName::ALL.into_iter().find(|secret| self.of(*secret) == named)
    }
}

/// The secrets of one region.
pub struct Secrets {
    client: Lazy<Client>,
    region: Region,
    names: SecretNames,
    now: Now,
    cache: Mutex<HashMap<SecretName, (Timestamp, Arc<Document>)>>,
}

impl Secrets {
    /// The secrets of `region`.
    pub fn new(
        client: impl FnOnce() -> Client + Send + Sync + 'static,
        region: Region,
        names: SecretNames,
        now: Now,
    ) -> Self {
        let client = Lazy::new(Box::new(client));
        Self { client, region, names, now, cache: Mutex::default() }
    }

    /// A secret's current version.
    async fn read(&self, secret: SecretName) -> Outcome<Arc<Document>> {
        let now = (self.now)();
        let is_fresh = |read: &Timestamp| (SignedDuration::ZERO..KEPT).contains(&now.duration_since(*read));
        {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, document)) = cache.get(&secret).filter(|(read, _)| is_fresh(read)) {
                return Ok(Arc::clone(document));
            }
        }
        let request = self.client.get_secret_value().secret_id(self.names.of(secret));
        let answer = request.send().await.map_err(|error| unavailable("secretsmanager", &error))?;
        let document = Arc::new(Document::read(&Secret::new(answer.secret_string.unwrap_or_default()))?);
        if !document.is_empty() {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.insert(secret, (now, Arc::clone(&document)));
        }
        Ok(document)
    }
}

#[async_trait]
impl TokenKeys for Secrets {
    async fn sign(&self, claims: &Claims) -> Outcome<Secret> {
        let signed_at = Timestamp::from_second(claims.iat).map_err(broken)?;
        let document = self.read(SecretName::Tokens).await?;
        document.signing_key(signed_at)?.sign(jwt::Type::Access, claims).map(Secret::new)
    }

    async fn sign_receipt(&self, receipt: &deletion::Receipt) -> Outcome<String> {
        let signed_at = Timestamp::from_second(receipt.iat).map_err(broken)?;
        let document = self.read(SecretName::Tokens).await?;
        document.signing_key(signed_at)?.sign(jwt::Type::DeletionReceipt, receipt)
    }

    async fn derivation_key(&self, made_at: Timestamp) -> Outcome<MacKey> {
        self.read(SecretName::Tokens).await?.mac_key(made_at)
    }
}

#[async_trait]
impl AddressHashes for Secrets {
    async fn hash(&self, address: &EmailAddress) -> Outcome<EmailHash> {
        // There is one key, which was always there.
        let key = self.read(SecretName::Addresses).await?.mac_key(Timestamp::UNIX_EPOCH)?;
        Ok(EmailHash(Digest256::from_bytes(key.derive("email", &[address.canonical().as_bytes()]))))
    }
}

#[async_trait]
impl ForwardingKeys for Secrets {
    async fn forwarding_key(&self, at: Timestamp) -> Outcome<MacKey> {
        self.read(SecretName::Forwarding).await?.mac_key(at)
    }
}

#[async_trait]
impl Codes for Secrets {
    async fn sign_up_codes(&self, attempts: &[AttemptId]) -> Outcome<Vec<Code>> {
        let document = self.read(SecretName::Codes).await?;
        let code = |attempt: &AttemptId| {
            let key = document.mac_key(attempt.made_at())?;
            Ok(Code::from_bytes(&key.derive("sign-up", &[attempt.to_string().as_bytes()]), self.region))
        };
        attempts.iter().map(code).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_and_by_its_arn_and_nothing_else_is() {
        let names = SecretNames { own: "app/eu/".to_owned(), shared: "app/shared/".to_owned() };
        let arn = |name: &str| format!("arn:aws:secretsmanager:eu-central-1:000000000000:secret:{name}");
        assert_eq!(names.find("app/eu/tokens"), Some(SecretName::Tokens));
        assert_eq!(names.find(&arn("app/eu/tokens-a1B2c3")), Some(SecretName::Tokens));
        assert_eq!(names.find(&arn("app/shared/forwarding-a1B2c3")), Some(SecretName::Forwarding));
        for other in ["tokens", "app/us/tokens", "app/eu/forwarding", "app/eu/tokens-a1B2c3", ""] {
            assert_eq!(names.find(other), None, "{other}");
        }
        for other in ["app/eu/tokens", "app/eu/tokens-old-a1B2c3", "app/us/tokens-a1B2c3", "app/eu/tokens-a"]
        {
            assert_eq!(names.find(&arn(other)), None, "{other}");
        }
    }
}
