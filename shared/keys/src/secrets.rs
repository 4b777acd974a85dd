//! Reads secrets from Secrets Manager on first use and caches them for minutes, so that a rotation takes effect.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use aws_errors::failure;
use aws_sdk_secretsmanager::Client;
use domain::{
    Timestamp, deletion,
    email::EmailAddress,
    entropy::Entropy,
    free_credit::{CreditHashes, Mailbox, MailboxHash, Organization, OrganizationHash},
    id::{AttemptId, WorkspaceId},
    ports::{AddressHashes, Codes, ForwardingKeys, IdentityKeys, Outcome, TokenKeys},
    provider::{IdentityHash, IdentityTicket, ProviderIdentity},
    referral::ReferralTag,
    region::Region,
    rotation::{KEPT, SecretName},
    secret::{Digest256, MacKey, Secret},
    session::Claims,
    sign_up::{SignUpToken, VerificationCode},
    source::Source,
    throttle::{Network, NetworkHash},
    user::EmailHash,
};
use jiff::SignedDuration;

use crate::{
    Lazy,
    document::{SecretDocument, broken},
    tickets,
};

/// The clock that determines the age of a cached secret. Lambda freezes the process between requests and with it the
/// monotonic clock, so only wall-clock time is usable.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The names of a region's secrets.
#[derive(Debug, Clone)]
pub struct SecretNames {
    /// The name prefix of the region's own secrets.
    pub own: String,
    /// The name prefix of the secrets with the same value in every region.
    pub shared: String,
}

impl SecretNames {
    /// The full name of a secret.
    pub fn of(&self, secret: SecretName) -> String {
        let prefix = if secret.is_shared() { &self.shared } else { &self.own };
        format!("{prefix}{}", secret.as_str())
    }

    /// The full name of the secret with the credentials at identity providers, which an operator fills.
    pub fn providers(&self) -> String {
        format!("{}providers", self.shared)
    }

    /// The full name of the secret with the credentials at Stripe, which an operator fills. Each region has
    /// its own.
    pub fn payments(&self) -> String {
        format!("{}payments", self.own)
    }

    /// The secret with this name or ARN. In an ARN, Secrets Manager appends a hyphen and six characters to the name.
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
    entropy: Arc<dyn Entropy>,
    cache: Mutex<HashMap<SecretName, (Timestamp, Arc<SecretDocument>)>>,
}

impl Secrets {
    /// The secrets of `region`.
    pub fn new(
        client: impl FnOnce() -> Client + Send + Sync + 'static,
        region: Region,
        names: SecretNames,
        now: Now,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let client = Lazy::new(Box::new(client));
        Self { client, region, names, now, entropy, cache: Mutex::default() }
    }

    /// The current version of a secret.
    async fn read(&self, secret: SecretName) -> Outcome<Arc<SecretDocument>> {
        let now = (self.now)();
        let is_fresh = |read: &Timestamp| (SignedDuration::ZERO..KEPT).contains(&now.duration_since(*read));
        {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, document)) = cache.get(&secret).filter(|(read, _)| is_fresh(read)) {
                return Ok(Arc::clone(document));
            }
        }
        let request = self.client.get_secret_value().secret_id(self.names.of(secret));
        let answer = request.send().await.map_err(|error| failure("secretsmanager", &error))?;
        let text = answer.secret_string.ok_or_else(|| broken("the secret has no text"))?;
        let document = Arc::new(SecretDocument::read(&Secret::new(text))?);
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
        document.signing_key(signed_at)?.sign(jwt::TokenType::Access, claims).map(Secret::new)
    }

    async fn sign_receipt(&self, receipt: &deletion::Receipt) -> Outcome<String> {
        let signed_at = Timestamp::from_second(receipt.iat).map_err(broken)?;
        let document = self.read(SecretName::Tokens).await?;
        document.signing_key(signed_at)?.sign(jwt::TokenType::DeletionReceipt, receipt)
    }

    async fn derivation_key(&self, made_at: Timestamp) -> Outcome<MacKey> {
        self.read(SecretName::Tokens).await?.mac_key(made_at)
    }
}

#[async_trait]
impl AddressHashes for Secrets {
    async fn hash(&self, address: &EmailAddress) -> Outcome<EmailHash> {
        // The secret has a single key, valid for all times.
        let key = self.read(SecretName::Addresses).await?.mac_key(Timestamp::UNIX_EPOCH)?;
        Ok(EmailHash(Digest256::from_bytes(key.derive("email", &[address.canonical().as_bytes()]))))
    }

    async fn network_hash(&self, network: Network) -> Outcome<NetworkHash> {
        let key = self.read(SecretName::Addresses).await?.mac_key(Timestamp::UNIX_EPOCH)?;
        Ok(NetworkHash(Digest256::from_bytes(key.derive("network", &[network.bytes()]))))
    }

    async fn credit_hashes(&self, address: &EmailAddress) -> Outcome<CreditHashes> {
        let key = self.read(SecretName::Addresses).await?.mac_key(Timestamp::UNIX_EPOCH)?;
        let hash = |purpose, text: &str| Digest256::from_bytes(key.derive(purpose, &[text.as_bytes()]));
        Ok(CreditHashes {
            mailbox: MailboxHash(hash("mailbox", Mailbox::of(address).as_str())),
            organization: OrganizationHash(hash("organization", Organization::of(address).as_str())),
        })
    }

    async fn referral_tag(&self, region: Region, workspace: WorkspaceId) -> Outcome<ReferralTag> {
        let key = self.read(SecretName::Addresses).await?.mac_key(Timestamp::UNIX_EPOCH)?;
        let workspace = workspace.to_string();
        let parts = [region.as_str().as_bytes(), workspace.as_bytes()];
        Ok(ReferralTag::from_mac(&key.derive("referral-code", &parts)))
    }

    async fn source(&self, address: EmailHash, network: Network) -> Outcome<Source> {
        let key = self.read(SecretName::Addresses).await?.mac_key(Timestamp::UNIX_EPOCH)?;
        let address = address.to_string();
        Ok(Source(Digest256::from_bytes(key.derive("source", &[address.as_bytes(), network.bytes()]))))
    }
}

#[async_trait]
impl IdentityKeys for Secrets {
    async fn identity_hash(&self, identity: &ProviderIdentity) -> Outcome<IdentityHash> {
        let key = self.read(SecretName::Addresses).await?.mac_key(Timestamp::UNIX_EPOCH)?;
        let parts = [identity.issuer.as_bytes(), identity.subject.as_bytes()];
        Ok(IdentityHash(Digest256::from_bytes(key.derive("identity", &parts))))
    }

    async fn seal_ticket(&self, ticket: &IdentityTicket) -> Outcome<Secret> {
        let key = self.read(SecretName::Addresses).await?.mac_key(Timestamp::UNIX_EPOCH)?;
        tickets::seal(&key, ticket, &*self.entropy)
    }

    async fn open_ticket(&self, sealed: &str) -> Outcome<Option<IdentityTicket>> {
        let key = self.read(SecretName::Addresses).await?.mac_key(Timestamp::UNIX_EPOCH)?;
        Ok(tickets::open(&key, sealed))
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
    async fn sign_up_codes(&self, attempts: &[AttemptId]) -> Outcome<Vec<VerificationCode>> {
        let document = self.read(SecretName::Codes).await?;
        let code = |attempt: &AttemptId| {
            let key = document.mac_key(attempt.made_at())?;
            Ok(VerificationCode::from_bytes(
                &key.derive("sign-up", &[attempt.to_string().as_bytes()]),
                self.region,
            ))
        };
        attempts.iter().map(code).collect()
    }

    async fn address_code(&self, attempt: AttemptId) -> Outcome<VerificationCode> {
        let key = self.read(SecretName::Codes).await?.mac_key(attempt.made_at())?;
        Ok(VerificationCode::of_account(&key.derive("address", &[attempt.to_string().as_bytes()])))
    }

    async fn sign_up_token(&self, attempt: AttemptId) -> Outcome<SignUpToken> {
        let key = self.read(SecretName::Codes).await?.mac_key(attempt.made_at())?;
        Ok(SignUpToken::new(self.region, attempt, &key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_found_by_exact_name_or_arn() {
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
