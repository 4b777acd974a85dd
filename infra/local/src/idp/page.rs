//! The pages of the providers: plain HTML without scripts.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use ring::digest;

use super::{form::OAuthForm, persona::Persona, provider::LocalIdentityProvider};

const STYLE: &str = "body{font:16px/1.5 system-ui;max-width:36rem;margin:2rem auto;padding:0 1rem}\
h2{margin-top:2rem}ul{list-style:none;padding:0}li{margin:.5rem 0}label{display:block}\
input:not([type=checkbox]){width:100%;box-sizing:border-box}input,button{font:inherit;padding:.4em .6em}\
.option label{display:inline}ul button{width:100%;text-align:left}code{overflow-wrap:anywhere}";

/// The parameters of the query that the page sends along with the decision.
const CARRIED: [&str; 8] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

/// The fields of the form for an identity that is typed.
const FIELDS: &str = "<p><label for=\"email\">Email address</label>\
<input id=\"email\" name=\"email\" inputmode=\"email\" autocomplete=\"off\" maxlength=\"320\"></p>\
<p class=\"option\"><input id=\"verified\" name=\"verified\" type=\"checkbox\" value=\"on\"> \
<label for=\"verified\">The provider has verified the address</label></p>\
<p><label for=\"name\">Name (optional)</label>\
<input id=\"name\" name=\"name\" autocomplete=\"off\" maxlength=\"320\"></p>\
<p><label for=\"subject\">Subject (optional; without it, the address decides)</label>\
<input id=\"subject\" name=\"subject\" autocomplete=\"off\" maxlength=\"255\"></p>\
<p><button name=\"decision\" value=\"allow\">Sign in</button></p>";

/// The page for signing in, for a checked query.
pub fn sign_in(provider: &LocalIdentityProvider, query: &OAuthForm) -> Response {
    let label = provider.protocol.label();
    let begin =
        format!("<form method=\"post\" action=\"{}\">{}", provider.protocol.authorize_path(), carried(query));
    let mut main = format!(
        "<p>This page of the local platform stands in for {label}. It asks for no password.</p>\
         <p>Client: <code>{}</code><br>Scope: <code>{}</code></p><h2>Choose a persona</h2><ul>",
        escape(query.get("client_id").unwrap_or_default()),
        escape(query.get("scope").unwrap_or("none")),
    );
    for persona in Persona::built_in() {
        let _ = write!(main, "<li>{begin}{}</form></li>", choice(&persona));
    }
    let _ = write!(
        main,
        "</ul><h2>Use another identity</h2>{begin}{FIELDS}</form><h2>Cancel</h2>\
         {begin}<p><button name=\"decision\" value=\"deny\">Deny</button></p></form>"
    );
    // Browsers apply the directive to the redirects after the form, too.
    let targets = format!("'self' {}", provider.origins.join(" "));
    answer(StatusCode::OK, &format!("Sign in with {label}"), &main, &targets)
}

/// A page with an error, for the user.
pub fn error(message: &str) -> Response {
    let main = format!("<p>{}</p>", escape(message));
    answer(StatusCode::BAD_REQUEST, "This request can't be answered", &main, "'none'")
}

fn choice(persona: &Persona) -> String {
    let email = persona.email.as_deref().unwrap_or_default();
    let name = persona.name.as_deref().unwrap_or_default();
    let (mark, verified) = match persona.verified {
        true => (hidden("verified", "on"), "verified"),
        false => (String::new(), "not verified"),
    };
    format!(
        "{}{}{}{mark}<button name=\"decision\" value=\"allow\"><bdi>{}</bdi><br>{} ({verified})</button>",
        hidden("subject", &persona.subject),
        hidden("email", email),
        hidden("name", name),
        escape(name),
        escape(email),
    )
}

fn carried(query: &OAuthForm) -> String {
    CARRIED.into_iter().filter_map(|name| Some(hidden(name, query.get(name)?))).collect()
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

fn answer(status: StatusCode, title: &str, main: &str, targets: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{main}</main></body></html>"
    );
    let style = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    );
    let strictest = HeaderValue::from_static("default-src 'none'; form-action 'none'");
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy).unwrap_or(strictest)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, page).into_response()
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests;
