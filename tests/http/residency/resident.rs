//! Somebody who lives in one region, uses one endpoint, and leaves a mark wherever something can be entered.

use domain::region::Region;
use reqwest::RequestBuilder;
use tests::{Answer, App, FILE_TYPE, Person, Value, json, kind_of, path_of};

use crate::password::tokens;

/// What a home keeps in clear. (The two letters of an icon are too short to be looked for.)
pub const KEPT: [&str; 20] = [
    "name", "company", "bio", "colour", "github", "linkedin", "twitter", "youtube", "scholar", "discord",
    "website", "email", "domain", "keyname", "mailed", "slug", "title", "about", "file", "content",
];
/// What nobody keeps.
pub const NOT_KEPT: [&str; 11] =
    ["agent", "language", "password", "wrong", "typo", "wish", "search", "once", "token", "key", "csrf"];
/// What the directory may know.
pub const PUBLIC: [&str; 2] = ["handle", "id"];

pub struct Resident {
    pub person: Person,
    pub home: Region,
    password: String,
    /// Which of the residents of this home.
    number: usize,
    /// What was made for them on the way: what it is, and what it reads.
    given: Vec<(&'static str, String)>,
}

/// What stands in a field of a home's nth resident: short enough for every field, and nowhere else.
fn mark(home: Region, number: usize, field: &str) -> String {
    match field {
        "colour" => {
            let home = Region::ALL.iter().position(|region| *region == home).unwrap();
            format!("#7{home}e{number}d9")
        }
        _ => format!("qz{home}{field}{number}"),
    }
}

impl Resident {
    /// Somebody who is not known yet.
    pub fn new(app: &App, home: Region, entry: Region) -> Self {
        let number = Region::ALL.iter().position(|region| *region == entry).unwrap();
        let mark = |field| mark(home, number, field);
        // Partly in capitals: it is compared in lower case.
        let email = format!("{}.Of@{}.Example", mark("email").to_uppercase(), mark("domain"));
        let (app, token, refresh) = (app.living_in(home).by_way_of(entry), String::new(), String::new());
        let password = format!("a plain {} above the desk", mark("password"));
        let person = Person { app, handle: mark("handle"), email, token, refresh };
        Self { person, home, password, number, given: Vec::new() }
    }

    /// The mark in a field.
    fn mark(&self, field: &str) -> String {
        assert!([&KEPT[..], &NOT_KEPT, &PUBLIC].concat().contains(&field), "{field} is not looked for");
        mark(self.home, self.number, field)
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self.person.app.request(method.parse().unwrap(), path);
        request.header("user-agent", self.mark("agent")).header("accept-language", self.mark("language"))
    }

    async fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        let request = self.request(method, path);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        self.person.app.send(if body.is_null() { request } else { request.json(&body) }).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&self.person.token, "GET", path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(&self.person.token, "POST", path, body).await
    }

    /// The same request twice, under an `Idempotency-Key`.
    async fn twice(&self, path: &str, body: Value) -> Answer {
        let send = async || {
            let request = self.request("POST", path).bearer_auth(&self.person.token).json(&body);
            self.person.app.send(request.header("idempotency-key", self.mark("once"))).await
        };
        send().await.expect(201);
        send().await.expect(201)
    }

    /// Begins the session of an answer.
    fn begins(&mut self, answer: Answer) {
        let Person { app, handle, email, .. } = &self.person;
        self.person = Person::new(app.clone(), handle, email, &answer.expect(200));
        self.given.extend([("token", self.person.token.clone()), ("token", self.person.refresh.clone())]);
    }

    pub async fn signs_in(&mut self) {
        let form = json!({ "email": self.person.email.to_lowercase(), "password": self.password });
        let answer = self.ask("", "POST", "/api/auth/sign-in", form).await;
        self.begins(answer);
    }

    /// Signs up, with codes of other regions and a wrong one of their own on the way, and once more afterwards.
    pub async fn signs_up(&mut self) {
        let email = self.person.email.clone();
        let form = json!({ "email": email, "password": self.password, "region": self.home });
        self.post("/api/auth/sign-up", form.clone()).await.expect(202);
        let code = self.person.app.code(&email).await;
        for more in 1..=3 {
            let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + more) % 1_000_000);
            self.post("/api/auth/verify", json!({ "email": email, "code": wrong })).await.expect(422);
        }
        let verified = self.post("/api/auth/verify", json!({ "email": email, "code": code })).await;
        self.begins(verified);
        let id = self.person.id().to_string();
        self.given.push(("id", id.split('_').next_back().unwrap().to_owned()));
        self.person.app.advance(61).await;
        self.post("/api/auth/sign-up", form).await.expect(202);
        self.person.app.mail_of_kind(&email, "account-exists").await;
    }

    /// Onboards, and fills every field of the profile.
    pub async fn moves_in(&self) {
        let (handle, company) = (self.mark("handle"), format!("{} & Sons", self.mark("company")));
        for name in [self.mark("wish"), handle.clone()] {
            self.get(&format!("/api/username/check?username={name}&suggest=true")).await.expect(200);
        }
        self.get("/api/settings").await.expect(403);
        let form = json!({
            "username": handle, "displayName": format!("Dr {}", self.mark("name")), "company": company,
            "useCase": "Agriculture",
        });
        self.twice("/api/onboarding", form).await;
        let mut patch = json!({
            "bio": format!("I am {} and like lamps.", self.mark("bio")), "iconColor": self.mark("colour"),
            "iconLetter": "Q", "website": format!("https://{}.example/me", self.mark("website")),
        });
        for platform in ["github", "linkedin", "twitter", "youtube", "scholar", "discord"] {
            patch[platform] = json!(self.mark(platform));
        }
        self.ask(&self.person.token, "PATCH", "/api/settings", patch).await.expect(200);
        for change in [json!({ "company": null }), json!({ "company": company })] {
            self.post("/api/settings", change).await.expect(200);
        }
        let wrong = json!({ "bio": self.mark("bio"), "company": [company] });
        self.post("/api/settings", wrong).await.expect(400);
        for path in ["settings", "account/summary"] {
            self.get(&format!("/api/{path}?owner={handle}")).await.expect(200);
        }
        self.get(&format!("/api/username/check?username={handle}")).await.expect(200);
    }

    /// Makes, shows, uses and revokes a key, and asks as other services do.
    pub async fn uses_keys(&mut self) {
        let form = json!({ "name": format!("{} ci", self.mark("keyname")) });
        let made = self.twice("/api/api-keys", form.clone()).await;
        let (id, key) = (made.text_at("/keyId"), made.text_at("/key"));
        self.given.extend([("key", key.clone()), ("key", key[3..].to_owned())]);
        assert!(self.get("/api/api-keys?expand=value").await.expect(200).text.contains(&key));
        for token in [&key, &self.person.token] {
            for path in ["/api/account/summary", "/api/api-keys?limit=1"] {
                self.ask(token, "GET", path, Value::Null).await.expect(200);
            }
            let question = json!({ "headers": { "authorization": format!("Bearer {token}") } });
            for region in Region::ALL {
                let authorizer = format!("/_local/run/authorizer?region={region}");
                self.post(&authorizer, question.clone()).await.expect(200);
            }
        }
        self.ask(&key, "POST", "/api/api-keys", form).await.expect(401);
        let path = format!("/api/api-keys?keyId={id}");
        self.ask(&self.person.token, "DELETE", &path, Value::Null).await.expect(200);
        self.ask(&key, "GET", "/api/account/summary", Value::Null).await.expect(401);
        self.person.app.mail_of_kind(&self.person.email, "api-key-created").await;
    }

    /// Makes one of each, a model in a project, with a file in each that takes some.
    pub async fn makes_things(&self) {
        let mut form = json!({
            "slug": self.mark("slug"), "name": format!("{} one", self.mark("title")),
            "description": format!("About {}.", self.mark("about")),
        });
        let project = self.twice("/api/projects", form.clone()).await.text_at("/_id");
        let dataset = self.twice("/api/datasets", form.clone()).await.text_at("/_id");
        form["projectId"] = json!(project);
        let model = self.twice("/api/models", form).await.text_at("/_id");
        for id in [&project, &dataset, &model] {
            let patch = json!({ "name": format!("{} two", self.mark("title")), "visibility": "public" });
            self.ask(&self.person.token, "PATCH", &path_of(id), patch).await.expect(200);
            self.get(&path_of(id)).await.expect(200);
            let of = path_of(id).rsplit_once('/').unwrap().0.to_owned();
            let page = self.get(&format!("{of}?limit=1")).await.expect(200);
            assert!(page.text.contains(&self.mark("title")), "{}", page.text);
        }
        for asset in [&dataset, &model] {
            self.sends_a_file(asset).await;
        }
        let storage = self.get(&format!("/api/storage?owner={}", self.mark("handle"))).await.expect(200);
        assert!(storage.text.contains(&self.mark("slug")), "{}", storage.text);
        self.throws_away(&[model, project]).await;
    }

    async fn sends_a_file(&self, asset: &str) {
        let content = format!("{} {}", self.mark("content"), "x".repeat(5_000));
        let form = json!({
            "assetType": kind_of(asset).plural(), "assetId": asset, "contentType": FILE_TYPE,
            "filename": format!("{}.zip", self.mark("file")), "totalBytes": content.len(),
        });
        let place = self.post("/api/upload/signed-url", form).await.expect(200);
        self.person.app.put(&place, &content).await.expect(200);
        self.post("/api/upload/complete", json!({ "sessionId": place.at("/sessionId") })).await.expect(200);
    }

    /// Puts things into the trash and back, then removes the first of them for good, and empties the trash of the others.
    async fn throws_away(&self, ids: &[String]) {
        let token = &self.person.token;
        for id in ids {
            let form = json!({ "id": id, "type": kind_of(id) });
            self.ask(token, "DELETE", &path_of(id), Value::Null).await.expect(200);
            self.post("/api/trash", form).await.expect(200);
            self.ask(token, "DELETE", &path_of(id), Value::Null).await.expect(200);
        }
        let list = self.get(&format!("/api/trash?search={}", self.mark("title"))).await.expect(200);
        assert_eq!(list.at("/total"), ids.len());
        self.get(&format!("/api/trash?search={}", self.mark("search"))).await.expect(200);
        let first = json!({ "id": ids[0], "type": kind_of(&ids[0]) });
        self.ask(token, "DELETE", "/api/trash", first).await.expect(200);
        self.ask(token, "DELETE", "/api/trash/empty", Value::Null).await.expect(200);
        let path = format!("/_local/run/purge-trash?region={}", self.home);
        self.person.app.post(&path, json!({})).await.expect(200);
    }

    /// Reads, searches, marks and archives the history.
    pub async fn keeps_the_inbox(&self) {
        let page = self.get("/api/activity?limit=100").await.expect(200);
        assert!(page.text.contains(&self.mark("company")), "{}", page.text);
        let some = json!({ "eventIds": [page.at("/events/0/_id"), page.at("/events/1/_id")] });
        for path in ["/api/activity/mark-seen", "/api/activity/archive"] {
            self.post(path, some.clone()).await.expect(200);
            self.post(path, json!({ "all": true })).await.expect(200);
        }
        for text in [self.mark("search").to_uppercase(), self.mark("keyname")] {
            self.get(&format!("/api/activity?archived=true&search={text}")).await.expect(200);
        }
    }

    /// Mistypes the address and the password, signs in and out with tokens and with cookies, and refreshes once too
    /// often.
    pub async fn comes_and_goes(&mut self) {
        let (email, wrong) = (self.person.email.clone(), format!("{} was it", self.mark("wrong")));
        let typo = format!("{}@people.example", self.mark("typo"));
        for (email, password) in [(&email, &wrong), (&typo, &wrong), (&typo, &self.password)] {
            let form = json!({ "email": email, "password": password });
            self.ask("", "POST", "/api/auth/sign-in", form).await.expect(401);
        }
        self.signs_in().await;
        self.post("/api/auth/step-up", json!({ "password": wrong })).await.expect(401);
        self.post("/api/auth/step-up", json!({ "password": self.password })).await.expect(200);
        let refresh = json!({ "refreshToken": self.person.refresh });
        let refreshed = self.ask("", "POST", "/api/auth/refresh", refresh.clone()).await;
        self.begins(refreshed);
        self.person.app.advance(11).await;
        self.ask("", "POST", "/api/auth/refresh", refresh).await.expect(401);
        self.person.app.mail_of_kind(&email, "session-ended").await;
        self.uses_a_browser().await;
        self.signs_in().await;
        self.post("/api/auth/sign-out", json!({})).await.expect(200);
        self.get("/api/settings").await.expect(401);
        self.ask("", "GET", "/.well-known/jwks.json", Value::Null).await.expect(200);
    }

    /// Forgets the password, mistypes the address, and sets a new one with the token of the mail.
    pub async fn forgets_the_password(&mut self) {
        let (email, path) = (self.person.email.clone(), "/api/auth/password/reset");
        for email in [format!("{}@people.example", self.mark("typo")), email.to_lowercase()] {
            let form = json!({ "email": email });
            self.ask("", "POST", "/api/auth/password/forgot", form).await.expect(202);
        }
        let token = tokens(&self.person.app, &email, 1).await.remove(0);
        self.given.push(("mailed", token.clone()));
        self.password = format!("one green {} on the stove", self.mark("password"));
        let form = |token: &str, password: &str| json!({ "token": token, "password": password });
        let ids = &token[5..token.len() - 43];
        for region in Region::ALL {
            let made_up = form(&format!("pr_{region}{ids}{}", "A".repeat(43)), &self.password);
            self.ask("", "POST", path, made_up).await.expect(422);
        }
        self.ask("", "POST", path, form(&token, &email)).await.expect(400);
        self.ask("", "POST", path, form(&token, &self.password)).await.expect(200);
        self.person.app.mail_of_kind(&email, "password-changed").await;
        self.signs_in().await;
    }

    async fn uses_a_browser(&mut self) {
        let form = json!({ "email": self.person.email, "password": self.password });
        let mut answer = self.ask("", "POST", "/api/auth/sign-in?session=cookie", form).await.expect(200);
        for path in ["/api/auth/refresh?session=cookie", "/api/auth/sign-out"] {
            let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
            let jar: Vec<&str> = lines.map(|line| line.split(';').next().unwrap()).collect();
            let csrf = answer.text_at("/csrfToken");
            self.given.extend(jar.iter().map(|pair| ("token", pair.split_once('=').unwrap().1.to_owned())));
            self.given.push(("csrf", csrf.clone()));
            let browser = |method, path| self.request(method, path).header("cookie", jar.join("; "));
            self.person.app.send(browser("GET", "/api/settings")).await.expect(200);
            let request = browser("POST", path).header("x-csrf-token", csrf).json(&json!({}));
            answer = self.person.app.send(request).await.expect(200);
        }
    }

    /// Looks at somebody else's profile, and knocks at all their doors.
    pub async fn visits(&self, other: &str) {
        let path = format!("/api/users?username={other}");
        let profile = self.ask("", "GET", &path, Value::Null).await.expect(200);
        assert_eq!(profile.at("/user/username"), other);
        let search = format!("activity?search={}&", self.mark("search"));
        for path in ["settings?", "api-keys?expand=value&", "account/summary?", "storage?", "trash?", &search]
        {
            self.get(&format!("/api/{path}owner={other}")).await.expect(404);
        }
        let forms = [
            ("api-keys", json!({ "name": self.mark("keyname") })),
            ("settings", json!({ "company": self.mark("company"), "bio": self.mark("bio").repeat(2) })),
            ("activity/archive", json!({ "all": true })),
            ("projects", json!({ "slug": self.mark("slug"), "name": self.mark("title") })),
        ];
        for (path, form) in forms {
            self.post(&format!("/api/{path}?owner={other}"), form).await.expect(404);
        }
    }

    /// All that is to be looked for, by home and field: as it was entered, in capitals, and without.
    pub fn all(&self) -> impl Iterator<Item = (String, String)> {
        let fields = [&KEPT[..], &NOT_KEPT, &PUBLIC].concat().into_iter();
        let all = fields.map(|field| (field, self.mark(field))).chain(self.given.clone());
        all.flat_map(|(field, text)| {
            let name = || format!("{} {field}", self.home);
            [(name(), text.to_lowercase()), (name(), text.to_uppercase()), (name(), text)]
        })
    }
}
