//! Devices and network addresses of sessions: listed to their user, encrypted at rest, and mailed when a device is new.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::region::Region;
use kit::ItemKind;
use reqwest::Method;
use tests::{Answer, App, OauthBrowser, PASSWORD, Person, ProviderPersona, Value, json};

use crate::{
    fixtures::{self, Target},
    search::{Needles, search},
};

const LAPTOP: &str =
    "Mozilla/5.0 (X11; CrOS x86_64 14541) AppleWebKit/537.36 Chrome/138.0.0.0 Safari/537.36 Vivaldi/7.5";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) FxiOS/140.0 Mobile/15E148";

/// Sends a form as a device.
async fn send(app: &App, agent: &str, path: &str, form: Value) -> Answer {
    app.send(app.request(Method::POST, path).header("user-agent", agent).json(&form)).await
}

async fn sign_in(who: &Person, app: &App, agent: &str, device: Option<&str>) -> Answer {
    let form = json!({ "email": who.email, "password": PASSWORD, "deviceToken": device });
    send(app, agent, "/api/auth/sign-in", form).await.expect(200)
}

/// What the list says of the newest session.
async fn newest(who: &Person) -> (Value, Value) {
    let answer = who.get("/api/auth/sessions").await.expect(200);
    let session = answer.at("/sessions/0");
    (session["device"].clone(), session["ipAddress"].clone())
}

/// The address that a network's requests come from, as its session says.
async fn address(who: &Person, app: &App) -> String {
    let tokens = sign_in(who, app, LAPTOP, None).await;
    let (_, address) = newest(&Person::new(who.app.clone(), &who.handle, &who.email, &tokens)).await;
    address.as_str().unwrap().to_owned()
}

/// The mails about new devices, once there are this many.
async fn new_device_mails(who: &Person, count: usize) -> Vec<String> {
    for n in 1..1_000 {
        let mail = who.app.mail(&who.email).await.into_iter().filter(|mail| mail["kind"] == "new-device");
        let texts: Vec<String> = mail.map(|mail| mail["text"].as_str().unwrap().to_owned()).collect();
        if texts.len() >= count {
            return texts;
        }
        who.app.wait_for_message(n).await;
    }
    panic!("{count} mails about new devices did not come");
}

async fn delivered(app: &App) {
    for n in 1..1_000 {
        let idle = [app.queue("send-mail").await, app.queue("confirm-claims").await] == [(0, 0, 0); 2];
        if idle && n > 10 {
            return;
        }
        app.wait_for_message(n).await;
    }
    panic!("messages are not handled");
}

#[tokio::test]
async fn list_shows_device_and_address_of_sign_in_and_refresh() {
    let app = App::start().await;
    let ada = app.user("ada-device").await;
    assert_eq!(newest(&ada).await.0, "an unknown device", "the session that opened the account");
    let (home, cafe) = (app.in_network("home"), app.in_network("cafe"));
    let tokens = sign_in(&ada, &home, LAPTOP, None).await;
    let laptop = Person::new(app.clone(), "ada-device", &ada.email, &tokens);
    let (device, at_home) = newest(&laptop).await;
    assert_eq!(device, "Vivaldi on ChromeOS");
    app.advance(60).await;
    let form = json!({ "refreshToken": tokens.at("/refreshToken") });
    send(&cafe, PHONE, "/api/auth/refresh", form).await.expect(200);
    let (device, in_cafe) = newest(&laptop).await;
    assert_eq!(device, "Firefox on iPhone");
    let ip = |value: &Value| value.as_str().unwrap().parse::<std::net::IpAddr>().unwrap();
    assert_ne!(ip(&at_home), ip(&in_cafe));
}

#[tokio::test]
async fn list_shows_the_clients_address_through_every_region() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-ways").await;
    app.replicated().await;
    let mut seen = Vec::new();
    for way in Region::ALL {
        let tokens = sign_in(&ada, &app.by_way_of(way).in_network("home"), PHONE, None).await;
        seen.push(newest(&Person::new(app.clone(), "ada-ways", &ada.email, &tokens)).await);
    }
    assert!(seen.iter().all(|client| client == &seen[0]), "{seen:?}");
    assert_eq!(seen[0].0, "Firefox on iPhone");
}

#[tokio::test]
async fn session_stored_without_client_is_listed_and_refreshed() {
    let app = App::start().await;
    let ada = app.user("ada-older").await;
    let session = ada.get("/api/auth/session").await.expect(200).text_at("/sessionId");
    let update = |expression: &'static str| {
        let text = |value: String| AttributeValue::S(value);
        let update = app.tables().update_item().table_name(app.table("identity"));
        let update = update.key("pk", text(ItemKind::Sessions.partition(ada.id())));
        update.key("sk", text(format!("SESSION#{session}"))).update_expression(expression)
    };
    update("REMOVE client").send().await.unwrap();
    assert_eq!(newest(&ada).await, (Value::Null, Value::Null));
    // What cannot be read hides no session.
    let damaged = update("SET client = :text");
    damaged.expression_attribute_values(":text", AttributeValue::S("AAAA".into())).send().await.unwrap();
    assert_eq!(newest(&ada).await, (Value::Null, Value::Null));
    let tokens = send(&app, PHONE, "/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await;
    let ada = Person::new(app.clone(), "ada-older", &ada.email, &tokens.expect(200));
    assert_eq!(newest(&ada).await.0, "Firefox on iPhone");
}

#[tokio::test]
async fn device_and_address_are_in_no_file_but_the_mail() {
    let app = App::start().await;
    let ada = app.user("ada-sealed").await;
    let cafe = app.in_network("a cafe with sessions");
    let cafe_address = address(&ada, &cafe).await;
    let first = sign_in(&ada, &cafe, PHONE, None).await;
    let form = json!({ "refreshToken": first.at("/refreshToken") });
    send(&cafe, PHONE, "/api/auth/refresh", form).await.expect(200);
    new_device_mails(&ada, 2).await;
    app.stop().await;
    let mut needles = Needles::default();
    for (name, text) in [
        ("address", cafe_address.as_str()),
        ("device", "Vivaldi on ChromeOS"),
        ("device", "Firefox on iPhone"),
        ("agent", LAPTOP),
        ("agent", PHONE),
    ] {
        needles.keep(name, text);
    }
    let found = search(&needles, &app.data());
    let (mail, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|(file, _)| file.starts_with("mail/"));
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(mail.len(), 1, "the search must reach the mail: {mail:?}");
}

#[tokio::test]
async fn only_sign_ins_without_a_device_token_of_the_account_are_mailed() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-new").await, app.user("bob-new").await);
    let cafe = app.in_network("new cafe");
    let tokens = sign_in(&ada, &cafe, PHONE, None).await;
    let session = Person::new(app.clone(), "ada-new", &ada.email, &tokens);
    let id = session.get("/api/auth/session").await.expect(200).text_at("/sessionId");
    let mails = new_device_mails(&ada, 1).await;
    assert!(mails[0].contains("from Firefox on iPhone, network address 127."), "{}", mails[0]);
    assert!(mails[0].contains(&format!("DELETE /api/auth/sessions/{id}")), "{}", mails[0]);
    // A known device, with the password and through a provider.
    let device = tokens.text_at("/deviceToken");
    sign_in(&ada, &cafe, PHONE, Some(&device)).await;
    let mut browser = OauthBrowser::new(&cafe);
    browser.authorize("google", &ProviderPersona::new("ada-new")).await;
    let again = app.claiming(browser.complete(json!({ "deviceToken": device }))).await.expect(200);
    assert_eq!(Person::new(app.clone(), "ada-new", &ada.email, &again).id(), ada.id());
    // Another account's device, and a forged one.
    let others = sign_in(&bob, &cafe, LAPTOP, None).await.text_at("/deviceToken");
    let forged = format!("{}{}", &device[..device.len() - 43], "A".repeat(43));
    for token in [others.as_str(), forged.as_str(), "x"] {
        sign_in(&ada, &cafe, LAPTOP, Some(token)).await;
    }
    new_device_mails(&ada, 4).await;
    // Wrong passwords are not mailed, and a repeated request is mailed once.
    let wrong = json!({ "email": ada.email, "password": "wrong wrong wrong" });
    send(&cafe, PHONE, "/api/auth/sign-in", wrong).await.expect(401);
    let form = json!({ "email": ada.email, "password": PASSWORD });
    for _ in 0..2 {
        let request =
            cafe.request(Method::POST, "/api/auth/sign-in").header("idempotency-key", "once").json(&form);
        app.send(request).await.expect(200);
    }
    new_device_mails(&ada, 5).await;
    delivered(&app).await;
    assert_eq!(new_device_mails(&ada, 5).await.len(), 5);
    assert_eq!(new_device_mails(&bob, 1).await.len(), 1);
}

#[tokio::test]
async fn new_device_is_mailed_though_its_session_ended_before() {
    let app = App::start().await;
    let ada = app.user("ada-quick").await;
    let fault = json!({ "service": "ses", "function": "send-mail", "kind": "refused", "times": 0 });
    app.faults(json!([fault])).await;
    let tokens = sign_in(&ada, &app, PHONE, None).await;
    Person::new(app.clone(), "ada-quick", &ada.email, &tokens)
        .post("/api/auth/sign-out", json!({}))
        .await
        .expect(200);
    // The first attempt may have read the session, and must be over.
    crate::privacy::until("the mail is still being sent", async || app.queue("send-mail").await == (0, 0, 1))
        .await;
    app.no_faults().await;
    app.redeliver().await;
    let mail = new_device_mails(&ada, 1).await.remove(0);
    assert!(mail.contains("from a device that has signed out since."), "{mail}");
}

#[tokio::test]
async fn revoked_session_is_refused_by_every_endpoint_in_every_region() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-revoked").await;
    let tokens = app.living_in(Region::Eu).sign_in(&ada.email, PASSWORD).await.expect(200);
    let lost = Person::new(ada.app.clone(), "ada-revoked", &ada.email, &tokens);
    let id = lost.get("/api/auth/session").await.expect(200).text_at("/sessionId");
    ada.delete(&format!("/api/auth/sessions/{id}")).await.expect(200);
    let mut refused = 0;
    for (spec, fixture) in fixtures::all() {
        // Anybody may call the others, with or without a session, or only services or regions.
        let is_internal = spec.is_for_services() || spec.is_for_regions();
        if (!spec.is_private() && spec.id != "auth-session") || is_internal {
            continue;
        }
        for route in spec.routes().into_iter().filter(|route| route.method == spec.method) {
            let target = Target { path: route.path, home: Region::Eu, mark: &|_| "revoked".to_owned() };
            let (path, body) = (fixture.request)(&target);
            for way in Region::ALL {
                let method = spec.method.as_str().parse().unwrap();
                let answer = lost.by_way_of(way).send(method, &path, body.clone()).await;
                assert_eq!(answer.brief(), "401 UNAUTHORIZED", "{} through {way}", spec.id);
                refused += 1;
            }
        }
    }
    assert!(refused > 60, "{refused}");
}
