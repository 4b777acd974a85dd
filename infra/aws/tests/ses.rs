//! SES: sent emails and refused requests.

use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};

use crate::support::{Local, code};

fn part(text: &str) -> Content {
    Content::builder().data(text).charset("UTF-8").build().unwrap()
}

pub fn mail(local: &Local, to: &[&str]) -> SendEmailFluentBuilder {
    let body = Body::builder().text(part("plain")).html(part("<p>rich</p>")).build();
    let message = Message::builder().subject(part("Hello ✓")).body(body).build();
    let destination =
        Destination::builder().set_to_addresses(Some(to.iter().map(|to| (*to).to_owned()).collect()));
    let tag = MessageTag::builder().name("kind").value("verify").build().unwrap();
    let sent =
        local.ses("send-mail").send_email().from_email_address("Team <team@example.com>").email_tags(tag);
    sent.destination(destination.build()).content(EmailContent::builder().simple(message).build())
}

#[tokio::test]
async fn mail_is_kept_newest_first_and_survives_a_restart() {
    let mut local = Local::start().await;
    let sent = mail(&local, &["a@example.com", "b@example.com"]).send().await.unwrap();
    assert!(!sent.message_id.unwrap().is_empty());
    mail(&local, &["c@example.com"]).send().await.unwrap();
    for restarted in [false, true] {
        if restarted {
            local.restart().await;
        }
        let all: Vec<String> = local.aws().mail(None).into_iter().map(|mail| mail.to).collect();
        assert_eq!(all, ["c@example.com", "b@example.com", "a@example.com"]);
        let one = local.aws().mail(Some("a@example.com")).remove(0);
        assert_eq!(one.subject, "Hello ✓");
        assert_eq!(one.from, "Team <team@example.com>");
        assert_eq!((one.text.as_deref(), one.html.as_deref()), (Some("plain"), Some("<p>rich</p>")));
        assert_eq!((one.kind.as_deref(), one.region.as_str()), (Some("verify"), "eu-central-1"));
    }
}

#[tokio::test]
async fn mail_to_idn_is_found_by_unicode_and_ascii_domain() {
    let local = Local::start().await;
    mail(&local, &["Ada@xn--bcher-kva.example"]).send().await.unwrap();
    for to in ["ada@xn--bcher-kva.example", "ada@bücher.example", "ADA@BÜCHER.example"] {
        assert_eq!(local.aws().mail(Some(to)).len(), 1, "{to}");
    }
    assert!(local.aws().mail(Some("ada@bucher.example")).is_empty());
}

#[tokio::test]
async fn mail_that_ses_does_not_accept_is_refused() {
    let local = Local::start().await;
    assert_eq!(code(mail(&local, &[]).send().await), "MessageRejected");
    let many: Vec<String> = (0..51).map(|n| format!("u{n}@example.com")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(code(mail(&local, &many).send().await), "MessageRejected");
    let (long_local, long_label) =
        (format!("{}@example.com", "l".repeat(65)), format!("a@{}.com", "d".repeat(64)));
    let long_domain = format!("a@{}com", "example.".repeat(32));
    for wrong in [
        "nobody",
        "a@",
        "@example.com",
        "a b@example.com",
        "ä@example.com",
        "\u{212a}im@example.com",
        "ada@bücher.example",
        "ada@例え.テスト",
        "Zoë <zoe@example.com>",
        "a\u{7f}@example.com",
        "a@exam\tple.com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a,b@example.com",
        "a@.example.com",
        "a@example.com.",
        "a@example..com",
        "a@-example.com",
        "a@exa_mple.com",
        &long_local,
        &long_label,
        &long_domain,
    ] {
        assert_eq!(code(mail(&local, &[wrong]).send().await), "BadRequestException", "{wrong}");
    }
    let no_content = mail(&local, &["a@example.com"]).set_content(Some(EmailContent::builder().build()));
    assert_eq!(code(no_content.send().await), "BadRequestException");
    let no_sender = mail(&local, &["a@example.com"]).set_from_email_address(None);
    assert_eq!(code(no_sender.send().await), "BadRequestException");
    let tag = MessageTag::builder().name("kind").value("sp ace").build().unwrap();
    assert_eq!(code(mail(&local, &["a@example.com"]).email_tags(tag).send().await), "BadRequestException");
    assert!(local.aws().mail(None).is_empty());
}
