//! SES: sends email ([SendEmail](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)).

mod retry;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sesv2::{
    Client,
    config::{Builder, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::SendEmailError,
    types::{Body, Content, Destination, EmailContent, Message, MessageTag},
};
use domain::ports::{Delivery, Failure, Mail, Mailer, Outcome};

use crate::retry::OnlyThrottling;

/// The timeout of an attempt. SES usually responds within a second; an attempt that is given up may still send the mail.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The timeout of all attempts. A worker has 30 seconds.
const ALL_ATTEMPTS: Duration = Duration::from_secs(20);
/// The maximum number of attempts: pauses of up to 0.5, 1, 2 and 4 seconds, a random part of each.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Configures a client of SES: one patient attempt. Only throttling is retried at once, because SES then certainly did not
/// send the mail. After any other failure the message's queue decides.
pub fn patient(config: Builder) -> Builder {
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(ALL_ATTEMPTS);
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_PAUSE)
        .with_max_backoff(LONGEST_PAUSE);
    config.timeout_config(timeouts.build()).retry_config(retries).retry_classifier(OnlyThrottling)
}

/// Sends email through SES in the region.
pub struct SesMailer {
    client: Client,
    from: String,
    configuration_set: String,
}

impl SesMailer {
    /// A mailer with the sender address `from`. SES publishes what becomes of its mails as `configuration_set` says.
    pub fn new(client: Client, from: String, configuration_set: String) -> Self {
        Self { client, from, configuration_set }
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
        let tag = MessageTag::builder().name("kind").value(&*mail.kind).build().map_err(broken)?;
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .configuration_set_name(&self.configuration_set)
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
/// Throttling, a paused or suspended account, an exceeded quota, and a missing identity or configuration set are not about the
/// email: an operator can end them while the message waits.
fn refusal<R>(error: &SdkError<SendEmailError, R>) -> Option<&str> {
    let SdkError::ServiceError(context) = error else { return None };
    let error = context.err();
    let is_permanent = error.is_bad_request_exception() || error.is_message_rejected();
    error.code().filter(|_| is_permanent)
}
