//! `POST /internal/regions/mails`: sends a mail to a user of this region, whose address the region that wrote it does not know. A mail
//! is sent once.

use std::sync::Arc;

use domain::{
    id::{MessageId, UserId},
    mail_content::MailContent,
    ports::{Accounts, AddressHashes, Consumed, Failure, Mail, MailBlocks, Mailer},
};
use kit::{
    Access, Body, Endpoint, OtherRegion, Output, Ports, RequestContext, Spec,
    grants::{accounts, address_hashes, consumed, mail_blocks, mailer},
    spec,
    spec::Method::Post,
    worker::{is_accepted, once},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sends a mail.
pub struct SendMailToUser;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    addresses: Arc<dyn AddressHashes>,
    blocks: Arc<dyn MailBlocks>,
    mailer: Arc<dyn Mailer>,
    consumed: Arc<dyn Consumed>,
}

/// The mail.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct MailToUser {
    /// The message that the mail is for.
    pub message: MessageId,
    /// The recipient.
    pub user: UserId,
    /// What it says.
    pub content: MailContent,
}

/// What became of the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum MailResult {
    /// The mail service accepted it now, or the message was handled before.
    Sent,
    /// The mail service refused it permanently, or the address gets no mail.
    Refused,
    /// The user has no account here.
    Unknown,
}

/// What became of the mail.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct RelayedMail {
    /// The result.
    pub result: MailResult,
}
impl Output for RelayedMail {}

/// The name under which messages are taken.
const NAME: &str = "region-mails";
/// Room for text and HTML.
const BODY: usize = 64 * 1_024;

impl Endpoint for SendMailToUser {
    const SPEC: Spec = spec("region-mails", Post, "/internal/regions/mails")
        .summary("Send a mail to a user of this region")
        .access(Access::region())
        .body_limit(BODY)
        .uses(&[
            accounts::USER,
            address_hashes::HASH,
            mail_blocks::FIND,
            mailer::SEND,
            consumed::CLAIM,
            consumed::DONE,
            consumed::RELEASE,
        ]);
    type Caller = OtherRegion;
    type Deps = Deps;
    type Input = Body<MailToUser>;
    type Output = RelayedMail;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            addresses: ports.address_hashes(),
            blocks: ports.mail_blocks(),
            mailer: ports.mailer(),
            consumed: ports.consumed(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<OtherRegion>,
        Body(MailToUser { message, user, content }): Self::Input,
    ) -> Result<RelayedMail, Failure> {
        let Some(user) = deps.accounts.user(user).await? else {
            return Ok(RelayedMail { result: MailResult::Unknown });
        };
        let send = async {
            let address = deps.addresses.hash(&user.primary_email).await?;
            if deps.blocks.find(address).await?.is_some_and(|block| block.holds(call.now)) {
                return Ok(false);
            }
            let mail = Mail::new(user.primary_email, content);
            Ok(is_accepted(NAME, &mail, &deps.mailer.send(&mail).await?))
        };
        let accepted = once(&*deps.consumed, NAME, message, call.now, send).await?;
        let result = if accepted == Some(false) { MailResult::Refused } else { MailResult::Sent };
        Ok(RelayedMail { result })
    }
}
