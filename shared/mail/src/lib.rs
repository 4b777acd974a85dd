//! SES: hands mail over for delivery ([SendEmail](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)).

use async_trait::async_trait;
use aws_sdk_sesv2::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{Body, Content, Destination, EmailContent, Message, MessageTag},
};
use domain::ports::{Failure, Mail, Mailer, Outcome};

/// Sends through the region's SES.
pub struct SesMailer {
    client: Client,
    from: String,
}

impl SesMailer {
    /// A mailer that sends as `from`.
    pub fn new(client: Client, from: String) -> Self {
        Self { client, from }
    }
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail) -> Outcome<()> {
        let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        let broken = |error: aws_sdk_sesv2::error::BuildError| Failure::Broken(error.to_string());
        let body = Body::builder()
            .text(content(mail.text.expose()).map_err(broken)?)
            .html(content(mail.html.expose()).map_err(broken)?)
            .build();
        let message = Message::builder().subject(content(&mail.subject).map_err(broken)?).body(body).build();
        let tag = MessageTag::builder().name("kind").value(mail.kind).build().map_err(broken)?;
        self.client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(mail.to.as_str()).build())
            .content(EmailContent::builder().simple(message).build())
            .email_tags(tag)
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(())
    }
}

fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Failure {
    let detail = match error {
        SdkError::ServiceError(context) => context.err().code().unwrap_or("unknown").to_owned(),
        _ => "no answer".to_owned(),
    };
    Failure::Unavailable { service: "ses", detail }
}
