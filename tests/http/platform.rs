//! The local platform itself.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::region::Region;
use local::{Options, Platform};
use tests::{App, json};

use crate::search::{Needles, search};

#[tokio::test]
async fn a_restart_loses_nothing() {
    let app = App::start().await;
    let ada = app.user("ada9").await;
    let (_, key) = ada.make_key("ci").await;
    app.code(&ada.email).await;
    let (token, refresh, email) = (ada.token.clone(), ada.refresh.clone(), ada.email.clone());
    drop(ada);
    let app = app.restart().await;
    let ada = tests::Person { app: app.clone(), handle: "ada9".into(), email, token, refresh };
    assert_eq!(ada.get("/api/settings").await.expect(200).at("/username"), "ada9");
    assert_eq!(ada.get("/api/api-keys?expand=value").await.expect(200).at("/keys/0/key"), &json!(key));
    let ci = tests::Person { token: key, ..ada.clone() };
    ci.get("/api/account/summary").await.expect(200);
    app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    assert_eq!(ada.activity().await, ["created api_key ci", "completed onboarding ada9"]);
    assert!(app.mail(&ada.email).await.iter().filter(|mail| mail["kind"] == "sign-up-code").count() == 1);
}

#[tokio::test]
async fn a_message_on_its_way_at_the_end_is_delivered_after_a_restart() {
    let app = App::start().await;
    app.faults(json!([{ "service": "ses", "kind": "refused", "times": 0 }])).await;
    app.sign_up("bob9@people.example").await.expect(202);
    until_refused(&app).await;
    let app = app.restart().await;
    app.code("bob9@people.example").await;
}

#[tokio::test]
async fn a_mail_that_is_refused_is_sent_later_and_once() {
    let app = App::start().await;
    app.faults(json!([{ "service": "ses", "kind": "refused", "times": 0 }])).await;
    app.sign_up("carol9@people.example").await.expect(202);
    until_refused(&app).await;
    app.no_faults().await;
    app.code("carol9@people.example").await;
    let event = app.calls_of("send-mail", 0).await;
    assert!(event.len() > 4, "{event:?}");
    assert_eq!(app.mail("carol9@people.example").await.len(), 1);
}

/// Waits until a mail was refused.
async fn until_refused(app: &App) {
    for _ in 0..500 {
        if app.calls_of("send-mail", 0).await.iter().any(|call| call["service"] == "ses") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no mail was tried");
}

#[tokio::test]
async fn unusable_port_or_folder_is_explained() {
    let app = App::start().await;
    let port: u16 = app.url().rsplit(':').next().unwrap().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let leading_keys = tests::leading_keys();
    let options = |port, data| Options {
        port,
        data,
        aws: None,
        binaries: None,
        leading_keys,
        origins: Vec::new(),
        accepts_feedback: true,
        breached_passwords: None,
    };
    let refused = Platform::start(options(port, folder.path().join("new"))).await.err().unwrap().to_string();
    assert!(refused.contains(&port.to_string()) && refused.contains("--port"), "{refused}");
    std::fs::write(folder.path().join("version"), "99").unwrap();
    let refused = Platform::start(options(0, folder.path().to_owned())).await.err().unwrap().to_string();
    assert!(refused.contains("version is 99"), "{refused}");
    let foreign = tempfile::tempdir().unwrap();
    std::fs::write(foreign.path().join("letter.txt"), "x").unwrap();
    let refused = Platform::start(options(0, foreign.path().to_owned())).await.err().unwrap().to_string();
    assert!(refused.contains("files of something else"), "{refused}");
    std::fs::write(foreign.path().join("file"), "x").unwrap();
    assert!(Platform::start(options(0, foreign.path().join("file"))).await.is_err());
}

#[tokio::test]
async fn the_controls_answer() {
    let app = App::start().await;
    assert_eq!(app.get("/_local/health").await.expect(200).at("/status"), "ready");
    for page in ["/_local/", "/_local/mailbox", "/_local/reference"] {
        let page = app.get(page).await.expect(200);
        assert!(
            page.text.starts_with("<!doctype html>") && !page.text.contains("https://cdn"),
            "{}",
            page.text
        );
    }
    let reference = app.get("/_local/reference").await.expect(200).text;
    assert!(reference.contains("auth-sign-up") && reference.contains("/api/activity/archive"));
    assert_eq!(app.get("/_local/openapi.json").await.expect(200).at("/openapi"), "3.1.0");
    let before = app.get("/_local/clock").await.expect(200).text_at("/now");
    app.post("/_local/clock", json!({ "now": "2030-01-01T00:00:00Z" })).await.expect(200);
    assert!(app.get("/_local/clock").await.expect(200).text_at("/now") > before);
    app.post("/_local/clock", json!({})).await.expect(400);
    app.post("/_local/run/nothing", json!({})).await.expect(404);
    app.post("/_local/run/send-mail", json!({ "detail": 1 })).await.expect(502);
}

fn key(partition: &str) -> HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text("A"))])
}

#[tokio::test]
async fn compaction_removes_deleted_data_from_files() {
    tests::needs_every_region!();
    let app = App::start().await;
    let authority = app.living_in(Region::AUTHORITY).tables();
    let own = app.tables();
    // One table has no stream, one has its stream read by functions, and one is replicated.
    let places = [
        (&own, app.table("identity"), "USER#needle-of-identity"),
        (&own, app.table("operations"), "THROTTLE#needle-of-operations"),
        (&authority, "account-directory".to_owned(), "RESERVED#needle-of-the-directory"),
    ];
    let mut needles = Needles::default();
    for (client, table, pk) in &places {
        needles.keep(table, pk);
        client.put_item().table_name(table).set_item(Some(key(pk))).send().await.unwrap();
        client.delete_item().table_name(table).set_key(Some(key(pk))).send().await.unwrap();
    }
    // With an external emulator, the tables are in no file here.
    if std::env::var_os("ACCOUNT_TEST_AWS").is_none() {
        assert!(search(&needles, &app.data()).len() >= 2, "the search must reach the tables");
        // Changes that were not read yet stay.
        app.post("/_local/replication", json!({ "paused": true })).await.expect(200);
        let (client, table, _) = &places[2];
        client.put_item().table_name(table).set_item(Some(key("RESERVED#unread"))).send().await.unwrap();
        app.post("/_local/compact", json!({})).await.expect(503);
        app.post("/_local/replication", json!({ "paused": false })).await.expect(200);
    }
    app.post("/_local/compact", json!({})).await.expect(204);
    assert!(search(&needles, &app.data()).is_empty());
    // The streams' positions are kept: nothing is lost, and nothing comes twice.
    let ada = app.user("ada-9c").await;
    assert_eq!(app.mail(&ada.email).await.len(), 1);
    let elsewhere = app.by_way_of(Region::Ap);
    for _ in 0..500 {
        if elsewhere.get("/api/users?username=ada-9c").await.status == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nothing is replicated any more");
}

#[tokio::test]
async fn scheduled_function_runs_without_an_event() {
    tests::needs_every_region!();
    let app = App::start().await;
    let run = async |function: &str, body: Option<&'static str>| {
        let path = format!("/_local/run/{function}?region={}", app.home());
        let request = app.request(reqwest::Method::POST, &path);
        app.send(body.map_or(request.try_clone().unwrap(), |body| request.body(body))).await
    };
    for function in ["purge-trash", "reap-claims", "run-export", "run-deletion"] {
        let bare = run(function, None).await.expect(200);
        assert_eq!(bare.body, run(function, Some("{}")).await.expect(200).body, "{function}");
    }
    // Nothing schedules it: without a message there is nothing to do.
    assert_eq!(run("send-mail", None).await.status, 502);
    assert_eq!(run("purge-trash", Some("{")).await.status, 400);
    assert_eq!(run("nobody", None).await.status, 404);
}
