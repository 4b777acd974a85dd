//! AES-256-GCM as in KMS: the encryption context is authenticated, and the ciphertext identifies the key and the
//! version of its material (<https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>).
//!
//! Ciphertext layout: `1`, 16 bytes key id, 4 bytes version, 12 bytes nonce, encrypted bytes, tag. The first 21 bytes
//! are authenticated.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};

use crate::durable;

/// Key material.
pub(crate) type Material = [u8; 32];
/// An encryption context, sorted because its order has no meaning.
pub(crate) type EncryptionContext = BTreeMap<String, String>;

const FORMAT: u8 = 1;
const HEAD: usize = 21;
const NONCE: usize = 12;

/// The key and the version of its material that a ciphertext identifies.
#[derive(Clone, Copy)]
pub(super) struct KeyVersion {
    pub(super) key: u128,
    pub(super) version: u32,
}

impl KeyVersion {
    fn head(self) -> Vec<u8> {
        let mut head = vec![FORMAT];
        head.extend(self.key.to_be_bytes());
        head.extend(self.version.to_be_bytes());
        head
    }

    /// Parses the header of a ciphertext.
    pub(super) fn read(blob: &[u8]) -> Option<Self> {
        let (head, _) = blob.split_at_checked(HEAD)?;
        let (&format, rest) = head.split_first()?;
        let (key, version) = rest.split_at_checked(16)?;
        (format == FORMAT).then_some(Self {
            key: u128::from_be_bytes(key.try_into().ok()?),
            version: u32::from_be_bytes(version.try_into().ok()?),
        })
    }
}

/// Encrypts with a random nonce. Returns `None` only if the plaintext exceeds the limit of AES-GCM.
pub(super) fn seal(
    named: KeyVersion,
    material: &Material,
    context: &EncryptionContext,
    plain: &[u8],
) -> Option<Vec<u8>> {
    let mut blob = named.head();
    let nonce: [u8; NONCE] = durable::random();
    let aad = authenticated(&blob, context);
    let sealed = cipher(material).encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &aad }).ok()?;
    blob.extend(nonce);
    blob.extend(sealed);
    Some(blob)
}

/// Decrypts a ciphertext of [`seal`] with the same context.
pub(super) fn open(material: &Material, context: &EncryptionContext, blob: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = blob.split_at_checked(HEAD)?;
    let (nonce, sealed) = rest.split_at_checked(NONCE)?;
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    let aad = authenticated(head, context);
    cipher(material).decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad: &aad }).ok()
}

fn cipher(material: &Material) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*material))
}

/// The additional authenticated data. Each name and value is preceded by its length, so that the encoding is
/// unambiguous.
fn authenticated(head: &[u8], context: &EncryptionContext) -> Vec<u8> {
    let mut aad = head.to_vec();
    for text in context.iter().flat_map(|(name, value)| [name, value]) {
        aad.extend((text.len() as u64).to_be_bytes());
        aad.extend(text.as_bytes());
    }
    aad
}
