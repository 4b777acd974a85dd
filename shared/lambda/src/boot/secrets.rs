//! Envelope encryption, and the secrets that tokens, codes and hashes are made with.

use std::sync::Arc;

use domain::ports::{
    AddressHashes, Codes, IdentityKeys, IdentityProviders, Payments, Rotations, TokenKeys, Vault,
};
use kit::ports::SecretPorts;

use super::FunctionRuntime;
use crate::{client::client, partner_client::PartnerClient};

impl FunctionRuntime {
    /// The URLs at which browsers reach the platform.
    fn origins(&self) -> providers::Origins {
        let own = self.config.endpoints.get(&self.config.region).cloned().unwrap_or_default();
        providers::Origins { own, others: self.config.origins() }
    }
}

impl SecretPorts for FunctionRuntime {
    fn vault(&self) -> Arc<dyn Vault> {
        let sdk = Arc::clone(&self.sdk);
        let client = move || client!(aws_sdk_kms, "kms", &*sdk);
        let (key, entropy) = (self.config.kms_key.clone(), Arc::clone(&self.entropy));
        Arc::new(keys::KmsVault::new(client, key, self.config.region, entropy))
    }

    fn token_keys(&self) -> Arc<dyn TokenKeys> {
        self.is_certain("secretsmanager");
        self.secrets()
    }

    fn address_hashes(&self) -> Arc<dyn AddressHashes> {
        self.is_certain("secretsmanager");
        self.secrets()
    }

    fn codes(&self) -> Arc<dyn Codes> {
        self.is_certain("secretsmanager");
        self.secrets()
    }

    fn identity_keys(&self) -> Arc<dyn IdentityKeys> {
        self.is_certain("secretsmanager");
        self.secrets()
    }

    fn identity_providers(&self) -> Arc<dyn IdentityProviders> {
        self.is_certain("secretsmanager");
        let sdk = Arc::clone(&self.sdk);
        let client = move || client!(aws_sdk_secretsmanager, "secretsmanager", &*sdk);
        let secret = self.config.secret_names().providers();
        let clock = Arc::clone(&self.clock);
        let http = Arc::new(PartnerClient::for_identity_providers());
        Arc::new(providers::HttpProviders::new(client, secret, self.origins(), http, move || clock.now()))
    }

    fn payments(&self) -> Arc<dyn Payments> {
        self.is_certain("secretsmanager");
        let sdk = Arc::clone(&self.sdk);
        let client = move || client!(aws_sdk_secretsmanager, "secretsmanager", &*sdk);
        let secret = self.config.secret_names().payments();
        let clock = Arc::clone(&self.clock);
        let http = Arc::new(PartnerClient::for_payments());
        Arc::new(stripe::StripeClient::new(client, secret, self.origins(), http, move || clock.now()))
    }

    fn rotations(&self) -> Arc<dyn Rotations> {
        let client = client!(aws_sdk_secretsmanager, "secretsmanager", &*self.sdk);
        let names = self.config.secret_names();
        Arc::new(keys::SecretRotations::new(client, self.config.region, names, Arc::clone(&self.entropy)))
    }
}
