//! Authorization codes: the request that each belongs to, and redeeming them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use ring::digest;

use super::{form::OAuthForm, issued::Issued, persona::Persona};

/// The request that a code belongs to, and the identity that it stands for.
#[derive(Debug, Clone)]
pub struct CodeBinding {
    /// The client that asked.
    pub client_id: String,
    /// The URI that got the code.
    pub redirect_uri: String,
    /// The requested scope.
    pub scope: String,
    /// The nonce for the ID token.
    pub nonce: Option<String>,
    /// The challenge of PKCE, by the method S256.
    pub challenge: String,
    /// The identity that signed in.
    pub persona: Persona,
}

/// Why a token request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// The request is malformed.
    Request(&'static str),
    /// The credentials of the client are wrong.
    Client,
    /// The grant type is not supported.
    GrantType,
    /// The code is unknown, redeemed, expired, or another client's.
    Code,
    /// The code was sent to another redirect URI.
    RedirectUri,
    /// The verifier is not that of the challenge.
    Verifier,
    /// The provider itself failed.
    Failed,
}

/// Redeems a code for an authenticated client. An attempt with a wrong redirect URI or verifier ends the code, too: only somebody
/// who stole it would make one.
pub fn redeem(
    codes: &Issued<CodeBinding>,
    form: &OAuthForm,
    client_id: &str,
    now: Timestamp,
) -> Result<CodeBinding, TokenRefusal> {
    let code = form.get("code").ok_or(TokenRefusal::Request("Provide code."))?;
    let redirect_uri = form.get("redirect_uri").ok_or(TokenRefusal::Request("Provide redirect_uri."))?;
    let verifier = form.get("code_verifier").ok_or(TokenRefusal::Request("Provide code_verifier."))?;
    let binding = codes.take(code, now).ok_or(TokenRefusal::Code)?;
    if binding.client_id != client_id {
        return Err(TokenRefusal::Code);
    }
    if binding.redirect_uri != redirect_uri {
        return Err(TokenRefusal::RedirectUri);
    }
    if !is_verifier(verifier) || challenge_of(verifier) != binding.challenge {
        return Err(TokenRefusal::Verifier);
    }
    Ok(binding)
}

/// Whether a challenge has the form of the method S256: a SHA-256 hash in base64url ([RFC 7636, section 4.2]).
///
/// [RFC 7636, section 4.2]: https://www.rfc-editor.org/rfc/rfc7636#section-4.2
pub fn is_challenge(challenge: &str) -> bool {
    BASE64_URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|hash| hash.len() == digest::SHA256_OUTPUT_LEN)
}

fn challenge_of(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// Whether a verifier has the form of [RFC 7636, section 4.1].
///
/// [RFC 7636, section 4.1]: https://www.rfc-editor.org/rfc/rfc7636#section-4.1
fn is_verifier(verifier: &str) -> bool {
    let is_unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    (43..=128).contains(&verifier.len()) && verifier.chars().all(is_unreserved)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::idp::testing::{CHALLENGE, VERIFIER, form};

    const CALLBACK: &str = "https://app.example/callback";

    /// Redeems a code for a form with these changes, after some seconds.
    fn redeemed(changed: &[(&str, &str)], client_id: &str, after: i64) -> Result<String, TokenRefusal> {
        let codes = Issued::new("", SignedDuration::from_secs(60));
        let persona = Persona::built_in().next().unwrap();
        let binding = CodeBinding {
            client_id: "client".to_owned(),
            redirect_uri: CALLBACK.to_owned(),
            scope: String::new(),
            nonce: None,
            challenge: CHALLENGE.to_owned(),
            persona,
        };
        let code = codes.issue(binding, Timestamp::UNIX_EPOCH);
        let complete = [("code", code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        let now = Timestamp::from_second(after).unwrap();
        let redeemed = redeem(&codes, &form(&complete, changed), client_id, now)?;
        assert_eq!(redeem(&codes, &form(&complete, &[]), client_id, now).unwrap_err(), TokenRefusal::Code);
        Ok(redeemed.persona.subject)
    }

    #[test]
    fn code_is_redeemed_once_by_its_client() {
        assert_eq!(redeemed(&[], "client", 59).unwrap(), "1001");
        assert_eq!(redeemed(&[], "other", 59), Err(TokenRefusal::Code));
    }

    #[test]
    fn expired_and_unknown_codes_are_refused() {
        assert_eq!(redeemed(&[], "client", 60), Err(TokenRefusal::Code));
        assert_eq!(redeemed(&[("code", "unknown")], "client", 0), Err(TokenRefusal::Code));
    }

    #[test]
    fn other_redirect_uri_or_verifier_is_refused() {
        let other = [("redirect_uri", "https://app.example/callback?a=1")];
        assert_eq!(redeemed(&other, "client", 0), Err(TokenRefusal::RedirectUri));
        let longer = format!("{VERIFIER}A");
        for verifier in [CHALLENGE, longer.as_str(), "short"] {
            assert_eq!(redeemed(&[("code_verifier", verifier)], "client", 0), Err(TokenRefusal::Verifier));
        }
    }

    #[test]
    fn missing_parameter_is_refused() {
        for name in ["code", "redirect_uri", "code_verifier"] {
            let refused = redeemed(&[(name, "")], "client", 0);
            assert!(matches!(refused, Err(TokenRefusal::Request(_))), "{name}: {refused:?}");
        }
    }

    #[test]
    fn challenge_is_a_hash_in_base64url() {
        assert!(is_challenge(CHALLENGE));
        let padded = format!("{CHALLENGE}=");
        for wrong in ["", "short", VERIFIER.get(1..).unwrap(), padded.as_str()] {
            assert!(!is_challenge(wrong), "{wrong}");
        }
    }
}
