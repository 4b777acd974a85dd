//! `POST /api/auth/sign-up`: begin an account. Says the same, after the same work, whether or not the address has one.

use std::sync::Arc;

use domain::{
    credential::{CannotHash, PasswordHash, Verdict},
    email::EmailAddress,
    entropy::Entropy,
    id::{AttemptId, OfAttempt, OfUser},
    outbox::Notice,
    password::Password,
    ports::{AddressHashes, Failure, Saved, SignUps},
    region::Region,
    sign_up::{Attempt, SignUp as Waiting},
    text::Invalid,
    throttle::Wait,
};
use kit::{
    Anyone, Body, Call, Endpoint, Grant, Items, Output, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Begins an account.
pub struct SignUp;

/// What it works with.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    sign_ups: Arc<dyn SignUps>,
}

/// Who wants an account, and where.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The address that the code goes to.
    email: EmailAddress,
    /// The password to sign in with.
    password: Password,
    /// Where the account's data will live, for good.
    region: Region,
}

/// Where the code went.
#[derive(Serialize, JsonSchema)]
pub struct Started {
    /// The address.
    email: EmailAddress,
}
impl Output for Started {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("{0}")]
    WeakPassword(Invalid),
    #[error("the account will live in {0}")]
    Elsewhere(Region),
    #[error("too many codes")]
    TooMany(Wait),
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error(transparent)]
    Hash(#[from] CannotHash),
    #[error("interrupted")]
    Interrupted(Problem),
}

impl Endpoint for SignUp {
    const SPEC: Spec = spec("auth-sign-up", Post, "/api/auth/sign-up")
        .summary("Begin an account: a 6-digit code goes to the address")
        .answers(202)
        .roams()
        .once()
        .full_cpu()
        .problems(&[kit::Code::RateLimited])
        .grants(&[
            Grant::secret("addresses"),
            Grant::items("GetItem", Items::SignUps),
            Grant::items("PutItem", Items::SignUps),
            Grant::items("PutItem", Items::Outbox),
            Grant::items("PutItem", Items::Receipts),
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = Started;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { addresses: ports.address_hashes(), sign_ups: ports.sign_ups() }
    }

    async fn handle(deps: &Deps, call: &Call<Anyone>, Body(form): Self::Input) -> Result<Started, Error> {
        if call.made_before::<AttemptId>().is_some() {
            return Ok(Started { email: form.email });
        }
        if form.region != call.region {
            return Err(Error::Elsewhere(form.region));
        }
        form.password.judge(&[form.email.as_str(), form.email.domain()]).map_err(Error::WeakPassword)?;
        let address = deps.addresses.hash(&form.email).await?;
        let mut waiting = deps.sign_ups.find(address).await?;
        let (hash, again) = hash(call, form.password, waiting.as_ref()).await?;
        loop {
            let attempt = Attempt {
                id: call.id::<OfAttempt>(),
                password: hash.clone(),
                region: form.region,
                at: call.now,
                tries: 0,
                superseded: false,
            };
            let notice = Notice::SignUpStarted { address, attempt: attempt.id };
            let alongside = call.alongside(None, Some(notice), attempt.id);
            let before =
                waiting.unwrap_or_else(|| Waiting::none(address, form.email.clone(), call.id::<OfUser>()));
            let after = before.attempt(attempt, form.email.clone(), again).map_err(Error::TooMany)?;
            match deps.sign_ups.save(&after, alongside).await? {
                Saved::Yes => return Ok(Started { email: form.email }),
                // Somebody else's attempt came first; the next round meets its throttle.
                Saved::Stale => waiting = deps.sign_ups.find(address).await?,
            }
        }
    }
}

/// Hashes the password, and compares it with that of the newest waiting attempt (or with nobody's, so that both take the
/// same time): the same password again is the same person trying again.
async fn hash(
    call: &Call<Anyone>,
    password: Password,
    waiting: Option<&Waiting>,
) -> Result<(PasswordHash, Option<AttemptId>), Error> {
    let newest = waiting.and_then(|waiting| waiting.newest_live(call.now));
    let (id, earlier) = (newest.map(|attempt| attempt.id), newest.map(|attempt| attempt.password.clone()));
    let entropy: Arc<dyn Entropy> = call.shared_entropy();
    let work = move || -> Result<_, CannotHash> {
        let same = earlier.unwrap_or_else(PasswordHash::nobody).verify(&password)? != Verdict::Wrong;
        Ok((PasswordHash::make(&password, &*entropy)?, same))
    };
    let (hash, same) = call.heavy(work).await.map_err(Error::Interrupted)??;
    Ok((hash, id.filter(|_| same)))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::WeakPassword(invalid) => Self::field("password", &invalid),
            Error::Elsewhere(region) => Self::elsewhere(region),
            Error::TooMany(wait) => wait.into(),
            Error::Failed(failure) => failure.into(),
            Error::Hash(error) => error.into(),
            Error::Interrupted(problem) => problem,
        }
    }
}
