//! Consumers behind queues: what is retried, when, and what becomes of messages that fail too often.

use aws_sdk_sqs::types::QueueAttributeName;
use kit::ItemKind;
use tests::{App, json};

use crate::privacy::until;

/// The visibility timeout of `send-mail`'s queue in seconds, and therefore the delay before a retry.
const RETRY: i64 = 180;

/// The calls of `send-mail` to SES so far.
async fn attempts(app: &App) -> usize {
    app.calls_of("send-mail", 0).await.iter().filter(|call| call["service"] == "ses").count()
}

/// Waits until no message of `send-mail` is being handled or can be received, and so many wait for their next delivery.
async fn until_waiting(app: &App, count: u64) {
    until("messages are not given back", async || app.queue("send-mail").await == (0, 0, count)).await;
}

/// Waits until `send-mail` has nothing more to do.
async fn until_settled(app: &App, count: usize) {
    until("the messages are not settled", async || {
        attempts(app).await >= count && app.queue("send-mail").await == (0, 0, 0)
    })
    .await;
}

#[tokio::test]
async fn ten_minutes_of_throttling_lose_no_code() {
    let app = App::start().await;
    app.stop_clock().await;
    let now = app.get("/_local/clock").await.expect(200).text_at("/now");
    let over = now.parse::<jiff::Timestamp>().unwrap() + jiff::SignedDuration::from_mins(10);
    app.faults(json!([{ "service": "ses", "kind": "throttled", "times": 0, "until": over }])).await;
    let emails: Vec<String> = (0..8).map(|n| format!("throttled{n}@people.example")).collect();
    for email in &emails {
        app.sign_up(email).await.expect(202);
    }
    for round in 1..=4 {
        until_waiting(&app, 8).await;
        let tried = attempts(&app).await;
        app.advance(RETRY - 1).await;
        assert_eq!(app.queue("send-mail").await, (0, 0, 8), "no retry is due before round {round}");
        app.advance(1).await;
        until("no retry", async || attempts(&app).await > tried).await;
    }
    until_settled(&app, 0).await;
    for email in &emails {
        let mail = app.mail(email).await;
        assert_eq!(mail.len(), 1, "{email}");
        assert_eq!(mail[0]["kind"], "sign-up-code");
        // Twelve minutes after the sign-up, the code is of no use, and the mail says so.
        assert!(mail[0]["text"].as_str().unwrap().contains("has expired, because this email was delayed"));
    }
    assert_eq!(app.queue("dead-letters").await, (0, 0, 0));
}

#[tokio::test]
async fn second_of_throttling_delays_a_code_by_seconds() {
    let app = App::start().await;
    app.faults(json!([{ "service": "ses", "kind": "throttled", "times": 2 }])).await;
    app.sign_up("throttled@people.example").await.expect(202);
    // Nothing moves the clock, and nothing is delivered again.
    until("the code does not come", async || app.mail("throttled@people.example").await.len() == 1).await;
    assert_eq!(attempts(&app).await, 3);
    assert!(app.code("throttled@people.example").await.len() == 6);
}

#[tokio::test]
async fn mail_that_ses_accepts_slowly_is_sent_once() {
    let app = App::start().await;
    app.faults(json!([{ "service": "ses", "kind": "late", "millis": 750, "times": 0 }])).await;
    app.sign_up("slow@people.example").await.expect(202);
    until_settled(&app, 1).await;
    app.advance(RETRY).await;
    app.redeliver().await;
    until_settled(&app, 1).await;
    assert_eq!((attempts(&app).await, app.mail("slow@people.example").await.len()), (1, 1));
}

#[tokio::test]
async fn permanent_refusal_is_settled_and_fails_no_other_mail() {
    let app = App::start().await;
    let refused =
        json!({ "service": "ses", "kind": "rejected", "containing": "nobody@people.example", "times": 0 });
    app.faults(json!([refused])).await;
    app.sign_up("nobody@people.example").await.expect(202);
    app.sign_up("somebody@people.example").await.expect(202);
    app.code("somebody@people.example").await;
    until_settled(&app, 2).await;
    app.no_faults().await;
    app.advance(RETRY).await;
    app.redeliver().await;
    until_settled(&app, 2).await;
    assert_eq!(attempts(&app).await, 2);
    assert!(app.mail("nobody@people.example").await.is_empty());
}

#[tokio::test]
async fn unreadable_message_becomes_a_dead_letter_and_is_sent_again() {
    let app = App::start().await;
    let sqs = app.queues();
    let url = async |id: &str| {
        let found = sqs.get_queue_url().queue_name(format!("account-platform-{id}")).send().await.unwrap();
        found.queue_url.unwrap()
    };
    let (queue, dead) = (url("send-mail").await, url("dead-letters").await);
    let attributes = sqs.get_queue_attributes().queue_url(&queue).attribute_names(QueueAttributeName::All);
    let attributes = attributes.send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], RETRY.to_string());
    let policy: tests::Value = tests::from_str(&attributes[&QueueAttributeName::RedrivePolicy]).unwrap();
    let receives = policy["maxReceiveCount"].as_i64().unwrap();
    assert!(receives * RETRY >= 6 * 3_600, "{receives}");
    sqs.send_message().queue_url(&queue).message_body("{\"detail\":{}}").send().await.unwrap();
    for n in 0..receives {
        assert_eq!(app.queue("dead-letters").await, (0, 0, 0), "after {n} receives");
        until_waiting(&app, 1).await;
        app.redeliver().await;
    }
    until("the message is no dead letter", async || app.queue("dead-letters").await == (1, 0, 0)).await;
    let received = sqs.receive_message().queue_url(&dead).visibility_timeout(0).send().await.unwrap();
    assert_eq!(received.messages()[0].body(), Some("{\"detail\":{}}"));
    let arn = policy["deadLetterTargetArn"].as_str().unwrap();
    sqs.start_message_move_task().source_arn(arn).send().await.unwrap();
    let tasks = sqs.list_message_move_tasks().source_arn(arn).send().await.unwrap();
    assert_eq!(tasks.results()[0].status(), Some("COMPLETED"));
    assert_eq!(tasks.results()[0].approximate_number_of_messages_moved(), 1);
    until_waiting(&app, 1).await;
    assert_eq!(app.queue("dead-letters").await, (0, 0, 0));
}

#[tokio::test]
async fn message_of_newer_version_does_not_stop_later_ones() {
    let app = App::start().await;
    let newer = json!({
        "pk": ItemKind::Outbox.partition("invented"), "sk": "msg_01m858qy4a1ar9by88nhafn40x",
        "id": "msg_01m858qy4a1ar9by88nhafn40x", "at": "2026-11-01T00:00:00Z",
        "notice": { "type": "invented-later", "count": 3 },
    });
    let item = serde_dynamo::to_item(newer).unwrap();
    app.tables().put_item().table_name(app.table("operations")).set_item(Some(item)).send().await.unwrap();
    app.sign_up("later@people.example").await.expect(202);
    app.code("later@people.example").await;
}
