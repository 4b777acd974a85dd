//! Requests that only the other regions may send: no credential of a client or a service is accepted for them, and a signature is
//! valid for one request.
//!
//! Not run in outages: it chooses its regions.

use domain::{region::Region, secret::MacKey};
use kit::{forwarding::HEADER, spec::Method::Get};
use reqwest::{Method, RequestBuilder};
use tests::{Answer, App, Person, Value, forwarding_header, json};

use crate::fixtures::{self, Target};

/// A well-formed request of another region.
struct RegionRequest {
    function: &'static str,
    path: String,
    body: String,
}

impl RegionRequest {
    /// Every one.
    fn all() -> Vec<Self> {
        let all = fixtures::all().into_iter().filter(|(spec, _)| spec.is_for_regions());
        let request = |(spec, fixture): (kit::Spec, fixtures::Fixture)| {
            let target = Target { path: spec.path.to_owned(), home: Region::Eu, mark: &|_| "x".to_owned() };
            let (path, body) = (fixture.request)(&target);
            Self { function: spec.id, path, body: body.unwrap().to_string() }
        };
        all.map(request).collect()
    }

    fn to(&self, app: &App) -> RequestBuilder {
        let request = app.request(Method::POST, &self.path).header("content-type", "application/json");
        request.body(self.body.clone())
    }

    async fn with_header(&self, app: &App, header: &str) -> Answer {
        app.send(self.to(app).header(HEADER, header)).await
    }

    /// These facts, signed for this request.
    fn sealed(&self, key: &MacKey, facts: &Value) -> String {
        forwarding_header(key, &facts.to_string(), "POST", &self.path, &self.body)
    }
}

#[tokio::test]
async fn clients_and_services_are_refused_in_every_region() {
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-inside").await;
    let key = ada.with_api_key("ci").await;
    let mut refused = 0;
    for way in Region::ALL {
        let here = app.by_way_of(way);
        for request in RegionRequest::all() {
            let before = app.last_call().await;
            let cookie = format!("__Host-session={}", ada.token);
            for answer in [
                here.send(request.to(&here)).await,
                here.send(request.to(&here).bearer_auth(&ada.token)).await,
                here.send(request.to(&here).bearer_auth(&key.token)).await,
                here.send(request.to(&here).header("cookie", cookie)).await,
                here.send_signed(request.to(&here)).await,
            ] {
                assert_eq!(answer.brief(), "401 UNAUTHORIZED", "{} through {way}", request.function);
                refused += 1;
            }
            let calls = app.calls_of(request.function, before).await;
            assert!(calls.is_empty(), "{calls:?}");
        }
    }
    assert!(refused >= 6 * 5 * 3, "{refused}");
}

#[tokio::test]
async fn signed_request_of_a_region_is_answered() {
    let app = App::start().await.living_in(Region::Eu);
    for request in RegionRequest::all() {
        let sealed = request.sealed(&app.forwarding_key().await, &app.forwarding_facts().await);
        request.with_header(&app, &sealed).await.expect(200);
    }
}

/// Headers that no region wrote for this request.
fn made_up(key: &MacKey, facts: &Value, request: &RegionRequest) -> Vec<String> {
    let changed = |member: &str, value: Value| {
        let mut facts = facts.clone();
        facts[member] = value;
        request.sealed(key, &facts)
    };
    let genuine = request.sealed(key, facts);
    let (said, _) = genuine.split_once('.').unwrap();
    let mut headers = vec![
        String::new(),
        "x.y".to_owned(),
        format!("{genuine}A"),
        format!("{said}.{}", "A".repeat(43)),
        request.sealed(&MacKey::new([7; 32]), facts),
        changed("at", json!("2026-01-01T00:00:00Z")),
        changed("to", json!("us")),
        forwarding_header(key, &facts.to_string(), "PATCH", &request.path, &request.body),
        forwarding_header(key, &facts.to_string(), "POST", &request.path, "{}"),
    ];
    // Of a request to another path.
    let others = RegionRequest::all().into_iter().filter(|other| other.path != request.path);
    headers.extend(
        others.map(|other| forwarding_header(key, &facts.to_string(), "POST", &other.path, &request.body)),
    );
    headers
}

#[tokio::test]
async fn forged_and_replayed_signatures_are_refused() {
    let app = App::start().await.living_in(Region::Eu);
    let ada = app.user("ada-forged").await;
    let key = app.forwarding_key().await;
    for request in RegionRequest::all() {
        let facts = app.forwarding_facts().await;
        let before = app.last_call().await;
        for header in made_up(&key, &facts, &request) {
            let refused = request.with_header(&app, &header).await;
            assert_eq!(refused.brief(), "400 BAD_REQUEST", "{}: {header}", request.function);
        }
        // A region that forwards somebody's request sends none on its own account.
        for (member, said) in vouched(&ada) {
            let mut facts = facts.clone();
            facts[member] = said;
            let refused = request.with_header(&app, &request.sealed(&key, &facts)).await;
            assert_eq!(refused.brief(), "401 UNAUTHORIZED", "{}: {member}", request.function);
        }
        let calls = app.calls_of(request.function, before).await;
        assert!(calls.iter().all(|call| call["service"] == "secretsmanager"), "{calls:?}");
    }
}

/// What a region says of the caller of a request that it forwards.
fn vouched(who: &Person) -> [(&'static str, Value); 3] {
    [
        ("caller", json!({ "user": who.id(), "owner": who.handle, "stepped_up": true })),
        ("guest", json!({ "user": who.id(), "home": "us", "handle": who.handle, "steppedUp": true })),
        ("follows", json!(true)),
    ]
}

#[tokio::test]
async fn signature_of_a_region_is_no_credential_of_a_client() {
    let app = App::start().await.living_in(Region::Eu);
    let key = app.forwarding_key().await;
    let mut refused = 0;
    for (spec, fixture) in fixtures::all() {
        if spec.method != Get || !spec.is_private() {
            continue;
        }
        for route in spec.routes() {
            let target = Target { path: route.path, home: Region::Eu, mark: &|_| "x".to_owned() };
            let (path, _) = (fixture.request)(&target);
            let signed_path = path.split('?').next().unwrap();
            let facts = app.forwarding_facts().await.to_string();
            let header = forwarding_header(&key, &facts, "GET", signed_path, "");
            let answer = app.send(app.request(Method::GET, &path).header(HEADER, header)).await;
            assert_eq!(answer.brief(), "401 UNAUTHORIZED", "{}", spec.id);
            refused += 1;
        }
    }
    assert!(refused > 15, "{refused}");
}
