//! `POST /api/auth/verify`: verifies the emailed code with a secret of the same sign-up, creates the account and starts
//! its first session.

use std::sync::Arc;

use domain::{
    directory::Claim,
    domain_events::DomainEvent,
    email::EmailAddress,
    id::{AttemptId, OfSession, SessionId, UserId},
    password::Password,
    ports::{
        AddressHashes, Claimed, Codes, Directory, Failure, NewAccount, Opened, Rounds, Saved, Sessions,
        SignUps, TokenKeys,
    },
    region::Region,
    session::{RefreshToken, Session},
    sign_up::{Attempt, SignUp, SignUpToken, VerificationCode, WrongCode, confirm},
    text::Invalid,
    throttle::NetworkLimit,
    user::{User, personal_workspace},
};
use kit::{
    Anyone, Body, Endpoint, Params, Ports, Problem, RequestContext, Spec, Stop,
    credentials::SIGN_UP_COOKIE,
    grants::{address_hashes, codes, directory, extras, sessions, sign_ups, token_keys},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    new_session::new_session,
    sign_up_secret::{SecretError, SignUpSecret},
    tokens::{TokenDeliveryQuery, Tokens, hand_out},
};

/// Creates the account of a verified sign-up.
pub struct Verify;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    codes: Arc<dyn Codes>,
    sign_ups: Arc<dyn SignUps>,
    directory: Arc<dyn Directory>,
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn TokenKeys>,
}

/// The verification code and the secret of the sign-up: `signUpToken`, the cookie set by `auth-sign-up?session=cookie`, or
/// `password`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyBody {
    /// The email address that received the code.
    email: EmailAddress,
    /// The verification code.
    code: VerificationCode,
    /// The token from the sign-up response.
    #[serde(default)]
    sign_up_token: Option<SignUpToken>,
    /// The password chosen at sign-up, for clients that have lost the token.
    #[serde(default)]
    password: Option<Password>,
}

kit::errors! {
    pub enum Error from SecretError, Failure {
        /// Wrong code or secret.
        Wrong => Problem::new(
            kit::Code::CodeInvalid,
            "This code is wrong or has expired, or it belongs to another sign-up. Enter the newest code where you signed \
             up, or sign up again.",
        ),
        /// The code came without a secret.
        SecretNeeded => Problem::new(
            kit::Code::PasswordRequired,
            "The code alone is not sufficient. Provide the `signUpToken` from the sign-up response, or your `password`.",
        ),
        /// The sign-up belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
        /// The address belongs to an account.
        AddressTaken => Problem::new(
            kit::Code::EmailTaken,
            "This email address already has an account. Sign in or reset the password.",
        ),
    }
}

impl From<WrongCode> for Error {
    fn from(WrongCode: WrongCode) -> Self {
        Self::Wrong
    }
}

impl Endpoint for Verify {
    const SPEC: Spec = spec("auth-verify", Post, "/api/auth/verify")
        .summary("Verify the email address, create the account and sign in")
        .may_forward()
        .limits_network(NetworkLimit::Verify)
        .pads_refusals()
        .once()
        .full_cpu()
        .problems(&[kit::Code::CodeInvalid, kit::Code::PasswordRequired, kit::Code::EmailTaken])
        .uses(&[
            address_hashes::HASH,
            codes::SIGN_UP_CODES,
            codes::SIGN_UP_TOKEN,
            sign_ups::FIND,
            sign_ups::SAVE,
            sign_ups::DISCARD,
            sign_ups::OPEN_ACCOUNT,
            directory::CLAIM_ADDRESS,
            sessions::CONTEXT,
            token_keys::DERIVATION_KEY,
            token_keys::SIGN,
            extras::MESSAGE,
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = (Params<TokenDeliveryQuery>, Body<VerifyBody>);
    type Output = Tokens;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.address_hashes(),
            codes: ports.codes(),
            sign_ups: ports.sign_ups(),
            directory: ports.directory(),
            sessions: ports.sessions(),
            tokens: ports.token_keys(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        (Params(delivery), Body(form)): Self::Input,
    ) -> Result<Tokens, Error> {
        let secret = SignUpSecret::of(call, form.sign_up_token, form.password).ok_or(Error::SecretNeeded)?;
        let home = secret.home(&form.code);
        if home != call.region {
            return Err(Error::Elsewhere(home));
        }
        let (session, first, onboarded) = match call.made_before::<Made>() {
            Some(made) => again(deps, call, &secret, made).await?,
            None => {
                let (session, first) = open(deps, call, &form.email, &form.code, secret).await?;
                (session, first, false)
            }
        };
        let tokens = hand_out(&*deps.tokens, &session, &first, onboarded, delivery.session, call.now).await?;
        Ok(if call.sign_up_cookie().is_some() { tokens.forgetting(SIGN_UP_COOKIE) } else { tokens })
    }
}

/// The result of a verification, for repeated requests.
#[derive(Clone, Copy)]
struct Made {
    user: UserId,
    session: SessionId,
    /// Absent in older records.
    attempt: Option<AttemptId>,
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.user, self.session)?;
        self.attempt.map_or(Ok(()), |attempt| write!(f, "/{attempt}"))
    }
}

impl std::str::FromStr for Made {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut parts = text.splitn(3, '/');
        let mut next = || parts.next();
        let (user, session) = (next().unwrap_or_default().parse()?, next().unwrap_or_default().parse()?);
        Ok(Self { user, session, attempt: next().map(str::parse).transpose()? })
    }
}

/// The earlier result of the same request. Cookies are not part of the request's fingerprint, so they are checked again.
async fn again(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    secret: &SignUpSecret,
    Made { user, session, attempt }: Made,
) -> Result<(Session, RefreshToken, bool), Error> {
    if let Some(attempt) = attempt
        && !secret.is_of(&*deps.codes, attempt).await?
    {
        return Err(Error::Wrong);
    }
    let context =
        deps.sessions.context(user, session, personal_workspace(user)).await?.ok_or(Error::Wrong)?;
    let key = deps.tokens.derivation_key(session.made_at()).await?;
    let first = RefreshToken::first(call.region, user, session, &key);
    Ok((context.session, first, context.workspace.is_some()))
}

/// Creates an account from the attempt of the code and the secret.
async fn open(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    email: &EmailAddress,
    code: &VerificationCode,
    secret: SignUpSecret,
) -> Result<(Session, RefreshToken), Error> {
    let address = deps.addresses.hash(email).await?;
    let waiting = deps.sign_ups.find(address).await?;
    let proven = secret.attempts(&*deps.codes, call, waiting.as_ref()).await?;
    let (counted, tried) = count_try(deps, call, waiting.ok_or(Error::Wrong)?, &proven).await?;
    let ids: Vec<AttemptId> = tried.iter().map(|attempt| attempt.id).collect();
    let attempt = confirm(tried, &deps.codes.sign_up_codes(&ids).await?, code)?;
    let user = counted.user;
    let (session, first) = new_session(&*deps.tokens, call, user, call.id::<OfSession>()).await?;
    let claim = Claim::on_address(address, call.region, user, call.now);
    if deps.directory.claim(&claim).await? == Claimed::Taken {
        // The caller knows the code and so reads the address's email. The sign-up can never succeed.
        deps.sign_ups.discard(&counted).await?;
        return Err(Error::AddressTaken);
    }
    make_account(deps, call, counted, attempt, &session).await?;
    Ok((session, first))
}

/// Counts the try before the code is checked. Also returns the attempts that were tried.
async fn count_try(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    mut waiting: SignUp,
    proven: &[AttemptId],
) -> Result<(SignUp, Vec<Attempt>), Error> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let address = waiting.email_hash;
        let (counted, tried) = waiting.count_try(proven, call.now)?;
        if deps.sign_ups.save(&counted, Default::default()).await? == Saved::Yes {
            return Ok((counted, tried));
        }
        waiting = deps.sign_ups.find(address).await?.ok_or(Error::Wrong)?;
    }
}

/// Creates the account, also if the record changed concurrently. An attempt in the record has not created an account yet.
async fn make_account(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    mut waiting: SignUp,
    attempt: Attempt,
    session: &Session,
) -> Result<(), Error> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let (id, user, address) = (attempt.id, session.user, waiting.email_hash);
        let account = NewAccount {
            user: User {
                id: user,
                region: attempt.region,
                primary_email: attempt.email.clone(),
                created_at: call.now,
            },
            password: attempt.password.clone(),
            session: session.clone(),
            sign_up: waiting,
        };
        let made = Made { user, session: session.id, attempt: Some(id) };
        let extras =
            call.extras(None, Some(DomainEvent::AccountOpened { user, address, identity: None }), made);
        match deps.sign_ups.open_account(&account, extras).await? {
            Opened::Yes => return Ok(()),
            Opened::AddressTaken => return Err(Error::Wrong),
            Opened::Stale => {
                let found = deps.sign_ups.find(address).await?;
                waiting = found.filter(|found| found.find(id).is_some()).ok_or(Error::Wrong)?;
            }
        }
    }
}
