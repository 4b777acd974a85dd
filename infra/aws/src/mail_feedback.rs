//! What becomes of accepted mails, as SES publishes it to EventBridge
//! (<https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html>; the details are as for
//! [SNS](https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html)).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::ACCOUNT;
use crate::durable;

/// What becomes of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feedback {
    /// The mail server of the recipient refused the mail permanently.
    Bounce,
    /// The mail server did not take the mail for hours.
    TransientBounce,
    /// The recipient reported the mail as spam.
    Complaint,
}

impl Feedback {
    /// What becomes of a mail to an address of the [mailbox simulator], with or without a label.
    ///
    /// [mailbox simulator]: https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator
    pub(crate) fn of_simulator(address: &str) -> Option<Self> {
        let (local, domain) = address.rsplit_once('@')?;
        if !domain.eq_ignore_ascii_case("simulator.amazonses.com") {
            return None;
        }
        match local.split('+').next()?.to_ascii_lowercase().as_str() {
            "bounce" | "suppressionlist" => Some(Self::Bounce),
            "complaint" => Some(Self::Complaint),
            _ => None,
        }
    }

    /// The event about a mail to `address`.
    pub(crate) fn event(self, address: &str, from: &str, region: &str, now: Timestamp) -> Value {
        let recipients = json!([{ "emailAddress": address }]);
        let id = format!("{}-000000", durable::uuid());
        let bounce = |kind: &str| {
            json!({ "feedbackId": id, "bounceType": kind, "bounceSubType": "General",
                "bouncedRecipients": recipients, "timestamp": now })
        };
        let (detail_type, event_type, member, content) = match self {
            Self::Bounce => ("Email Bounced", "Bounce", "bounce", bounce("Permanent")),
            Self::TransientBounce => ("Email Bounced", "Bounce", "bounce", bounce("Transient")),
            Self::Complaint => {
                let complaint = json!({ "feedbackId": id, "complaintSubType": null,
                    "complainedRecipients": recipients, "timestamp": now });
                ("Email Complaint Received", "Complaint", "complaint", complaint)
            }
        };
        let mail = json!({ "timestamp": now, "source": from, "messageId": id, "destination": [address] });
        json!({
            "version": "0",
            "id": durable::uuid(),
            "detail-type": detail_type,
            "source": "aws.ses",
            "account": ACCOUNT,
            "time": Timestamp::from_second(now.as_second()).unwrap_or(now),
            "region": region,
            "resources": [],
            "detail": { "eventType": event_type, "mail": mail, member: content },
        })
    }
}
