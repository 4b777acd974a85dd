//! SES: `SendEmail` of API version 2 with simple content
//! (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>). No mail leaves the machine. A file,
//! separate from the data of the region, keeps one line per recipient. A mail with a configuration set to an address of the
//! mailbox simulator bounces or is reported as spam, with an event on the default bus.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Host;

use crate::answer::Refusal;
use crate::bus::EventBuses;
use crate::config::{StandInConfig, TimeSource};
use crate::durable::{self, JsonLines};
use crate::journal::lock;
use crate::mail_feedback::Feedback;
use crate::service::Service;
use crate::sqs::QueueError;
use crate::start_error::StandInError;

/// The maximum number of recipients of a message, of all kinds together.
const MAX_RECIPIENTS: usize = 50;

/// A sent email of one recipient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMail {
    /// The recipient address.
    pub to: String,
    /// The sender address.
    pub from: String,
    /// The subject line.
    pub subject: String,
    /// The plain text part.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
    /// The send time by the local clock.
    pub sent_at: Timestamp,
    /// The value of the message tag `kind`.
    pub kind: Option<String>,
    /// The region that sent the email.
    pub region: String,
}

/// The SES stand-in.
pub(crate) struct Ses {
    region: String,
    now: TimeSource,
    file: JsonLines,
    sent: Mutex<Vec<SentMail>>,
    bus: Arc<EventBuses>,
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
    configuration_set_name: Option<String>,
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
    pub(crate) fn open(config: &StandInConfig, bus: Arc<EventBuses>) -> Result<Self, StandInError> {
        if let Some(folder) = config.mail.parent() {
            durable::make_folder(folder)?;
        }
        let (file, sent) = JsonLines::open(config.mail.clone())?;
        let (region, now) = (config.region.clone(), Arc::clone(&config.now));
        Ok(Self { region, now, file, sent: Mutex::new(sent), bus })
    }

    /// The sent emails, newest first.
    pub(crate) fn sent(&self, to: Option<&str>) -> Vec<SentMail> {
        let sent = lock(&self.sent);
        sent.iter()
            .rev()
            .filter(|mail| to.is_none_or(|to| parts(&mail.to).1.eq_ignore_ascii_case(&in_ascii(to))))
            .cloned()
            .collect()
    }

    pub(crate) fn apply(&self, operation: &str, body: &Bytes) -> Result<Value, Refusal> {
        if operation != "SendEmail" {
            return Err(Refusal::new("NotFoundException", "Unknown operation").with_status(404));
        }
        let request: SendEmail =
            serde_json::from_slice(body).map_err(|error| bad(format!("Invalid request: {error}")))?;
        let publishes = request.configuration_set_name.as_ref().is_some_and(|name| !name.is_empty());
        let mails = self.mails(request)?;
        let simulated: Vec<(String, Feedback)> = match publishes {
            true => {
                let simulated = |mail: &SentMail| Some((mail.to.clone(), Feedback::of_simulator(&mail.to)?));
                mails.iter().filter_map(simulated).collect()
            }
            false => Vec::new(),
        };
        let mut sent = lock(&self.sent);
        self.file.append(&mails).map_err(|error| Refusal::internal(Service::Ses, &error))?;
        sent.extend(mails);
        drop(sent);
        for (to, feedback) in simulated {
            self.publish(&to, feedback).map_err(|error| Refusal::internal(Service::Ses, &error))?;
        }
        Ok(json!({ "MessageId": format!("{}-000000", durable::uuid()) }))
    }

    /// Publishes what becomes of the mail to an address.
    pub(crate) fn publish(&self, to: &str, feedback: Feedback) -> Result<(), QueueError> {
        let from = lock(&self.sent).iter().rev().find(|mail| mail.to == to).map(|mail| mail.from.clone());
        self.bus.put(&feedback.event(to, &from.unwrap_or_default(), &self.region, (self.now)()))
    }

    fn mails(&self, request: SendEmail) -> Result<Vec<SentMail>, Refusal> {
        let from = request.from_email_address.filter(|from| !from.is_empty());
        let from = from.ok_or_else(|| bad("Missing required parameter: FromEmailAddress"))?;
        if let Some(why) = address_refusal(&from) {
            return Err(bad(why));
        }
        let simple = request.content.and_then(|content| content.simple);
        let simple = simple.ok_or_else(|| bad("This stand-in only supports Simple content"))?;
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
            return Err(bad("Message tags must have 1 to 256 letters, digits, _, -, . or @"));
        }
        let Destination { to_addresses, cc_addresses, bcc_addresses } = request.destination;
        let recipients: Vec<String> =
            to_addresses.into_iter().chain(cc_addresses).chain(bcc_addresses).collect();
        if recipients.is_empty() {
            return Err(rejected("Recipient list is empty"));
        }
        if recipients.len() > MAX_RECIPIENTS {
            return Err(rejected("Recipient count exceeds 50."));
        }
        if let Some(why) = recipients.iter().find_map(|to| address_refusal(to)) {
            return Err(bad(why));
        }
        let kind = request.email_tags.into_iter().find(|tag| tag.name == "kind").map(|tag| tag.value);
        let sent_at = (self.now)();
        let mail = |to| SentMail {
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

/// Splits `a@b` or `Name <a@b>` into name and address.
fn parts(text: &str) -> (&str, &str) {
    text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).unwrap_or(("", text))
}

/// The address with its domain in A-labels, as mail is sent.
fn in_ascii(address: &str) -> Cow<'_, str> {
    let Some((local, domain)) = address.rsplit_once('@') else { return address.into() };
    Host::parse(domain).map_or(address.into(), |domain| format!("{local}@{domain}").into())
}

/// The maximum lengths of the parts of an address in bytes ([RFC 5321], §4.5.3.1).
///
/// [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;
const MAX_LABEL: usize = 63;

/// Checks whether SES accepts a recipient `a@b` or `Name <a@b>`. Returns `None` if it does, otherwise the error of SES
/// where its wording is known.
///
/// SES does not support SMTPUTF8: addresses are [7-bit ASCII], with the domain in Punycode and the name as an encoded
/// word. Quoted local parts and IP literals are also refused, because this platform never sends to them.
///
/// [7-bit ASCII]: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html
pub fn address_refusal(text: &str) -> Option<&'static str> {
    let (name, address) = parts(text);
    let Some((local, domain)) = address.rsplit_once('@') else { return Some("Missing final '@domain'") };
    let is_spaced = |text: &str| text.chars().any(|c| c.is_whitespace() || c.is_control());
    let is_of_atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    let is_of_domain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let is_label = |label: &str| label.len() <= MAX_LABEL && !label.starts_with('-') && !label.ends_with('-');
    let refusals = [
        (!name.is_ascii() || name.contains(char::is_control), "Illegal name"),
        (local.is_empty(), "Missing local name"),
        (domain.is_empty(), "Missing final '@domain'"),
        (is_spaced(local), "Local address contains control or whitespace"),
        (is_spaced(domain), "Domain contains control or whitespace"),
        (local.starts_with('.'), "Local address starts with dot"),
        (local.ends_with('.'), "Local address ends with dot"),
        (local.contains(".."), "Local address contains dot-dot"),
        (!local.bytes().all(|b| b == b'.' || is_of_atom(b)), "Local address contains illegal character"),
        (local.len() > MAX_LOCAL, "Local address is too long"),
        (domain.starts_with('.'), "Domain starts with dot"),
        (domain.ends_with('.'), "Domain ends with dot"),
        (domain.contains(".."), "Domain contains dot-dot"),
        (!domain.bytes().all(|b| b == b'.' || is_of_domain(b)), "Domain contains illegal character"),
        (domain.len() > MAX_DOMAIN || !domain.split('.').all(is_label), "Domain is not valid"),
    ];
    refusals.into_iter().find_map(|(applies, why)| applies.then_some(why))
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new("BadRequestException", message)
}

fn rejected(message: &str) -> Refusal {
    Refusal::new("MessageRejected", message)
}
