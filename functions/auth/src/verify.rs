//! `POST /api/auth/verify`: enter the mailed code; the account exists from then on, and its first session begins.

use std::sync::Arc;

use domain::{
    credential::{CannotHash, Verdict},
    directory::Claim,
    email::EmailAddress,
    id::{OfSession, SessionId, UserId},
    outbox::Notice,
    password::Password,
    ports::{
        AddressHashes, Claimed, Codes, Directory, Failure, NewAccount, Opened, Saved, Sessions, SignUps,
        TokenKeys,
    },
    region::Region,
    session::{RefreshToken, Session},
    sign_up::{Attempt, Code, Refused, SignUp},
    text::Invalid,
    user::{EmailHash, User, personal_workspace},
};
use kit::{
    Anyone, Body, Call, Endpoint, Grant, Items, Params, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::tokens::{Delivery, Tokens, hand_out};

/// Opens the account that a code confirms.
pub struct Verify;

/// What it works with.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    codes: Arc<dyn Codes>,
    sign_ups: Arc<dyn SignUps>,
    directory: Arc<dyn Directory>,
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn TokenKeys>,
}

/// The code and what it is for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The address that it was mailed to.
    email: EmailAddress,
    /// The code.
    code: Code,
    /// The password that was chosen. Needed only when sign-ups with different passwords wait for the same address.
    #[serde(default)]
    password: Option<Password>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("refused")]
    Refused(Refused),
    #[error("the sign-up waits in {0}")]
    Elsewhere(Region),
    #[error("the address belongs to an account")]
    AddressTaken,
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error(transparent)]
    Hash(#[from] CannotHash),
    #[error("interrupted")]
    Interrupted(Problem),
}

impl Endpoint for Verify {
    const SPEC: Spec = spec("auth-verify", Post, "/api/auth/verify")
        .summary("Enter the mailed code: opens the account and signs in")
        .roams()
        .once()
        .full_cpu()
        .problems(&[kit::Code::CodeInvalid, kit::Code::PasswordRequired, kit::Code::EmailTaken])
        .grants(&[
            Grant::secret("addresses"),
            Grant::secret("codes"),
            Grant::secret("tokens"),
            Grant::items("GetItem", Items::SignUps),
            Grant::items("BatchGetItem", Items::Sessions),
            Grant::items("BatchGetItem", Items::Workspaces),
            Grant::items("PutItem", Items::SignUps),
            Grant::items("PutItem", Items::Addresses),
            Grant::items("PutItem", Items::Users),
            Grant::items("PutItem", Items::Passwords),
            Grant::items("PutItem", Items::Sessions),
            Grant::items("PutItem", Items::Outbox),
            Grant::items("PutItem", Items::Receipts),
            Grant::items("DeleteItem", Items::SignUps),
            Grant::authority("PutItem", Items::AddressClaims),
            Grant::authority("PutItem", Items::PendingClaims),
            Grant::authority("GetItem", Items::AddressClaims),
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = (Params<Delivery>, Body<Form>);
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
        call: &Call<Anyone>,
        (Params(delivery), Body(form)): Self::Input,
    ) -> Result<Tokens, Error> {
        if form.code.region() != call.region {
            return Err(Error::Elsewhere(form.code.region()));
        }
        let (session, first, onboarded) = match call.made_before::<Made>() {
            Some(Made { user, session }) => {
                let standing = deps.sessions.standing(user, session, personal_workspace(user)).await?;
                let standing = standing.ok_or(Error::Refused(Refused::WrongCode))?;
                (
                    standing.session,
                    first_token(deps, call, user, session).await?,
                    standing.workspace.is_some(),
                )
            }
            None => {
                let (session, first) = open(deps, call, form).await?;
                (session, first, false)
            }
        };
        Ok(hand_out(&*deps.tokens, &session, &first, onboarded, delivery.session, call.now).await?)
    }
}

/// What a verification made: enough to answer it again.
#[derive(Clone, Copy)]
struct Made {
    user: UserId,
    session: SessionId,
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.user, self.session)
    }
}

impl std::str::FromStr for Made {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (user, session) = text.split_once('/').unwrap_or_default();
        Ok(Self { user: user.parse()?, session: session.parse()? })
    }
}

async fn first_token(
    deps: &Deps,
    call: &Call<Anyone>,
    user: UserId,
    session: SessionId,
) -> Result<RefreshToken, Error> {
    let key = deps.tokens.derivation_key(session.made_at()).await?;
    Ok(RefreshToken::first(call.region, user, session, &key))
}

/// Makes an account of the sign-up that the code confirms.
async fn open(deps: &Deps, call: &Call<Anyone>, form: Form) -> Result<(Session, RefreshToken), Error> {
    let address = deps.addresses.hash(&form.email).await?;
    let (before, counted) = count_try(deps, call, address).await?;
    let ids: Vec<_> = before.attempts.iter().map(|attempt| attempt.id).collect();
    let codes = deps.codes.sign_up_codes(&ids).await?;
    let code_of = |wanted| {
        let found = ids.iter().zip(&codes).find(|(id, _)| **id == wanted).map(|(_, code)| code.clone());
        found.unwrap_or_else(|| Code::from_bytes(&[0; 32], call.region))
    };
    let attempt = SignUp::confirm(&before, &form.code, code_of, form.password.is_some(), call.now)
        .map_err(Error::Refused)?;
    check_password(call, &attempt, form.password).await?;
    let user = counted.user;
    let first = first_token(deps, call, user, call.id::<OfSession>()).await?;
    let session = Session::begin(first.session, user, &first, call.now);
    let claim = Claim::on_address(address, call.region, user, call.now);
    if deps.directory.claim(&claim).await? == Claimed::Taken {
        // Whoever has the code reads the address's mail, so may know; and the sign-up will never be anything.
        deps.sign_ups.discard(&counted).await?;
        return Err(Error::AddressTaken);
    }
    let account = NewAccount {
        user: User {
            id: user,
            region: attempt.region,
            primary_email: before.email.clone(),
            created_at: call.now,
        },
        password: attempt.password,
        session: session.clone(),
        sign_up: counted,
    };
    let alongside = call.alongside(
        None,
        Some(Notice::AccountOpened { user, address }),
        Made { user, session: session.id },
    );
    match deps.sign_ups.open_account(&account, alongside).await? {
        Opened::Yes => Ok((session, first)),
        Opened::AddressTaken | Opened::Stale => Err(Error::Refused(Refused::WrongCode)),
    }
}

/// Counts the try before the code is looked at; the record before and after.
async fn count_try(deps: &Deps, call: &Call<Anyone>, address: EmailHash) -> Result<(SignUp, SignUp), Error> {
    loop {
        let before = deps.sign_ups.find(address).await?.ok_or(Error::Refused(Refused::WrongCode))?;
        let counted = before.clone().count_try(call.now).map_err(Error::Refused)?;
        if deps.sign_ups.save(&counted, Default::default()).await? == Saved::Yes {
            return Ok((before, counted));
        }
    }
}

async fn check_password(
    call: &Call<Anyone>,
    attempt: &Attempt,
    given: Option<Password>,
) -> Result<(), Error> {
    let Some(password) = given else { return Ok(()) };
    let hash = attempt.password.clone();
    let verdict = call.heavy(move || hash.verify(&password)).await.map_err(Error::Interrupted)??;
    if verdict == Verdict::Wrong { Err(Error::Refused(Refused::WrongCode)) } else { Ok(()) }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(Refused::WrongCode) => Self::new(
                kit::Code::CodeInvalid,
                "This code is wrong or has expired. Check it, or sign up again for a new one.",
            ),
            Error::Elsewhere(region) => Self::elsewhere(region),
            Error::AddressTaken => Self::new(
                kit::Code::EmailTaken,
                "This address belongs to an account already. Sign in, or reset the password.",
            ),
            Error::Refused(Refused::PasswordNeeded) => Self::new(
                kit::Code::PasswordRequired,
                "More than one sign-up waits for this address. Send the password that you chose with the code.",
            ),
            Error::Failed(failure) => failure.into(),
            Error::Hash(error) => error.into(),
            Error::Interrupted(problem) => problem,
        }
    }
}
