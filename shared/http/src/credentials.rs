//! Reads credentials from headers and cookies. Nothing here says whether a credential is genuine.

use cookie::Cookie;
use domain::{secret::Digest256, session::Claims};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::problem::{Code, Problem};

/// The cookie that holds the access token.
pub const SESSION_COOKIE: &str = "__Host-session";
/// The cookie that holds the refresh token.
pub const REFRESH_COOKIE: &str = "__Host-refresh";
/// The cookie that holds the device token.
pub const DEVICE_COOKIE: &str = "__Host-device";
/// The cookie that holds the token of a sign-up until its code is entered.
pub const SIGN_UP_COOKIE: &str = "__Host-sign-up";
/// The cookie that binds authorizations at providers to their browser.
pub const OAUTH_COOKIE: &str = "__Host-oauth";
/// The cookie that holds a sealed identity ticket.
pub const IDENTITY_COOKIE: &str = "__Host-identity";
/// The header that repeats the CSRF token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// The one credential that a request may carry.
pub enum Credential {
    /// From the `Authorization` header: an access token or an API key.
    Bearer(String),
    /// The access token of the session cookie.
    Cookie(String),
}

/// Why the credentials of a request can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Two session cookies have the same name.
    #[error("Send each session cookie only once.")]
    RepeatedCookie,
    /// The request carries two credentials.
    #[error("Send one credential, not two.")]
    TwoCredentials,
    /// The `Authorization` header has another scheme.
    #[error("Use `Authorization: Bearer <token>`.")]
    NotBearer,
}

impl From<CredentialError> for Problem {
    fn from(error: CredentialError) -> Self {
        let code = match error {
            CredentialError::RepeatedCookie | CredentialError::TwoCredentials => Code::BadRequest,
            CredentialError::NotBearer => Code::Unauthorized,
        };
        Self::new(code, error.to_string())
    }
}

/// The credential of a request, if it carries one.
pub(crate) fn credential(headers: &HeaderMap) -> Result<Option<Credential>, CredentialError> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let first = authorizations.next();
    let session = cookie(headers, SESSION_COOKIE)?;
    cookie(headers, REFRESH_COOKIE)?;
    // API Gateway joins two headers of a name by a comma, which no credential has.
    let joined = first.is_some_and(|value| value.as_bytes().contains(&b','));
    if joined || authorizations.next().is_some() || (first.is_some() && session.is_some()) {
        return Err(CredentialError::TwoCredentials);
    }
    let Some(value) = first else { return Ok(session.map(Credential::Cookie)) };
    let pair = value.to_str().ok().and_then(|value| value.split_once(' '));
    let bearer = pair.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) = bearer.ok_or(CredentialError::NotBearer)?;
    Ok(Some(Credential::Bearer(token.trim().to_owned())))
}

/// The value of a cookie. Two cookies of that name are refused: a browser keeps one `__Host-` cookie of a name, so somebody
/// else added the other, and nothing tells which.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Result<Option<String>, CredentialError> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines.flat_map(|line| Cookie::split_parse(line.to_owned())).flatten();
    let mut values = cookies.filter(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned());
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(CredentialError::RepeatedCookie),
        (value, _) => Ok(value),
    }
}

/// The `Set-Cookie` value that sets a cookie for `max_age` seconds.
pub fn set_cookie(name: &str, value: &str, max_age: i64) -> String {
    format!("{name}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Strict")
}

/// The same for a cookie that the browser also sends when a page of another site leads here: a provider's, after an authorization.
pub fn set_cross_site_cookie(name: &str, value: &str, max_age: i64) -> String {
    format!("{name}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Lax")
}

/// The scope of the `Idempotency-Key` of a request with this cookie.
pub(crate) fn cookie_scope(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = cookie(headers, name).ok().flatten()?;
    Some(format!("{name}/{}", Digest256::of(value).to_base64()))
}

/// The headers that remove the cookies of a session.
pub fn forget_cookies() -> Vec<(HeaderName, HeaderValue)> {
    let gone = [SESSION_COOKIE, REFRESH_COOKIE].map(|name| set_cookie(name, "", 0));
    gone.iter().filter_map(|line| Some((header::SET_COOKIE, HeaderValue::from_str(line).ok()?))).collect()
}

/// Whether a page of another origin has the browser send this request ([Fetch Metadata]).
///
/// [Fetch Metadata]: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
pub(crate) fn is_from_another_origin(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

/// Refuses a request of a session in cookies that does not repeat the session's CSRF token in a header.
pub(crate) fn check_csrf(claims: &Claims, headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(CSRF_HEADER).map(|token| Digest256::of(token.as_bytes()));
    match (claims.csrf, given) {
        (Some(wanted), Some(given)) if wanted.matches(given) => Ok(()),
        _ => Err(Problem::new(
            Code::CsrfTokenRequired,
            "Send the session's CSRF token in the X-CSRF-Token header.",
        )),
    }
}
