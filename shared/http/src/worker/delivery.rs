//! Handling the mail service's answer.

use domain::ports::{Delivery, Mail};

/// Whether a mail was accepted. A refusal is final: it is logged as an error, without the address, and the mail is not sent
/// again.
pub fn is_accepted(worker: &str, mail: &Mail, delivery: &Delivery) -> bool {
    match delivery {
        Delivery::Accepted => true,
        Delivery::Refused { code } => {
            tracing::error!(worker, kind = &*mail.kind, code, "mail refused");
            false
        }
    }
}
