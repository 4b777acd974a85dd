//! No password, code, token, key or idempotency key stays anywhere in clear, and none is told to anybody but its owner.
//!
//! Not run in outages: it chooses its regions.

use std::collections::{BTreeMap, HashSet};

use domain::region::Region;
use reqwest::RequestBuilder;
use tests::{Answer, App, PASSWORD, Person, Value, json};

use crate::{
    feedback, invitations,
    log::Log,
    members,
    search::{Needles, search},
};

/// Feedback, and the address for an answer.
const FEEDBACK: &str = "the staircase lamp hums at night";
const CONTACT: &str = "sleeper@night.example";

/// Somebody who goes through everything and remembers every answer.
struct Story {
    app: App,
    secrets: Needles,
    /// The request, the whole answer, and the secrets that the answer may carry.
    answers: Vec<(String, String, HashSet<String>)>,
}

impl Story {
    async fn send(&mut self, what: &str, request: RequestBuilder) -> Answer {
        let answer = self.app.send(request).await;
        let whole = format!("{:?}\n{}", answer.headers, answer.text);
        self.answers.push((what.to_owned(), whole, HashSet::new()));
        answer
    }

    async fn post(&mut self, path: &str, token: &str, form: Value) -> Answer {
        let request = self.app.request("POST".parse().unwrap(), path).json(&form);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        self.send(path, request).await
    }

    async fn post_once(&mut self, path: &str, token: &str, form: Value, key: &str) -> Answer {
        self.secrets.keep("idempotency key", key);
        let request = self.app.request("POST".parse().unwrap(), path).bearer_auth(token);
        self.send(path, request.header("idempotency-key", key).json(&form)).await
    }

    async fn get(&mut self, path: &str, token: &str) -> Answer {
        let request = self.app.request("GET".parse().unwrap(), path).bearer_auth(token);
        self.send(path, request).await
    }

    /// The last answer was meant to carry this, and nothing else may.
    fn given(&mut self, name: &str, secret: &str) {
        self.secrets.keep(name, secret);
        // A token's signature and a key's or refresh token's random part are equivalent to the whole.
        if let Some((_, signature)) = secret.rsplit_once('.') {
            self.secrets.keep(name, signature);
        }
        if let Some(random) = secret.strip_prefix("ul_") {
            self.secrets.keep(name, random);
            let bytes = (0..40).step_by(2).map(|at| u8::from_str_radix(&random[at..at + 2], 16).unwrap());
            self.secrets.keep_bytes(name, &bytes.collect::<Vec<u8>>());
        }
        if secret.starts_with("rt_") || secret.starts_with("su_") {
            let random = &secret[secret.len() - 43..];
            self.secrets.keep(name, random);
            self.secrets.keep_bytes(name, &domain::secret::decode_base64(random).unwrap());
        }
        self.named(name);
    }

    /// The last answer names the unknown member that was sent; nothing else does.
    fn named(&mut self, name: &str) {
        self.answers.last_mut().unwrap().2.insert(name.to_owned());
    }

    /// Takes the tokens out of the last answer: access and refresh.
    fn tokens(&mut self, answer: &Answer) -> (String, String) {
        let (access, refresh) = (answer.text_at("/accessToken"), answer.text_at("/refreshToken"));
        self.given("access token", &access);
        self.given("refresh token", &refresh);
        (access, refresh)
    }

    async fn code(&mut self, email: &str, count: usize) -> String {
        let codes = self.app.codes(email, count).await;
        codes.iter().for_each(|code| self.secrets.keep("code", code));
        codes[0].clone()
    }

    fn password<'a>(&mut self, password: &'a str) -> &'a str {
        self.secrets.keep("password", password);
        password
    }

    /// Weak, misplaced and mistyped passwords; then an account and a workspace: its access and refresh token.
    async fn sign_up(&mut self, email: &str) -> (String, String) {
        for weak in ["qwertyuiop", "aaaaaaaaaaaaaaaa", "short1"] {
            let form = json!({ "email": email, "password": self.password(weak), "region": self.app.home() });
            self.post("/api/auth/sign-up", "", form).await.expect(400);
        }
        let misplaced = self.password("typed into the wrong field entirely");
        for form in [
            json!({ "email": misplaced, "password": PASSWORD, "region": self.app.home() }),
            json!({ "email": email, "password": [misplaced], "region": self.app.home() }),
            json!({ "email": email, "password": PASSWORD, "region": misplaced }),
            json!(misplaced),
        ] {
            self.post("/api/auth/sign-up", "", form).await.expect(400);
        }
        let unknown =
            json!({ "email": email, "password": PASSWORD, "region": self.app.home(), misplaced: 1 });
        self.post("/api/auth/sign-up", "", unknown).await.expect(400);
        self.named("password");
        let broken = format!("{{\"email\":\"{email}\",\"password\":\"{misplaced}\"");
        let request = self.app.request("POST".parse().unwrap(), "/api/auth/sign-up");
        self.send("broken", request.header("content-type", "application/json").body(broken))
            .await
            .expect(400);
        let form = json!({ "email": email, "password": self.password(PASSWORD), "region": self.app.home() });
        let begun = self.post("/api/auth/sign-up", "", form.clone()).await.expect(202);
        self.given("sign-up token", &begun.text_at("/signUpToken"));
        let early = self.code(email, 1).await;
        self.app.advance(61).await;
        let begun = self.post("/api/auth/sign-up", "", form).await.expect(202);
        let token = begun.text_at("/signUpToken");
        self.given("sign-up token", &token);
        let code = self.code(email, 2).await;
        let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
        self.secrets.keep("wrong code", &wrong);
        for code in [wrong, format!("{early}{code}")] {
            self.post("/api/auth/verify", "", json!({ "email": email, "code": code, "password": PASSWORD }))
                .await;
        }
        let form = json!({ "email": email, "code": code, "signUpToken": token });
        let answer = self.post("/api/auth/verify", "", form).await;
        self.tokens(&answer.expect(200))
    }

    /// Keys made, repeated, shown, refused, used in odd places and revoked.
    async fn keys(&mut self, token: &str) {
        let once = "idempotency-0f3a9c1e77b24d58";
        let mut made = Vec::new();
        for _ in 0..2 {
            let answer =
                self.post_once("/api/api-keys", token, json!({ "name": "laptop" }), once).await.expect(201);
            self.given("API key", &answer.text_at("/key"));
            made.push(answer);
        }
        assert_eq!(made[0].body, made[1].body);
        let (id, key) = (made[0].text_at("/keyId"), made[0].text_at("/key"));
        let other = self.post_once("/api/api-keys", token, json!({ "name": "desk" }), once).await;
        assert_eq!(other.brief(), "422 IDEMPOTENCY_KEY_REUSED");
        let failing =
            json!([{ "service": "dynamodb", "function": "api-keys-create", "kind": "refused", "times": 0 }]);
        self.app.faults(failing).await;
        let failed =
            self.post_once("/api/api-keys", token, json!({ "name": "ci" }), "idempotency-fa11ed00b5").await;
        assert!(failed.status >= 500, "{}", failed.text);
        self.app.no_faults().await;
        self.get("/api/api-keys?expand=value", token).await.expect(200);
        self.given("API key", &key);
        self.get("/api/api-keys", token).await.expect(200);
        self.get("/api/account/summary", &key).await.expect(200);
        self.get(&format!("/api/account/summary?key={key}"), &key).await.expect(400);
        self.get(&format!("/api/users?username={key}"), &key).await.expect(400);
        self.get(&format!("/api/{key}"), &key).await.expect(404);
        self.get("/api/account/summary", &format!("{key}0")).await.expect(401);
        self.get("/api/account/summary", &key.to_uppercase()).await.expect(401);
        self.post("/api/api-keys", &key, json!({ "name": "x" })).await.expect(401);
        let question = json!({ "headers": { "authorization": format!("Bearer {key}") } });
        self.post("/_local/run/authorizer", "", question).await.expect(200);
        let revoke = self.app.request("DELETE".parse().unwrap(), &format!("/api/api-keys?keyId={id}"));
        self.send("revoke", revoke.bearer_auth(token)).await.expect(200);
        self.get("/api/account/summary", &key).await.expect(401);
    }

    /// Tokens rotated, repeated, mistyped and stolen: the session is gone after that.
    async fn refreshes(&mut self, access: &str, refresh: &str) {
        for _ in 0..2 {
            let answer = self.post("/api/auth/refresh", "", json!({ "refreshToken": refresh })).await;
            self.tokens(&answer.expect(200));
        }
        let mistyped = format!("{refresh}A");
        self.post("/api/auth/refresh", "", json!({ "refreshToken": mistyped })).await.expect(400);
        self.post("/api/auth/refresh", "", json!({ refresh: 1 })).await.expect(400);
        self.named("refresh token");
        self.app.advance(11).await;
        self.post("/api/auth/refresh", "", json!({ "refreshToken": refresh })).await.expect(401);
        self.get("/api/settings", access).await.expect(401);
    }

    /// Passwords that are wrong, then a session as JSON, stepped up, used, and left.
    async fn sign_in(&mut self, email: &str) {
        let wrong = self.password("a plain lamp below the desk");
        self.post("/api/auth/sign-in", "", json!({ "email": email, "password": wrong })).await.expect(401);
        let nobody = json!({ "email": "nobody@people.example", "password": wrong });
        self.post("/api/auth/sign-in", "", nobody).await.expect(401);
        let form = json!({ "email": email, "password": PASSWORD });
        let answer = self.post("/api/auth/sign-in", "", form).await.expect(200);
        let (access, _) = self.tokens(&answer);
        self.given("device token", &answer.text_at("/deviceToken"));
        self.post("/api/auth/step-up", &access, json!({ "password": wrong })).await;
        self.post("/api/auth/step-up", &access, json!({ "password": PASSWORD })).await;
        self.post(
            "/api/settings",
            &access,
            json!({ "company": "Lamps and Shades", "website": "lamps.example" }),
        )
        .await
        .expect(200);
        self.post("/api/settings", &access, json!({ "company": 1, wrong: PASSWORD })).await.expect(400);
        self.named("password");
        let question = json!({ "headers": { "authorization": format!("Bearer {access}") } });
        self.post("/_local/run/authorizer", "", question).await.expect(200);
        self.get("/api/activity?limit=100", &access).await.expect(200);
        self.post("/api/auth/sign-out", &access, json!({})).await.expect(200);
        self.get("/api/settings", &access).await.expect(401);
    }

    /// The same as a browser does it.
    async fn cookies(&mut self, email: &str) {
        let form = json!({ "email": email, "password": PASSWORD });
        let answer = self.post("/api/auth/sign-in?session=cookie", "", form).await.expect(200);
        let (mut jar, mut csrf) = self.jar(&answer);
        let send = |app: &App, path: &str, jar: &str, csrf: &str| {
            let request = app.request("POST".parse().unwrap(), path).header("cookie", jar);
            request.header("x-csrf-token", csrf).json(&json!({}))
        };
        let wrong = send(&self.app, "/api/settings", &jar, &format!("{csrf}A"));
        self.send("wrong CSRF token", wrong).await.expect(403);
        let refresh = send(&self.app, "/api/auth/refresh?session=cookie", &jar, &csrf);
        let answer = self.send("refresh by cookie", refresh).await.expect(200);
        (jar, csrf) = self.jar(&answer);
        let settings = send(&self.app, "/api/settings", &jar, &csrf);
        self.send("settings by cookie", settings).await.expect(200);
        let out = send(&self.app, "/api/auth/sign-out", &jar, &csrf);
        self.send("sign-out by cookie", out).await.expect(200);
    }

    /// Feedback that is received, and feedback that is refused. The mail has the text, so it is no secret of the data folder.
    async fn feedback(&mut self) {
        let (text, path) = (FEEDBACK, feedback::PATH);
        let form = json!({ "kind": "bug", "text": text, "contact": CONTACT });
        self.post(path, "", form).await.expect(202);
        for wrong in [
            json!({ "kind": text, "text": text }),
            json!({ "kind": "bug", "text": format!("{text}\u{0}"), "contact": CONTACT }),
            json!({ "kind": "bug", "text": [text] }),
            json!({ "kind": "bug", "text": text, "contact": text }),
            json!({ "kind": "bug", "text": text, "contact": format!("{CONTACT}, b@people.example") }),
        ] {
            self.post(path, "", wrong).await.expect(400);
        }
        assert_eq!(feedback::mailed(&self.app, text).await, 1);
    }

    /// The cookies that came, and the CSRF token.
    fn jar(&mut self, answer: &Answer) -> (String, String) {
        let mut jar = Vec::new();
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let value = pair.split_once('=').unwrap().1;
            self.given(if value.starts_with("rt_") { "refresh token" } else { "access token" }, value);
            jar.push(pair.to_owned());
        }
        let csrf = answer.text_at("/csrfToken");
        self.given("CSRF token", &csrf);
        (jar.join("; "), csrf)
    }
}

/// Somebody is a member of a team in another region, which is told of them and by them.
async fn works_elsewhere(app: &App) -> Person {
    let host = app.living_in(Region::Eu).user("host13").await;
    let guest = app.living_in(Region::Ap).user("guest13").await;
    host.found_team_in("lab-13", Region::Eu).await;
    invitations::invite(&host, "lab-13", &guest.email, "viewer").await.expect(201);
    let token = invitations::token(app, &guest.email).await;
    invitations::accept(&guest, &token).await.expect(200);
    members::list(&host, "lab-13").await;
    members::change_role(&host, "lab-13", guest.id(), "admin").await.expect(200);
    app.mail_of_kind(&guest.email, "team-role-changed").await;
    guest.get("/api/members?owner=lab-13").await.expect(200);
    guest.get("/api/teams").await.expect(200);
    members::remove(&host, "lab-13", guest.id()).await.expect(200);
    app.mail_of_kind(&guest.email, "team-member-removed").await;
    guest
}

#[tokio::test]
async fn secrets_never_appear_in_data_logs_or_other_answers() {
    let log = Log::captured();

    let app = App::start().await;
    let mut story = Story { app: app.clone(), secrets: Needles::default(), answers: Vec::new() };
    let email = "ada13@people.example";
    let (access, refresh) = story.sign_up(email).await;
    let form = json!({ "username": "ada13", "displayName": "Ada" });
    story.post_once("/api/onboarding", &access, form, "idempotency-5e77191a0b").await.expect(201);
    story.keys(&access).await;
    story.refreshes(&access, &refresh).await;
    story.sign_in(email).await;
    story.cookies(email).await;
    app.mail_of_kind(email, "api-key-created").await;
    app.mail_of_kind(email, "session-ended").await;
    story.feedback().await;
    let guest = works_elsewhere(&app).await;
    story.get("/_local/calls", "").await.expect(200);
    app.faults(json!([{ "service": "dynamodb", "function": "username-check", "kind": "denied" }])).await;
    app.get("/api/username/check?username=denied13").await.expect(500);
    app.stop().await;

    let Story { secrets, answers, .. } = story;
    let told: Vec<(&str, Vec<String>)> = answers
        .iter()
        .map(|(what, whole, meant)| (what.as_str(), &secrets.found_in(whole.as_bytes()) - meant))
        .filter(|(_, found)| !found.is_empty())
        .map(|(what, found)| (what, found.into_iter().collect()))
        .collect();
    assert_eq!(told, [], "an answer tells what it should not");
    assert!(answers.len() > 50, "{}", answers.len());

    let mut private = Needles::default();
    private.keep("feedback", FEEDBACK);
    private.keep("contact", CONTACT);
    let told: Vec<&str> = answers
        .iter()
        .filter(|(_, whole, _)| !private.found_in(whole.as_bytes()).is_empty())
        .map(|(what, ..)| what.as_str())
        .collect();
    assert!(told.is_empty(), "an answer repeats feedback: {told:?}");
    private.keep("address of a member", &guest.email);
    private.keep("name of a member", &guest.handle.to_uppercase());

    let lines = log.bytes();
    let text = String::from_utf8_lossy(&lines);
    // Binaries log JSON.
    let named = ["endpoint=\"api-keys-create\"", "\"endpoint\":\"api-keys-create\""];
    assert!(named.iter().any(|named| text.contains(named)) && text.contains("auth-sign-up"), "{text}");
    assert_eq!(secrets.found_in(&lines), HashSet::new(), "the log tells secrets");
    assert_eq!(private.found_in(&lines), HashSet::new(), "the log tells feedback or who a member is");
    // An alarm counts denied calls of all functions by this field.
    let denied = ["denied=\"dynamodb:", "\"denied\":\"dynamodb:"];
    assert!(denied.iter().any(|denied| text.contains(denied)), "{text}");

    // With an external emulator, the tables are not in the folder.
    if std::env::var_os("ACCOUNT_TEST_AWS").is_none() {
        let mut company = Needles::default();
        company.keep("company", "Lamps and Shades");
        let tables = ["us/dynamodb.sqlite".to_owned()];
        assert!(search(&company, &app.data()).into_keys().eq(tables), "the search must reach the tables");
    }
    let found = search(&secrets, &app.data());
    let mail = BTreeMap::from([("mail/us.ndjson".to_owned(), vec!["code".to_owned()])]);
    assert_eq!(found, mail, "the data folder holds secrets");
}
