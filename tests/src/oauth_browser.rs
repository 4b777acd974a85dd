//! A browser that signs in with the local identity providers.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder, Url};
use serde_json::{Value, json};

use crate::{Answer, App, Person};

/// Somebody at a provider.
#[derive(Debug, Clone)]
pub struct ProviderPersona {
    /// The subject: a number, as at GitHub.
    pub subject: String,
    /// The address.
    pub email: String,
    /// Whether the provider has verified it.
    pub verified: bool,
}

impl ProviderPersona {
    /// A person with a verified address. Every handle has another subject.
    pub fn new(handle: &str) -> Self {
        let subject = domain::secret::Digest256::of(handle).first_bits().max(1).to_string();
        Self { subject, email: format!("{handle}@people.example"), verified: true }
    }

    /// The same person, whose address is not verified.
    pub fn unverified(self) -> Self {
        Self { verified: false, ..self }
    }
}

/// A browser with cookies.
#[derive(Clone)]
pub struct OauthBrowser {
    /// The platform, through one endpoint.
    pub app: App,
    /// The cookies.
    pub jar: BTreeMap<String, String>,
}

impl OauthBrowser {
    /// A browser without cookies.
    pub fn new(app: &App) -> Self {
        Self { app: app.clone(), jar: BTreeMap::new() }
    }

    /// The value of the header `Cookie`.
    pub fn cookies(&self) -> String {
        let pairs: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// A request with the cookies.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request(method, path).header("cookie", self.cookies())
    }

    /// Sends a request and keeps the cookies of the response.
    pub async fn send(&mut self, request: RequestBuilder) -> Answer {
        let answer = self.app.send(request).await;
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            match line.contains("Max-Age=0;") {
                true => self.jar.remove(name),
                false => self.jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// Begins an authorization. Returns the address of the provider's page.
    pub async fn start(&mut self, provider: &str) -> Url {
        self.begin(self.request(Method::GET, &format!("/api/auth/oauth/{provider}/start"))).await
    }

    /// Begins an authorization that connects the identity to somebody's account.
    pub async fn start_connecting(&mut self, who: &Person, provider: &str) -> Url {
        let path = format!("/api/auth/oauth/{provider}/start?link=true");
        self.begin(self.request(Method::GET, &path).bearer_auth(&who.token)).await
    }

    async fn begin(&mut self, request: RequestBuilder) -> Url {
        let answer = self.send(request).await.expect(303);
        answer.header("location").unwrap().parse().unwrap()
    }

    /// Signs in at the provider's page. Returns the address to which the provider sends the browser.
    pub async fn consent(&self, page: &Url, persona: &ProviderPersona) -> Url {
        let mut form: Vec<(String, String)> = page.query_pairs().into_owned().collect();
        let more = [("subject", persona.subject.as_str()), ("email", &persona.email), ("decision", "allow")];
        form.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if persona.verified {
            form.push(("verified".to_owned(), "on".to_owned()));
        }
        let body: String = url_encoded(&form);
        let request = self.app.request(Method::POST, page.path());
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = self.app.send(request).await;
        assert!(matches!(answer.status, 302 | 303), "{} {}", answer.status, answer.text);
        answer.header("location").unwrap().parse().unwrap()
    }

    /// Follows the provider's redirect.
    pub async fn callback(&mut self, url: &Url) -> Answer {
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        self.send(self.request(Method::GET, &path)).await
    }

    /// A whole authorization: afterwards the browser has a ticket that signs in.
    pub async fn authorize(&mut self, provider: &str, persona: &ProviderPersona) {
        let page = self.start(provider).await;
        self.authorize_at(&page, provider, persona).await;
    }

    /// The same for a ticket that connects the identity to somebody's account.
    pub async fn authorize_for(&mut self, who: &Person, provider: &str, persona: &ProviderPersona) {
        let page = self.start_connecting(who, provider).await;
        self.authorize_at(&page, provider, persona).await;
    }

    async fn authorize_at(&mut self, page: &Url, provider: &str, persona: &ProviderPersona) {
        let back = self.consent(page, persona).await;
        let answer = self.callback(&back).await.expect(303);
        assert_eq!(answer.header("location"), Some(format!("/sign-in?provider={provider}").as_str()));
    }

    /// Signs in with the ticket.
    pub async fn complete(&mut self, form: Value) -> Answer {
        self.send(self.request(Method::POST, "/api/auth/oauth/complete").json(&form)).await
    }

    /// Signs in with the ticket in the region where people of this app live.
    pub async fn complete_at_home(&mut self) -> Answer {
        let form = json!({ "region": self.app.home() });
        let app = self.app.clone();
        app.claiming(self.complete(form)).await
    }

    /// Connects the ticket's identity to somebody's account.
    pub async fn connect(&mut self, who: &Person) -> Answer {
        let request = self.request(Method::POST, "/api/auth/connections").bearer_auth(&who.token);
        let app = self.app.clone();
        app.claiming(self.send(request)).await
    }
}

/// A form body.
fn url_encoded(pairs: &[(String, String)]) -> String {
    let mut url: Url = "http://x/".parse().unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

impl App {
    /// Somebody whose account Google opened, after onboarding. Without a password.
    pub async fn google_user(&self, handle: &str) -> Person {
        let persona = ProviderPersona::new(handle);
        let mut browser = OauthBrowser::new(self);
        browser.authorize("google", &persona).await;
        let tokens = browser.complete_at_home().await.expect(200);
        let who = Person::new(self.clone(), handle, &persona.email, &tokens);
        let form = json!({ "username": handle, "displayName": handle });
        self.claiming(who.post("/api/onboarding", form)).await.expect(201);
        who
    }
}
