//! Mail, the bus, and who acted on which message.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Outcome;
use crate::{email::EmailAddress, id::MessageId, outbox::Message, secret::Secret};

/// A mail to one person.
pub struct Mail {
    /// To whom.
    pub to: EmailAddress,
    /// What sort of mail it is, for filters and statistics.
    pub kind: &'static str,
    /// The subject line.
    pub subject: String,
    /// The plain text. May hold a code.
    pub text: Secret,
    /// The same as HTML.
    pub html: Secret,
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail over for delivery.
    async fn send(&self, mail: &Mail) -> Outcome<()>;
}

/// The event bus.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes messages, at least once each; the ids of those that must be tried again.
    async fn publish(&self, messages: &[Message]) -> Outcome<Vec<MessageId>>;
}

/// What came of taking a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's now: act on it, then say so, or let it go.
    Taken,
    /// It was acted on.
    Done,
    /// Somebody is at it, or died over it; it comes free when the lease ends.
    Busy,
}

/// Who has acted on a message: consumers get messages at least once and act once.
#[async_trait]
pub trait Consumed: Send + Sync {
    /// Takes a message for `consumer` until `lease_ends`.
    async fn claim(
        &self,
        consumer: &str,
        message: MessageId,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> Outcome<Claim>;
    /// Notes that a message was acted on.
    async fn done(&self, consumer: &str, message: MessageId, forget_at: Timestamp) -> Outcome<()>;
    /// Lets a message go that was not acted on.
    async fn release(&self, consumer: &str, message: MessageId) -> Outcome<()>;
}
