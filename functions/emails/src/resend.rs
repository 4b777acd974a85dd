//! `POST /api/settings/emails/{id}/resend`: sends another code to an email address that is not verified. The new code replaces
//! the last one.

use std::sync::Arc;

use domain::{
    domain_events::DomainEvent,
    id::{AttemptId, OfAttempt},
    ports::{AddressHashes, Failure, MailBlocks, RateWindows, Rounds, Saved, UserAddresses},
    throttle::{NetworkLimit, Wait},
    user_addresses::CodeRefused,
};
use kit::{
    Access, Code, Endpoint, Params, Person, Ports, Problem, RequestContext, Spec,
    grants::{address_hashes, extras, mail_blocks, rate_windows, user_addresses},
    spec,
    spec::Method::Post,
};

use crate::{
    account::{self, AccountError, AddressPath},
    add::problem,
    code_allowance,
    view::AddressView,
};

/// Sends another code.
pub struct ResendCode;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn UserAddresses>,
    hashes: Arc<dyn AddressHashes>,
    blocks: Arc<dyn MailBlocks>,
    windows: Arc<dyn RateWindows>,
}

kit::errors! {
    pub enum Error from AccountError, Failure {
        /// The address waits for no code, or too many codes were sent.
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

impl Endpoint for ResendCode {
    const SPEC: Spec = spec("emails-resend", Post, "/api/settings/emails/{id}/resend")
        .summary("Send another verification code to an email address")
        .access(Access::person())
        .limits_network(NetworkLimit::AddressCode)
        .answers(202)
        .once()
        .problems(&[
            Code::OnboardingRequired,
            Code::NotFound,
            Code::EmailAlreadyAdded,
            Code::EmailUndeliverable,
            Code::RateLimited,
        ])
        .uses(&[
            user_addresses::FIND,
            user_addresses::SAVE_PENDING,
            address_hashes::HASH,
            mail_blocks::FIND,
            rate_windows::TAKE,
            extras::MESSAGE,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Params<AddressPath>;
    type Output = AddressView;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.user_addresses(),
            hashes: ports.address_hashes(),
            blocks: ports.mail_blocks(),
            windows: ports.rate_windows(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Params(path): Self::Input,
    ) -> Result<AddressView, Error> {
        let user = account::user(call)?;
        let id = path.id.known().ok_or(CodeRefused::Missing)?;
        let mut book = account::book(&*deps.addresses, &*deps.hashes, user).await?;
        let is_done = call.made_before::<AttemptId>().is_some();
        if is_done {
            return AddressView::find(&book, id, call.now).ok_or(CodeRefused::Missing.into());
        }
        let attempt = call.id::<OfAttempt>();
        // Refuse before the limits count. The loop checks again.
        book.resend(id, attempt, call.now)?;
        let hash = book.pending(id, call.now).ok_or(CodeRefused::Missing)?.hash;
        if deps.blocks.find(hash).await?.is_some_and(|block| block.holds(call.now)) {
            return Err(Error::Undeliverable);
        }
        code_allowance::take(&*deps.windows, hash, call.now).await?.map_err(Error::TooMany)?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let pending = book.resend(id, attempt, call.now)?;
            let notice = DomainEvent::AddressCodeRequested { user, attempt };
            let extras = call.extras(None, Some(notice), attempt);
            let saved = deps.addresses.save_pending(&pending, book.verified.version, extras).await?;
            if saved == Saved::Yes {
                return AddressView::find(&book, id, call.now).ok_or(CodeRefused::Missing.into());
            }
            book = account::book(&*deps.addresses, &*deps.hashes, user).await?;
        }
    }
}
