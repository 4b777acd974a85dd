//! `POST /api/settings/emails`: adds an email address to the account and sends it a code. The response and the work are the
//! same whether or not another account has the address: only the mail worker looks that up, and only a reader of the mailbox
//! learns it. Requires step-up, because an address outlives the session.

use std::sync::Arc;

use domain::{
    domain_events::DomainEvent,
    email::EmailAddress,
    id::{AddressId, OfAddress, OfAttempt},
    ports::{AddressHashes, Failure, MailBlocks, RateWindows, Rounds, Saved, UserAddresses},
    throttle::{NetworkLimit, Wait},
    user_addresses::{CodeRefused, MOST, MOST_PENDING, NewAddress},
};
use kit::{
    Access, Body, Code, Endpoint, Person, Ports, Problem, RequestContext, Spec,
    grants::{address_hashes, extras, mail_blocks, rate_windows, user_addresses},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    account::{self, AccountError},
    code_allowance,
    view::AddressView,
};

/// Adds an email address.
pub struct AddAddress;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn UserAddresses>,
    hashes: Arc<dyn AddressHashes>,
    blocks: Arc<dyn MailBlocks>,
    windows: Arc<dyn RateWindows>,
}

/// The email address to add.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddAddressBody {
    /// The email address, which receives a verification code.
    email: EmailAddress,
}

kit::errors! {
    pub enum Error from AccountError, Failure {
        /// The account has the address, or too many.
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

/// Why no code is sent, as a problem.
pub(crate) fn problem(refused: CodeRefused) -> Problem {
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

impl Endpoint for AddAddress {
    const SPEC: Spec = spec("emails-add", Post, "/api/settings/emails")
        .summary("Add an email address and request a verification code")
        .access(Access::person().step_up())
        .limits_network(NetworkLimit::AddressCode)
        .answers(201)
        .once()
        .problems(&[
            Code::OnboardingRequired,
            Code::NotFound,
            Code::EmailAlreadyAdded,
            Code::EmailLimitReached,
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
    type Input = Body<AddAddressBody>;
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
        Body(form): Self::Input,
    ) -> Result<AddressView, Error> {
        let user = account::user(call)?;
        let (mut book, hash) =
            futures::try_join!(account::book(&*deps.addresses, &*deps.hashes, user), async {
                Ok(deps.hashes.hash(&form.email).await?)
            })?;
        if let Some(id) = call.made_before::<AddressId>() {
            return AddressView::find(&book, id, call.now).ok_or(CodeRefused::Missing.into());
        }
        let (id, attempt) = (call.id::<OfAddress>(), call.id::<OfAttempt>());
        let new = NewAddress { id, email: form.email, hash, attempt };
        // Refuse before the limits count. The loop checks again.
        book.add(new.clone(), call.now)?;
        if deps.blocks.find(hash).await?.is_some_and(|block| block.holds(call.now)) {
            return Err(Error::Undeliverable);
        }
        code_allowance::take(&*deps.windows, hash, call.now).await?.map_err(Error::TooMany)?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let pending = book.add(new.clone(), call.now)?;
            let notice = DomainEvent::AddressCodeRequested { user, attempt };
            let extras = call.extras(None, Some(notice), id);
            let saved = deps.addresses.save_pending(&pending, book.verified.version, extras).await?;
            if saved == Saved::Yes {
                let added = pending.addresses.last().map(AddressView::pending);
                return added.ok_or(CodeRefused::Missing.into());
            }
            book = account::book(&*deps.addresses, &*deps.hashes, user).await?;
        }
    }
}
