//! Sessions in cookies: how a page that was reloaded goes on, and how everybody signs out.

use domain::region::Region;
use reqwest::{Method, RequestBuilder};
use tests::{Answer, App, PASSWORD, Person, json};

/// A browser with a session.
struct Browser {
    app: App,
    session: Option<String>,
    refresh: String,
    csrf: String,
}

impl Browser {
    async fn sign_in(app: &App, email: &str) -> Self {
        let form = json!({ "email": email, "password": PASSWORD });
        let answer = app.post("/api/auth/sign-in?session=cookie", form).await.expect(200);
        let mut browser =
            Self { app: app.clone(), session: None, refresh: String::new(), csrf: String::new() };
        browser.keep(&answer);
        browser.csrf = answer.text_at("/csrfToken");
        browser
    }

    /// Keeps the cookies of an answer.
    fn keep(&mut self, answer: &Answer) {
        for line in answer.headers.get_all("set-cookie") {
            let pair = line.to_str().unwrap().split(';').next().unwrap().to_owned();
            match pair.split_once('=').unwrap().0 {
                "__Host-session" => self.session = Some(pair),
                "__Host-refresh" => self.refresh = pair,
                _ => {}
            }
        }
    }

    /// Waits until the access token has expired, and its cookie with it.
    async fn idle(&mut self) {
        self.app.advance(11 * 60).await;
        self.session = None;
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let jar: Vec<&str> = self.session.as_deref().into_iter().chain([self.refresh.as_str()]).collect();
        self.app.request(method, path).header("cookie", jar.join("; "))
    }

    async fn get(&self, path: &str) -> Answer {
        self.app.send(self.request(Method::GET, path)).await
    }

    /// Posts without a body.
    async fn post(&self, path: &str, csrf: Option<&str>) -> Answer {
        let request = self.request(Method::POST, path);
        let request = csrf.into_iter().fold(request, |request, csrf| request.header("x-csrf-token", csrf));
        self.app.send(request).await
    }
}

const REFRESH: &str = "/api/auth/refresh?session=cookie";
const SIGN_OUT: &str = "/api/auth/sign-out";

fn clears_both_cookies(answer: &Answer) -> bool {
    let lines: Vec<&str> =
        answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    ["__Host-session=;", "__Host-refresh=;"]
        .iter()
        .all(|name| lines.iter().any(|line| line.starts_with(name) && line.contains("Max-Age=0")))
}

#[tokio::test]
async fn reloaded_page_gets_its_csrf_token_from_the_session() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-reload").await;
    app.replicated().await;
    for way in Region::ALL {
        let mut browser = Browser::sign_in(&app.by_way_of(way), &ada.email).await;
        let session = browser.get("/api/auth/session").await.expect(200);
        assert_eq!(session.text_at("/csrfToken"), browser.csrf, "through {way}");
        assert_eq!(session.header("cache-control"), Some("no-store"));
        assert!(session.header("access-control-allow-origin").is_none());
        // The access token expires; the refresh cookie is left.
        browser.idle().await;
        assert_eq!(browser.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
        let csrf = browser.get("/api/auth/session").await.expect(200).text_at("/csrfToken");
        assert_eq!(browser.post(REFRESH, None).await.brief(), "403 CSRF_TOKEN_REQUIRED");
        let refreshed = browser.post(REFRESH, Some(&csrf)).await.expect(200);
        assert_eq!(refreshed.text_at("/csrfToken"), csrf);
        browser.keep(&refreshed);
        let request = browser.request(Method::PATCH, "/api/settings").header("x-csrf-token", csrf);
        app.by_way_of(way).send(request.json(&json!({}))).await.expect(200);
    }
}

#[tokio::test]
async fn session_says_who_is_signed_in() {
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.newcomer("ada-who").await;
    let before = ada.get("/api/auth/session").await.expect(200);
    assert_eq!(before.at("/onboarded"), false);
    assert!(before.at("/username").is_null() && before.at("/csrfToken").is_null());
    let form = json!({ "username": "ada-who", "displayName": "Ada" });
    app.claiming(ada.post("/api/onboarding", form)).await.expect(201);
    let session = ada.get("/api/auth/session").await.expect(200);
    assert_eq!(session.at("/userId"), &json!(ada.id()));
    assert_eq!(session.at("/username"), "ada-who");
    assert_eq!(session.at("/onboarded"), true);
    assert_eq!(session.at("/region"), &json!(app.home()));
    let own = json!({
        "username": "ada-who", "accountType": "personal", "region": app.home(), "plan": "free", "role": "owner",
    });
    assert_eq!(before.at("/workspaces"), &json!([]));
    assert_eq!(session.at("/workspaces"), &json!([own]));
    assert!(session.text_at("/sessionId").starts_with("ses_"));
    assert!(session.at("/createdAt").is_string() && session.at("/stepUpUntil").is_string());
    app.advance(599).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), "ada-who", &ada.email, &tokens);
    app.advance(301).await;
    assert!(ada.get("/api/auth/session").await.expect(200).at("/stepUpUntil").is_null());
}

#[tokio::test]
async fn session_without_a_good_token_is_refused() {
    let app = App::start().await;
    let ada = app.user("ada-none").await;
    let (_, key) = ada.make_key("ci").await;
    let mut browser = Browser::sign_in(&app, &ada.email).await;
    assert_eq!(app.get("/api/auth/session").await.brief(), "401 UNAUTHORIZED");
    for token in ["x", &key, &ada.refresh] {
        let mallory = Person { token: token.to_owned(), ..ada.clone() };
        assert_eq!(mallory.get("/api/auth/session").await.brief(), "401 UNAUTHORIZED");
    }
    // A rotated refresh token is refused too, and ends nothing here.
    let rotated = browser.refresh.clone();
    let csrf = browser.csrf.clone();
    let refreshed = browser.post(REFRESH, Some(&csrf)).await.expect(200);
    browser.keep(&refreshed);
    app.advance(11).await;
    let old = app.request(Method::GET, "/api/auth/session").header("cookie", rotated);
    assert_eq!(app.send(old).await.brief(), "401 UNAUTHORIZED");
    browser.get("/api/auth/session").await.expect(200);
    // With the secret of another token it names the session only.
    let (start, _) = browser.refresh.rsplit_once('_').unwrap();
    let made_up = format!("{start}_{}", "A".repeat(43));
    let made_up = app.request(Method::GET, "/api/auth/session").header("cookie", made_up);
    assert_eq!(app.send(made_up).await.brief(), "401 UNAUTHORIZED");
    browser.post(SIGN_OUT, None).await.expect(200);
    assert_eq!(browser.get("/api/auth/session").await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn refresh_by_cookie_needs_no_body() {
    let app = App::start().await;
    let ada = app.user("ada-bare").await;
    let browser = Browser::sign_in(&app, &ada.email).await;
    browser.post(REFRESH, Some(&browser.csrf)).await.expect(200);
    let bare = app.send(app.request(Method::POST, "/api/auth/refresh")).await;
    assert_eq!(bare.brief(), "401 UNAUTHORIZED");
    let text = app.request(Method::POST, "/api/auth/refresh").header("content-type", "text/plain").body("{}");
    assert_eq!(app.send(text).await.brief(), "415 UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test]
async fn sign_out_after_the_access_token_expired_ends_the_session() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-late").await;
    app.replicated().await;
    for way in Region::ALL {
        let app = app.by_way_of(way);
        // By the refresh cookie,
        let mut browser = Browser::sign_in(&app, &ada.email).await;
        browser.idle().await;
        let out = browser.post(SIGN_OUT, None).await.expect(200);
        assert!(clears_both_cookies(&out), "through {way}");
        assert_eq!(browser.post(REFRESH, Some(&browser.csrf)).await.brief(), "401 UNAUTHORIZED");
        // by the refresh token in the body,
        let form = json!({ "email": ada.email, "password": PASSWORD });
        let tokens = app.post("/api/auth/sign-in", form.clone()).await.expect(200);
        app.advance(11 * 60).await;
        let refresh = json!({ "refreshToken": tokens.at("/refreshToken") });
        assert!(clears_both_cookies(&app.post(SIGN_OUT, refresh.clone()).await.expect(200)));
        assert_eq!(app.post("/api/auth/refresh", refresh).await.brief(), "401 UNAUTHORIZED");
        // and by the expired access token alone.
        let tokens = app.post("/api/auth/sign-in", form).await.expect(200);
        let person = Person::new(app.clone(), "ada-late", &ada.email, &tokens);
        app.advance(11 * 60).await;
        person.post(SIGN_OUT, json!({})).await.expect(200);
        let refresh = json!({ "refreshToken": person.refresh });
        assert_eq!(app.post("/api/auth/refresh", refresh).await.brief(), "401 UNAUTHORIZED");
    }
}

#[tokio::test]
async fn sign_out_of_no_session_clears_cookies_and_ends_nothing() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-again").await;
    let browser = Browser::sign_in(&app, &ada.email).await;
    browser.post(SIGN_OUT, None).await.expect(200);
    assert!(clears_both_cookies(&browser.post(SIGN_OUT, None).await.expect(200)));
    assert!(clears_both_cookies(&app.send(app.request(Method::POST, SIGN_OUT)).await.expect(200)));
    // A forged token of an existing session ends nothing, in any region that it names.
    let (start, _) = ada.refresh.rsplit_once('_').unwrap();
    for region in Region::ALL {
        let made_up = start.replace(&format!("rt_{}_", app.home()), &format!("rt_{region}_"));
        let form = json!({ "refreshToken": format!("{made_up}_{}", "A".repeat(43)) });
        assert!(clears_both_cookies(&app.post(SIGN_OUT, form).await.expect(200)));
    }
    app.post(SIGN_OUT, json!({ "refreshToken": "rt_us_x" })).await.expect(200);
    ada.get("/api/settings").await.expect(200);
    app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
}

#[tokio::test]
async fn sign_out_ends_the_sessions_of_several_regions() {
    let app = App::start().await;
    let (ada, bob) =
        (app.living_in(Region::Eu).user("ada-both").await, app.living_in(Region::Ap).user("bob-both").await);
    let request = ada.request(Method::POST, SIGN_OUT).json(&json!({ "refreshToken": bob.refresh }));
    app.send(request).await.expect(200);
    for who in [&ada, &bob] {
        let refresh = json!({ "refreshToken": who.refresh });
        assert_eq!(
            app.post("/api/auth/refresh", refresh).await.brief(),
            "401 UNAUTHORIZED",
            "{}",
            who.handle
        );
    }
}

#[tokio::test]
async fn sign_out_by_a_page_of_another_origin_is_refused() {
    let app = App::start().await;
    let ada = app.user("ada-origin").await;
    let browser = Browser::sign_in(&app, &ada.email).await;
    for site in ["cross-site", "same-site", "nonsense"] {
        let request = browser.request(Method::POST, SIGN_OUT).header("sec-fetch-site", site);
        let refused = app.send(request).await;
        assert_eq!(refused.brief(), "403 CSRF_TOKEN_REQUIRED", "{site}");
        assert!(refused.header("set-cookie").is_none());
    }
    browser.get("/api/settings").await.expect(200);
    let request = browser.request(Method::POST, SIGN_OUT).header("sec-fetch-site", "same-origin");
    app.send(request).await.expect(200);
    assert_eq!(browser.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn unanswered_sign_out_keeps_the_cookies_for_another_try() {
    let app = App::start().await;
    let ada = app.user("ada-down").await;
    let browser = Browser::sign_in(&app, &ada.email).await;
    let fault = json!({ "service": "dynamodb", "function": "auth-sign-out", "kind": "refused", "times": 0 });
    app.faults(json!([fault])).await;
    let failed = browser.post(SIGN_OUT, None).await;
    assert_eq!(failed.brief(), "503 UNAVAILABLE");
    assert!(failed.header("set-cookie").is_none());
    app.no_faults().await;
    browser.post(SIGN_OUT, None).await.expect(200);
    assert_eq!(browser.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn two_session_cookies_in_one_request_are_refused() {
    let app = App::start().await;
    let ada = app.user("ada-two").await;
    let browser = Browser::sign_in(&app, &ada.email).await;
    let (session, refresh) = (browser.session.clone().unwrap(), browser.refresh.clone());
    let jars = [
        vec![format!("{session}; __Host-session=x")],
        vec![format!("__Host-session=x; {session}")],
        vec![format!("{session}; {session}")],
        vec![session.clone(), "__Host-session=x".to_owned()],
        vec![format!("{session}; {refresh}; __Host-refresh=x")],
        vec![session.clone(), refresh.clone(), "__Host-refresh=x".to_owned()],
    ];
    for jar in jars {
        for (method, path) in [("GET", "/api/settings"), ("GET", "/api/auth/session"), ("POST", SIGN_OUT)] {
            let request = app.request(method.parse().unwrap(), path);
            let request = jar.iter().fold(request, |request, line| request.header("cookie", line));
            assert_eq!(app.send(request).await.brief(), "400 BAD_REQUEST", "{path} with {jar:?}");
        }
    }
    let two = app.request(Method::POST, REFRESH).header("x-csrf-token", &browser.csrf);
    let two = two.header("cookie", format!("{refresh}; __Host-refresh=x"));
    assert_eq!(app.send(two).await.brief(), "400 BAD_REQUEST");
    browser.get("/api/settings").await.expect(200);
}
