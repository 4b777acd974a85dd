//! SES: sends email ([SendEmail](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)).

use async_trait::async_trait;
use aws_sdk_sesv2::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::SendEmailError,
    types::{Body, Content, Destination, EmailContent, Message, MessageTag},
};
use domain::ports::{Delivery, Failure, Mail, Mailer, Outcome};

/// Sends email through SES in the region.
pub struct SesMailer {
    client: Client,
    from: String,
}

impl SesMailer {
    /// A mailer with the sender address `from`.
    pub fn new(client: Client, from: String) -> Self {
        Self { client, from }
    }
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail) -> Outcome<Delivery> {
        let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        let broken = |error: aws_sdk_sesv2::error::BuildError| Failure::Broken(error.to_string());
        let body = Body::builder()
            .text(content(mail.text.expose()).map_err(broken)?)
            .html(content(mail.html.expose()).map_err(broken)?)
            .build();
        let message = Message::builder().subject(content(&mail.subject).map_err(broken)?).body(body).build();
        let tag = MessageTag::builder().name("kind").value(mail.kind).build().map_err(broken)?;
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(mail.to.to_ascii()).build())
            .content(EmailContent::builder().simple(message).build())
            .email_tags(tag)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Delivery::Accepted),
            Err(error) => match refusal(&error) {
                Some(code) => Ok(Delivery::Refused { code: code.to_owned() }),
                None => Err(aws_errors::failure("ses", &error)),
            },
        }
    }
}

/// The code of a permanent error, which SES would return again for the same email
/// ([errors](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors)).
/// Throttling, a paused account and an exceeded quota are temporary.
fn refusal<R>(error: &SdkError<SendEmailError, R>) -> Option<&str> {
    let SdkError::ServiceError(context) = error else { return None };
    let error = context.err();
    let is_permanent = error.is_bad_request_exception()
        || error.is_message_rejected()
        || error.is_mail_from_domain_not_verified_exception()
        || error.is_not_found_exception()
        || error.is_account_suspended_exception();
    error.code().filter(|_| is_permanent)
}
