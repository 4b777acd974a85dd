//! `POST /api/auth/sign-in`: address and password for a session. An unknown address and a wrong password take the same
//! work and give the same answer; an attempt is counted before it is judged.

use std::sync::Arc;

use domain::{
    credential::{CannotHash, PasswordHash, Verdict},
    email::EmailAddress,
    id::{OfSession, OfUser, SessionId},
    password::Password,
    ports::{Accounts, AddressHashes, Credentials, Failure, Saved, Sessions, Throttles, TokenKeys},
    session::{RefreshToken, Session},
    throttle::{self, Failures, Policy, Wait},
    user::EmailHash,
};
use kit::{Anyone, Body, Call, Endpoint, Grant, Params, Ports, Problem, Spec, spec, spec::Method::Post};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::tokens::{Delivery, Tokens, hand_out};

/// Begins a session.
pub struct SignIn;

/// What it works with.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    accounts: Arc<dyn Accounts>,
    sessions: Arc<dyn Sessions>,
    throttles: Arc<dyn Throttles>,
    tokens: Arc<dyn TokenKeys>,
}

/// Who signs in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// An address of the account.
    email: EmailAddress,
    /// The password.
    password: Password,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("wrong address or password")]
    Wrong,
    #[error("too many attempts")]
    TooMany(Wait),
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error(transparent)]
    Hash(#[from] CannotHash),
    #[error("interrupted")]
    Interrupted(Problem),
}

impl Endpoint for SignIn {
    const SPEC: Spec = spec("auth-sign-in", Post, "/api/auth/sign-in")
        .summary("Sign in with an address and its password")
        .once()
        .full_cpu()
        .problems(&[kit::Code::InvalidCredentials, kit::Code::RateLimited])
        .grants(&[
            Grant::secret("addresses"),
            Grant::secret("tokens"),
            Grant::table("GetItem", "identity"),
            Grant::table("PutItem", "identity"),
            Grant::table("BatchGetItem", "identity"),
            Grant::table("BatchGetItem", "workspaces"),
            Grant::table("BatchGetItem", "operations"),
            Grant::table("PutItem", "operations"),
            Grant::table("DeleteItem", "operations"),
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = (Params<Delivery>, Body<Form>);
    type Output = Tokens;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.address_hashes(),
            accounts: ports.accounts(),
            sessions: ports.sessions(),
            throttles: ports.throttles(),
            tokens: ports.token_keys(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<Anyone>,
        (Params(delivery), Body(form)): Self::Input,
    ) -> Result<Tokens, Error> {
        let address = deps.addresses.hash(&form.email).await?;
        let found = count_and_find(deps, call, address).await?;
        let (found, outdated) = check(call, found, form.password).await?;
        let key = deps.tokens.derivation_key().await?;
        let user = found.user.id;
        let id = call.made_before::<SessionId>();
        let first =
            RefreshToken::first(call.region, user, id.unwrap_or_else(|| call.id::<OfSession>()), &key);
        let session = Session::begin(first.session, user, &first, call.now);
        let begin = async {
            match id {
                Some(_) => Ok(()),
                None => deps.sessions.begin(&session, outdated, call.alongside(None, None, session.id)).await,
            }
        };
        let counter = of_account(address);
        futures::try_join!(begin, deps.throttles.clear(&counter))?;
        Ok(hand_out(&*deps.tokens, &session, &first, found.onboarded, delivery.session, call.now).await?)
    }
}

/// Counts the attempt on its account and on its network address, or says how long to wait; and finds what to compare
/// with meanwhile. An unknown address is looked for like a known one.
async fn count_and_find(
    deps: &Deps,
    call: &Call<Anyone>,
    address: EmailHash,
) -> Result<Option<Credentials>, Error> {
    let network = call.network.map(|network| format!("network/{network}"));
    let names: Vec<String> = std::iter::once(of_account(address)).chain(network).collect();
    let policies = [throttle::PER_ACCOUNT, throttle::PER_ADDRESS];
    loop {
        let (seen, user) =
            futures::try_join!(deps.throttles.load(&names), deps.accounts.by_address(address))?;
        let counted = (names.iter().zip(seen).zip(policies))
            .map(|((name, seen), policy)| Ok((name, seen, seen.attempt(policy, call.now)?, policy)))
            .collect::<Result<Vec<(&String, Failures, Failures, Policy)>, Wait>>()
            .map_err(Error::TooMany)?;
        let saves = counted.iter().map(|(name, seen, counted, policy)| {
            deps.throttles.save(name, *seen, *counted, policy.forgets_at(call.now))
        });
        let find = deps.accounts.credentials(user.unwrap_or_else(|| call.id::<OfUser>()));
        let (saved, found) = futures::try_join!(futures::future::try_join_all(saves), find)?;
        if saved.iter().all(|saved| *saved == Saved::Yes) {
            return Ok(found);
        }
    }
}

/// Compares the password; for an unknown address with nobody's.
async fn check(
    call: &Call<Anyone>,
    found: Option<Credentials>,
    password: Password,
) -> Result<(Credentials, Option<PasswordHash>), Error> {
    let hash = found.as_ref().map_or_else(PasswordHash::nobody, |found| found.password.clone());
    let entropy = call.shared_entropy();
    let work = move || -> Result<_, CannotHash> {
        let verdict = hash.verify(&password)?;
        let outdated = verdict == Verdict::RightButOutdated;
        Ok((verdict, outdated.then(|| PasswordHash::make(&password, &*entropy)).transpose()?))
    };
    let (verdict, rehashed) = call.heavy(work).await.map_err(Error::Interrupted)??;
    match (found, verdict) {
        (Some(found), Verdict::Right | Verdict::RightButOutdated) => Ok((found, rehashed)),
        _ => Err(Error::Wrong),
    }
}

fn of_account(address: EmailHash) -> String {
    format!("sign-in/{address}")
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Wrong => {
                Self::new(kit::Code::InvalidCredentials, "The email address or the password is wrong.")
            }
            Error::TooMany(wait) => wait.into(),
            Error::Failed(failure) => failure.into(),
            Error::Hash(error) => error.into(),
            Error::Interrupted(problem) => problem,
        }
    }
}
