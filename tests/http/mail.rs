//! Addresses that mail is sent to, and mail that is refused.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::email::EmailAddress;
use kit::ItemKind;
use proptest::prelude::*;
use tests::{App, PASSWORD, Person, json};

use crate::privacy::{SECOND_LOOK, forgotten, looked_once, until};

#[tokio::test]
async fn internationalized_domain_gets_mail_in_punycode() {
    let app = App::start().await;
    let (typed, sent) = ("Ada@bücher-x.example", "Ada@xn--bcher-x-n2a.example");
    app.sign_up(typed).await.expect(202);
    let mail = app.mail_of_kind(typed, "sign-up-code").await;
    assert_eq!(mail["to"], sent);
    let code = app.code(sent).await;
    let form = json!({ "email": "ada@BÜCHER-X.example", "code": code, "password": PASSWORD });
    let tokens = app.claiming(app.post("/api/auth/verify", form)).await.expect(200);
    let ada = Person::new(app.clone(), "ada-idn", typed, &tokens);
    let form = json!({ "username": "ada-idn", "displayName": "Ada" });
    let settings = app.claiming(ada.post("/api/onboarding", form)).await.expect(201);
    assert_eq!(settings.at("/email"), typed);
    app.first_sign_in("ada@xn--bcher-x-n2a.example").await;
    ada.make_key("ci").await;
    assert_eq!(app.mail_of_kind(typed, "api-key-created").await["to"], sent);
}

#[tokio::test]
async fn non_ascii_local_part_is_a_field_error() {
    let app = App::start().await;
    for email in
        ["zoë@people.example", "\u{212a}im@people.example", "ｋim@people.example", "अदा@people.example"]
    {
        let sign_up = app.sign_up(email).await;
        let others = [
            app.post("/api/auth/verify", json!({ "email": email, "code": "123456", "password": PASSWORD }))
                .await,
            app.sign_in(email, PASSWORD).await,
            app.post("/api/auth/password/forgot", json!({ "email": email })).await,
        ];
        for answer in others.iter().chain([&sign_up]) {
            assert_eq!(
                (answer.brief().as_str(), answer.complaints().as_str()),
                ("400 VALIDATION_ERROR", "email INVALID")
            );
            assert!(answer.text_at("/errors/0/message").contains("before the @"), "{}", answer.text);
            assert!(!answer.text.contains("people.example"), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn mail_that_ses_refuses_for_good_is_sent_once() {
    let app = App::start().await;
    let zoe = app.user("zoe-mail").await;
    // As it could be stored once.
    let update = app.tables().update_item().table_name(app.table("identity"));
    let update = update
        .key("pk", text(ItemKind::Users.partition(zoe.id())))
        .key("sk", text("USER"))
        .update_expression("SET primary_email = :address")
        .expression_attribute_values(":address", text("zoë@people.example"));
    update.send().await.unwrap();
    let since = app.last_call().await;
    zoe.make_key("ci").await;
    let app = &app;
    let calls = async || app.calls_of("send-mail", since).await;
    until("the mail is not settled", async || {
        let calls = calls().await;
        let sent = calls.iter().position(|call| call["service"] == "ses");
        sent.is_some_and(|at| calls[at..].iter().any(|call| call["operation"] == "UpdateItem"))
    })
    .await;
    app.redeliver().await;
    until("the message is not settled", async || app.queue("send-mail").await == (0, 0, 0)).await;
    assert_eq!(calls().await.iter().filter(|call| call["service"] == "ses").count(), 1);
    assert!(app.mail("zoë@people.example").await.is_empty());
}

#[tokio::test]
async fn deletion_ends_when_its_receipt_is_refused_for_good() {
    tests::needs_every_region!();
    let app = App::start().await;
    let zoe = app.user("zoe-goes").await;
    zoe.ask_to_be_deleted().await.expect(202);
    looked_once(&zoe).await;
    let jobs = zoe.jobs().await.into_iter().filter(|job| job["receipt_to"].is_string());
    let jobs: Vec<_> = jobs.collect();
    assert_eq!(jobs.len(), 1);
    for job in jobs {
        let update = app.tables().update_item().table_name(app.table("operations"));
        let update = update
            .key("pk", text(job["pk"].as_str().unwrap()))
            .key("sk", text(job["sk"].as_str().unwrap()))
            .update_expression("SET receipt_to = :address")
            .expression_attribute_values(":address", text("zoë@people.example"));
        update.send().await.unwrap();
    }
    app.advance(SECOND_LOOK).await;
    forgotten(&zoe).await;
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// What people might type.
fn typed() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{1,70}@\\PC{1,70}\\.\\PC{2,9}",
        "[!-~]{1,66}@[a-zA-Z0-9.-]{1,80}\\.[a-z]{2,9}",
        "[a-z0-9.+'_-]{1,64}@[a-z0-9äöüßéàñ-]{1,60}(\\.[a-zäü0-9-]{1,62}){0,4}\\.[a-z]{2,9}",
        "[a-z0-9]{1,9}([.+_-][a-z0-9]{1,9}){0,3}@([а-я]{1,9}|[α-ω]{1,9}|[一-龥]{1,9}|[가-힣]{1,9}|[א-ת]{1,9}|[ก-ฮ]{1,9})\\.(example|рф|中国|한국)",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_096) })]

    #[test]
    fn every_accepted_address_is_deliverable(typed in typed()) {
        if let Ok(address) = EmailAddress::parse(&typed) {
            prop_assert_eq!(aws::address_refusal(&address.to_ascii()), None, "{}", typed);
            prop_assert_eq!(aws::address_refusal(&address.canonical()), None, "{}", typed);
        }
    }

    #[test]
    fn plain_addresses_in_every_script_of_domains_are_accepted(
        local in "[a-z0-9]{1,9}([.+_-][a-z0-9]{1,9}){0,3}", domain in "[а-я]{1,9}|[α-ω]{1,9}|[一-龥]{1,9}|[가-힣]{1,9}",
    ) {
        let address = format!("{local}@{domain}.example");
        prop_assert!(EmailAddress::parse(&address).is_ok(), "{}", address);
    }
}
