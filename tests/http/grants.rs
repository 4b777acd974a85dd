//! Each function may do what its spec grants, no less and no more. Less fails everywhere: the local platform refuses what is
//! not granted, as IAM would. More fails here.

use std::collections::BTreeSet;

use domain::{region::Region, role::Role};
use futures::future::join;
use kit::{Endpoint, Grant, Visitor, Worker};
use local::policy::granted_on;
use reqwest::Method;
use tests::{App, PASSWORD, Person, Value, json};

use crate::residency::resident::Resident;

/// A function and something that it may do: `auth-sign-in dynamodb:GetItem identity`.
type Grants = BTreeSet<String>;

fn line(function: &str, service: &str, action: &str, on: &str) -> String {
    format!("{function} {service}:{action} {on}")
}

#[derive(Default)]
struct Granted(Grants);

impl Granted {
    fn add(&mut self, function: &str, grants: &[Grant]) {
        self.0.extend(grants.iter().map(|grant| line(function, grant.service, grant.action, grant.on)));
    }
}

impl Visitor for Granted {
    fn endpoint<E: Endpoint>(&mut self) {
        self.add(E::SPEC.id, &E::SPEC.all_grants());
    }

    fn worker<W: Worker>(&mut self) {
        self.add(W::SPEC.id, W::SPEC.grants);
    }
}

/// What the functions' calls needed.
fn used(calls: &[Value]) -> Grants {
    let mut used = Grants::new();
    for call in calls.iter().filter(|call| call["home"].is_string()) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (function, service) = (text(&call["function"]), text(&call["service"]));
        for need in call["needs"].as_array().unwrap() {
            let on = text(&need["on"]);
            used.insert(line(&function, &service, &text(&need["action"]), granted_on(&service, &on)));
        }
    }
    used
}

/// Every endpoint, as people of two regions use it through a third, at each other's doors too.
async fn live(app: &App) {
    let mut residents = [Region::Eu, Region::Us]
        .map(|home| Resident::new(app, home, Region::Ap))
        .into_iter()
        .collect::<Vec<_>>();
    for resident in &mut residents {
        resident.signs_up().await;
        resident.moves_in().await;
        resident.uses_keys().await;
        resident.keeps_the_inbox().await;
        resident.comes_and_goes().await;
        resident.forgets_the_password().await;
        resident.signs_in().await;
    }
    residents[0].visits(&residents[1].person.handle).await;
    // The region that is asked may also be the home of the one who asks, and of the one who is asked for.
    let (ada, bob) = (app.user("ada-grants").await, app.user("bob-grants").await);
    ada.let_in(&bob, Role::Admin).await;
    for path in ["/api/settings", "/api/activity", "/api/api-keys", "/api/account/summary"] {
        bob.get(&format!("{path}?owner=ada-grants")).await;
    }
    let at_adas = |path: &str| format!("{path}?owner=ada-grants");
    bob.patch(&at_adas("/api/settings"), json!({ "company": "Theirs" })).await.expect(200);
    for path in ["/api/activity/mark-seen", "/api/activity/archive"] {
        bob.post(&at_adas(path), json!({ "all": true, "archive": true })).await;
    }
    let elsewhere = &residents[0].person.handle;
    bob.post(&format!("/api/activity/mark-seen?owner={elsewhere}"), json!({ "all": true })).await.expect(404);
    let key = "key_01m858qy4a1ar9by88nhafn40x";
    bob.delete(&format!("/api/api-keys?keyId={key}&owner={elsewhere}")).await.expect(404);
    for handle in ["ada-grants", elsewhere] {
        app.get(&format!("/api/users?username={handle}")).await.expect(200);
    }
}

/// Requests that come again under their `Idempotency-Key`.
async fn repeat(app: &App) {
    let email = "again@people.example";
    let twice = async |path: &str, form: Value| {
        for _ in 0..2 {
            let request = app.request(Method::POST, path).header("idempotency-key", "again").json(&form);
            let answer = app.send(request).await;
            assert!(answer.status < 300, "{path}: {}", answer.text);
        }
    };
    let form = json!({ "email": email, "password": PASSWORD, "region": app.home() });
    twice("/api/auth/sign-up", form).await;
    twice("/api/auth/verify", json!({ "email": email, "code": app.code(email).await })).await;
    twice("/api/auth/sign-in", json!({ "email": email, "password": PASSWORD })).await;
    twice("/api/auth/password/forgot", json!({ "email": email })).await;
    let mail = app.mail_of_kind(email, "password-reset").await;
    let token =
        mail["text"].as_str().unwrap().split_whitespace().find(|word| word.starts_with("pr_")).unwrap();
    twice("/api/auth/password/reset", json!({ "token": token, "password": "another lamp above the desk" }))
        .await;
}

/// Names that two want, mail that is refused, and claims that are left behind.
async fn collide(app: &App) {
    let eu = app.living_in(Region::Eu);
    let email = "both@people.example";
    for app in [app, &eu] {
        app.sign_up(email).await.expect(202);
    }
    for code in app.codes(email, 2).await {
        app.post("/api/auth/verify", json!({ "email": email, "code": code })).await;
    }
    let onboard = async |who: &Person, handle: &str| {
        who.post("/api/onboarding", json!({ "username": handle, "displayName": "X" })).await
    };
    let carol = app.newcomer("carol-grants").await;
    assert_eq!(onboard(&carol, "ada-grants").await.brief(), "409 USERNAME_TAKEN");
    // Two handles at once: the claim on one of them is taken back.
    for n in 0..10 {
        let dave = app.newcomer(&format!("dave-grants{n}")).await;
        let (one, two) = (format!("this-one{n}"), format!("that-one{n}"));
        join(onboard(&dave, &one), onboard(&dave, &two)).await;
    }
    let fault = |service: &str, operation: &str, function: &str, times: usize| {
        json!({ "service": service, "operation": operation, "function": function, "kind": "refused",
            "region": app.home(), "times": times })
    };
    app.faults(json!([fault("ses", "SendEmail", "send-mail", 1)])).await;
    app.newcomer("erin-grants").await;
    // The claims are made, and nobody confirms or uses them.
    let frank = eu.newcomer("frank-grants").await;
    let mut unused = fault("dynamodb", "TransactWriteItems", "onboarding", 0);
    unused["region"] = json!("eu");
    let unconfirmed = fault("dynamodb", "TransactWriteItems", "confirm-claims", 0);
    app.faults(json!([unused, unconfirmed])).await;
    assert_eq!(onboard(&frank, "never-used").await.status, 503);
    app.newcomer("grace-grants").await;
    onboard(&app.newcomer("henry-grants").await, "henry-grants").await.expect(201);
    app.advance(601).await;
    for region in Region::ALL {
        app.post(&format!("/_local/run/reap-claims?region={region}"), json!({})).await.expect(200);
    }
}

/// Every secret gets its first keys, and tokens as many as it takes until one is withdrawn.
async fn rotate(app: &App) {
    let app = app.living_in(Region::AUTHORITY);
    crate::rotation::empty(&app, "addresses").await;
    for secret in ["addresses", "codes", "forwarding", "tokens", "tokens"] {
        app.rotate(secret).await.expect(200);
    }
    app.advance(2 * 3_600).await;
    app.rotate("tokens").await.expect(200);
}

#[tokio::test]
async fn every_grant_is_needed() {
    let app = App::start().await;
    rotate(&app).await;
    live(&app).await;
    repeat(&app).await;
    collide(&app).await;
    let mut granted = Granted::default();
    infra::every(&mut granted);
    let used = used(&app.calls(0).await);
    let unused: Vec<&String> = granted.0.difference(&used).collect();
    assert!(unused.is_empty(), "granted, but not needed by anything that this test does: {unused:#?}");
}
