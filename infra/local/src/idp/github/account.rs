//! The account that an access token of GitHub's stand-in may read.

use serde_json::{Value, json};

use crate::idp::persona::Persona;

/// What an access token may read.
#[derive(Debug, Clone)]
pub struct GitHubAccess {
    /// The account.
    pub persona: Persona,
    /// The scopes, with commas between them.
    pub scope: String,
}

impl GitHubAccess {
    /// Whether the scope includes the addresses.
    pub fn tells_addresses(&self) -> bool {
        self.scope.split(',').any(|scope| scope == "user:email" || scope == "user")
    }

    /// The account. Its address is the public one, and GitHub does not say whether it is verified: clients must not rely on it.
    pub fn profile(&self) -> Value {
        let persona = &self.persona;
        json!({
            "id": persona.number(),
            "login": persona.login(),
            "name": persona.name,
            "email": persona.email,
        })
    }

    /// The addresses of the account. The last one is the address that GitHub itself makes for each account: it is verified, but
    /// gets no mail.
    pub fn addresses(&self) -> Value {
        let persona = &self.persona;
        let made = format!("{}+{}@users.noreply.github.com", persona.number(), persona.login());
        let primary = persona.email.as_ref().map(|email| {
            json!({ "email": email, "primary": true, "verified": persona.verified, "visibility": "private" })
        });
        let made = json!({ "email": made, "primary": false, "verified": true, "visibility": null });
        primary.into_iter().chain([made]).collect()
    }
}
