//! The lookup of new passwords among breached ones, in a service that answers what a test says.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tests::{Answer, App, PASSWORD, Person, json};

use crate::password::{self, NEW};

/// A password that the estimator and the built-in filter let pass, and that the service lists.
const LISTED: &str = "seven paper boats under the bridge";
/// A password that the built-in filter refuses, and the estimator does not.
const FILTERED: &str = "Xristina290386";

/// How the service answers.
#[derive(Clone)]
enum Reply {
    /// The range, with this count for the listed password, and each line through this function.
    Range(&'static str, fn(String) -> String),
    /// A body.
    Body(u16, String),
    /// A redirect to a range that lists every password.
    Redirect,
    /// Nothing, for longer than any request lasts.
    Stall,
    /// A status, and a body that does not come.
    Headers,
}

/// A request that the service received.
struct Asked {
    method: String,
    target: String,
    headers: HeaderMap,
}

struct Script {
    reply: Reply,
    asked: Vec<Asked>,
}

/// A running service.
struct Service {
    url: String,
    script: Arc<Mutex<Script>>,
}

impl Service {
    /// Starts one that lists [`LISTED`].
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/range/", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script { reply: lists("3"), asked: Vec::new() }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, script }
    }

    fn reply(&self, reply: Reply) {
        self.script.lock().unwrap().reply = reply;
    }

    /// The number of requests so far.
    fn asked(&self) -> usize {
        self.script.lock().unwrap().asked.len()
    }
}

/// The range, as Have I Been Pwned writes it.
fn lists(count: &'static str) -> Reply {
    Reply::Range(count, |line| format!("{line}\r\n"))
}

/// The SHA-1 of a password: the digits that the service learns, and the others.
fn hash_of(password: &str) -> (String, String) {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let mut hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let suffix = hash.split_off(5);
    (hash, suffix)
}

/// A range with this count for the listed password, if it is its range; with another hash, and padding.
fn range(prefix: &str, count: &str, written: fn(String) -> String) -> String {
    let (listed, suffix) = hash_of(LISTED);
    let mut lines = vec![format!("{:035X}:7", 10), format!("{:035X}:0", 11)];
    if listed == prefix {
        lines.insert(1, format!("{suffix}:{count}"));
    }
    lines.into_iter().map(written).collect()
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let reply = {
        let mut script = script.lock().unwrap();
        script.asked.push(Asked {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            headers: request.headers().clone(),
        });
        script.reply.clone()
    };
    let prefix = path.rsplit('/').next().unwrap();
    match reply {
        Reply::Range(count, written) => range(prefix, count, written).into_response(),
        Reply::Body(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Reply::Redirect if path.starts_with("/other/") => every_password(1).into_response(),
        Reply::Redirect => {
            let to = format!("/other/{prefix}");
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)], every_password(1)).into_response()
        }
        Reply::Stall => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            StatusCode::OK.into_response()
        }
        Reply::Headers => Body::from_stream(stream::pending::<Result<String, io::Error>>()).into_response(),
    }
}

/// So many times a line that lists the password.
fn every_password(lines: usize) -> String {
    format!("{}:3\r\n", hash_of(LISTED).1).repeat(lines)
}

async fn sign_up(app: &App, name: &str, password: &str) -> Answer {
    let form =
        json!({ "email": format!("{name}@people.example"), "password": password, "region": app.home() });
    app.post("/api/auth/sign-up", form).await
}

async fn change(who: &Person, current: &str, new: &str) -> Answer {
    who.post("/api/auth/password/change", json!({ "currentPassword": current, "newPassword": new })).await
}

/// The password is refused, as the built-in filter refuses one.
fn is_refused(answer: &Answer, field: &str) {
    assert_eq!(answer.brief(), "400 VALIDATION_ERROR", "{}", answer.text);
    assert_eq!(answer.complaints(), format!("{field} INVALID"));
    assert!(answer.text.contains("data breach"), "{}", answer.text);
    assert!(!answer.text.contains(LISTED), "{}", answer.text);
}

#[tokio::test]
async fn listed_password_is_refused_wherever_one_is_set() {
    let service = Service::start().await;
    let app = App::looking_up(&service.url).await;
    is_refused(&sign_up(&app, "ada-breached", LISTED).await, "password");
    let ada = app.newcomer("ada-breached").await;

    let token = password::token(&app, &ada.email).await;
    is_refused(&password::reset(&app, &token, LISTED).await, "password");
    password::reset(&app, &token, NEW).await.expect(200);

    let tokens = app.sign_in(&ada.email, NEW).await.expect(200);
    let ada = Person::new(app.clone(), "ada-breached", &ada.email, &tokens);
    is_refused(&change(&ada, NEW, LISTED).await, "newPassword");
    change(&ada, NEW, PASSWORD).await.expect(200);
    app.sign_in(&ada.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn listed_and_filtered_passwords_get_the_same_answer() {
    let service = Service::start().await;
    let app = App::looking_up(&service.url).await;
    let filtered = sign_up(&app, "bob-breached", FILTERED).await;
    is_refused(&filtered, "password");
    assert_eq!(sign_up(&app, "bob-breached", "password1").await.complaints(), "password INVALID");
    assert_eq!(service.asked(), 0, "these need no service");
    let listed = sign_up(&app, "bob-breached", LISTED).await;
    assert_eq!(service.asked(), 1);
    assert_eq!(listed.at("/errors"), filtered.at("/errors"));
}

#[tokio::test]
async fn service_learns_five_digits_of_a_hash_and_nothing_else() {
    let service = Service::start().await;
    let app = App::looking_up(&service.url).await;
    sign_up(&app, "cyd-breached", PASSWORD).await.expect(202);
    sign_up(&app, "cyd-breached-2", LISTED).await.expect(400);
    let script = service.script.lock().unwrap();
    let targets: Vec<&str> = script.asked.iter().map(|asked| asked.target.as_str()).collect();
    let expected = [PASSWORD, LISTED].map(|password| format!("/range/{}", hash_of(password).0));
    assert_eq!(targets, expected);
    for Asked { method, headers, .. } in &script.asked {
        assert_eq!(method, "GET");
        assert_eq!(headers["add-padding"], "true");
        assert_eq!(headers["user-agent"], "account-platform");
        let mut others = headers.keys().map(header::HeaderName::as_str).filter(|name| *name != "host");
        assert!(
            others.all(|name| ["add-padding", "user-agent", "content-length"].contains(&name)),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn padding_refuses_no_password() {
    let service = Service::start().await;
    let app = App::looking_up(&service.url).await;
    service.reply(lists("0"));
    sign_up(&app, "dora-breached", LISTED).await.expect(202);
    service.reply(Reply::Range("1", |line| format!("{}\n", line.to_lowercase())));
    is_refused(&sign_up(&app, "dora-breached-2", LISTED).await, "password");
    assert_eq!(service.asked(), 2);
}

#[tokio::test]
async fn service_without_a_usable_answer_stops_no_sign_up() {
    let service = Service::start().await;
    let app = App::looking_up(&service.url).await;
    let replies = [
        Reply::Body(500, every_password(1)),
        Reply::Body(429, every_password(1)),
        Reply::Body(200, String::new()),
        Reply::Body(200, format!("{}<html>", every_password(1))),
        Reply::Body(200, every_password(2 * 1024 * 1024 / 39)),
        Reply::Redirect,
        Reply::Stall,
        Reply::Headers,
    ];
    for (n, reply) in replies.into_iter().enumerate() {
        service.reply(reply);
        sign_up(&app, &format!("erin-breached-{n}"), LISTED).await.expect(202);
        assert_eq!(service.asked(), n + 1, "no redirect is followed, and nothing is sent twice");
        // The built-in filter works on.
        is_refused(&sign_up(&app, &format!("erin-filtered-{n}"), FILTERED).await, "password");
    }
    // And it is used again as soon as it answers.
    service.reply(lists("1"));
    is_refused(&sign_up(&app, "erin-breached", LISTED).await, "password");
}

#[tokio::test]
async fn service_that_is_down_stops_neither_reset_nor_change() {
    // Nothing listens at the address of a listener that was dropped.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let app = App::looking_up(&url).await;
    let faye = app.newcomer("faye-breached").await;
    let token = password::token(&app, &faye.email).await;
    password::reset(&app, &token, LISTED).await.expect(200);
    let tokens = app.sign_in(&faye.email, LISTED).await.expect(200);
    let faye = Person::new(app.clone(), "faye-breached", &faye.email, &tokens);
    change(&faye, LISTED, NEW).await.expect(200);
}

#[tokio::test]
async fn strangers_cause_no_more_lookups_than_their_networks_limit() {
    let service = Service::start().await;
    let app = App::looking_up(&service.url).await.in_network("network of guesses");
    // All requests fall into one hour.
    app.stop_clock().await;
    let mut refused = 0;
    loop {
        let answer = sign_up(&app, &format!("gil-breached-{refused}"), LISTED).await;
        if answer.status == 429 {
            break;
        }
        is_refused(&answer, "password");
        refused += 1;
        assert!(refused <= 30, "there is no limit");
    }
    assert_eq!(service.asked(), refused);
}

#[tokio::test]
async fn password_that_may_not_be_set_is_not_looked_up() {
    let service = Service::start().await;
    let app = App::looking_up(&service.url).await;
    let hana = app.newcomer("hana-breached").await;
    let token = password::token(&app, &hana.email).await;
    password::reset(&app, &token, NEW).await.expect(200);
    let asked = service.asked();
    assert_eq!(password::reset(&app, &token, LISTED).await.brief(), "422 TOKEN_INVALID");
    let tokens = app.sign_in(&hana.email, NEW).await.expect(200);
    let hana = Person::new(app.clone(), "hana-breached", &hana.email, &tokens);
    assert_eq!(change(&hana, PASSWORD, LISTED).await.brief(), "401 INVALID_CREDENTIALS");
    assert_eq!(service.asked(), asked, "neither a used token nor a wrong password sends anything");
}

#[tokio::test]
async fn lookup_is_the_same_with_and_without_an_account() {
    let service = Service::start().await;
    let app = App::looking_up(&service.url).await;
    app.newcomer("ida-breached").await;
    for name in ["ida-breached", "nobody-breached"] {
        let before = service.asked();
        is_refused(&sign_up(&app, name, LISTED).await, "password");
        sign_up(&app, name, NEW).await.expect(202);
        assert_eq!(service.asked(), before + 2, "{name}");
    }
}

#[tokio::test]
async fn nothing_is_looked_up_by_default() {
    let app = App::start().await;
    sign_up(&app, "jim-breached", LISTED).await.expect(202);
    is_refused(&sign_up(&app, "jim-filtered", FILTERED).await, "password");
}
