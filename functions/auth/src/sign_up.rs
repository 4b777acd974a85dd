//! `POST /api/auth/sign-up`: starts a sign-up. The response and the work are the same whether or not the address has an
//! account.

use std::sync::Arc;

use domain::{
    domain_events::DomainEvent,
    email::EmailAddress,
    id::{AttemptId, OfAttempt, OfUser},
    password::Password,
    ports::{
        AddressHashes, BreachedPasswords, Codes, Failure, MailBlocks, RateWindows, Rounds, Saved, SignUps,
    },
    region::Region,
    sign_up::{Attempt, CODE_VALID, SignUp, SignUpToken},
    throttle::{Network, NetworkLimit, Wait},
    user_agent::Device,
};
use http::{HeaderName, HeaderValue, header};
use kit::{
    Anyone, Body, Code, Endpoint, Output, Params, Ports, Problem, RequestContext, Spec, Stop,
    credentials::{SIGN_UP_COOKIE, set_cookie},
    grants::{address_hashes, breached_passwords, codes, extras, mail_blocks, rate_windows, sign_ups},
    mail_allowance, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    new_password::{self, PasswordError},
    tokens::{Cookies, TokenDeliveryQuery},
};

/// Starts a sign-up.
pub struct StartSignUp;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    breached: Arc<dyn BreachedPasswords>,
    codes: Arc<dyn Codes>,
    sign_ups: Arc<dyn SignUps>,
    blocks: Arc<dyn MailBlocks>,
    windows: Arc<dyn RateWindows>,
}

/// The account to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUpBody {
    /// The email address that receives the verification code.
    email: EmailAddress,
    /// The password of the new account.
    password: Password,
    /// The data region of the account. Permanent.
    region: Region,
}

/// The verification code was sent.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartedSignUp {
    /// The email address.
    email: EmailAddress,
    /// Send this token with the code to `auth-verify`. Absent with `?session=cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_up_token: Option<String>,
    #[serde(skip)]
    cookie: Option<String>,
}

impl StartedSignUp {
    fn new(email: EmailAddress, token: &SignUpToken, cookies: Option<Cookies>) -> Self {
        let text = token.text();
        match cookies {
            None => Self { email, sign_up_token: Some(text.expose().to_owned()), cookie: None },
            Some(Cookies::Cookie) => {
                let cookie = set_cookie(SIGN_UP_COOKIE, text.expose(), CODE_VALID.as_secs());
                Self { email, sign_up_token: None, cookie: Some(cookie) }
            }
        }
    }
}

impl Output for StartedSignUp {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let value = self.cookie.as_deref().and_then(|cookie| HeaderValue::from_str(cookie).ok());
        value.map(|value| (header::SET_COOKIE, value)).into_iter().collect()
    }
}

kit::errors! {
    pub enum Error from PasswordError, Failure {
        /// The account will belong to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
        /// Too many codes were sent.
        TooMany(wait: Wait) => wait,
        /// Mail to the address bounced or was reported as spam.
        Undeliverable => Problem::new(Code::EmailUndeliverable, UNDELIVERABLE),
    }
}

/// Anybody can cause a mail to any address, so this reveals nothing about accounts.
const UNDELIVERABLE: &str = "We can't send email to this address: an earlier email bounced or was reported as spam. Use another address, or try again in a week.";

impl Endpoint for StartSignUp {
    const SPEC: Spec = spec("auth-sign-up", Post, "/api/auth/sign-up")
        .summary("Sign up and request a verification code by email")
        .answers(202)
        .may_forward()
        .limits_network(NetworkLimit::SignUp)
        .once()
        .full_cpu()
        .problems(&[Code::RateLimited, Code::EmailUndeliverable])
        .uses(&[
            address_hashes::HASH,
            address_hashes::SOURCE,
            breached_passwords::CONTAINS,
            codes::SIGN_UP_TOKEN,
            sign_ups::FIND,
            sign_ups::SAVE,
            mail_blocks::FIND,
            rate_windows::TAKE,
            extras::MESSAGE,
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = (Params<TokenDeliveryQuery>, Body<SignUpBody>);
    type Output = StartedSignUp;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.address_hashes(),
            breached: ports.breached_passwords(),
            codes: ports.codes(),
            sign_ups: ports.sign_ups(),
            blocks: ports.mail_blocks(),
            windows: ports.rate_windows(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        (Params(delivery), Body(form)): Self::Input,
    ) -> Result<StartedSignUp, Error> {
        let email = form.email.clone();
        let attempt = match call.made_before::<AttemptId>() {
            Some(attempt) => attempt,
            None if form.region != call.region => return Err(Error::Elsewhere(form.region)),
            None => start(deps, call, form).await?,
        };
        let token = deps.codes.sign_up_token(attempt).await?;
        Ok(StartedSignUp::new(email, &token, delivery.session))
    }
}

/// Adds a sign-up attempt to the record of the address.
async fn start(deps: &Deps, call: &RequestContext<Anyone>, form: SignUpBody) -> Result<AttemptId, Error> {
    let address = deps.addresses.hash(&form.email).await?;
    let (source, found, block) = futures::try_join!(
        deps.addresses.source(address, Network::of(call.network)),
        deps.sign_ups.find(address),
        deps.blocks.find(address)
    )?;
    if block.is_some_and(|block| block.holds(call.now)) {
        return Err(Error::Undeliverable);
    }
    let or_none = |found: Option<SignUp>| found.unwrap_or_else(|| SignUp::none(address, call.id::<OfUser>()));
    let mut waiting = or_none(found);
    // Refuse before the expensive hash and the lookup. `SignUp::start` checks again.
    waiting.may_start(source, call.now).map_err(Error::TooMany)?;
    mail_allowance::take(&*deps.windows, call.now).await?.map_err(Error::TooMany)?;
    let about = [form.email.as_str(), form.email.domain()].map(str::to_owned).into();
    let attempt = Attempt {
        id: call.id::<OfAttempt>(),
        email: form.email,
        password: new_password::hash(call, &*deps.breached, ("password", form.password), about).await?,
        region: form.region,
        at: call.now,
        tries: 0,
        source: Some(source),
        device: Device::of_user_agent(call.user_agent()),
    };
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let after = waiting.start(attempt.clone(), source).map_err(Error::TooMany)?;
        let notice = DomainEvent::SignUpStarted { address, attempt: attempt.id };
        match deps.sign_ups.save(&after, call.extras(None, Some(notice), attempt.id)).await? {
            Saved::Yes => return Ok(attempt.id),
            // Another attempt came first.
            Saved::Stale => waiting = or_none(deps.sign_ups.find(address).await?),
        }
    }
}
