//! The claims of an id token, and what they must be ([OpenID Connect Core, section 3.1.3.7]).
//!
//! [OpenID Connect Core, section 3.1.3.7]: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation

use domain::{
    Timestamp,
    email::EmailAddress,
    provider::{AuthorizationError, CLOCK_SKEW, Provider, ProviderIdentity},
};
use jwt::{IdTokenHeader, PublicJwk, verify_id_token};
use serde::Deserialize;

/// The maximum length of a subject (section 2).
const LONGEST_SUBJECT: usize = 255;

#[derive(Deserialize)]
struct IdTokenClaims {
    iss: String,
    sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nonce: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What a token must say.
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub now: Timestamp,
}

/// The person that a token names, if one of the keys verifies it and it was issued for this authorization.
pub fn identity(
    token: &str,
    header: &IdTokenHeader,
    keys: &[PublicJwk],
    expected: &Expected<'_>,
) -> Result<ProviderIdentity, AuthorizationError> {
    let verified = keys.iter().find_map(|key| verify_id_token::<IdTokenClaims>(token, header, key));
    let claims = verified.filter(|claims| claims.are_as(expected)).ok_or(AuthorizationError::Invalid)?;
    Ok(ProviderIdentity {
        provider: Provider::Google,
        issuer: expected.issuer.to_owned(),
        email: claims.email.and_then(|email| EmailAddress::parse(&email).ok()),
        email_verified: claims.email_verified == Some(true),
        subject: claims.sub,
    })
}

impl IdTokenClaims {
    fn are_as(&self, expected: &Expected<'_>) -> bool {
        let skew = CLOCK_SKEW.as_secs();
        let now = expected.now.as_second();
        is_issuer(&self.iss, expected.issuer)
            && self.is_for(expected.client_id)
            && self.exp > now.saturating_sub(skew)
            && self.iat <= now.saturating_add(skew)
            && self.nonce == expected.nonce
            && (1..=LONGEST_SUBJECT).contains(&self.sub.len())
    }

    /// A token for several audiences must name the one that it was issued to.
    fn is_for(&self, client_id: &str) -> bool {
        let (is_audience, is_shared) = match &self.aud {
            Audience::One(one) => (one == client_id, false),
            Audience::Several(all) => (all.iter().any(|one| one == client_id), all.len() > 1),
        };
        is_audience && self.azp.as_deref().map_or(!is_shared, |party| party == client_id)
    }
}

/// Google leaves out the scheme in some tokens ([claims]).
///
/// [claims]: https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
fn is_issuer(claimed: &str, issuer: &str) -> bool {
    claimed == issuer || (issuer == "https://accounts.google.com" && claimed == "accounts.google.com")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn claims() -> Value {
        json!({
            "iss": "https://issuer.example", "sub": "1", "aud": "client", "azp": "client", "exp": NOW + 10, "iat": NOW - 10,
            "nonce": "n", "email": "ada@people.example", "email_verified": true,
        })
    }

    fn are_good(claims: &Value) -> bool {
        let expected = Expected {
            issuer: "https://issuer.example",
            client_id: "client",
            nonce: "n",
            now: Timestamp::from_second(NOW).unwrap(),
        };
        serde_json::from_value::<IdTokenClaims>(claims.clone()).is_ok_and(|claims| claims.are_as(&expected))
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    #[test]
    fn required_claim_must_be_there_and_of_its_type() {
        assert!(are_good(&claims()));
        for name in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
            let mut without = claims();
            without.as_object_mut().unwrap().remove(name);
            assert!(!are_good(&without), "{name}");
            for other in [json!(null), json!(true), json!({}), json!([1]), json!(1.5)] {
                assert!(!are_good(&with(name, other.clone())), "{name} {other}");
            }
        }
        for (name, other) in
            [("email_verified", json!("true")), ("email", json!(1)), ("azp", json!(["client"]))]
        {
            assert!(!are_good(&with(name, other)), "{name}");
        }
        for name in ["email", "email_verified", "azp"] {
            assert!(are_good(&with(name, json!(null))), "{name}");
        }
    }

    #[test]
    fn claim_with_another_value_is_refused() {
        let wrong = [
            ("iss", json!("https://issuer.example/")),
            ("iss", json!("issuer.example")),
            ("sub", json!("")),
            ("sub", json!("s".repeat(256))),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("aud", json!([])),
            ("azp", json!("other")),
            ("exp", json!(NOW - 60)),
            ("iat", json!(NOW + 61)),
            ("nonce", json!("m")),
            ("nonce", json!("")),
        ];
        for (name, value) in wrong {
            assert!(!are_good(&with(name, value.clone())), "{name} {value}");
        }
        let right = [
            ("sub", json!("s".repeat(255))),
            ("aud", json!(["client"])),
            ("aud", json!(["other", "client"])),
            ("exp", json!(NOW - 59)),
            ("iat", json!(NOW + 60)),
        ];
        for (name, value) in right {
            assert!(are_good(&with(name, value.clone())), "{name} {value}");
        }
    }

    #[test]
    fn token_for_several_audiences_names_its_party() {
        let mut claims = with("aud", json!(["other", "client"]));
        claims.as_object_mut().unwrap().remove("azp");
        assert!(!are_good(&claims));
        claims["aud"] = json!(["client"]);
        assert!(are_good(&claims));
    }
}
