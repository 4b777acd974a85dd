//! JSON Web Tokens ([RFC 7519]): our own, EdDSA with Ed25519 ([RFC 8037]), and the id tokens of providers. Signed and verified
//! with ring.
//!
//! `jsonwebtoken` reads and writes them. Its own cryptography would link every algorithm that a token may name, half a
//! megabyte; TLS brings ring along already.
//!
//! [RFC 7519]: https://www.rfc-editor.org/rfc/rfc7519
//! [RFC 8037]: https://www.rfc-editor.org/rfc/rfc8037

mod crypto;
mod id_token;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Serialize, de::DeserializeOwned};

pub use id_token::{IdTokenHeader, PublicJwk, header, verify_id_token};
pub use jsonwebtoken::errors::Error;

/// The purpose of a token, from its header (`typ`). A token is invalid for any other purpose ([RFC 8725, section 3.11]).
///
/// [RFC 8725, section 3.11]: https://www.rfc-editor.org/rfc/rfc8725#section-3.11
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// It lets somebody in.
    Access,
    /// It says that an account or a team was deleted.
    DeletionReceipt,
}

impl TokenType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "JWT",
            Self::DeletionReceipt => "deletion-receipt+jwt",
        }
    }
}

/// Signs claims with a private key, PKCS #8 in DER, that `kid` names.
///
/// # Errors
///
/// Fails if the key is invalid, or if the claims are not a JSON object.
pub fn sign(of: TokenType, kid: &str, private: &[u8], claims: &impl Serialize) -> Result<String, Error> {
    crypto::install();
    let (typ, kid) = (Some(of.as_str().to_owned()), Some(kid.to_owned()));
    let header = Header { typ, kid, ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(private))
}

/// Which key a token says that it was signed with; nothing, if it is no token of this kind.
pub fn key_id(token: &str) -> Option<String> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    header.kid.filter(|_| header.alg == Algorithm::EdDSA)
}

/// What a token claims, if it is of this type and the public key `x` ([RFC 8037, section 2]) verifies it. Whether it is still good is for the caller
/// to see, by the time of the call.
///
/// [RFC 8037, section 2]: https://www.rfc-editor.org/rfc/rfc8037#section-2
pub fn verify<C: DeserializeOwned>(of: TokenType, token: &str, x: &str) -> Option<C> {
    crypto::install();
    // The caller's clock decides on `exp`, not the machine's.
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_ed_components(x).ok()?;
    let read = jsonwebtoken::decode::<C>(token, &key, &validation).ok()?;
    (read.header.typ.as_deref() == Some(of.as_str())).then_some(read.claims)
}

/// The public half of a private key, as [`verify`] takes it.
///
/// # Errors
///
/// Fails if the key is invalid.
pub fn public_key(private: &[u8]) -> Result<String, Error> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(crypto::public_key(private)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::prelude::BASE64_STANDARD;

    use super::*;

    /// The key, the token and the claims of RFC 8037, appendix A: a JWS over no JSON. Its key is used here.
    const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn private() -> Vec<u8> {
        let before = BASE64_STANDARD.decode("MC4CAQAwBQYDK2VwBCIEIA==").unwrap();
        before.into_iter().chain(BASE64_URL_SAFE_NO_PAD.decode(SEED).unwrap()).collect()
    }

    #[test]
    fn the_public_key_is_that_of_the_rfc() {
        assert_eq!(public_key(&private()).unwrap(), X);
        assert!(public_key(b"no key").is_err());
    }

    #[test]
    fn what_was_signed_is_verified_and_nothing_else() {
        let claims = BTreeMap::from([("sub".to_owned(), "ada".to_owned())]);
        let token = sign(TokenType::Access, "k1", &private(), &claims).unwrap();
        assert_eq!(key_id(&token).as_deref(), Some("k1"));
        assert_eq!(verify::<BTreeMap<String, String>>(TokenType::Access, &token, X), Some(claims));
        let parts: Vec<&str> = token.split('.').collect();
        let forged = [
            format!("{}.{}.{}", parts[0], BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"bob"}"#), parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
        ];
        for token in forged {
            assert_eq!(verify::<BTreeMap<String, String>>(TokenType::Access, &token, X), None, "{token}");
        }
        for x in ["", "AAAA", &"A".repeat(43)] {
            assert_eq!(verify::<BTreeMap<String, String>>(TokenType::Access, &token, x), None, "{x}");
        }
        let other = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"k1"}"#);
        assert_eq!(key_id(&format!("{other}.{}.{}", parts[1], parts[2])), None);
    }

    /// A token with this header and a genuine signature.
    fn signed(header: &str) -> String {
        crypto::install();
        let part = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        let message = format!("{}.{}", part(header), part(r#"{"sub":"ada"}"#));
        let key = EncodingKey::from_ed_der(&private());
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    #[test]
    fn other_algorithm_is_refused_though_the_signature_is_genuine() {
        let verified =
            |token: &str| verify::<BTreeMap<String, String>>(TokenType::Access, token, X).is_some();
        assert!(verified(&signed(r#"{"typ":"JWT","alg":"EdDSA","kid":"k1"}"#)));
        for algorithm in ["ES256", "ES384", "HS256", "RS256", "none", "eddsa", ""] {
            let token = signed(&format!(r#"{{"typ":"JWT","alg":"{algorithm}","kid":"k1"}}"#));
            assert!(!verified(&token), "{algorithm}");
            assert_eq!(key_id(&token), None, "{algorithm}");
        }
    }

    #[test]
    fn unknown_critical_header_is_refused() {
        let token = signed(r#"{"typ":"JWT","alg":"EdDSA","kid":"k1","crit":["b64x"],"b64x":true}"#);
        assert_eq!(verify::<BTreeMap<String, String>>(TokenType::Access, &token, X), None);
    }

    #[test]
    fn a_receipt_is_no_access_token_and_an_access_token_no_receipt() {
        let claims = BTreeMap::from([("sub".to_owned(), "ada".to_owned())]);
        for (of, other) in
            [(TokenType::Access, TokenType::DeletionReceipt), (TokenType::DeletionReceipt, TokenType::Access)]
        {
            let token = sign(of, "k1", &private(), &claims).unwrap();
            assert_eq!(verify(of, &token, X).as_ref(), Some(&claims), "{of:?}");
            assert_eq!(verify::<BTreeMap<String, String>>(other, &token, X), None, "{of:?}");
        }
        let untyped = Header { typ: None, ..Header::new(Algorithm::EdDSA) };
        let token = jsonwebtoken::encode(&untyped, &claims, &EncodingKey::from_ed_der(&private())).unwrap();
        assert_eq!(verify::<BTreeMap<String, String>>(TokenType::Access, &token, X), None);
    }

    #[test]
    fn the_signature_is_that_of_the_rfc() {
        let key = EncodingKey::from_ed_der(&private());
        crypto::install();
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(jsonwebtoken::crypto::sign(message, &key, Algorithm::EdDSA).unwrap(), signature);
    }
}
