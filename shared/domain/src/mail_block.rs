//! Mail blocks: addresses that get no mail for a week, because a mail bounced or was reported as spam. Mail to them would
//! harm the reputation that all mail depends on.
//!
//! A block ends by itself. Anybody can cause a mail to any address, so a permanent one would let a stranger, or one click on
//! "spam", lock an owner out of sign-up and recovery.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{time::after, user::EmailHash};

/// How long an address gets no mail.
const BLOCKED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why an address gets no mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum BlockReason {
    /// The address's mail server refused a mail permanently.
    Bounce,
    /// The recipient reported a mail as spam.
    Complaint,
}

/// An address that gets no mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailBlock {
    /// The address.
    pub address: EmailHash,
    /// The reason.
    pub reason: BlockReason,
    /// When the mail bounced or was reported.
    pub at: Timestamp,
}

impl MailBlock {
    /// When the address gets mail again.
    pub fn ends_at(&self) -> Timestamp {
        after(self.at, BLOCKED)
    }

    /// Whether the address gets no mail now. A block may be stored longer.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.ends_at()
    }
}
