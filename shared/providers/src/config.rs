//! The platform's credentials at the providers, and where the providers are.

use domain::provider::AuthorizationError;
use http::Uri;
use serde::Deserialize;

/// The document in the secret. A provider without credentials is not offered.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ProviderCredentials {
    /// Google.
    pub google: Option<GoogleConfig>,
    /// GitHub.
    pub github: Option<GitHubConfig>,
}

/// A client of Google ([setup]).
///
/// [setup]: https://developers.google.com/identity/openid-connect/openid-connect#appsetup
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GoogleConfig {
    pub client_id: String,
    pub client_secret: String,
    /// The issuer, whose discovery document names everything else.
    #[serde(default = "google")]
    pub issuer: String,
}

/// An OAuth app of GitHub ([setup]).
///
/// [setup]: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/creating-an-oauth-app
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitHubConfig {
    pub client_id: String,
    pub client_secret: String,
    /// The site, where browsers go and codes are redeemed.
    #[serde(default = "github")]
    pub url: String,
    /// The API.
    #[serde(default = "github_api")]
    pub api_url: String,
}

fn google() -> String {
    "https://accounts.google.com".to_owned()
}

fn github() -> String {
    "https://github.com".to_owned()
}

fn github_api() -> String {
    "https://api.github.com".to_owned()
}

/// An address that credentials may be sent to: HTTPS, or this machine.
///
/// # Errors
///
/// The text is another address, or no address.
pub fn safe(url: &str) -> Result<&str, AuthorizationError> {
    let uri: Uri = url.parse().map_err(|_| AuthorizationError::Unavailable)?;
    let is_local = uri.host().is_some_and(|host| matches!(host, "127.0.0.1" | "localhost" | "[::1]"));
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match uri.scheme_str() {
        Some("https") if !has_user => Ok(url),
        Some("http") if is_local && !has_user => Ok(url),
        _ => Err(AuthorizationError::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_to_https_or_this_machine_only() {
        for url in
            ["https://accounts.google.com", "http://127.0.0.1:4000/x", "http://localhost:1", "http://[::1]:2"]
        {
            assert_eq!(safe(url), Ok(url));
        }
        for url in
            ["http://example.com", "ftp://127.0.0.1", "/path", "", "http://127.0.0.1@evil.example", "nothing"]
        {
            assert!(safe(url).is_err(), "{url}");
        }
    }

    #[test]
    fn empty_document_offers_no_provider() {
        let read: ProviderCredentials = serde_json::from_str("{}").unwrap();
        assert!(read.google.is_none() && read.github.is_none());
        let text = r#"{"github":{"clientId":"a","clientSecret":"b"}}"#;
        let github = serde_json::from_str::<ProviderCredentials>(text).unwrap().github.unwrap();
        assert_eq!(
            (github.url.as_str(), github.api_url.as_str()),
            ("https://github.com", "https://api.github.com")
        );
    }
}
