//! Checks the query of an authorization request ([RFC 6749, section 4.1.1], with PKCE, [RFC 7636]).
//!
//! [RFC 6749, section 4.1.1]: https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1
//! [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636

use super::{
    codes::{self, CodeBinding},
    form::OAuthForm,
    persona::Persona,
    provider::{LocalIdentityProvider, ProviderProtocol},
};

/// The checked query of an authorization request.
#[derive(Debug)]
pub struct AuthorizeQuery {
    /// Where the answer goes.
    pub redirect_uri: String,
    /// The client's state, for the answer.
    pub state: String,
    scope: String,
    nonce: Option<String>,
    challenge: String,
}

/// Why an authorization request is refused.
#[derive(Debug)]
pub enum AuthorizeError {
    /// Client or redirect URI are wrong. Only the user is told: a redirect could lead anywhere.
    Shown(&'static str),
    /// The client is told, at its redirect URI.
    Redirected {
        /// The redirect URI.
        redirect_uri: String,
        /// The client's state, if it sent one.
        state: Option<String>,
        /// The standard's code of the error.
        code: &'static str,
        /// The error in words.
        description: &'static str,
    },
}

/// An error for the client: its code and its words.
type ClientError = (&'static str, &'static str);

impl AuthorizeQuery {
    /// Checks the query of a request to this provider.
    pub fn check(provider: &LocalIdentityProvider, form: &OAuthForm) -> Result<Self, AuthorizeError> {
        if form.get_only("client_id") != Some(provider.protocol.client_id()) {
            return Err(AuthorizeError::Shown("Unknown client_id. Use the id of the local client."));
        }
        let redirect_uri = form.get_only("redirect_uri").filter(|uri| provider.allows_redirect(uri));
        let redirect_uri = redirect_uri.ok_or(AuthorizeError::Shown(
            "Invalid redirect_uri. Use one URI below /api/auth/oauth/ and the provider's name, at an origin of the platform.",
        ))?;
        Self::read(provider.protocol, form, redirect_uri).map_err(|(code, description)| {
            let state = form.get("state").map(str::to_owned);
            AuthorizeError::Redirected { redirect_uri: redirect_uri.to_owned(), state, code, description }
        })
    }

    fn read(protocol: ProviderProtocol, form: &OAuthForm, redirect_uri: &str) -> Result<Self, ClientError> {
        if form.has_repeated() {
            return Err(("invalid_request", "Specify each parameter only once."));
        }
        if protocol == ProviderProtocol::OpenIdConnect {
            check_openid(form)?;
        }
        let state = form.get("state").ok_or(("invalid_request", "Provide state."))?;
        let challenge = form.get("code_challenge").filter(|challenge| codes::is_challenge(challenge));
        let challenge = challenge.ok_or(("invalid_request", "Provide a code_challenge of 43 characters."))?;
        if form.get("code_challenge_method") != Some("S256") {
            return Err(("invalid_request", "Use the code_challenge_method S256."));
        }
        Ok(Self {
            redirect_uri: redirect_uri.to_owned(),
            state: state.to_owned(),
            scope: form.get("scope").unwrap_or_default().to_owned(),
            nonce: form.get("nonce").map(str::to_owned),
            challenge: challenge.to_owned(),
        })
    }

    /// The binding of a code for this request.
    pub fn bind(&self, client_id: &str, persona: Persona) -> CodeBinding {
        CodeBinding {
            client_id: client_id.to_owned(),
            redirect_uri: self.redirect_uri.clone(),
            scope: self.scope.clone(),
            nonce: self.nonce.clone(),
            challenge: self.challenge.clone(),
            persona,
        }
    }
}

/// Checks the parameters that only OpenID Connect has or needs.
fn check_openid(form: &OAuthForm) -> Result<(), ClientError> {
    match form.get("response_type") {
        Some("code") => (),
        Some(_) => return Err(("unsupported_response_type", "Use the response_type code.")),
        None => return Err(("invalid_request", "Provide response_type.")),
    }
    let mut scopes = form.get("scope").unwrap_or_default().split(' ');
    if !scopes.any(|scope| scope == "openid") {
        return Err(("invalid_scope", "Add openid to the scope."));
    }
    form.get("nonce").map(|_| ()).ok_or(("invalid_request", "Provide nonce."))
}

#[cfg(test)]
mod tests;
