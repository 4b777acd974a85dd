//! Sending a verification code: what adding an address and requesting another code share.

use std::sync::Arc;

use domain::{
    domain_events::DomainEvent,
    id::AttemptId,
    ports::{AddressHashes, Failure, MailBlocks, RateWindows, Rounds, Saved, UserAddresses},
    throttle::Wait,
    user_addresses::{AddressBook, CodeRefused, MOST, MOST_PENDING, PendingAddresses},
};
use kit::{
    Code, Person, PortMethod, Ports, Problem, RequestContext,
    grants::{address_hashes, extras, mail_blocks, rate_windows, user_addresses},
};

use crate::{
    account::{self, AccountError},
    code_allowance,
};

/// Dependencies.
pub struct Deps {
    /// The addresses of accounts.
    pub addresses: Arc<dyn UserAddresses>,
    /// Hashes of addresses.
    pub hashes: Arc<dyn AddressHashes>,
    blocks: Arc<dyn MailBlocks>,
    windows: Arc<dyn RateWindows>,
}

/// What [`Deps`] is used for.
pub const USES: &[PortMethod] = &[
    user_addresses::FIND,
    user_addresses::SAVE_PENDING,
    address_hashes::HASH,
    mail_blocks::FIND,
    rate_windows::TAKE,
    extras::MESSAGE,
];

impl Deps {
    /// Of a function's ports.
    pub fn of(ports: &impl Ports) -> Self {
        Self {
            addresses: ports.user_addresses(),
            hashes: ports.address_hashes(),
            blocks: ports.mail_blocks(),
            windows: ports.rate_windows(),
        }
    }
}

kit::errors! {
    pub enum Error from AccountError, Failure {
        /// The account sends this address no code.
        Refused(refused: CodeRefused) => problem(refused),
        /// Too many codes were sent.
        TooMany(wait: Wait) => wait,
        /// Mail to the address bounced or was reported as spam.
        Undeliverable => Problem::new(
            Code::EmailUndeliverable,
            "We can't send email to this address: an earlier email bounced or was reported as spam. Use another address, or \
             try again in a week.",
        ),
    }
}

impl From<CodeRefused> for Error {
    fn from(refused: CodeRefused) -> Self {
        Self::Refused(refused)
    }
}

fn problem(refused: CodeRefused) -> Problem {
    match refused {
        CodeRefused::Missing => Problem::not_found(),
        CodeRefused::Verified => {
            Problem::new(Code::EmailAlreadyAdded, "This email address is verified for your account already.")
        }
        CodeRefused::Pending => Problem::new(
            Code::EmailAlreadyAdded,
            "You have added this email address already. Enter its code, or request another one.",
        ),
        CodeRefused::TooMany => Problem::new(
            Code::EmailLimitReached,
            format!("An account has at most {MOST} email addresses. Remove one first."),
        ),
        CodeRefused::TooManyPending => Problem::new(
            Code::EmailLimitReached,
            format!(
                "At most {MOST_PENDING} email addresses can wait for verification. Verify or remove one first."
            ),
        ),
        CodeRefused::TooSoon(wait) => wait.into(),
    }
}

/// Makes a change that sends a code of `attempt`. Returns the addresses after it. `reference` is the result that a repeated
/// request finds.
pub async fn send(
    deps: &Deps,
    call: &RequestContext<Person>,
    mut book: AddressBook,
    (attempt, reference): (AttemptId, impl ToString),
    change: impl Fn(&AddressBook) -> Result<PendingAddresses, CodeRefused>,
) -> Result<AddressBook, Error> {
    let user = book.user.id;
    // Refuse before the limits count. The loop checks again.
    let pending = change(&book)?;
    let sent = pending.addresses.iter().find(|address| address.attempt == attempt);
    let hash = sent.ok_or(CodeRefused::Missing)?.hash;
    if deps.blocks.find(hash).await?.is_some_and(|block| block.holds(call.now)) {
        return Err(Error::Undeliverable);
    }
    code_allowance::take(&*deps.windows, hash, call.now).await?.map_err(Error::TooMany)?;
    let reference = reference.to_string();
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let pending = change(&book)?;
        let notice = DomainEvent::AddressCodeRequested { user, attempt };
        let extras = call.extras(None, Some(notice), &reference);
        let saved = deps.addresses.save_pending(&pending, book.verified.version, extras).await?;
        if saved == Saved::Yes {
            return Ok(AddressBook { pending, ..book });
        }
        book = account::book(&*deps.addresses, &*deps.hashes, user).await?;
    }
}
