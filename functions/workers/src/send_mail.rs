//! `send-mail`: writes the mail that a message calls for, and sends it once.
//!
//! A message comes at least once; a second mail is possible only if the worker dies between sending and noting. About an
//! account that is gone nobody gets mail.

use std::sync::Arc;

use domain::{
    directory::Name,
    email::EmailAddress,
    id::{AttemptId, ResetId, UserId},
    outbox::{Message, Notice},
    password_reset::ResetToken,
    ports::{Accounts, Codes, Consumed, Directory, Failure, Mail, Mailer, SignUps, TokenKeys},
    region::Region,
    user::EmailHash,
};
use kit::{Grant, Items, Job, Ports, Trigger, Worker, WorkerSpec, worker};
use serde::Serialize;

use crate::{event::Envelope, letters, once::once};

/// Sends mail.
pub struct SendMail;

const NAME: &str = "send-mail";

/// What it works with.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    directory: Arc<dyn Directory>,
    sign_ups: Arc<dyn SignUps>,
    codes: Arc<dyn Codes>,
    tokens: Arc<dyn TokenKeys>,
    mailer: Arc<dyn Mailer>,
    consumed: Arc<dyn Consumed>,
}

/// What came of it.
#[derive(Serialize)]
pub struct Report {
    sent: bool,
}

impl Worker for SendMail {
    const SPEC: WorkerSpec = worker(
        "send-mail",
        Trigger::Bus(&Notice::MAILED),
        "Writes and sends the mail that a message calls for",
        &[
            Grant::secret("codes"),
            Grant::secret("tokens"),
            Grant::items("GetItem", Items::SignUps),
            Grant::items("GetItem", Items::Addresses),
            Grant::items("GetItem", Items::Users),
            Grant::items("GetItem", Items::AddressClaims),
            Grant::items("PutItem", Items::Consumed),
            Grant::items("UpdateItem", Items::Consumed),
            Grant::items("DeleteItem", Items::Consumed),
            Grant::mail(),
        ],
    );
    type Deps = Deps;
    type Event = Envelope;
    type Result = Report;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            directory: ports.directory(),
            sign_ups: ports.sign_ups(),
            codes: ports.codes(),
            tokens: ports.token_keys(),
            mailer: ports.mailer(),
            consumed: ports.consumed(),
        }
    }

    async fn handle(deps: &Deps, job: &Job, event: Envelope) -> Result<Report, Failure> {
        let Message { id, notice, .. } = event.detail;
        let send = write_and_send(deps, job.region, notice);
        let sent = once(&*deps.consumed, NAME, id, job.now, send).await?.unwrap_or(false);
        Ok(Report { sent })
    }
}

/// Writes the mail that a notice calls for, if it calls for one, and sends it.
async fn write_and_send(deps: &Deps, region: Region, notice: Notice) -> Result<bool, Failure> {
    let mail = match notice {
        Notice::SignUpStarted { address, attempt } => sign_up(deps, address, attempt).await?,
        Notice::ApiKeyCreated { user, name, .. } => {
            to_user(deps, user, |to| letters::api_key_created(to, name.as_str())).await?
        }
        Notice::RefreshTokenReused { user, .. } => to_user(deps, user, letters::session_ended).await?,
        Notice::PasswordForgotten { address, reset } => password_reset(deps, region, address, reset).await?,
        Notice::PasswordChanged { user } => to_user(deps, user, letters::password_changed).await?,
        Notice::ExportReady { user, export } => {
            to_user(deps, user, |to| letters::export_ready(to, export)).await?
        }
        Notice::AccountOpened { .. }
        | Notice::WorkspaceOpened { .. }
        | Notice::SettingsChanged { .. }
        | Notice::ApiKeyRevoked { .. }
        | Notice::PurgeBegun { .. }
        | Notice::TrashEmptied { .. }
        | Notice::PurgeGoesOn
        | Notice::ExportGoesOn { .. }
        | Notice::DeletionGoesOn { .. } => None,
    };
    if let Some(mail) = &mail {
        deps.mailer.send(mail).await?;
    }
    Ok(mail.is_some())
}

/// The code, or, if the address has an account, word of that: only whoever reads the address's mail learns which.
async fn sign_up(deps: &Deps, address: EmailHash, attempt: AttemptId) -> Result<Option<Mail>, Failure> {
    let name = Name::Address(address);
    let (waiting, user) = (deps.sign_ups.find(address), deps.accounts.by_address(address));
    let (waiting, user, holder) = futures::try_join!(waiting, user, deps.directory.find(&name))?;
    let Some(waiting) = waiting else { return Ok(None) };
    if user.is_some() || holder.is_some_and(|holder| holder.confirmed) {
        return Ok(Some(letters::account_exists(waiting.email)));
    }
    let code = deps.codes.sign_up_codes(&[attempt]).await?.pop();
    Ok(code.map(|code| letters::sign_up_code(waiting.email, &code)))
}

/// The token, if anybody has the address: to the account's primary one, whichever of its addresses was entered.
async fn password_reset(
    deps: &Deps,
    region: Region,
    address: EmailHash,
    reset: ResetId,
) -> Result<Option<Mail>, Failure> {
    let Some(user) = deps.accounts.by_address(address).await? else { return Ok(None) };
    let key = deps.tokens.derivation_key(reset.made_at()).await?;
    let token = ResetToken::new(region, user, reset, &key);
    to_user(deps, user, |to| letters::password_reset(to, &token)).await
}

async fn to_user(
    deps: &Deps,
    user: UserId,
    write: impl FnOnce(EmailAddress) -> Mail,
) -> Result<Option<Mail>, Failure> {
    Ok(deps.accounts.user(user).await?.map(|user| write(user.primary_email)))
}
