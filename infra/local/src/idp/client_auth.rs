//! The credentials of a client at the token endpoint, in the form or in the header `Authorization` ([RFC 6749, section 2.3.1]).
//!
//! [RFC 6749, section 2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use percent_encoding::percent_decode_str;

use super::{codes::TokenRefusal, form::OAuthForm, provider::CLIENT_SECRET};

/// Checks the credentials of the client, which may use one of both methods.
pub fn authenticate(headers: &HeaderMap, form: &OAuthForm, client_id: &str) -> Result<(), TokenRefusal> {
    let in_form = form.get("client_secret").map(str::to_owned);
    let named = form.get("client_id");
    let (id, secret) = match (headers.get(AUTHORIZATION), in_form) {
        (Some(_), Some(_)) => {
            return Err(TokenRefusal::Request("Authenticate in the header or in the form, not in both."));
        }
        (Some(header), None) => basic(header).ok_or(TokenRefusal::Client)?,
        (None, Some(secret)) => (named.unwrap_or_default().to_owned(), secret),
        (None, None) => return Err(TokenRefusal::Client),
    };
    let is_known = id == client_id && secret == CLIENT_SECRET && named.is_none_or(|named| named == id);
    is_known.then_some(()).ok_or(TokenRefusal::Client)
}

/// The id and the secret in a header. Both are form-encoded before they are joined.
fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (decoded(id), decoded(secret)))
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idp::testing::form;

    fn headers(scheme: &str, credentials: &str) -> HeaderMap {
        let value = format!("{scheme} {}", BASE64_STANDARD.encode(credentials));
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&value).unwrap())])
    }

    #[test]
    fn credentials_in_the_form_are_checked() {
        let check = |id, secret| {
            let form = form(&[("client_id", id), ("client_secret", secret)], &[]);
            authenticate(&HeaderMap::new(), &form, "local-google")
        };
        assert_eq!(check("local-google", "local-secret"), Ok(()));
        for (id, secret) in
            [("local-google", "wrong"), ("local-github", "local-secret"), ("local-google", ""), ("", "")]
        {
            assert_eq!(check(id, secret), Err(TokenRefusal::Client), "{id} {secret}");
        }
    }

    #[test]
    fn credentials_in_the_header_are_checked() {
        let check = |headers: &HeaderMap| authenticate(headers, &form(&[], &[]), "local-google");
        assert_eq!(check(&headers("Basic", "local-google:local-secret")), Ok(()));
        assert_eq!(check(&headers("basic", "local%2Dgoogle:local-secret")), Ok(()));
        for (scheme, credentials) in [
            ("Basic", "local-google:wrong"),
            ("Basic", "local-github:local-secret"),
            ("Basic", "local-google"),
            ("Bearer", "local-google:local-secret"),
        ] {
            assert_eq!(check(&headers(scheme, credentials)), Err(TokenRefusal::Client), "{credentials}");
        }
    }

    #[test]
    fn credentials_in_both_places_are_refused() {
        let right = headers("Basic", "local-google:local-secret");
        let secret = form(&[("client_id", "local-google"), ("client_secret", "local-secret")], &[]);
        let refused = authenticate(&right, &secret, "local-google");
        assert!(matches!(refused, Err(TokenRefusal::Request(_))), "{refused:?}");
        let id = |id| form(&[("client_id", id)], &[]);
        assert_eq!(authenticate(&right, &id("local-google"), "local-google"), Ok(()));
        assert_eq!(authenticate(&right, &id("local-github"), "local-google"), Err(TokenRefusal::Client));
    }
}
