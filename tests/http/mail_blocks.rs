//! Addresses whose mail bounced or was reported as spam, and the limit on mails that strangers cause.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::region::Region;
use kit::ItemKind;
use tests::{App, PASSWORD, Person, json};

use crate::{
    feedback, password,
    privacy::{erase, until},
};

const WEEK: i64 = 7 * 86_400;

/// The items that block addresses, at home.
async fn blocks(app: &App) -> usize {
    let scan =
        app.tables().scan().table_name(app.table("identity")).consistent_read(true).send().await.unwrap();
    let is_block = |item: &std::collections::HashMap<String, AttributeValue>| {
        item["pk"].as_s().unwrap().starts_with(ItemKind::MailBlocks.prefix())
    };
    scan.items().iter().filter(|item| is_block(item)).count()
}

/// The mails to somebody bounce or are reported, and the platform has taken notice.
pub async fn report(app: &App, to: &str, feedback: &str) {
    let since = app.last_call().await;
    app.post("/_local/mail-feedback", json!({ "to": to, "feedback": feedback })).await.expect(204);
    until("the event is not handled", async || {
        app.queue("record-mail-feedback").await == (0, 0, 0)
            && (feedback == "transient-bounce"
                || !app.calls_of("record-mail-feedback", since).await.is_empty())
    })
    .await;
}

/// Waits until `send-mail` has settled a message since then.
pub async fn settled(app: &App, since: u64) {
    until("the message is not settled", async || {
        app.calls_of("send-mail", since).await.iter().any(|call| call["operation"] == "UpdateItem")
    })
    .await;
}

fn kinds(mail: &[tests::Value], kind: &str) -> usize {
    mail.iter().filter(|mail| mail["kind"] == kind).count()
}

#[tokio::test]
async fn bounced_address_gets_no_mail_for_a_week_and_its_owner_sees_it() {
    let app = App::start().await;
    let ada = app.user("ada-bounces").await;
    let status = async |who: &Person| who.get("/api/settings?expand=mail").await.expect(200);
    assert_eq!(status(&ada).await.at("/mail"), &json!({ "block": null }));
    report(&app, &ada.email, "bounce").await;
    let blocked = status(&ada).await;
    assert_eq!(blocked.at("/mail/block/reason"), "bounce");
    assert!(blocked.text_at("/mail/block/until") > app.get("/_local/clock").await.text_at("/now"));
    // Only who asks for it sees it.
    assert!(ada.get("/api/settings").await.expect(200).at("/mail").is_null());
    let since = app.last_call().await;
    ada.make_key("while-blocked").await;
    settled(&app, since).await;
    assert_eq!(kinds(&app.mail(&ada.email).await, "api-key-created"), 0);
    // A reset is answered as always, and sends nothing.
    let since = app.last_call().await;
    password::forgot(&app, &ada.email).await.expect(202);
    settled(&app, since).await;
    assert_eq!(kinds(&app.mail(&ada.email).await, "password-reset"), 0);
    app.advance(WEEK).await;
    let tokens = app.sign_in(&ada.email, PASSWORD).await.expect(200);
    let ada = Person::new(app.clone(), &ada.handle, &ada.email, &tokens);
    assert_eq!(status(&ada).await.at("/mail"), &json!({ "block": null }));
    ada.make_key("after").await;
    app.mail_of_kind(&ada.email, "api-key-created").await;
}

#[tokio::test]
async fn temporary_bounce_blocks_nothing_and_complaint_does() {
    let app = App::start().await;
    let ada = app.user("ada-transient").await;
    let block =
        async || ada.get("/api/settings?expand=mail").await.expect(200).at("/mail/block/reason").clone();
    report(&app, &ada.email, "transient-bounce").await;
    assert!(block().await.is_null());
    report(&app, &ada.email, "complaint").await;
    assert_eq!(block().await, "complaint");
}

#[tokio::test]
async fn sign_up_with_a_blocked_address_says_so_for_a_week() {
    let app = App::start().await;
    for email in ["bounce+ada@simulator.amazonses.com", "complaint@simulator.amazonses.com"] {
        app.sign_up(email).await.expect(202);
        until("the address is not blocked", async || {
            app.advance(61).await;
            app.sign_up(email).await.status == 422
        })
        .await;
        assert_eq!(app.sign_up(email).await.brief(), "422 EMAIL_UNDELIVERABLE");
    }
    // The simulator's other addresses work.
    app.sign_up("success@simulator.amazonses.com").await.expect(202);
    app.code("success@simulator.amazonses.com").await;
    app.advance(WEEK).await;
    app.sign_up("bounce+ada@simulator.amazonses.com").await.expect(202);
}

#[tokio::test]
async fn blocked_address_with_and_without_an_account_answers_alike() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-alike").await;
    app.sign_up("nobody-alike@people.example").await.expect(202);
    app.code("nobody-alike@people.example").await;
    let mut answers = Vec::new();
    for email in [&ada.email, "nobody-alike@people.example"] {
        report(&app, email, "bounce").await;
        let answer = app.sign_up(email).await;
        let forgot = password::forgot(&app, email).await;
        answers.push((answer.brief(), answer.text_at("/detail"), forgot.brief()));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn block_is_erased_with_the_account() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-erased-block").await;
    report(&app, &ada.email, "bounce").await;
    assert_eq!(blocks(&app).await, 1);
    erase(&ada).await;
    assert_eq!(blocks(&app).await, 0);
}

#[tokio::test]
async fn unreadable_feedback_is_kept_for_another_try() {
    let app = App::start().await;
    let run = async |event| {
        app.post(&format!("/_local/run/record-mail-feedback?region={}", app.home()), event).await
    };
    for unreadable in
        [json!({}), json!({ "detail": {} }), json!({ "detail": { "bounce": { "bounceType": "Permanent" } } })]
    {
        assert_eq!(run(unreadable.clone()).await.status, 502, "{unreadable}");
    }
    let bounce = json!({ "bounceType": "Permanent", "bouncedRecipients": [{ "emailAddress": "no address" }],
        "timestamp": "2026-01-01T00:00:00.000Z" });
    assert_eq!(run(json!({ "detail": { "bounce": bounce } })).await.status, 502);
}

/// Uses up the mails that strangers may cause in this hour, at home.
async fn use_up(app: &App) {
    let now: jiff::Timestamp = app.get("/_local/clock").await.expect(200).text_at("/now").parse().unwrap();
    let ends = domain::throttle::NetworkLimit::window_end(now);
    let text = |text: String| AttributeValue::S(text);
    let put = app.tables().put_item().table_name(app.table("operations"));
    let put = put
        .item("pk", text(ItemKind::RateWindows.partition(format!("mail/strangers#{}", ends.as_second()))))
        .item("sk", text("RATE".to_owned()))
        .item("used", AttributeValue::N("2000".to_owned()));
    put.send().await.unwrap();
}

#[tokio::test]
async fn strangers_mails_are_limited_and_owners_are_not() {
    tests::needs_every_region!();
    let app = App::start().await;
    // Not at the end of an hour, and at no second of a retry.
    app.stop_clock().await;
    let ada = app.user("ada-limited").await;
    // An unknown address has a home too.
    for region in Region::ALL {
        use_up(&app.living_in(region)).await;
    }
    for email in [&ada.email, "stranger-limited@people.example"] {
        let answers = [app.sign_up(email).await, password::forgot(&app, email).await];
        for answer in answers {
            assert_eq!(answer.brief(), "429 RATE_LIMITED", "{email}");
            assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() <= 3_600);
        }
    }
    let feedback = feedback::send(&app, json!({ "kind": "idea", "text": "A darker lamp" })).await;
    assert_eq!(feedback.brief(), "429 RATE_LIMITED");
    ada.make_key("ci").await;
    app.mail_of_kind(&ada.email, "api-key-created").await;
    app.advance(3_600).await;
    app.sign_up("stranger-limited@people.example").await.expect(202);
    password::forgot(&app, &ada.email).await.expect(202);
    app.mail_of_kind(&ada.email, "password-reset").await;
}
