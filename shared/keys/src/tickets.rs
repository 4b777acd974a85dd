//! Identity tickets, sealed for the browser. Each has a key of its own, derived with a random salt from a key that never changes, so
//! that no key seals more than one ticket. The text is the salt in base64, a dot, and the sealed ticket.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    entropy::{self, Entropy},
    ports::Outcome,
    provider::IdentityTicket,
    sealing::{SealError, Sealed, SealingKey},
    secret::{MacKey, Secret, decode_base64},
};

use crate::document::broken;

const PURPOSE: &str = "identity-ticket";

fn key_of(key: &MacKey, salt: &[u8]) -> Result<SealingKey, SealError> {
    SealingKey::new(&key.derive(PURPOSE, &[salt]))
}

/// Seals a ticket.
pub fn seal(key: &MacKey, ticket: &IdentityTicket, entropy: &dyn Entropy) -> Outcome<Secret> {
    let salt: [u8; 32] = entropy::bytes(entropy);
    let text = serde_json::to_vec(ticket).map_err(broken)?;
    let Sealed(sealed) = key_of(key, &salt)?.seal(&[PURPOSE.as_bytes()], &text, entropy)?;
    Ok(Secret::new(format!("{}.{sealed}", BASE64_URL_SAFE_NO_PAD.encode(salt))))
}

/// Opens a ticket that was sealed with this key.
pub fn open(key: &MacKey, sealed: &str) -> Option<IdentityTicket> {
    let (salt, sealed) = sealed.split_once('.')?;
    let key = key_of(key, &decode_base64(salt)?).ok()?;
    let text = key.open(&[PURPOSE.as_bytes()], &Sealed(sealed.to_owned())).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use domain::{
        Timestamp,
        email::EmailAddress,
        id::UserId,
        provider::{Provider, ProviderIdentity},
    };

    use super::*;

    struct Counting(std::sync::atomic::AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    #[test]
    fn ticket_opens_with_its_key_unchanged_only() {
        let entropy = Counting(1.into());
        let identity = ProviderIdentity {
            provider: Provider::Google,
            issuer: "https://accounts.google.com".to_owned(),
            subject: "1".to_owned(),
            email: EmailAddress::parse("ada@people.example").ok(),
            email_verified: true,
        };
        let user = UserId::new(Timestamp::UNIX_EPOCH, &entropy);
        let ticket = IdentityTicket::new(identity.clone(), user, None, Timestamp::UNIX_EPOCH);
        let key = MacKey::new([1; 32]);
        let sealed = seal(&key, &ticket, &entropy).unwrap();
        assert_ne!(sealed.expose(), seal(&key, &ticket, &entropy).unwrap().expose());
        assert!(open(&key, sealed.expose()).unwrap().identity == identity);
        assert!(open(&MacKey::new([2; 32]), sealed.expose()).is_none());
        for place in [0, 40, sealed.expose().len() - 2] {
            let mut changed = sealed.expose().to_owned();
            let other = if &changed[place..=place] == "A" { "B" } else { "A" };
            changed.replace_range(place..=place, other);
            assert!(open(&key, &changed).is_none(), "{place}");
        }
        for other in ["", "AAAA", &"A".repeat(100)] {
            assert!(open(&key, other).is_none());
        }
    }
}
