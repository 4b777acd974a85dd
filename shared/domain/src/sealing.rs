//! Authenticated encryption of stored values: AES-256-GCM with a random nonce. Additional data binds a value to its place, so that
//! it opens nowhere else.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::entropy::{self, Entropy};

const FORMAT: u8 = 1;
const NONCE_LENGTH: usize = 12;

/// An encrypted value: format, nonce, ciphertext and tag in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(***)")
    }
}

/// Why a value was not encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value was changed, or sealed with another key or for another place.
    #[error("sealed value can't be read")]
    Unreadable,
    /// The key or the value is of a length that the cipher does not take.
    #[error("value can't be sealed")]
    Unsealable,
}

/// A key for sealed values.
pub struct SealingKey(Aes256Gcm);

impl SealingKey {
    /// Makes a key of 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SealError> {
        Aes256Gcm::new_from_slice(bytes).map(Self).map_err(|_| SealError::Unsealable)
    }

    /// Encrypts a value in the place that `parts` name.
    pub fn seal(&self, parts: &[&[u8]], value: &[u8], entropy: &dyn Entropy) -> Result<Sealed, SealError> {
        let nonce: [u8; NONCE_LENGTH] = entropy::bytes(entropy);
        let payload = Payload { msg: value, aad: &additional_data(parts) };
        let ciphertext = self.0.encrypt(&nonce.into(), payload).map_err(|_| SealError::Unsealable)?;
        let sealed: Vec<u8> = std::iter::once(FORMAT).chain(nonce).chain(ciphertext).collect();
        Ok(Sealed(BASE64_STANDARD.encode(sealed)))
    }

    /// Decrypts a value of the same place.
    pub fn open(&self, parts: &[&[u8]], sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        self.open_bytes(parts, sealed).ok_or(SealError::Unreadable)
    }

    fn open_bytes(&self, parts: &[&[u8]], sealed: &Sealed) -> Option<Vec<u8>> {
        let bytes = BASE64_STANDARD.decode(&sealed.0).ok()?;
        let (format, rest) = bytes.split_first()?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LENGTH)?;
        let nonce: [u8; NONCE_LENGTH] = nonce.try_into().ok()?;
        let payload = Payload { msg: ciphertext, aad: &additional_data(parts) };
        (*format == FORMAT).then(|| self.0.decrypt(&nonce.into(), payload).ok())?
    }
}

/// The parts, each preceded by its length, so that different lists of parts differ.
fn additional_data(parts: &[&[u8]]) -> Vec<u8> {
    let with_length = |part: &&[u8]| [(part.len() as u64).to_be_bytes().as_slice(), *part].concat();
    parts.iter().flat_map(with_length).collect()
}
