//! Id tokens of providers ([OpenID Connect Core, section 2]): their signature and their form. The claims are the caller's to judge.
//!
//! [OpenID Connect Core, section 2]: https://openid.net/specs/openid-connect-core-1_0.html#IDToken

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, de::DeserializeOwned};

use crate::crypto;

/// What the header of an id token says about its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdTokenHeader {
    /// The id of the key; absent if the provider has one key only.
    pub kid: Option<String>,
    algorithm: Algorithm,
}

/// A public key of a provider's key set ([RFC 7517]). Keys of other types and for other uses don't parse as one that verifies.
///
/// [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PublicJwk {
    kty: String,
    /// The id of the key.
    #[serde(default)]
    pub kid: Option<String>,
    #[serde(default)]
    r#use: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl PublicJwk {
    fn key(&self, algorithm: Algorithm) -> Option<DecodingKey> {
        let is_for_signatures = self.r#use.as_deref().is_none_or(|purpose| purpose == "sig");
        let named = self.alg.as_deref().is_none_or(|name| name == format!("{algorithm:?}"));
        if !is_for_signatures || !named {
            return None;
        }
        match (algorithm, self.kty.as_str(), self.crv.as_deref()) {
            (Algorithm::RS256, "RSA", _) => {
                DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?).ok()
            }
            (Algorithm::ES256, "EC", Some("P-256")) => {
                DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?).ok()
            }
            _ => None,
        }
    }
}

/// The header of a token, if it is a JWT that an id token's algorithm signed: RS256, which every provider has, or ES256.
pub fn header(token: &str) -> Option<IdTokenHeader> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    let algorithm = header.alg;
    matches!(algorithm, Algorithm::RS256 | Algorithm::ES256)
        .then_some(IdTokenHeader { kid: header.kid, algorithm })
}

/// The claims of an id token, if this key verifies it. The caller judges the claims, by the time of the call.
pub fn verify_id_token<C: DeserializeOwned>(
    token: &str,
    header: &IdTokenHeader,
    key: &PublicJwk,
) -> Option<C> {
    crypto::install();
    let mut validation = Validation::new(header.algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let key = key.key(header.algorithm)?;
    jsonwebtoken::decode::<C>(token, &key, &validation).ok().map(|read| read.claims)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Map = BTreeMap<String, serde_json::Value>;

    /// The example of RFC 7515, appendix A.2: RS256.
    const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    /// The example of RFC 7515, appendix A.3: ES256.
    const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn jwk(json: &str) -> PublicJwk {
        serde_json::from_str(json).unwrap()
    }

    fn rsa() -> PublicJwk {
        jwk(&format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB"}}"#))
    }

    fn p256() -> PublicJwk {
        jwk(&format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"}}"#))
    }

    fn verified(token: &str, key: &PublicJwk) -> bool {
        header(token).is_some_and(|header| verify_id_token::<Map>(token, &header, key).is_some())
    }

    #[test]
    fn tokens_of_the_rfc_are_verified_with_their_own_keys_only() {
        assert!(verified(RS256, &rsa()));
        assert!(verified(ES256, &p256()));
        assert!(!verified(RS256, &p256()));
        assert!(!verified(ES256, &rsa()));
        let other = jwk(&format!(r#"{{"kty":"EC","crv":"P-256","x":"{Y}","y":"{X}"}}"#));
        assert!(!verified(ES256, &other));
    }

    #[test]
    fn changed_token_is_refused() {
        let (rest, _) = RS256.rsplit_once('.').unwrap();
        for token in [format!("{rest}."), format!("{rest}.AAAA"), RS256.replacen("eyJpc3Mi", "eyJpc3Mj", 1)] {
            assert!(!verified(&token, &rsa()), "{token}");
        }
    }

    #[test]
    fn key_for_another_use_or_algorithm_is_refused() {
        let with = |more: &str| jwk(&format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB",{more}}}"#));
        assert!(verified(RS256, &with(r#""use":"sig","alg":"RS256""#)));
        for more in [r#""use":"enc""#, r#""alg":"RS512""#, r#""alg":"none""#] {
            assert!(!verified(RS256, &with(more)), "{more}");
        }
    }
}
