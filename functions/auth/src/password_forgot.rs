//! `POST /api/auth/password/forgot`: requests a password reset. The response, work and time are the same whether or not
//! the address has an account. Only the mail worker looks up the account.

use std::sync::Arc;

use domain::{
    domain_events::DomainEvent,
    email::EmailAddress,
    id::{OfReset, ResetId},
    password_reset::Asked,
    ports::{Accounts, AddressHashes, Directory, Failure, PasswordResets, RateWindows, Rounds, Saved},
    region::Region,
    throttle::{Network, NetworkLimit, Wait},
};
use kit::{
    Anyone, Body, Endpoint, Output, Ports, RequestContext, Spec, Stop,
    grants::{accounts, address_hashes, directory, extras, password_resets, rate_windows},
    mail_allowance, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::home;

/// Requests a password reset.
pub struct PasswordForgot;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    accounts: Arc<dyn Accounts>,
    directory: Arc<dyn Directory>,
    resets: Arc<dyn PasswordResets>,
    windows: Arc<dyn RateWindows>,
}

/// The account whose password to reset.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordForgotBody {
    /// An email address of the account.
    email: EmailAddress,
}

/// The request was accepted. If the email address has an account, we send a token to its primary email address.
#[derive(Serialize, JsonSchema)]
pub struct ResetAsked {
    /// The submitted email address.
    email: EmailAddress,
}
impl Output for ResetAsked {}

kit::errors! {
    pub enum Error from Failure {
        /// The address belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
        /// The region sends no more mails for strangers in this hour.
        TooMany(wait: Wait) => wait,
    }
}

impl Endpoint for PasswordForgot {
    const SPEC: Spec = spec("auth-password-forgot", Post, "/api/auth/password/forgot")
        .summary("Request a password reset")
        .answers(202)
        .may_forward()
        .limits_network(NetworkLimit::PasswordForgot)
        .pads_answers()
        .once()
        .uses(&[
            address_hashes::HASH,
            address_hashes::SOURCE,
            accounts::BY_ADDRESS,
            directory::FIND_ADDRESS,
            password_resets::ASKED,
            password_resets::ASK,
            rate_windows::TAKE,
            extras::MESSAGE,
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Body<PasswordForgotBody>;
    type Output = ResetAsked;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.address_hashes(),
            accounts: ports.accounts(),
            directory: ports.directory(),
            resets: ports.password_resets(),
            windows: ports.rate_windows(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Body(form): Self::Input,
    ) -> Result<ResetAsked, Error> {
        let answer = ResetAsked { email: form.email };
        if call.made_before::<ResetId>().is_some() {
            return Ok(answer);
        }
        let address = deps.addresses.hash(&answer.email).await?;
        let (user, asked) = (deps.accounts.by_address(address), deps.resets.asked(address));
        let source = deps.addresses.source(address, Network::of(call.network));
        // The home region is looked up even for an address of this region, so that known and unknown addresses cost the
        // same.
        let home = async {
            if call.forwarded { Ok(call.region) } else { home::of(&*deps.directory, address).await }
        };
        let (home, user, mut asked, source) = futures::try_join!(home, user, asked, source)?;
        if user.is_none() && home != call.region {
            return Err(Error::Elsewhere(home));
        }
        let reset = call.id::<OfReset>();
        let mut is_counted = false;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let before = asked.unwrap_or_else(|| Asked::never(address));
            // Exceeding the limit is not an error: a 429 would reveal that someone else has just requested a reset for
            // this address, and the earlier email is on its way.
            let Ok(again) = before.again(source, reset, call.now) else { return Ok(answer) };
            if !std::mem::replace(&mut is_counted, true) {
                mail_allowance::take(&*deps.windows, call.now).await?.map_err(Error::TooMany)?;
            }
            let notice = DomainEvent::PasswordForgotten { address, reset };
            match deps.resets.ask(&again, call.extras(None, Some(notice), reset)).await? {
                Saved::Yes => return Ok(answer),
                // Another request came first.
                Saved::Stale => asked = deps.resets.asked(address).await?,
            }
        }
    }
}
