//! The signed header by which a region says what it found out about a request that it sends on.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{role::Role, secret::MacKey};
use tests::forwarding_header;

use super::*;

const LETTER: &str = "x-account-forwarded";

/// What the region `us` would say of a request to `eu`.
async fn letter(app: &App) -> Value {
    let now = app.get("/_local/clock").await.expect(200).text_at("/now");
    json!({
        "to": "eu", "at": now, "request": "req_01m858qy4a1ar9by88nhafn40x", "network": "203.0.113.9",
        "within": 2_900, "caller": null,
    })
}

const PATH: &str = "/api/api-keys";
const FORM: &str = r#"{"name":"ci"}"#;

async fn send(person: &Person, letter: &str) -> Answer {
    let request = person.request(Method::POST, PATH).header("content-type", "application/json");
    person.app.send(request.header(LETTER, letter).body(FORM)).await
}

/// What a session's home says of a caller who wants to act in a workspace elsewhere.
fn vouching(caller: &Person, owner: &str) -> Value {
    json!({ "user": caller.id(), "owner": owner, "stepped_up": true })
}

/// Letters that no region wrote for this request.
fn made_up(key: &MacKey, genuine: &Value, caller: &Person) -> Vec<String> {
    let changed = |member: &str, value: Value| {
        let mut letter = genuine.clone();
        letter[member] = value;
        letter.to_string()
    };
    let (text, vouching) = (genuine.to_string(), vouching(caller, &caller.handle));
    let right = forwarding_header(key, &text, "POST", PATH, FORM);
    let (_, mac) = right.split_once('.').unwrap();
    vec![
        String::new(),
        "x".to_owned(),
        ".".to_owned(),
        "e30.AAAA".to_owned(),
        right.replace('.', ""),
        format!("{right}A"),
        format!("{}.{mac}", BASE64_URL_SAFE_NO_PAD.encode(changed("caller", vouching))),
        forwarding_header(&MacKey::new([7; 32]), &text, "POST", PATH, FORM),
        forwarding_header(key, &text, "PATCH", PATH, FORM),
        forwarding_header(key, &text, "POST", "/api/settings", FORM),
        forwarding_header(key, &text, "POST", PATH, r#"{"name":"cd"}"#),
        forwarding_header(key, &changed("at", json!("2026-01-01T00:00:00Z")), "POST", PATH, FORM),
        forwarding_header(key, &changed("to", json!("mars")), "POST", PATH, FORM),
        forwarding_header(key, "{}", "POST", PATH, FORM),
    ]
}

#[tokio::test]
async fn forged_forwarding_header_is_refused() {
    let app = App::start().await.living_in(Region::Eu);
    let ada = app.user("ada-e").await;
    let (key, genuine) = (app.forwarding_key().await, letter(&app).await);
    for letter in made_up(&key, &genuine, &ada) {
        for way in Region::ALL {
            let before = app.last_call().await;
            let refused = send(&ada.by_way_of(way), &letter).await;
            assert_eq!(refused.brief(), "400 BAD_REQUEST", "{letter} through {way}");
            let calls = app.calls_of("api-keys-create", before).await;
            assert!(calls.iter().all(|call| call["service"] == "secretsmanager"), "{calls:?}");
        }
    }
    assert_eq!(ada.activity().await, ["completed onboarding ada-e"]);
    let genuine_one = forwarding_header(&key, &genuine.to_string(), "POST", PATH, FORM);
    for way in [Region::Us, Region::Ap] {
        assert_eq!(send(&ada.by_way_of(way), &genuine_one).await.brief(), "400 BAD_REQUEST", "it is for eu");
    }
    let taken = send(&ada, &genuine_one).await.expect(201);
    assert_eq!(taken.header("x-request-id"), genuine["request"].as_str(), "a genuine one is believed");
}

#[tokio::test]
async fn forwarded_request_is_not_forwarded_again() {
    let app = App::start().await.living_in(Region::Eu);
    let ada = app.living_in(Region::Ap).user("ada-a").await.by_way_of(Region::Eu);
    let (key, text) = (app.forwarding_key().await, letter(&app).await.to_string());
    let form = json!({ "email": ada.email, "password": PASSWORD, "region": "ap" }).to_string();
    let requests = [
        ("settings-read", "GET", "/api/settings", String::new()),
        ("auth-sign-up", "POST", "/api/auth/sign-up", form),
    ];
    for (function, method, path, body) in requests {
        let sealed = forwarding_header(&key, &text, method, path, &body);
        let request = ada.request(method.parse().unwrap(), path).header("content-type", "application/json");
        let before = app.last_call().await;
        let refused = app.send(request.header(LETTER, sealed).body(body)).await;
        assert_eq!(refused.brief(), "500 INTERNAL_ERROR", "{method} {path}");
        assert!(!refused.text.contains("ap"), "{}", refused.text);
        let calls = app.calls_of(function, before).await;
        assert!(calls.iter().all(|call| call["home"] == Region::Eu.aws()), "{calls:?}");
    }
    ada.get("/api/settings").await.expect(200);
}

#[tokio::test]
async fn a_region_vouches_for_a_caller_in_one_workspace_only() {
    let app = App::start().await.living_in(Region::Eu);
    let (ada, bob) = (app.user("ada-e").await, app.user("bob-e").await);
    let mut letter = letter(&app).await;
    letter["caller"] = vouching(&bob, "bob-e");
    let key = app.forwarding_key().await;
    ada.let_in(&bob, Role::Viewer).await;
    for (vouched, asked, brief) in [("ada-e", "ada-e", "200"), ("bob-e", "ada-e", "404 NOT_FOUND")] {
        letter["caller"]["owner"] = json!(vouched);
        let sealed = forwarding_header(&key, &letter.to_string(), "GET", "/api/settings", "");
        let request = app.request(Method::GET, &format!("/api/settings?owner={asked}"));
        assert_eq!(app.send(request.header(LETTER, sealed)).await.brief(), brief, "{vouched} in {asked}");
    }
}
