//! `record-mail-feedback`: blocks addresses whose mail bounced permanently or was reported as spam. Temporary bounces block
//! nothing: SES has retried them for hours, and the mailbox exists
//! ([events](https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html)).
//!
//! An event that is delivered twice writes the same block twice.

use std::sync::Arc;

use domain::{
    Timestamp,
    email::EmailAddress,
    mail_block::{BlockReason, MailBlock},
    ports::{AddressHashes, Failure, MailBlocks},
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{address_hashes, mail_blocks},
    worker,
};
use serde::{Deserialize, Serialize};

/// Blocks addresses.
pub struct RecordMailFeedback;

/// The ports that it uses.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    blocks: Arc<dyn MailBlocks>,
}

/// An event of SES.
#[derive(Deserialize)]
pub struct MailFeedback {
    detail: FeedbackDetail,
}

/// Exactly one of the two is set.
#[derive(Deserialize)]
struct FeedbackDetail {
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    /// `Permanent`, `Transient` or `Undetermined`.
    bounce_type: String,
    bounced_recipients: Vec<FeedbackRecipient>,
    timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complained_recipients: Vec<FeedbackRecipient>,
    timestamp: Timestamp,
    /// `not-spam` takes a complaint back.
    complaint_feedback_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeedbackRecipient {
    email_address: String,
}

/// The result.
#[derive(Serialize)]
pub struct FeedbackReport {
    /// The number of blocked addresses.
    blocked: usize,
}

impl Worker for RecordMailFeedback {
    const SPEC: WorkerSpec = worker(
        "record-mail-feedback",
        Trigger::MailFeedback,
        "Blocks addresses whose mail bounced or was reported as spam",
        &[address_hashes::HASH, mail_blocks::PUT],
    );
    type Deps = Deps;
    type Event = MailFeedback;
    type Result = FeedbackReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { addresses: ports.address_hashes(), blocks: ports.mail_blocks() }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: MailFeedback) -> Result<FeedbackReport, Failure> {
        let Some((reason, recipients, at)) = event.detail.blocks()? else {
            return Ok(FeedbackReport { blocked: 0 });
        };
        let blocked = recipients.len();
        for recipient in recipients {
            // The address is in no log, so neither is the reason why it is invalid.
            let address = EmailAddress::parse(&recipient.email_address)
                .map_err(|_| Failure::Broken("an unreadable recipient".to_owned()))?;
            let address = deps.addresses.hash(&address).await?;
            deps.blocks.put(&MailBlock { address, reason, at: at.min(job.now) }).await?;
        }
        Ok(FeedbackReport { blocked })
    }
}

impl FeedbackDetail {
    /// The reason, the recipients and the time of the block; `None` if the event blocks no address.
    fn blocks(self) -> Result<Option<(BlockReason, Vec<FeedbackRecipient>, Timestamp)>, Failure> {
        match (self.bounce, self.complaint) {
            (Some(bounce), None) => {
                let block = (BlockReason::Bounce, bounce.bounced_recipients, bounce.timestamp);
                Ok((bounce.bounce_type == "Permanent").then_some(block))
            }
            (None, Some(complaint)) => {
                let is_spam = complaint.complaint_feedback_type.as_deref() != Some("not-spam");
                let block = (BlockReason::Complaint, complaint.complained_recipients, complaint.timestamp);
                Ok(is_spam.then_some(block))
            }
            _ => Err(Failure::Broken("neither a bounce nor a complaint".to_owned())),
        }
    }
}
