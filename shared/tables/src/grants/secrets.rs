//! Envelope encryption, and the secrets that tokens, codes and hashes are made with.

use super::{actions::concat, method::PortMethod};
use crate::grant::Grant;

/// Every secret that is rotated.
const SECRETS: [&str; 4] = ["tokens", "codes", "addresses", "forwarding"];

/// An action on every secret.
const fn on_each(action: &'static str) -> [Grant; 4] {
    let [tokens, codes, addresses, forwarding] = SECRETS;
    [
        Grant::on_secret(action, tokens),
        Grant::on_secret(action, codes),
        Grant::on_secret(action, addresses),
        Grant::on_secret(action, forwarding),
    ]
}

const DESCRIBE: [Grant; 4] = on_each("DescribeSecret");
const GET: [Grant; 4] = on_each("GetSecretValue");
const PUT: [Grant; 4] = on_each("PutSecretValue");
const LABEL: [Grant; 4] = on_each("UpdateSecretVersionStage");

port! {
    /// Envelope encryption.
    vault = "Vault" {
        NEW_DATA_KEY = "new_data_key": [Grant::data_keys("GenerateDataKeyWithoutPlaintext")];
        SEAL = "seal": [Grant::data_keys("Decrypt")];
        OPEN = "open": [Grant::data_keys("Decrypt")];
        REVEAL = "reveal": [Grant::data_keys("Decrypt")];
    }
}

port! {
    /// Signing of tokens, and keys to derive others with.
    token_keys = "TokenKeys" {
        SIGN = "sign": [Grant::secret("tokens")];
        SIGN_RECEIPT = "sign_receipt": [Grant::secret("tokens")];
        DERIVATION_KEY = "derivation_key": [Grant::secret("tokens")];
    }
}

port! {
    /// Hashes of addresses and networks.
    address_hashes = "AddressHashes" {
        HASH = "hash": [Grant::secret("addresses")];
        NETWORK_HASH = "network_hash": [Grant::secret("addresses")];
        CREDIT_HASHES = "credit_hashes": [Grant::secret("addresses")];
        SOURCE = "source": [Grant::secret("addresses")];
    }
}

port! {
    /// Keys for requests between regions.
    forwarding_keys = "ForwardingKeys" {
        FORWARDING_KEY = "forwarding_key": [Grant::secret("forwarding")];
    }
}

port! {
    /// Mailed codes.
    codes = "Codes" {
        SIGN_UP_CODES = "sign_up_codes": [Grant::secret("codes")];
        ADDRESS_CODE = "address_code": [Grant::secret("codes")];
        SIGN_UP_TOKEN = "sign_up_token": [Grant::secret("codes")];
    }
}

port! {
    /// New versions of secrets.
    rotations = "Rotations" {
        PROGRESS = "progress": concat::<8>(&[&DESCRIBE, &GET]);
        PREPARE = "prepare": concat::<12>(&[&DESCRIBE, &GET, &PUT]);
        FINISH = "finish": concat::<8>(&[&LABEL, &DESCRIBE]);
        GIVE_UP = "give_up": LABEL;
        ROTATED_AT = "rotated_at": DESCRIBE;
    }
}

port! {
    /// Keys of providers' identities.
    identity_keys = "IdentityKeys" {
        HASH = "identity_hash": [Grant::secret("addresses")];
        SEAL = "seal_ticket": [Grant::secret("addresses")];
        OPEN = "open_ticket": [Grant::secret("addresses")];
    }
}

port! {
    /// Providers, with the platform's credentials there.
    identity_providers = "IdentityProviders" {
        AUTHORIZATION_URL = "authorization_url": [Grant::secret("providers")];
        IDENTIFY = "identify": [Grant::secret("providers")];
    }
}
