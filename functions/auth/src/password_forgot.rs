//! `POST /api/auth/password/forgot`: have a token mailed that sets a new password. Says the same, after the same work and
//! the same time, whether or not the address has an account: who has one is found out by whoever sends the mail.

use std::sync::Arc;

use domain::{
    email::EmailAddress,
    id::{OfReset, ResetId},
    outbox::Notice,
    password_reset::Asked,
    ports::{Accounts, AddressHashes, Directory, Failure, PasswordResets, Saved},
    region::Region,
};
use kit::{
    Anyone, Body, Call, Endpoint, Grant, Items, Output, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::home;

/// Asks for a token.
pub struct PasswordForgot;

/// What it works with.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    accounts: Arc<dyn Accounts>,
    directory: Arc<dyn Directory>,
    resets: Arc<dyn PasswordResets>,
}

/// Who forgot the password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// An address of the account.
    email: EmailAddress,
}

/// If the address has an account, its primary address gets a mail.
#[derive(Serialize, JsonSchema)]
pub struct ResetAsked {
    /// The address that was entered.
    email: EmailAddress,
}
impl Output for ResetAsked {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("the address is at home in {0}")]
    Elsewhere(Region),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for PasswordForgot {
    const SPEC: Spec = spec("auth-password-forgot", Post, "/api/auth/password/forgot")
        .summary("Have a token mailed that sets a new password")
        .answers(202)
        .roams()
        .evens_answers()
        .once()
        .grants(&[
            Grant::secret("addresses"),
            Grant::items("GetItem", Items::Addresses),
            Grant::items("GetItem", Items::ResetsAsked),
            Grant::items("GetItem", Items::AddressClaims),
            Grant::items("PutItem", Items::ResetsAsked),
            Grant::items("PutItem", Items::Outbox),
            Grant::items("PutItem", Items::Receipts),
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = ResetAsked;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.address_hashes(),
            accounts: ports.accounts(),
            directory: ports.directory(),
            resets: ports.password_resets(),
        }
    }

    async fn handle(deps: &Deps, call: &Call<Anyone>, Body(form): Self::Input) -> Result<ResetAsked, Error> {
        let answer = ResetAsked { email: form.email };
        if call.made_before::<ResetId>().is_some() {
            return Ok(answer);
        }
        let address = deps.addresses.hash(&answer.email).await?;
        let (user, asked) = (deps.accounts.by_address(address), deps.resets.asked(address));
        // The home is looked up even if the address turns out to be known here, so that it costs what an unknown one does.
        let home = async {
            if call.forwarded { Ok(call.region) } else { home::of(&*deps.directory, address).await }
        };
        let (home, user, mut asked) = futures::try_join!(home, user, asked)?;
        if user.is_none() && home != call.region {
            return Err(Error::Elsewhere(home));
        }
        loop {
            let before = asked.unwrap_or_else(|| Asked::never(address));
            // Too soon or too often is no refusal: a 429 would tell a stranger that somebody else has just asked with this
            // address, and there is nothing more to be done than to read the mail that went out already.
            let Ok(again) = before.again(call.now) else { return Ok(answer) };
            let reset = call.id::<OfReset>();
            let notice = Notice::PasswordForgotten { address, reset };
            match deps.resets.ask(&again, call.alongside(None, Some(notice), reset)).await? {
                Saved::Yes => return Ok(answer),
                // Somebody else asked first; the next round meets its throttle.
                Saved::Stale => asked = deps.resets.asked(address).await?,
            }
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Elsewhere(region) => Self::elsewhere(region),
            Error::Failed(failure) => failure.into(),
        }
    }
}
