//! A provider that answers what a test says.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use tests::{Answer, App, OauthBrowser, Value, json};

/// How the provider answers at one path.
#[derive(Clone)]
pub enum Reply {
    /// A body.
    Body(u16, String),
    /// A redirect to a path of its own that has what the client asks for.
    Redirect(&'static str),
    /// Nothing, for longer than any request lasts.
    Stall,
}

/// What the provider answers.
#[derive(Default)]
struct Script {
    replies: Vec<(&'static str, Reply)>,
    asked: Vec<String>,
}

/// A running provider, at the place of Google.
pub struct ScriptedProvider {
    pub url: String,
    script: Arc<Mutex<Script>>,
    key: EcdsaKeyPair,
}

impl ScriptedProvider {
    /// Starts one, and has the platform use it.
    pub async fn start(app: &App) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let provider = Self { url, script, key };
        let endpoint = |path: &str| format!("{}{path}", provider.url);
        let discovery = json!({
            "issuer": provider.url, "authorization_endpoint": endpoint("/authorize"),
            "token_endpoint": endpoint("/token"), "jwks_uri": endpoint("/jwks"),
        });
        provider.reply("/.well-known/openid-configuration", Reply::Body(200, discovery.to_string()));
        provider.reply("/jwks", Reply::Body(200, provider.key_set("k1").to_string()));
        use_provider(app, &json!({
            "google": { "clientId": "client", "clientSecret": "secret", "issuer": provider.url },
            "github": { "clientId": "client", "clientSecret": "secret", "url": provider.url, "apiUrl": provider.url },
        }))
        .await;
        provider
    }

    /// What the provider answers at a path from now on.
    pub fn reply(&self, path: &'static str, reply: Reply) {
        let mut script = self.script.lock().unwrap();
        script.replies.retain(|(known, _)| *known != path);
        script.replies.push((path, reply));
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.script.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }

    /// The key set, with this id for the key.
    pub fn key_set(&self, kid: &str) -> Value {
        let point = self.key.public_key().as_ref();
        let part = |from: usize| BASE64_URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": part(1), "y": part(33) }] })
    }

    /// An id token with this header and these claims, signed.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of a good token for an authorization.
    pub async fn claims(&self, app: &App, nonce: &str) -> Value {
        let now = app.get("/_local/clock").await.expect(200).text_at("/now");
        let now = now.parse::<jiff::Timestamp>().unwrap().as_second();
        json!({
            "iss": self.url, "sub": "7", "aud": "client", "exp": now + 300, "iat": now, "nonce": nonce,
            "email": "scripted@people.example", "email_verified": true,
        })
    }

    /// One sign-in in which the provider sends a token that `change` made of a good one. Returns the redirect of the callback.
    pub async fn sign_in(&self, app: &App, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let mut browser = OauthBrowser::new(app);
        let page = browser.start("google").await;
        let parameter = |name: &str| page.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        let mut claims = self.claims(app, &parameter("nonce")).await;
        let mut header = json!({ "typ": "JWT", "alg": "ES256", "kid": "k1" });
        change(&mut header, &mut claims);
        let token =
            json!({ "id_token": self.sign(&header, &claims), "access_token": "a", "token_type": "Bearer" });
        self.reply("/token", Reply::Body(200, token.to_string()));
        let answer = self.come_back(&mut browser, "google", &parameter("state")).await;
        answer.expect(303).header("location").unwrap().to_owned()
    }

    /// The browser comes back with a code.
    pub async fn come_back(&self, browser: &mut OauthBrowser, provider: &str, state: &str) -> Answer {
        let path = format!("/api/auth/oauth/{provider}/callback?code=c&state={state}");
        browser.send(browser.request(reqwest::Method::GET, &path)).await
    }
}

/// Has the platform use these credentials.
pub async fn use_provider(app: &App, document: &Value) {
    let secret = app.secrets_manager().put_secret_value().secret_id("account/shared/providers");
    secret.secret_string(document.to_string()).send().await.unwrap();
    // Functions cache the secret for five minutes.
    app.advance(301).await;
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, uri: Uri) -> Response {
    let reply = {
        let mut script = script.lock().unwrap();
        script.asked.push(uri.path().to_owned());
        script.replies.iter().find(|(path, _)| *path == uri.path()).map(|(_, reply)| reply.clone())
    };
    match reply {
        Some(Reply::Body(status, body)) => {
            (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/json")], body)
                .into_response()
        }
        Some(Reply::Redirect(to)) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
        }
        Some(Reply::Stall) => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            StatusCode::OK.into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
