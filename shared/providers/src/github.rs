//! GitHub: OAuth 2.0 ([web application flow]), and its API, which says who a token is for. GitHub has no id token.
//!
//! [web application flow]:
//! https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#web-application-flow

use domain::{
    email::EmailAddress,
    ports::Authorization,
    provider::{AuthorizationError, Provider, ProviderIdentity},
};
use serde::Deserialize;

use crate::{
    answer::Answer,
    config::GitHubConfig,
    fetch::{Fetch, get, post, with_query},
};

/// GitHub answers errors with status 200 and a member `error`.
#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    access_token: Option<String>,
}

/// The login name can be given up and taken by another person; the id can't.
#[derive(Deserialize)]
struct GitHubUser {
    id: u64,
}

#[derive(Deserialize)]
struct GitHubEmail {
    email: String,
    primary: bool,
    verified: bool,
}

/// The page that asks for consent.
pub fn url(config: &GitHubConfig, authorization: &Authorization<'_>) -> Answer<String> {
    let Authorization { state, browser, redirect_uri, .. } = authorization;
    let (state_text, challenge) = (state.text(), browser.code_challenge(state));
    let parameters = [
        ("client_id", config.client_id.as_str()),
        ("redirect_uri", redirect_uri),
        ("scope", "read:user user:email"),
        ("state", &state_text),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("prompt", "select_account"),
    ];
    with_query(&format!("{}/login/oauth/authorize", config.url), &parameters)
}

/// Redeems a code for a token, and asks whose it is.
pub async fn identify(
    http: &impl Fetch,
    config: &GitHubConfig,
    authorization: &Authorization<'_>,
    code: &str,
) -> Answer<ProviderIdentity> {
    let Authorization { state, browser, redirect_uri, .. } = authorization;
    let verifier = browser.code_verifier(state);
    let form = [
        ("client_id", config.client_id.as_str()),
        ("client_secret", &config.client_secret),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", &verifier),
    ];
    let url = format!("{}/login/oauth/access_token", config.url);
    let (answer, _): (TokenAnswer, _) = post(http, &url, &form).await?;
    let token = answer.access_token.ok_or(AuthorizationError::Invalid)?;
    let (user_url, emails_url) =
        (format!("{}/user", config.api_url), format!("{}/user/emails?per_page=100", config.api_url));
    let (user, emails) = tokio::join!(
        get::<GitHubUser>(http, &user_url, Some(&token)),
        get::<Vec<GitHubEmail>>(http, &emails_url, Some(&token))
    );
    let (user, emails) = (user?.0, emails?.0);
    let primary = emails.into_iter().find(|email| email.primary);
    Ok(ProviderIdentity {
        provider: Provider::GitHub,
        issuer: config.url.clone(),
        subject: user.id.to_string(),
        email_verified: primary.as_ref().is_some_and(|email| email.verified),
        email: primary.and_then(|email| EmailAddress::parse(&email.email).ok()),
    })
}
