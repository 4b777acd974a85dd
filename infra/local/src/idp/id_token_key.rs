//! The key that signs ID tokens: ES256, because ring makes no RSA keys.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    digest,
    error::Unspecified,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

/// The length of a coordinate of P-256 in bytes.
const COORDINATE: usize = 32;

/// A key for ID tokens, made at the start of the platform.
pub struct IdTokenKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    kid: String,
    x: String,
    y: String,
}

impl IdTokenKey {
    /// Makes a key.
    ///
    /// # Errors
    ///
    /// Fails without randomness from the operating system.
    pub fn generate() -> Result<Self, Unspecified> {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random)?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random)?;
        // An uncompressed point: a byte that says so, then both coordinates.
        let point = pair.public_key().as_ref().get(1..).ok_or(Unspecified)?;
        let (x, y) = point.split_at_checked(COORDINATE).ok_or(Unspecified)?;
        let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y));
        Ok(Self { kid: thumbprint(&x, &y), pair, random, x, y })
    }

    /// The public half as a JSON Web Key Set.
    pub fn key_set(&self) -> Value {
        let Self { kid, x, y, .. } = self;
        json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256" },
        ] })
    }

    /// Signs claims.
    ///
    /// # Errors
    ///
    /// Fails without randomness from the operating system.
    pub fn sign(&self, claims: &Value) -> Result<String, Unspecified> {
        let header = json!({ "alg": "ES256", "kid": self.kid, "typ": "JWT" });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.pair.sign(&self.random, signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The thumbprint of a key ([RFC 7638]): its required members in the order of the alphabet, hashed.
///
/// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
fn thumbprint(x: &str, y: &str) -> String {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// Verifies a token with a key set, as a client does.
    fn verified(token: &str, keys: &Value) -> Option<Value> {
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let header: Value = serde_json::from_slice(&decode(header)).unwrap();
        let key = keys.pointer("/keys/0").filter(|key| key.get("kid") == header.get("kid"))?;
        let coordinate = |name: &str| decode(key.get(name).and_then(Value::as_str).unwrap());
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        public.verify(signed.as_bytes(), &decode(signature)).ok()?;
        serde_json::from_slice(&decode(claims)).ok()
    }

    #[test]
    fn token_is_verified_with_the_key_set() {
        let key = IdTokenKey::generate().unwrap();
        let claims = json!({ "sub": "1001", "name": "山田 花子" });
        let token = key.sign(&claims).unwrap();
        assert_eq!(verified(&token, &key.key_set()), Some(claims));
        let (_, signature) = token.rsplit_once('.').unwrap();
        let other = key.sign(&json!({ "sub": "1002" })).unwrap();
        let (signed, _) = other.rsplit_once('.').unwrap();
        assert_eq!(verified(&format!("{signed}.{signature}"), &key.key_set()), None);
        assert_eq!(verified(&token, &IdTokenKey::generate().unwrap().key_set()), None, "another key");
    }
}
