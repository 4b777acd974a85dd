//! `send-mail`: writes and sends the mail for a domain event, once.
//!
//! A message is delivered at least once. A second mail is sent only if the worker ends between sending a mail and recording
//! it, or if the mail service accepts a mail and does not say so. Deleted accounts receive no mail. A mail that the mail service
//! refuses permanently is logged and not sent again. An address whose mail bounced or was reported as spam gets none. While the service is down, the message waits in its queue, for hours; a mail
//! whose code or token has expired meanwhile says so, and an invitation that has ended meanwhile is not sent. Feedback goes to the address of the deployment, and is deleted once it is mailed.
//!
//! Members and owners of a team may have another home region, which alone knows their addresses: that region sends their mails.

mod to_members;

use std::sync::Arc;

use domain::{
    Timestamp,
    directory::Name,
    domain_events::{DomainEvent, Message},
    email::EmailAddress,
    id::{AddressId, AttemptId, FeedbackId, ResetId, SessionId, UserId},
    mail_content::MailContent,
    password_reset::{ResetToken, VALID},
    ports::{
        Accounts, AddressHashes, Codes, Consumed, Directory, Failure, FeedbackRecords, Invitations, Mail,
        MailBlocks, Mailer, Sessions, SignUps, Teams, TokenKeys, UserAddresses, Workspaces,
    },
    region::Region,
    session_client::SessionClient,
    user::EmailHash,
};
use kit::{
    Ports, RegionClient, RunContext, Trigger, Worker, WorkerSpec,
    grants::{
        accounts, address_hashes, codes, consumed, directory, feedback_records, forwarding_keys, invitations,
        mail_blocks, mailer, sessions, sign_ups, teams, token_keys, user_addresses, workspaces,
    },
    region_client::IN_BACKGROUND,
    worker,
    worker::{Envelope, is_accepted, once},
};
use regions::mails::{MailResult, MailToUser, SendMailToUser};
use serde::Serialize;

use crate::mail_templates;

/// Sends mail.
pub struct SendMail;

const NAME: &str = "send-mail";

/// The ports that it uses.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    sessions: Arc<dyn Sessions>,
    directory: Arc<dyn Directory>,
    sign_ups: Arc<dyn SignUps>,
    codes: Arc<dyn Codes>,
    tokens: Arc<dyn TokenKeys>,
    addresses: Arc<dyn AddressHashes>,
    user_addresses: Arc<dyn UserAddresses>,
    workspaces: Arc<dyn Workspaces>,
    teams: Arc<dyn Teams>,
    invitations: Arc<dyn Invitations>,
    feedback: Arc<dyn FeedbackRecords>,
    feedback_to: Option<EmailAddress>,
    blocks: Arc<dyn MailBlocks>,
    mailer: Arc<dyn Mailer>,
    consumed: Arc<dyn Consumed>,
    regions: RegionClient,
}

/// A mail to send.
enum Outgoing {
    /// To an address that this region knows.
    Mail(Mail),
    /// To a user whose home is another region.
    Relayed(Region, UserId, MailContent),
}

/// The result.
#[derive(Serialize)]
pub struct MailReport {
    /// Whether a mail was accepted for delivery.
    sent: bool,
    /// Whether a mail was refused permanently, or its address is blocked.
    refused: bool,
}

impl Worker for SendMail {
    const SPEC: WorkerSpec = worker(
        "send-mail",
        Trigger::Bus,
        "Writes and sends the mail for a domain event",
        &[
            sign_ups::FIND,
            accounts::BY_ADDRESS,
            accounts::USER,
            sessions::FIND,
            user_addresses::FIND,
            workspaces::FIND,
            workspaces::PROFILE,
            teams::MEMBER,
            invitations::FIND,
            feedback_records::FIND,
            feedback_records::DELETE,
            codes::SIGN_UP_CODES,
            codes::ADDRESS_CODE,
            token_keys::DERIVATION_KEY,
            directory::FIND_ADDRESS,
            address_hashes::HASH,
            mail_blocks::FIND,
            mailer::SEND,
            consumed::CLAIM,
            consumed::DONE,
            consumed::RELEASE,
            forwarding_keys::FORWARDING_KEY,
        ],
    );
    type Deps = Deps;
    type Event = Envelope;
    type Result = MailReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            sessions: ports.sessions(),
            directory: ports.directory(),
            sign_ups: ports.sign_ups(),
            codes: ports.codes(),
            tokens: ports.token_keys(),
            addresses: ports.address_hashes(),
            user_addresses: ports.user_addresses(),
            workspaces: ports.workspaces(),
            teams: ports.teams(),
            invitations: ports.invitations(),
            feedback: ports.feedback_records(),
            feedback_to: ports.feedback_address(),
            blocks: ports.mail_blocks(),
            mailer: ports.mailer(),
            consumed: ports.consumed(),
            regions: ports.region_client(),
        }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Envelope) -> Result<MailReport, Failure> {
        let id = event.detail.id;
        let send = write_and_send(deps, job, event.detail);
        let accepted = once(&*deps.consumed, NAME, id, job.now, send).await?.flatten();
        Ok(MailReport { sent: accepted == Some(true), refused: accepted == Some(false) })
    }
}

/// Writes and sends the mail for an event, if the event has one. Returns whether the mail was accepted.
async fn write_and_send(
    deps: &Deps,
    job: &RunContext,
    Message { id, at, notice }: Message,
) -> Result<Option<bool>, Failure> {
    let stored = match &notice {
        DomainEvent::FeedbackReceived { feedback } => Some(*feedback),
        _ => None,
    };
    let mail = match write(deps, job, at, notice).await? {
        None => return Ok(None),
        Some(Outgoing::Mail(mail)) => mail,
        Some(Outgoing::Relayed(home, user, content)) => {
            return relay(deps, home, MailToUser { message: id, user, content }).await;
        }
    };
    if is_blocked(deps, job.now, &mail).await? {
        tracing::info!(worker = NAME, kind = &*mail.kind, "no mail: the address is blocked");
        return Ok(Some(false));
    }
    let accepted = is_accepted(NAME, &mail, &deps.mailer.send(&mail).await?);
    if let Some(feedback) = stored.filter(|_| accepted) {
        // A failure must not repeat the mail. The record then expires.
        let _ = deps.feedback.delete(feedback).await;
    }
    Ok(Some(accepted))
}

/// Has the home of the user send the mail, which sends it once. Returns whether the mail was accepted; `None` if the user's account
/// was deleted. While the home does not answer, the message waits in its queue.
async fn relay(deps: &Deps, home: Region, mail: MailToUser) -> Result<Option<bool>, Failure> {
    let sent = deps.regions.ask::<SendMailToUser, _>(home, &mail, IN_BACKGROUND).await?;
    Ok(match sent.result {
        MailResult::Sent => Some(true),
        MailResult::Refused => Some(false),
        MailResult::Unknown => None,
    })
}

/// Writes the mail for an event of that time, if the event has one.
async fn write(
    deps: &Deps,
    job: &RunContext,
    at: Timestamp,
    notice: DomainEvent,
) -> Result<Option<Outgoing>, Failure> {
    let mail = match notice {
        DomainEvent::SignUpStarted { address, attempt } => sign_up(deps, job.now, address, attempt).await?,
        DomainEvent::RefreshTokenReused { user, .. } => {
            to_user(deps, user, mail_templates::session_ended).await?
        }
        DomainEvent::NewDeviceSignedIn { user, session } => new_device(deps, user, session).await?,
        DomainEvent::PasswordForgotten { address, reset } => {
            password_reset(deps, job, address, reset).await?
        }
        DomainEvent::ProviderConnected { user, provider, .. } => {
            to_user(deps, user, |to| mail_templates::provider_connected(to, provider)).await?
        }
        DomainEvent::ProviderDisconnected { user, provider, .. } => {
            to_user(deps, user, |to| mail_templates::provider_disconnected(to, provider)).await?
        }
        DomainEvent::PasswordChanged { user } => {
            to_user(deps, user, mail_templates::password_changed).await?
        }
        DomainEvent::AddressCodeRequested { user, attempt } => {
            address_code(deps, job.now, user, attempt).await?
        }
        DomainEvent::AddressVerified { user, id, .. } => address_added(deps, user, id).await?,
        DomainEvent::AddressRemoved { user, .. } => {
            to_user(deps, user, mail_templates::address_removed).await?
        }
        DomainEvent::PrimaryAddressChanged { user, former } => primary_changed(deps, user, former).await?,
        DomainEvent::ExportReady { user, export } => {
            to_user(deps, user, |to| mail_templates::export_ready(to, export)).await?
        }
        DomainEvent::FeedbackReceived { feedback } => to_operators(deps, job, feedback).await?,
        notice @ (DomainEvent::ApiKeyCreated { .. }
        | DomainEvent::MemberInvited { .. }
        | DomainEvent::MemberRoleChanged { .. }
        | DomainEvent::MemberRemoved { .. }
        | DomainEvent::TeamTransferred { .. }
        | DomainEvent::TopUpsPaused { .. }) => return to_members::write(deps, job, at, notice).await,
        DomainEvent::AccountOpened { .. }
        | DomainEvent::WorkspaceOpened { .. }
        | DomainEvent::SettingsChanged { .. }
        | DomainEvent::ApiKeyRevoked { .. }
        | DomainEvent::PurgeBegun { .. }
        | DomainEvent::TrashEmptied { .. }
        | DomainEvent::PurgeGoesOn
        | DomainEvent::PlanChanged { .. }
        | DomainEvent::PaymentChanged { .. }
        | DomainEvent::ReferralChanged { .. }
        | DomainEvent::ExportGoesOn { .. }
        | DomainEvent::FollowersChanged { .. }
        | DomainEvent::MembershipChanged { .. }
        | DomainEvent::MembershipEnds { .. }
        | DomainEvent::MailWritten { .. }
        | DomainEvent::DeletionGoesOn { .. } => None,
    };
    Ok(mail.map(Outgoing::Mail))
}

/// Whether the recipient gets no mail, after a bounce or a complaint.
async fn is_blocked(deps: &Deps, now: Timestamp, mail: &Mail) -> Result<bool, Failure> {
    let address = deps.addresses.hash(&mail.to).await?;
    Ok(deps.blocks.find(address).await?.is_some_and(|block| block.holds(now)))
}

/// The mail with the code or, if the address has an account, a mail that says so: only a reader of that mailbox learns which.
async fn sign_up(
    deps: &Deps,
    now: Timestamp,
    address: EmailHash,
    attempt: AttemptId,
) -> Result<Option<Mail>, Failure> {
    let name = Name::Address(address);
    let (waiting, user) = (deps.sign_ups.find(address), deps.accounts.by_address(address));
    let (waiting, user, holder) = futures::try_join!(waiting, user, deps.directory.find(&name))?;
    let Some(attempt) = waiting.as_ref().and_then(|waiting| waiting.find(attempt)) else { return Ok(None) };
    if user.is_some() || holder.is_some_and(|holder| holder.confirmed) {
        return Ok(Some(mail_templates::account_exists(attempt.email.clone())));
    }
    let code = deps.codes.sign_up_codes(&[attempt.id]).await?.pop();
    let code = code.ok_or_else(|| Failure::Broken("no code for a sign-up".to_owned()))?;
    let is_late = attempt.expires_at() <= now;
    let write = if is_late { mail_templates::late_sign_up_code } else { mail_templates::sign_up_code };
    Ok(Some(write(attempt, &code)))
}

/// The mail with the code for an address of an account or, if the address belongs to another account, a mail that says so: only
/// a reader of that mailbox learns which.
async fn address_code(
    deps: &Deps,
    now: Timestamp,
    user: UserId,
    attempt: AttemptId,
) -> Result<Option<Mail>, Failure> {
    let Some(stored) = deps.user_addresses.find(user).await? else { return Ok(None) };
    let waiting = stored.pending.into_iter().flat_map(|pending| pending.addresses);
    let Some(address) = waiting.into_iter().find(|address| address.attempt == attempt) else {
        return Ok(None);
    };
    let name = Name::Address(address.hash);
    let (owner, holder) =
        futures::try_join!(deps.accounts.by_address(address.hash), deps.directory.find(&name))?;
    if owner.is_some() || holder.is_some_and(|holder| holder.confirmed && holder.id != user.to_string()) {
        return Ok(Some(mail_templates::address_in_use(address.email)));
    }
    let code = deps.codes.address_code(attempt).await?;
    let is_late = address.code_expires_at() <= now;
    let write = if is_late { mail_templates::late_address_code } else { mail_templates::address_code };
    Ok(Some(write(&address, &code)))
}

/// The mail to the primary address about a verified address, if the account still has it.
async fn address_added(deps: &Deps, user: UserId, id: AddressId) -> Result<Option<Mail>, Failure> {
    let Some(stored) = deps.user_addresses.find(user).await? else { return Ok(None) };
    let verified = stored.verified.into_iter().flat_map(|verified| verified.addresses);
    let added = verified.into_iter().find(|address| address.id == id).map(|address| address.email);
    Ok(Some(mail_templates::address_added(stored.user.primary_email, added.as_ref())))
}

/// The mail to the former primary address, which may have been removed since.
async fn primary_changed(deps: &Deps, user: UserId, id: AddressId) -> Result<Option<Mail>, Failure> {
    let Some(stored) = deps.user_addresses.find(user).await? else { return Ok(None) };
    let former = stored.pending.into_iter().flat_map(|pending| pending.former);
    let former = former.into_iter().find(|former| former.id == id);
    Ok(former.map(|former| mail_templates::primary_address_changed(former.email)))
}

/// The mail with the token, if the address has an account. It goes to the account's primary address.
async fn password_reset(
    deps: &Deps,
    job: &RunContext,
    address: EmailHash,
    reset: ResetId,
) -> Result<Option<Mail>, Failure> {
    let Some(user) = deps.accounts.by_address(address).await? else { return Ok(None) };
    if reset.made_at().saturating_add(VALID).is_ok_and(|end| end <= job.now) {
        return to_user(deps, user, mail_templates::late_password_reset).await;
    }
    let key = deps.tokens.derivation_key(reset.made_at()).await?;
    let token = ResetToken::new(job.region, user, reset, &key);
    to_user(deps, user, |to| mail_templates::password_reset(to, &token)).await
}

/// The mail about a session on a new device. It is sent also if the session ended meanwhile.
async fn new_device(deps: &Deps, user: UserId, session: SessionId) -> Result<Option<Mail>, Failure> {
    let client = match deps.sessions.find(user, session).await? {
        Some(found) => {
            let key = deps.tokens.derivation_key(session.made_at()).await?;
            SessionClient::of(&found, &key)?
        }
        None => None,
    };
    to_user(deps, user, |to| mail_templates::new_device(to, session, client.as_ref())).await
}

/// The mail with feedback, if the deployment has an address for it and the feedback has not expired.
async fn to_operators(deps: &Deps, job: &RunContext, feedback: FeedbackId) -> Result<Option<Mail>, Failure> {
    let Some(to) = deps.feedback_to.clone() else { return Ok(None) };
    let stored = deps.feedback.find(feedback).await?.filter(|stored| job.now < stored.expires_at());
    Ok(stored.map(|stored| mail_templates::feedback(to, &stored, job.region)))
}

/// A mail to a user of this region. Deleted accounts receive none.
async fn to_user(
    deps: &Deps,
    user: UserId,
    write: impl FnOnce(EmailAddress) -> Mail,
) -> Result<Option<Mail>, Failure> {
    Ok(deps.accounts.user(user).await?.map(|user| write(user.primary_email)))
}
