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
        REFERRAL_TAG = "referral_tag": [Grant::secret("addresses")];
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

port! {
    /// Stripe, with the platform's key there.
    payments = "Payments" {
        CREATE_CUSTOMER = "create_customer": [Grant::secret("payments")];
        BILLING_DETAILS = "billing_details": [Grant::secret("payments")];
        CHANGE_BILLING_DETAILS = "change_billing_details": [Grant::secret("payments")];
        DELETE_CUSTOMER = "delete_customer": [Grant::secret("payments")];
        PAYMENT_METHODS = "payment_methods": [Grant::secret("payments")];
        SET_DEFAULT_METHOD = "set_default_method": [Grant::secret("payments")];
        REMOVE_METHOD = "remove_method": [Grant::secret("payments")];
        OPEN_CHECKOUT = "open_checkout": [Grant::secret("payments")];
        CHECKOUT = "checkout": [Grant::secret("payments")];
        CHARGE = "charge": [Grant::secret("payments")];
        PAYMENT = "payment": [Grant::secret("payments")];
        RECEIPT_URL = "receipt_url": [Grant::secret("payments")];
        SUBSCRIPTION = "subscription": [Grant::secret("payments")];
        SUBSCRIPTIONS = "subscriptions": [Grant::secret("payments")];
        SET_CANCEL_AT_PERIOD_END = "set_cancel_at_period_end": [Grant::secret("payments")];
        USE_DEFAULT_METHOD = "use_default_method": [Grant::secret("payments")];
        CANCEL_NOW = "cancel_now": [Grant::secret("payments")];
        SET_SEATS = "set_seats": [Grant::secret("payments")];
        EXPIRE_CHECKOUT = "expire_checkout": [Grant::secret("payments")];
        INVOICES = "invoices": [Grant::secret("payments")];
        PAY_INVOICE = "pay_invoice": [Grant::secret("payments")];
        PAYABLE_INVOICES = "payable_invoices": [Grant::secret("payments")];
        VOID_INVOICE = "void_invoice": [Grant::secret("payments")];
        EVENTS = "events": [Grant::secret("payments")];
        PAYMENTS = "payments": [Grant::secret("payments")];
        IS_LIVE = "is_live": [Grant::secret("payments")];
        VERIFIED_EVENT = "verified_event": [Grant::secret("payments")];
    }
}
