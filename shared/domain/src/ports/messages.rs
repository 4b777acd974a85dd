//! Mail and the addresses that get none, feedback, the bus, and leases on messages.

use std::borrow::Cow;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{extras::TransactionExtras, outcome::Outcome};
use crate::{
    domain_events::OutboxMessage,
    email::EmailAddress,
    feedback::UserFeedback,
    id::{FeedbackId, MessageId},
    mail_block::MailBlock,
    mail_content::MailContent,
    secret::Secret,
    user::EmailHash,
};

/// A mail to one person.
pub struct Mail {
    /// The recipient.
    pub to: EmailAddress,
    /// The kind of mail, for filters and statistics.
    pub kind: Cow<'static, str>,
    /// The subject line.
    pub subject: String,
    /// The plain text. May hold a code.
    pub text: Secret,
    /// The same as HTML.
    pub html: Secret,
}

impl Mail {
    /// A mail with this content.
    pub fn new(to: EmailAddress, content: MailContent) -> Self {
        let MailContent { kind, subject, text, html } = content;
        Self { to, kind, subject, text: Secret::new(text), html: Secret::new(html) }
    }
}

/// The mail service's answer to a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Delivery {
    /// The service delivers the mail.
    Accepted,
    /// The service refuses this mail permanently.
    Refused {
        /// The service's error code, for the log.
        code: String,
    },
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Submits a mail for delivery. A failure is temporary: the service may accept the same mail later.
    async fn send(&self, mail: &Mail) -> Outcome<Delivery>;
}

/// Addresses that get no mail.
#[async_trait]
pub trait MailBlocks: Send + Sync {
    /// The block of an address. It may have ended.
    async fn find(&self, address: EmailHash) -> Outcome<Option<MailBlock>>;
    /// Blocks an address, and replaces its earlier block.
    async fn put(&self, block: &MailBlock) -> Outcome<()>;
}

/// Feedback that waits to be mailed.
#[async_trait]
pub trait FeedbackRecords: Send + Sync {
    /// Stores feedback.
    async fn save(&self, feedback: &UserFeedback, extras: TransactionExtras) -> Outcome<()>;
    /// Finds feedback. It may have expired.
    async fn find(&self, id: FeedbackId) -> Outcome<Option<UserFeedback>>;
    /// Deletes feedback, if it is stored.
    async fn delete(&self, id: FeedbackId) -> Outcome<()>;
}

/// The event bus.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes messages at least once each. Returns the ids of those to retry.
    async fn publish(&self, messages: &[OutboxMessage]) -> Outcome<Vec<MessageId>>;
}

/// The result of taking a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageLease {
    /// The caller has the lease: act, then mark the message as done, or release it.
    Taken,
    /// The message is done.
    Done,
    /// Another run has the lease. The message becomes free when the lease ends.
    Busy,
}

/// Leases on messages: delivery is at least once, and consumers act once.
#[async_trait]
pub trait Consumed: Send + Sync {
    /// Takes a message for `consumer` until `lease_ends`.
    async fn claim(
        &self,
        consumer: &str,
        message: MessageId,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> Outcome<MessageLease>;
    /// Marks a message as done.
    async fn done(&self, consumer: &str, message: MessageId, forget_at: Timestamp) -> Outcome<()>;
    /// Releases a message that is not done.
    async fn release(&self, consumer: &str, message: MessageId) -> Outcome<()>;
}
