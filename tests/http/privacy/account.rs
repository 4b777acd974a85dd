//! Somebody who has entered something wherever something can be entered: each value once, and told from all others.

use std::{collections::BTreeSet, fmt::Display};

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    id::EventId,
    resource::Kind,
    secret::decode_base64,
};
use kit::ItemKind;
use reqwest::Method;
use tests::{Answer, App, PASSWORD, Person, json, kind_of, path_of};

use super::everything::Everything;
use crate::{
    fixtures::{billing, payers},
    many,
    search::Needles,
};

/// Values that are told from all others by who entered them, and by their number.
pub struct Values {
    prefix: &'static str,
    pub all: Vec<String>,
}

impl Values {
    /// A new one.
    pub fn plant(&mut self, what: &str) -> String {
        let value = format!("{}-{:03}-{what}", self.prefix, self.all.len());
        self.all.push(value.clone());
        value
    }

    /// A new one of twelve letters and digits, where nothing else is taken.
    fn plant_word(&mut self) -> String {
        let value = format!("{:x<12}", format!("{}{:03}", self.prefix, self.all.len()));
        self.all.push(value.clone());
        value
    }

    /// One that was made up elsewhere.
    pub fn keep(&mut self, value: impl ToString) {
        self.all.push(value.to_string());
    }
}

pub struct Account {
    pub who: Person,
    /// What an export has.
    pub values: Values,
    /// The contents of files, which no export has.
    pub contents: Vec<String>,
    /// The ids of all that was made.
    pub ids: Vec<String>,
    /// What the credentials are, and all that is stored of them.
    pub secrets: Needles,
    /// The colour of the icon: too short for a value with a number.
    colour: &'static str,
}

impl Account {
    /// Enters two hundred values.
    pub async fn new(app: &App, prefix: &'static str, colour: &'static str) -> Self {
        let mut values = Values { prefix, all: Vec::new() };
        let who = sign_up(app, &mut values).await;
        let (contents, ids, secrets) = (Vec::new(), vec![who.id().bare()], Needles::default());
        let mut account = Self { who, values, contents, ids, secrets, colour };
        account.keep_tokens();
        account.moves_in().await;
        account.makes_keys().await;
        let kept = account.makes_things().await;
        account.throws_away().await;
        account.remembers(&kept).await;
        account.is_charged().await;
        account.enters_billing_details().await;
        for _ in 0..3 {
            account.signs_in().await;
        }
        assert!(account.values.all.len() >= 200, "{}", account.values.all.len());
        account
    }

    /// The token and the refresh token, and which session they are of.
    fn keep_tokens(&mut self) {
        let Person { token, refresh, .. } = &self.who;
        let (random, signature) = (&refresh[refresh.len() - 43..], token.rsplit('.').next().unwrap());
        for secret in [token, refresh, random, signature] {
            self.secrets.keep("token", secret);
        }
        let session = refresh.split('_').nth(3).unwrap();
        self.ids.push(session.to_owned());
    }

    pub async fn signs_in(&mut self) {
        let tokens = self.who.app.sign_in(&self.who.email, PASSWORD).await.expect(200);
        self.begin(&tokens);
        let form = json!({ "refreshToken": self.who.refresh });
        let tokens = self.who.app.post("/api/auth/refresh", form).await.expect(200);
        self.begin(&tokens);
    }

    fn begin(&mut self, tokens: &Answer) {
        self.who = Person::new(self.who.app.clone(), &self.who.handle, &self.who.email, tokens);
        self.keep_tokens();
    }

    /// Fills every field of the profile.
    async fn moves_in(&mut self) {
        let (handle, values) = (self.who.handle.clone(), &mut self.values);
        let form = json!({
            "username": handle, "displayName": values.plant("name"), "company": values.plant("company"),
            "useCase": "Agriculture",
        });
        self.who.app.claiming(self.who.post("/api/onboarding", form)).await.expect(201);
        let mut patch = json!({
            "bio": format!("I am {}.", values.plant("bio")), "iconColor": self.colour,
            "website": format!("https://{}.example/me", values.plant("website")),
        });
        values.keep(self.colour);
        for platform in ["github", "linkedin", "twitter", "youtube", "scholar", "discord"] {
            patch[platform] = json!(link(platform, &mut *values));
        }
        self.who.patch("/api/settings", patch).await.expect(200);
    }

    async fn makes_keys(&mut self) {
        for n in 0..16 {
            let form = json!({ "name": self.values.plant("key") });
            let made = self.who.post_once("/api/api-keys", form, &format!("once-{n}")).await.expect(201);
            self.ids.push(made.text_at("/keyId"));
            let key = made.text_at("/key");
            self.secrets.keep("key", &key);
            self.secrets.keep("key", &key[3..]);
        }
    }

    /// Makes one of a kind, in a project if one is named.
    async fn makes(&mut self, kind: Kind, project: Option<&str>) -> String {
        let values = &mut self.values;
        let mut form = json!({
            "slug": values.plant("slug"), "name": values.plant("title"), "description": values.plant("about"),
        });
        if let Some(project) = project {
            form["projectId"] = json!(project);
        }
        let id = self.who.post(&format!("/api/{}", kind.plural()), form).await.expect(201).text_at("/_id");
        self.ids.push(id.clone());
        id
    }

    async fn makes_things(&mut self) -> Vec<String> {
        let mut made = Vec::new();
        for _ in 0..6 {
            let project = self.makes(Kind::Project, None).await;
            let within = self.makes(Kind::Model, Some(&project)).await;
            let (alone, dataset) =
                (self.makes(Kind::Model, None).await, self.makes(Kind::Dataset, None).await);
            for asset in [&within, &dataset] {
                self.sends_a_file(asset).await;
            }
            // Begun, and never completed.
            let begun = self.begins_a_file(&alone, 17).await.text_at("/sessionId");
            self.ids.push(begun);
            made.extend([project, within, alone, dataset]);
        }
        made
    }

    async fn throws_away(&mut self) {
        for _ in 0..2 {
            let project = self.makes(Kind::Project, None).await;
            let within = self.makes(Kind::Model, Some(&project)).await;
            let (alone, dataset) =
                (self.makes(Kind::Model, None).await, self.makes(Kind::Dataset, None).await);
            for asset in [&within, &alone] {
                self.sends_a_file(asset).await;
            }
            for id in [&project, &alone, &dataset] {
                self.who.delete(&path_of(id)).await.expect(200);
            }
        }
    }

    async fn begins_a_file(&mut self, asset: &str, bytes: usize) -> Answer {
        let (name, kind) = (self.values.plant("file"), self.values.plant("type"));
        let form = json!({
            "assetType": kind_of(asset).plural(), "assetId": asset, "filename": format!("{name}.zip"),
            "contentType": format!("application/x-{kind}"), "totalBytes": bytes,
        });
        self.who.post("/api/upload/signed-url", form).await.expect(200)
    }

    async fn sends_a_file(&mut self, asset: &str) {
        let content = format!("{}-content-{}", self.values.prefix, self.contents.len());
        let place = self.begins_a_file(asset, content.len()).await;
        self.who.app.put(&place, &content).await.expect(200);
        self.who.complete(&place.text_at("/sessionId")).await.expect(200);
        self.contents.push(content);
    }

    /// A history with what endpoints that are still to come will write.
    async fn remembers(&mut self, things: &[String]) {
        let workspace = self.who.workspace();
        let actor = Actor { user: self.who.id(), key: None };
        let events = self.who.app.now().await.as_millisecond() - 3_600_000..;
        let events = events.zip(things).map(|(millisecond, thing)| {
            let id = EventId::floor(Timestamp::from_millisecond(millisecond).unwrap());
            let event = ActivityEvent::new(id, workspace, actor, Action::Analyzed, ResourceType::Dataset);
            let mut event = event.about(thing, self.values.plant("event"));
            event.metadata.insert("note".to_owned(), json!({ "by": [self.values.plant("note")] }));
            event
        });
        many::remember(&self.who.app, events.collect::<Vec<_>>()).await;
        let page = self.who.get("/api/activity").await.expect(200);
        let some = json!({ "eventIds": [page.at("/events/0/_id")] });
        self.who.post("/api/activity/archive", some).await.expect(200);
        self.who.post("/api/activity/mark-seen", json!({ "all": true })).await.expect(200);
    }

    /// A wallet with a charge, a hold and a correction.
    async fn is_charged(&mut self) {
        let values = &mut self.values;
        let mut job = billing::settled(&values.plant("job"), 1_000, 1_000);
        (job["run"], job["gpuType"]) = (json!(values.plant("run")), json!(values.plant("gpu")));
        job["user"] = json!(self.who.id());
        billing::tells(&self.who, json!([job])).await.expect(200);
        billing::holds(&self.who, &values.plant("held"), 2_000).await.expect(200);
        let adjustment = json!({
            "workspace": self.who.workspace(), "reference": values.plant("reference"), "amountMicroUsd": 3_000,
            "reason": values.plant("reason"),
        });
        let path = "/internal/wallets/adjustments";
        self.who.app.as_service(Method::POST, path, adjustment).await.expect(200);
    }

    /// Fills every line of an invoice, and has a customer. Only Stripe stores the lines.
    async fn enters_billing_details(&mut self) {
        let values = &mut self.values;
        let address = json!({
            "line1": values.plant("line"), "line2": values.plant("flat"), "city": values.plant("city"),
            "state": values.plant("state"), "postalCode": values.plant("zip"), "country": "DE",
        });
        let details = json!({
            "name": values.plant("payer"), "email": format!("{}@billing.example", values.plant("invoices")),
            "address": address,
        });
        self.who.patch(payers::METHODS, details).await.expect(200);
        self.values.keep(payers::customer(&self.who).await);
    }

    /// What nobody is told: the password and what the tables hold of credentials, beside those themselves.
    pub async fn hidden(&self) -> Needles {
        let mut hidden = self.secrets.clone();
        hidden.keep("password", PASSWORD);
        let (user, workspace) = (self.who.id(), self.who.workspace());
        let of = |kind: ItemKind, subject: &dyn Display| kind.partition(subject);
        let subjects = [
            of(ItemKind::Passwords, &user),
            of(ItemKind::Sessions, &user),
            of(ItemKind::Keys, &workspace),
            of(ItemKind::Workspaces, &workspace),
        ];
        let mut names = BTreeSet::new();
        for item in Everything::of(&self.who.app).await.items.values() {
            if !subjects.iter().any(|pk| item["pk"] == **pk) {
                continue;
            }
            for field in SECRET {
                if let Some(text) = item[field].as_str() {
                    names.insert(field);
                    hidden.keep(field, text);
                    // What hashes are in bytes.
                    if let Some(bytes) = decode_base64(text).filter(|bytes| bytes.len() == 32) {
                        hidden.keep_bytes(field, &bytes);
                    }
                }
            }
        }
        assert!(names.into_iter().eq(SECRET), "fields have other names by now");
        hidden
    }
}

/// Fields of items that hold secrets, or what secrets are checked by.
const SECRET: [&str; 6] = ["current", "dataKey", "hash", "password", "previous", "sealed"];

/// Signs up with an address of which no part is the handle.
async fn sign_up(app: &App, values: &mut Values) -> Person {
    let (address, domain, handle) = (values.plant("address"), values.plant("domain"), values.plant("handle"));
    let email = format!("{address}@{domain}.example");
    app.sign_up(&email).await.expect(202);
    let form = json!({ "email": email, "code": app.code(&email).await, "password": PASSWORD });
    let answer = app.claiming(app.post("/api/auth/verify", form)).await.expect(200);
    Person::new(app.clone(), &handle, &email, &answer)
}

/// A value that a platform takes, and its link.
fn link(platform: &str, values: &mut Values) -> String {
    match platform {
        "github" => format!("https://github.com/{}", values.plant("github")),
        "linkedin" => format!("https://www.linkedin.com/in/{}", values.plant("linkedin")),
        "youtube" => format!("https://www.youtube.com/@{}", values.plant("youtube")),
        "scholar" => format!("https://scholar.google.com/citations?user={}", values.plant_word()),
        "twitter" => format!("https://x.com/{}", values.plant_word()),
        _ => values.plant_word(),
    }
}
