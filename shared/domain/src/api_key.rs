//! API keys: `ul_` and 40 lower-case hexadecimal digits, of which the first 32 are random and the last 8 a checksum
//! of them and of the key's home, so that a mistyped or made-up key is refused, and a key of another region sent on to it,
//! without a read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    entropy::{self, Entropy},
    handle::Handle,
    id::{KeyId, UserId, WorkspaceId},
    profile::KeyName,
    region::Region,
    secret::{Digest256, Secret},
};

/// How many characters of a key are kept for display.
const PREFIX_LENGTH: usize = 11;

/// A key's value.
#[derive(Clone)]
pub struct KeySecret {
    value: Secret,
    region: Region,
}

impl KeySecret {
    /// A new key of a region, with 128 random bits.
    pub fn generate(entropy: &dyn Entropy, region: Region) -> Self {
        let random = u128::from_be_bytes(entropy::bytes(entropy));
        let digits = format!("{random:032x}");
        let checksum = checksum(&digits, region);
        Self { value: Secret::new(format!("ul_{digits}{checksum:08x}")), region }
    }

    /// Reads a presented key; `None` if the form or the checksum is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("ul_")?;
        let hexadecimal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let (random, given) = (digits.len() == 40 && hexadecimal).then(|| digits.split_at(32))?;
        let given = u32::from_str_radix(given, 16).ok()?;
        let region = Region::ALL.into_iter().find(|region| checksum(random, *region) == given)?;
        Some(Self { value: Secret::new(text.to_owned()), region })
    }

    /// The home of its workspace.
    pub fn region(&self) -> Region {
        self.region
    }

    /// The whole key, for the one answer that carries it and for encryption.
    pub fn expose(&self) -> &str {
        self.value.expose()
    }

    /// What it is found by.
    pub fn hash(&self) -> Digest256 {
        Digest256::of(self.expose())
    }

    /// The first 11 characters, kept for display.
    pub fn prefix(&self) -> String {
        self.expose().chars().take(PREFIX_LENGTH).collect()
    }
}

/// The first 32 bits of the SHA-256 of region and digits.
fn checksum(digits: &str, region: Region) -> u32 {
    Digest256::of_both(region.as_str(), digits).first_bits()
}

/// A value encrypted under a workspace's data key: nonce, ciphertext and tag in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

/// A key's record. Its value is there only encrypted.
#[derive(Clone, Serialize, Deserialize)]
pub struct ApiKey {
    /// The record's id.
    pub id: KeyId,
    /// Whose key it is.
    pub workspace: WorkspaceId,
    /// What its owner calls it; names may repeat.
    pub name: KeyName,
    /// The first characters of the value.
    pub prefix: String,
    /// What it is found by.
    pub hash: Digest256,
    /// The value, encrypted.
    pub sealed: Sealed,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Who holds a key: all that verifying it must find out, in the item that its hash finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHolder {
    /// The key's record.
    pub key: KeyId,
    /// What the owner calls it.
    pub name: KeyName,
    /// The workspace it acts in.
    pub workspace: WorkspaceId,
    /// That workspace's handle.
    #[serde(deserialize_with = "crate::handle::existing")]
    pub handle: Handle,
    /// The owner, as whom it acts.
    pub owner: UserId,
    /// The workspace's home.
    pub region: Region,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill_with(|| self.0.fetch_add(7, std::sync::atomic::Ordering::Relaxed));
        }
    }

    #[test]
    fn a_key_has_the_form_that_clients_check_and_reads_back() {
        let entropy = Counting(0.into());
        for _ in 0..1_000 {
            for region in Region::ALL {
                let key = KeySecret::generate(&entropy, region);
                assert_eq!((key.expose().len(), key.prefix().len()), (43, 11));
                let read = KeySecret::parse(key.expose()).unwrap();
                assert_eq!((read.hash(), read.region()), (key.hash(), region));
            }
        }
    }

    #[test]
    fn any_single_changed_digit_is_noticed() {
        let key = KeySecret::generate(&Counting(1.into()), Region::Ap).expose().to_owned();
        for at in 3..43 {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            assert!(KeySecret::parse(std::str::from_utf8(&bytes).unwrap()).is_none(), "digit {at}");
        }
        for bad in [
            key.to_uppercase(),
            format!("{key}0"),
            key[..42].to_owned(),
            key.replace("ul_", "ul-"),
            "ul_é".into(),
        ] {
            assert!(KeySecret::parse(&bad).is_none(), "{bad}");
        }
    }
}
