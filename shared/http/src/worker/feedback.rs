//! The events of SES about mails that it accepted ([event destination]).
//!
//! [event destination]: https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html

/// Their source, on the default bus.
pub const FEEDBACK_SOURCE: &str = "aws.ses";
/// The types of bounces and complaints.
pub const FEEDBACK_TYPES: [&str; 2] = ["Email Bounced", "Email Complaint Received"];
