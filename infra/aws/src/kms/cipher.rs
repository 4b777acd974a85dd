//! AES-256-GCM as KMS uses it: the encryption context is authenticated, and the ciphertext names the key and
//! the version of its material
//! (<https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>).
//!
//! Layout of a ciphertext: `1`, 16 bytes key id, 4 bytes version, 12 bytes nonce, the sealed bytes and their
//! tag. Its first 21 bytes are authenticated too.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};

use crate::durable;

/// Key material.
pub(crate) type Material = [u8; 32];
/// An encryption context; sorted, as its order means nothing.
pub(crate) type Context = BTreeMap<String, String>;

const FORMAT: u8 = 1;
const HEAD: usize = 21;
const NONCE: usize = 12;

/// Which key, and which version of it, a ciphertext names.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) key: u128,
    pub(super) version: u32,
}

impl Named {
    fn head(self) -> Vec<u8> {
        let mut head = vec![FORMAT];
        head.extend(self.key.to_be_bytes());
        head.extend(self.version.to_be_bytes());
        head
    }

    /// Reads the head of a ciphertext.
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

/// Seals bytes under a fresh nonce. `None` only for more bytes than AES-GCM takes.
pub(super) fn seal(named: Named, material: &Material, context: &Context, plain: &[u8]) -> Option<Vec<u8>> {
    let mut blob = named.head();
    let nonce: [u8; NONCE] = durable::random();
    let aad = authenticated(&blob, context);
    let sealed = cipher(material).encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &aad }).ok()?;
    blob.extend(nonce);
    blob.extend(sealed);
    Some(blob)
}

/// Opens what [`seal`] sealed under the same context.
pub(super) fn open(material: &Material, context: &Context, blob: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = blob.split_at_checked(HEAD)?;
    let (nonce, sealed) = rest.split_at_checked(NONCE)?;
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    let aad = authenticated(head, context);
    cipher(material).decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad: &aad }).ok()
}

fn cipher(material: &Material) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*material))
}

/// Every name and value is preceded by its length, so that no two contexts read the same.
fn authenticated(head: &[u8], context: &Context) -> Vec<u8> {
    let mut aad = head.to_vec();
    for text in context.iter().flat_map(|(name, value)| [name, value]) {
        aad.extend((text.len() as u64).to_be_bytes());
        aad.extend(text.as_bytes());
    }
    aad
}
