//! The key of a request (<https://docs.stripe.com/api/authentication>).

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};

use crate::api_error::ApiError;

/// Checks the secret key: `Authorization: Bearer sk_…`, or Basic with the key as the user.
///
/// # Errors
///
/// 401, if there is no key, or another one.
pub(crate) fn check(headers: &HeaderMap, secret_key: &str) -> Result<(), ApiError> {
    let Some(given) = headers.get(AUTHORIZATION).and_then(|header| key(header.to_str().ok()?)) else {
        let message = "You did not provide an API key. Use `Authorization: Bearer <key>`.";
        return Err(ApiError::unauthorized(message));
    };
    if given == secret_key {
        return Ok(());
    }
    let shown: String = given.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    Err(ApiError::unauthorized(format!("Invalid API Key provided: ****{shown}")))
}

fn key(header: &str) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(value.trim().to_owned()),
        "basic" => {
            let text = String::from_utf8(BASE64_STANDARD.decode(value.trim()).ok()?).ok()?;
            Some(text.split_once(':').map_or(text.as_str(), |(user, _)| user).to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check_header(value: &str) -> Result<(), ApiError> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
        check(&headers, "sk_test_1234")
    }

    #[test]
    fn key_is_taken_from_both_schemes() {
        assert!(check_header("Bearer sk_test_1234").is_ok());
        assert!(check_header(&format!("Basic {}", BASE64_STANDARD.encode("sk_test_1234:"))).is_ok());
    }

    #[test]
    fn wrong_key_is_refused_without_showing_it() {
        for value in ["Bearer sk_test_other", "Digest sk_test_1234", "Basic ?", "sk_test_1234"] {
            let error = check_header(value).unwrap_err();
            assert_eq!(error.status, 401, "{value}");
            assert!(!error.message.contains("sk_test"), "{value}");
        }
        assert_eq!(check(&HeaderMap::new(), "sk_test_1234").unwrap_err().status, 401);
    }
}
