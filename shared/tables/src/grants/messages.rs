//! Mail, the bus, and what accompanies a change.

use super::{actions::*, method::PortMethod};
use crate::{grant::Grant, items::ItemKind::*};

port! {
    /// What a transaction may write beside its own change. An idempotency record needs no mention in a spec: `once()` grants
    /// it.
    extras = "TransactionExtras" {
        EVENT = "event": [put(Events)];
        MESSAGE = "message": [put(Outbox)];
        IDEMPOTENCY_RECORD = "receipt": [put(IdempotencyRecords)];
    }
}

port! {
    /// Records of requests with an `Idempotency-Key`.
    idempotency_records = "IdempotencyRecords" {
        FIND = "find": [get(IdempotencyRecords)];
    }
}

port! {
    /// Counters of requests.
    rate_windows = "RateWindows" {
        TAKE = "take": [update(RateWindows)];
    }
}

port! {
    /// Leases on messages.
    consumed = "Consumed" {
        CLAIM = "claim": [put(Consumed)];
        DONE = "done": [update(Consumed)];
        RELEASE = "release": [delete(Consumed)];
    }
}

port! {
    /// Mail.
    mailer = "Mailer" {
        SEND = "send": [Grant::mail()];
    }
}

port! {
    /// Addresses that get no mail.
    mail_blocks = "MailBlocks" {
        FIND = "find": [get(MailBlocks)];
        PUT = "put": [put(MailBlocks)];
    }
}

port! {
    /// Feedback that waits to be mailed.
    feedback_records = "FeedbackRecords" {
        SAVE = "save": [put(Feedback)];
        FIND = "find": [get(Feedback)];
        DELETE = "delete": [delete(Feedback)];
    }
}

port! {
    /// The event bus.
    bus = "Bus" {
        PUBLISH = "publish": [Grant::bus()];
    }
}
