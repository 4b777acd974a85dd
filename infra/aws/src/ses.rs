//! SES: `SendEmail` of API version 2 with simple content
//! (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>). Nothing leaves the machine:
//! the mail is kept in a file, one line a recipient. It is apart from what the region keeps: once sent, it is the
//! recipient's.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::durable::{self, Lines};
use crate::journal::lock;
use crate::service::Service;
use crate::{Config, Now, StartError};

/// Recipients of one message, all kinds together.
const MOST_RECIPIENTS: usize = 50;

/// A mail as one recipient has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// The recipient.
    pub to: String,
    /// The sender.
    pub from: String,
    /// The subject line.
    pub subject: String,
    /// The plain part.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
    /// When it was sent, by the local clock.
    pub sent_at: Timestamp,
    /// The value of the message tag `kind`.
    pub kind: Option<String>,
    /// The region it was sent from.
    pub region: String,
}

/// The stand-in.
pub(crate) struct Ses {
    region: String,
    now: Now,
    file: Lines,
    sent: Mutex<Vec<Mail>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    from_email_address: Option<String>,
    #[serde(default)]
    destination: Destination,
    content: Option<Content>,
    #[serde(default)]
    email_tags: Vec<Tag>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    simple: Option<Simple>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Part,
    body: Parts,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parts {
    text: Option<Part>,
    html: Option<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    name: String,
    value: String,
}

impl Ses {
    pub(crate) fn open(config: &Config) -> Result<Self, StartError> {
        if let Some(folder) = config.mail.parent() {
            durable::make_folder(folder)?;
        }
        let (file, sent) = Lines::open(config.mail.clone())?;
        let (region, now) = (config.region.clone(), Arc::clone(&config.now));
        Ok(Self { region, now, file, sent: Mutex::new(sent) })
    }

    /// Newest first.
    pub(crate) fn sent(&self, to: Option<&str>) -> Vec<Mail> {
        let sent = lock(&self.sent);
        sent.iter()
            .rev()
            .filter(|mail| to.is_none_or(|to| address(&mail.to).eq_ignore_ascii_case(to)))
            .cloned()
            .collect()
    }

    pub(crate) fn apply(&self, operation: &str, body: &Bytes) -> Result<Value, Refusal> {
        if operation != "SendEmail" {
            return Err(Refusal::new("NotFoundException", "Unknown operation").with_status(404));
        }
        let request: SendEmail =
            serde_json::from_slice(body).map_err(|error| bad(format!("Invalid request: {error}")))?;
        let mails = self.mails(request)?;
        let mut sent = lock(&self.sent);
        self.file.append(&mails).map_err(|error| Refusal::internal(Service::Ses, &error))?;
        sent.extend(mails);
        Ok(json!({ "MessageId": format!("{}-000000", durable::uuid()) }))
    }

    fn mails(&self, request: SendEmail) -> Result<Vec<Mail>, Refusal> {
        let from = request.from_email_address.filter(|from| !from.is_empty());
        let from = from.ok_or_else(|| bad("Missing required parameter: FromEmailAddress"))?;
        if !is_address(&from) {
            return Err(bad("Missing final '@domain'"));
        }
        let simple = request.content.and_then(|content| content.simple);
        let simple = simple.ok_or_else(|| bad("Only Simple content is served here"))?;
        if simple.subject.data.contains(['\r', '\n']) {
            return Err(bad("Subject contains a line break"));
        }
        if simple.body.text.is_none() && simple.body.html.is_none() {
            return Err(bad("Body must have a Text or an Html part"));
        }
        let fits = |text: &str| {
            (1..=256).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@'))
        };
        if !request.email_tags.iter().all(|tag| fits(&tag.name) && fits(&tag.value)) {
            return Err(bad("Message tags take letters, digits, _ and -, up to 256 of them"));
        }
        let Destination { to_addresses, cc_addresses, bcc_addresses } = request.destination;
        let recipients: Vec<String> =
            to_addresses.into_iter().chain(cc_addresses).chain(bcc_addresses).collect();
        if recipients.is_empty() {
            return Err(rejected("Recipient list is empty"));
        }
        if recipients.len() > MOST_RECIPIENTS {
            return Err(rejected("Recipient count exceeds 50."));
        }
        if !recipients.iter().all(|to| is_address(to)) {
            return Err(bad("Missing final '@domain'"));
        }
        let kind = request.email_tags.into_iter().find(|tag| tag.name == "kind").map(|tag| tag.value);
        let sent_at = (self.now)();
        let mail = |to| Mail {
            to,
            from: from.clone(),
            subject: simple.subject.data.clone(),
            text: simple.body.text.as_ref().map(|part| part.data.clone()),
            html: simple.body.html.as_ref().map(|part| part.data.clone()),
            sent_at,
            kind: kind.clone(),
            region: self.region.clone(),
        };
        Ok(recipients.into_iter().map(mail).collect())
    }
}

/// The address in `a@b` or `Name <a@b>`.
fn address(text: &str) -> &str {
    text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map_or(text, |(_, address)| address)
}

/// In ASCII before the `@`: SES wants anything else encoded.
fn is_address(text: &str) -> bool {
    let address = address(text);
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let plain = |c: char| !c.is_whitespace() && !c.is_control();
            !local.is_empty() && local.is_ascii() && !domain.is_empty() && address.chars().all(plain)
        }
        None => false,
    }
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new("BadRequestException", message)
}

fn rejected(message: &str) -> Refusal {
    Refusal::new("MessageRejected", message)
}
