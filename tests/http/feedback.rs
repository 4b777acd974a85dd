//! Feedback reaches the operators and nobody else, and is stored no longer than its mail takes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use insta::assert_snapshot;
use kit::ItemKind;
use tests::{Answer, App, Value, json};

use crate::privacy::{Everything, until, until_delivered};

/// The endpoint.
pub const PATH: &str = "/api/feedback";

/// The address of the local deployment.
const TO: &str = "feedback@account.example";
const WEEK: i64 = 7 * 86_400;

/// Sends feedback.
pub async fn send(app: &App, form: Value) -> Answer {
    app.post(PATH, form).await
}

/// How many mails with this text went to the operators, once none waits.
pub async fn mailed(app: &App, text: &str) -> usize {
    let is_mailed = async || stored(app).await.iter().all(|item| item["text"].as_s().unwrap() != text);
    until_delivered(app, "the feedback is not mailed", is_mailed).await;
    mails(app, text).await.len()
}

/// All mails that end with this text, from any region to anybody.
async fn mails(app: &App, text: &str) -> Vec<Value> {
    let mails = app.get("/_local/mail").await.expect(200).body.as_array().cloned().unwrap();
    let end = format!("\n\n{text}\n");
    mails.into_iter().filter(|mail| mail["text"].as_str().unwrap().ends_with(&end)).collect()
}

/// The feedback that waits at home.
async fn stored(app: &App) -> Vec<HashMap<String, AttributeValue>> {
    let scan = app.tables().scan().table_name(app.table("operations")).consistent_read(true);
    let items = scan.send().await.unwrap().items.unwrap_or_default();
    let is_feedback = |item: &HashMap<String, AttributeValue>| {
        item["pk"].as_s().unwrap().starts_with(ItemKind::Feedback.prefix())
    };
    items.into_iter().filter(is_feedback).collect()
}

#[tokio::test]
async fn feedback_is_mailed_to_the_operators_and_then_stored_nowhere() {
    let app = App::start().await;
    let text = "Bcc: everybody@people.example\nSubject: No\n\n<b>The lamp flickers</b>, 東京 की बत्ती भी.";
    let typed = format!(" \t{}\r\n", text.replace('\n', "\r\n").replace(' ', "\t"));
    let form = json!({ "kind": "bug", "text": typed, "contact": "Ada-Contact@bücher.example" });
    assert_snapshot!(send(&app, form).await.expect(202).text, @r#"{"received":true}"#);
    assert_eq!(mailed(&app, text).await, 1);
    let mail = mails(&app, text).await.remove(0);
    let members = ["to", "from", "kind", "subject"].map(|member| mail[member].as_str().unwrap());
    assert_eq!(members, [TO, "no-reply@account.example", "feedback", "Feedback: bug"]);
    assert_eq!(mail["region"], app.home().as_str());
    let (head, _) = mail["text"].as_str().unwrap().split_once("\n\n").unwrap();
    let head: Vec<&str> = head.lines().collect();
    assert_eq!(head[0], "Kind: bug");
    assert!(head[1].starts_with("Time: 20") && head[1].ends_with(" UTC"), "{head:?}");
    assert_eq!(head[2], format!("Region: {}", app.home()));
    assert_eq!(head[3], "Contact: Ada-Contact@xn--bcher-kva.example");
    assert!(!mail["html"].as_str().unwrap().contains("<b>"));
    let all = app.get("/_local/mail").await.expect(200).body;
    assert_eq!(all.as_array().unwrap().len(), 1, "nobody else gets mail: {all}");
    let private = ["flickers", "Ada-Contact", "ada-contact"].map(str::to_owned);
    let told = Everything::of(&app).await.tell_of(&private);
    assert!(told.is_empty(), "{told:#?}");
}

#[tokio::test]
async fn wrong_field_is_refused_beside_right_ones() {
    let app = App::start().await;
    for (n, (field, wrong, right)) in [
        ("kind", json!("complaint"), json!("other")),
        ("kind", json!("Bug"), json!("bug")),
        ("kind", json!(null), json!("idea")),
        ("text", json!(" \t\r\n"), json!("x")),
        ("text", json!("x".repeat(5_001)), json!("é".repeat(5_000))),
        ("text", json!("a\u{0}b"), json!("a\tb\nc")),
        ("text", json!("a\u{1b}[31mb"), json!("👩\u{200d}🔬")),
        ("text", json!("a\u{202e}b"), json!("שלום")),
        ("text", json!(["x"]), json!("[\"x\"]")),
        ("contact", json!("nobody"), json!("somebody@people.example")),
        ("contact", json!("a@people.example, b@people.example"), json!("a@people.example")),
        ("contact", json!("a@people.example\r\nBcc: b@people.example"), json!(" ")),
        ("contact", json!(["a@people.example"]), json!(null)),
    ]
    .into_iter()
    .enumerate()
    {
        let network = app.in_network(&format!("field-{n}"));
        let with = |value: &Value| {
            let mut form = json!({ "kind": "idea", "text": "A darker lamp" });
            form[field] = value.clone();
            form
        };
        let refused = send(&network, with(&wrong)).await;
        let seen = (refused.brief(), refused.complaints());
        assert_eq!(seen, ("400 VALIDATION_ERROR".to_owned(), format!("{field} INVALID")), "{wrong}");
        send(&network, with(&right)).await.expect(202);
    }
    for (form, complaint) in [
        (json!({ "text": "x" }), "kind REQUIRED"),
        (json!({ "kind": "bug" }), "text REQUIRED"),
        (json!({ "kind": "bug", "text": "x", "to": "b@people.example" }), "to UNKNOWN"),
    ] {
        assert_eq!(send(&app, form).await.complaints(), complaint);
    }
}

#[tokio::test]
async fn repeated_request_with_one_key_is_mailed_once() {
    let app = App::start().await;
    let send = async |text: &str, key: &str| {
        let request = app.request("POST".parse().unwrap(), PATH).header("idempotency-key", key);
        app.send(request.json(&json!({ "kind": "praise", "text": text }))).await.expect(202).text
    };
    let first = send("I like the lamp", "one").await;
    assert_eq!(mailed(&app, "I like the lamp").await, 1);
    assert_eq!(send("I like the lamp", "one").await, first);
    // Keys of anonymous callers belong to their request: another text is another request.
    send("I like the desk", "one").await;
    assert_eq!(mailed(&app, "I like the desk").await, 1);
    assert_eq!(mailed(&app, "I like the lamp").await, 1);
    send("I like the lamp", "two").await;
    assert_eq!(mailed(&app, "I like the lamp").await, 2);
}

#[tokio::test]
async fn eleventh_feedback_of_a_network_in_an_hour_is_refused() {
    let app = App::start().await;
    app.stop_clock().await;
    let form = |n: usize| json!({ "kind": "other", "text": format!("Feedback {n}") });
    let network = app.in_network("talkative");
    for n in 0..10 {
        send(&network, json!({ "kind": "other", "text": "" })).await.expect(400);
        send(&network, form(n)).await.expect(202);
    }
    let refused = send(&network, form(10)).await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    send(&app.in_network("quiet"), form(11)).await.expect(202);
    assert_eq!(mailed(&app, "Feedback 9").await, 1);
    assert_eq!(mailed(&app, "Feedback 10").await, 0);
    app.advance(refused.header("retry-after").unwrap().parse().unwrap()).await;
    send(&network, form(12)).await.expect(202);
}

#[tokio::test]
async fn feedback_that_cannot_be_mailed_expires_after_a_week() {
    let app = App::start().await;
    app.faults(json!([{ "service": "ses", "kind": "refused", "times": 0 }])).await;
    let since = app.last_call().await;
    send(&app, json!({ "kind": "idea", "text": "A darker lamp" })).await.expect(202);
    until("no mail is tried", async || {
        app.calls_of("send-mail", since).await.iter().any(|call| call["service"] == "ses")
    })
    .await;
    let waiting = stored(&app).await;
    assert_eq!(waiting.len(), 1);
    let received: Timestamp = waiting[0]["at"].as_s().unwrap().parse().unwrap();
    let expires: i64 = waiting[0]["ttl"].as_n().unwrap().parse().unwrap();
    assert_eq!(expires, received.as_second() + WEEK);
    app.advance(WEEK).await;
    app.no_faults().await;
    let settled = async || app.queue("send-mail").await == (0, 0, 0);
    until_delivered(&app, "the message is not settled", settled).await;
    assert!(app.mail(TO).await.is_empty());
}

#[tokio::test]
async fn feedback_that_ses_refuses_permanently_stays_until_it_expires() {
    let app = App::start().await;
    app.faults(json!([{ "service": "ses", "kind": "rejected", "containing": TO, "times": 0 }])).await;
    let since = app.last_call().await;
    send(&app, json!({ "kind": "idea", "text": "A darker lamp" })).await.expect(202);
    until("the message is not settled", async || {
        let calls = app.calls_of("send-mail", since).await;
        let tried = calls.iter().position(|call| call["service"] == "ses");
        tried.is_some_and(|at| calls[at..].iter().any(|call| call["operation"] == "UpdateItem"))
    })
    .await;
    assert_eq!(stored(&app).await.len(), 1);
    assert!(app.mail(TO).await.is_empty());
}

#[tokio::test]
async fn deployment_without_an_address_accepts_no_feedback() {
    let app = App::without_feedback().await;
    let refused = send(&app, json!({ "kind": "idea", "text": "A darker lamp" })).await;
    assert_eq!(refused.brief(), "404 NOT_FOUND");
    assert_snapshot!(refused.text_at("/detail"), @"Feedback is not accepted here.");
    assert!(stored(&app).await.is_empty());
    assert_eq!(app.get("/_local/mail").await.expect(200).body, json!([]));
}
