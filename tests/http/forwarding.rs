//! Requests that arrive in another region than their home: answered there, as if they had arrived there.
//!
//! Not run in outages: it chooses its regions.

mod forwarded_requests;
mod guests;
mod lag;
mod strangers;

use std::time::{Duration, Instant};

use domain::region::Region;
use reqwest::{Method, RequestBuilder};
use tests::{Answer, App, PASSWORD, Person, Value, json};

/// What of a body or header is each answer's own.
const OWN: [&str; 11] = [
    "requestId",
    "keyId",
    "key",
    "keyPrefix",
    "createdAt",
    "nextCursor",
    "_id",
    "userId",
    "resourceId",
    "timestamp",
    "deviceToken",
];

/// An answer as sent, without its request id and time: status, headers in their order, body.
fn wire(answer: &Answer, handle: &str) -> String {
    let mut text = format!("{}\n", answer.status);
    for (name, value) in &answer.headers {
        let value = value.to_str().unwrap();
        let shown = match name.as_str() {
            "date" | "x-request-id" | "apigw-requestid" => "…",
            "content-length" if value == answer.text.len().to_string() => "right",
            "set-cookie" => value.split_once('=').unwrap().0,
            "link" => value.split_once("cursor=").unwrap().0,
            _ => value,
        };
        text += &format!("{name}: {shown}\n");
    }
    let mut body = answer.text.replace(handle, "HANDLE").replace(&handle.to_uppercase(), "HANDLE");
    for own in own(&answer.body) {
        body = body.replace(&own, "…");
    }
    text + &body
}

fn own(body: &Value) -> Vec<String> {
    let of = |(name, value): (&String, &Value)| match value {
        Value::String(text) if OWN.contains(&name.as_str()) => vec![text.clone()],
        _ => own(value),
    };
    match body {
        Value::Object(members) => members.iter().flat_map(of).collect(),
        Value::Array(members) => members.iter().flat_map(own).collect(),
        _ => Vec::new(),
    }
}

/// Requests of every method and form, good and bad. `KEY` stands for the newest key.
const REQUESTS: [(&str, &str, &str, &str); 35] = [
    ("GET", "/api/settings", "", ""),
    ("GET", "/api/settings?owner=HANDLE", "", ""),
    ("GET", "/api/settings?owner=nobody-e", "", ""),
    ("GET", "/api/settings?owner=one-e&owner=two-e", "", ""),
    ("PATCH", "/api/settings", "application/json", r#"{"company":"Lämpen ☀ & Söhne","github":"@HANDLE"}"#),
    ("PATCH", "/api/settings", "application/json; charset=utf-8", r#"{"company":null}"#),
    ("POST", "/api/settings", "application/json", r#"{"displayName":"","bio":"short","website":"ftp://x"}"#),
    ("POST", "/api/settings", "application/json", r#"{"displayName":"#),
    ("POST", "/api/settings", "text/plain", "{}"),
    ("POST", "/api/settings", "", ""),
    ("PUT", "/api/settings", "application/json", "{}"),
    ("GET", "/api/nowhere", "", ""),
    ("POST", "/api/api-keys", "application/json", r#"{"name":"schlüssel 钥匙"}"#),
    ("GET", "/api/api-keys?limit=1", "", ""),
    ("GET", "/api/api-keys?cursor=AAAA", "", ""),
    ("GET", "/api/api-keys?expand=value", "", ""),
    ("PATCH", "/api/api-keys", "application/json", r#"{"id":"KEY","monthlyBudgetCents":100}"#),
    ("GET", "/api/api-keys?expand=budgets", "", ""),
    ("DELETE", "/api/api-keys?keyId=KEY", "", ""),
    ("DELETE", "/api/api-keys?keyId=KEY", "", ""),
    ("DELETE", "/api/api-keys", "", ""),
    ("GET", "/api/account/summary", "", ""),
    ("GET", "/api/activity?search=SCHL%C3%9CSSEL+%E9%92%A5&limit=1&from=2020-01-01T00%3A00%3A00Z", "", ""),
    ("GET", "/api/activity?page=0&limit=x", "", ""),
    ("POST", "/api/activity/mark-seen", "application/json", r#"{"all":true}"#),
    ("POST", "/api/activity/archive", "application/json", r#"{"eventIds":[]}"#),
    ("GET", "/api/users?username=HANDLE", "", ""),
    ("POST", "/api/auth/step-up", "application/json", r#"{"password":"not the right one"}"#),
    (
        "POST",
        "/api/auth/sign-up",
        "application/json",
        r#"{"email":"x@y.example","password":"weak","region":"eu"}"#,
    ),
    (
        "POST",
        "/api/auth/verify",
        "application/json",
        r#"{"email":"x@y.example","code":"000001","password":"not the right one"}"#,
    ),
    ("POST", "/api/auth/password/forgot", "application/json", r#"{"email":"HANDLE@people.example"}"#),
    ("POST", "/api/auth/password/reset", "application/json", r#"{"token":"pr_eu_x","password":"x"}"#),
    ("POST", "/api/auth/refresh", "application/json", r#"{"refreshToken":"rt_eu_x"}"#),
    ("POST", "/api/auth/sign-out", "application/json", "{}"),
    ("GET", "/api/settings", "", ""),
];

/// What a person sees who goes through all of them.
async fn walk(person: &Person) -> Vec<String> {
    let (mut seen, mut key) = (Vec::new(), String::new());
    for (method, path, media, body) in REQUESTS {
        let fill = |text: &str| text.replace("HANDLE", &person.handle).replace("KEY", &key);
        let mut request = person.request(method.parse().unwrap(), &fill(path)).body(fill(body));
        if !media.is_empty() {
            request = request.header("content-type", media);
        }
        let answer = person.app.send(request).await;
        if answer.status >= 400 {
            assert_eq!(answer.header("x-request-id"), answer.at("/requestId").as_str(), "{}", answer.text);
        }
        if path == "/api/api-keys" && answer.status == 201 {
            key = answer.text_at("/keyId");
        }
        seen.push(format!("{method} {path} {body}\n{}", wire(&answer, &person.handle)));
    }
    seen
}

#[tokio::test]
async fn forwarded_requests_get_the_same_answers_as_at_home() {
    let app = App::start().await;
    let eu = app.living_in(Region::Eu);
    let (ada, bob, cyd) = (eu.user("ada-e").await, eu.user("bob-e").await, eu.user("cyd-e").await);
    let at_home = walk(&ada).await;
    for elsewhere in [walk(&bob.by_way_of(Region::Us)).await, walk(&cyd.by_way_of(Region::Ap)).await] {
        for (at_home, elsewhere) in at_home.iter().zip(elsewhere) {
            assert_eq!(*at_home, elsewhere);
        }
    }
    let large = json!({ "bio": "x".repeat(2_000_000) });
    let new = eu.newcomer("new-e").await;
    for way in Region::ALL {
        assert_eq!(new.by_way_of(way).get("/api/settings").await.brief(), "403 ONBOARDING_REQUIRED");
        assert_eq!(
            bob.by_way_of(way).patch("/api/settings", large.clone()).await.brief(),
            "413 PAYLOAD_TOO_LARGE"
        );
    }
}

/// A browser's requests: the cookies of an answer, and the CSRF token or none.
fn browser(app: &App, from: &Answer, method: Method, path: &str, csrf: Option<&str>) -> RequestBuilder {
    let lines = from.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let jar: Vec<&str> = lines.map(|line| line.split(';').next().unwrap()).collect();
    let request = app.request(method.clone(), path).header("cookie", jar.join("; "));
    let request = if method == Method::GET { request } else { request.json(&json!({})) };
    csrf.into_iter().fold(request, |request, csrf| request.header("x-csrf-token", csrf))
}

#[tokio::test]
async fn cookie_session_works_in_every_region_with_csrf_token() {
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-e").await;
    for way in Region::ALL {
        let app = app.by_way_of(way);
        let form = json!({ "email": ada.email, "password": PASSWORD });
        let session = app.post("/api/auth/sign-in?session=cookie", form).await.expect(200);
        let csrf = session.text_at("/csrfToken");
        let path = "/api/settings";
        app.send(browser(&app, &session, Method::GET, path, None)).await.expect(200);
        for wrong in [None, Some("wrong")] {
            let refused = app.send(browser(&app, &session, Method::PATCH, path, wrong)).await;
            assert_eq!(refused.brief(), "403 CSRF_TOKEN_REQUIRED", "through {way}");
        }
        app.send(browser(&app, &session, Method::PATCH, path, Some(&csrf))).await.expect(200);
        let refresh = "/api/auth/refresh?session=cookie";
        let refused = app.send(browser(&app, &session, Method::POST, refresh, None)).await;
        assert_eq!(refused.brief(), "403 CSRF_TOKEN_REQUIRED", "through {way}");
        let next = app.send(browser(&app, &session, Method::POST, refresh, Some(&csrf))).await.expect(200);
        assert_eq!(next.headers.get_all("set-cookie").iter().count(), 2);
        let csrf = next.text_at("/csrfToken");
        let out =
            app.send(browser(&app, &next, Method::POST, "/api/auth/sign-out", Some(&csrf))).await.expect(200);
        let cleared = |line: &str| line.starts_with("__Host-") && line.contains("Max-Age=0");
        assert!(out.headers.get_all("set-cookie").iter().all(|line| cleared(line.to_str().unwrap())));
        let late = app.send(browser(&app, &next, Method::GET, path, None)).await;
        assert_eq!(late.brief(), "401 UNAUTHORIZED", "through {way}");
    }
}

#[tokio::test]
async fn repeated_request_through_another_region_runs_once() {
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-e").await;
    let (us, ap) = (ada.by_way_of(Region::Us), ada.by_way_of(Region::Ap));
    let first = us.post_once("/api/api-keys", json!({ "name": "ci" }), "k").await.expect(201);
    for person in [&ap, &ada, &us] {
        let again = person.post_once("/api/api-keys", json!({ "name": "ci" }), "k").await.expect(201);
        assert_eq!(first.text, again.text);
        let other = person.post_once("/api/api-keys", json!({ "name": "cd" }), "k").await;
        assert_eq!(other.brief(), "422 IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(ada.activity().await, ["created api_key ci", "completed onboarding ada-e"]);
    let form = json!({ "email": ada.email, "password": PASSWORD });
    let first = ap.post_once("/api/auth/sign-in", form.clone(), "k").await.expect(200);
    let again = us.post_once("/api/auth/sign-in", form, "k").await.expect(200);
    assert_eq!(first.at("/refreshToken"), again.at("/refreshToken"));
}

#[tokio::test]
async fn a_keys_budget_is_one_and_is_told_through_every_endpoint() {
    let app = App::start().await;
    // A new minute, so that none begins meanwhile.
    app.post("/_local/clock", json!({ "now": "2030-01-01T00:00:00Z" })).await.expect(200);
    let ci = app.living_in(Region::Eu).user("ada-e").await.with_api_key("ci").await;
    for n in 0..100 {
        let answer = ci.by_way_of(Region::ALL[n % 3]).get("/api/account/summary").await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=100;w=60"));
        let left = format!("\"default\";r={};", 99 - n);
        assert!(answer.header("ratelimit").unwrap().starts_with(&left), "{n}: {:?}", answer.headers);
        assert_eq!(answer.headers.get_all("ratelimit").iter().count(), 1);
    }
    for way in Region::ALL {
        let refused = ci.by_way_of(way).get("/api/account/summary").await;
        assert_eq!(refused.brief(), "429 RATE_LIMITED");
        for header in ["retry-after", "ratelimit", "x-ratelimit-reset"] {
            assert!(refused.header(header).is_some(), "{header} through {way}");
        }
    }
}

#[tokio::test]
async fn a_request_is_sent_on_once_and_costs_nothing_where_it_came_in() {
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-e").await;
    let ci = ada.with_api_key("ci").await;
    for person in [&ada, &ci] {
        for way in [Region::Eu, Region::Us, Region::Ap] {
            // The first one finds out what a region keeps: public keys, and the key that letters are signed with.
            person.by_way_of(way).get("/api/account/summary").await.expect(200);
            let before = app.last_call().await;
            let answer = person.by_way_of(way).get("/api/account/summary").await.expect(200);
            let calls = app.calls_of("account-summary", before).await;
            assert!((1..=5).contains(&calls.len()), "{calls:?}");
            for call in &calls {
                assert_eq!(call["home"], Region::Eu.aws(), "{call} through {way}");
                assert_eq!(call["request"].as_str(), answer.header("x-request-id"), "{call} through {way}");
            }
        }
    }
}

#[tokio::test]
async fn unresponsive_home_region_times_out_alone() {
    let app = App::alone().await;
    let ada = app.living_in(Region::Eu).user("ada-e").await.by_way_of(Region::Us);
    let (ci, bob) = (ada.with_api_key("ci").await, app.living_in(Region::Us).user("bob-u").await);
    let stalled = json!([{ "service": "dynamodb", "region": Region::Eu, "kind": "stall", "times": 0 }]);
    app.faults(stalled).await;
    let waited = async |person: &Person| {
        let started = Instant::now();
        let answer = person.get("/api/account/summary").await;
        assert_eq!(answer.brief(), "503 UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), Some("1"));
        started.elapsed()
    };
    let late = tokio::join!(waited(&ada), waited(&ci));
    let most = Duration::from_millis(3_500);
    assert!(late.0 < most && late.1 < most, "{late:?}");
    let started = Instant::now();
    bob.get("/api/account/summary").await.expect(200);
    app.sign_in(&bob.email, PASSWORD).await.expect(200);
    assert!(started.elapsed() < most);
    app.no_faults().await;
    ada.get("/api/account/summary").await.expect(200);
}
