//! Secrets have types: no `Debug`, no `Serialize`, zeroed when dropped, shown only by [`Secret::expose`].

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A text that must never reach a log, an error or a table.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the response or email that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A 256-bit key for derivation and authentication ([RFC 2104]).
///
/// [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MacKey([u8; 32]);

impl MacKey {
    /// Makes a key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Makes a key of a text with at least 128 bits of entropy.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// HMAC-SHA-256 over `purpose` and `parts`. Each part is preceded by its length, so that different lists of parts
    /// cannot collide.
    pub fn derive(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        // A key shorter than the hash's block of 64 bytes is padded with zeros (RFC 2104, section 2).
        let mut block = [0; 64];
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// 32 derived bytes that are unpredictable without the key: the secret part of a token that is not stored.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Derived([u8; 32]);

impl Derived {
    /// Derives the bytes, as [`MacKey::derive`] does.
    pub fn new(key: &MacKey, purpose: &str, parts: &[&[u8]]) -> Self {
        Self(key.derive(purpose, parts))
    }

    /// Parses the output of [`Derived::text`].
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(decode_base64(text)?.try_into().ok()?))
    }

    /// URL-safe base64 without padding, 43 characters.
    pub fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The bytes, for a key.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Decodes URL-safe base64 without padding, the encoding of tokens.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// SHA-256 of a secret, stored instead of the secret. Safe only for secrets of at least 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest256([u8; 32]);

impl Digest256 {
    /// Hashes `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes.as_ref()).into())
    }

    /// Hashes the concatenation of two texts.
    pub fn of_both(first: &str, second: &str) -> Self {
        Self(Sha256::new_with_prefix(first).chain_update(second).finalize().into())
    }

    /// Wraps a computed hash.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Lower-case hexadecimal.
    pub fn to_hex(self) -> Hex {
        Hex::of(self.0)
    }

    /// URL-safe base64 without padding, 43 characters.
    pub fn to_base64(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Parses the output of [`Digest256::to_base64`].
    pub fn from_base64(text: &str) -> Option<Self> {
        Some(Self(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    /// The first byte.
    pub fn first_byte(self) -> u8 {
        let [first, ..] = self.0;
        first
    }

    /// The first 128 bits.
    pub fn first_half(self) -> u128 {
        u128::from_be_bytes(self.0.first_chunk::<16>().copied().unwrap_or_default())
    }

    /// The first 32 bits.
    pub fn first_bits(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Compares in constant time.
    pub fn matches(self, other: Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// 32 bytes in lower-case hexadecimal, 64 characters.
#[derive(Clone, Copy)]
pub struct Hex([u8; 64]);

impl Hex {
    /// Writes `bytes`, which are 32.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        let mut digits = [b'0'; 64];
        // 32 bytes fill the array exactly.
        let _ = hex::encode_to_slice(bytes, &mut digits);
        Self(digits)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for Digest256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest256(***)")
    }
}

impl serde::Serialize for Digest256 {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_base64())
    }
}

impl<'de> serde::Deserialize<'de> for Digest256 {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::from_base64(&text).ok_or_else(|| serde::de::Error::custom("not a SHA-256 in base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_part_boundary_changes_derived_bytes() {
        let key = MacKey::new([7; 32]);
        assert_ne!(key.derive("p", &[b"ab", b"c"]), key.derive("p", &[b"a", b"bc"]));
        assert_ne!(key.derive("p", &[b"a"]), key.derive("pa", &[]));
    }

    #[test]
    fn digest_parses_back_and_is_hidden_in_debug() {
        let digest = Digest256::of("secret");
        assert_eq!(Digest256::from_base64(&digest.to_base64()), Some(digest));
        assert_eq!(format!("{digest:?}"), "Digest256(***)");
        assert!(digest.to_hex().as_str().starts_with("2bb80d53"));
    }
}
