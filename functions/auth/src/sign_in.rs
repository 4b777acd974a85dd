//! `POST /api/auth/sign-in`: address and password for a session. An unknown address and a wrong password take the same
//! work and give the same answer, in whichever region; an attempt is counted before it is judged.

use std::sync::Arc;

use domain::{
    credential::{CannotHash, PasswordHash, Verdict},
    email::EmailAddress,
    id::{OfSession, OfUser, SessionId},
    password::Password,
    ports::{
        Accounts, AddressHashes, Credentials, Directory, Failure, PasswordProof, Sessions, Throttles,
        TokenKeys,
    },
    region::Region,
    session::{RefreshToken, Session},
    user::{EmailHash, personal_workspace},
};
use kit::{
    Anyone, Body, Call, Endpoint, Grant, Items, Params, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    attempts, home,
    tokens::{Delivery, Tokens, hand_out},
};

/// Begins a session.
pub struct SignIn;

/// What it works with.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    accounts: Arc<dyn Accounts>,
    directory: Arc<dyn Directory>,
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
    #[error("the session has ended since")]
    Ended,
    #[error("the account lives in {0}")]
    Elsewhere(Region),
    #[error(transparent)]
    Attempt(#[from] attempts::Error),
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
        .roams()
        .evens_refusals()
        .once()
        .full_cpu()
        .problems(&[kit::Code::InvalidCredentials, kit::Code::RateLimited])
        .grants(&[
            Grant::secret("addresses"),
            Grant::secret("tokens"),
            Grant::items("GetItem", Items::Addresses),
            Grant::items("GetItem", Items::AddressClaims),
            Grant::items("BatchGetItem", Items::Users),
            Grant::items("BatchGetItem", Items::Passwords),
            Grant::items("BatchGetItem", Items::Sessions),
            Grant::items("BatchGetItem", Items::Workspaces),
            Grant::items("BatchGetItem", Items::Throttles),
            Grant::items("PutItem", Items::Sessions),
            Grant::items("PutItem", Items::Passwords),
            Grant::items("PutItem", Items::Throttles),
            Grant::items("PutItem", Items::Receipts),
            Grant::items("ConditionCheckItem", Items::Passwords),
            Grant::items("DeleteItem", Items::Throttles),
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
            directory: ports.directory(),
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
        let account = of_account(address);
        let counters = attempts::look(&*deps.throttles, &account, call.network);
        let (counters, user) = futures::try_join!(counters, deps.accounts.by_address(address))?;
        if user.is_none() && !call.forwarded {
            let home = home::of(&*deps.directory, address).await?;
            if home != call.region {
                return Err(Error::Elsewhere(home));
            }
        }
        // An unknown address is looked for like a known one.
        let found = deps.accounts.credentials(user.unwrap_or_else(|| call.id::<OfUser>()));
        let counted = attempts::count(&*deps.throttles, counters, call.now);
        let ((), found) = futures::try_join!(counted, async { Ok(found.await?) })?;
        let Some((found, rehashed)) = check(call, found, form.password).await? else {
            attempts::failed(&*deps.throttles, call.network, call.now).await?;
            return Err(Error::Wrong);
        };
        let (user, proof) = (found.user.id, PasswordProof { seen: found.password, rehashed });
        let id = call.made_before::<SessionId>();
        let session = id.unwrap_or_else(|| call.id::<OfSession>());
        let key = deps.tokens.derivation_key(session.made_at()).await?;
        let first = RefreshToken::first(call.region, user, session, &key);
        let session = Session::begin(first.session, user, &first, call.now);
        let begin = async {
            match id {
                // Answered again: the session may have ended since.
                Some(id) => match deps.sessions.standing(user, id, personal_workspace(user)).await? {
                    Some(_) => Ok(()),
                    None => Err(Error::Ended),
                },
                None => Ok(deps
                    .sessions
                    .begin(&session, Some(proof), call.alongside(None, None, session.id))
                    .await?),
            }
        };
        futures::try_join!(begin, async { Ok(deps.throttles.clear(&account).await?) })?;
        Ok(hand_out(&*deps.tokens, &session, &first, found.onboarded, delivery.session, call.now).await?)
    }
}

/// Compares the password; for an unknown address with nobody's.
async fn check(
    call: &Call<Anyone>,
    found: Option<Credentials>,
    password: Password,
) -> Result<Option<(Credentials, Option<PasswordHash>)>, Error> {
    let hash = found.as_ref().map_or_else(PasswordHash::nobody, |found| found.password.clone());
    let entropy = call.shared_entropy();
    let work = move || -> Result<_, CannotHash> {
        let verdict = hash.verify(&password)?;
        let outdated = verdict == Verdict::RightButOutdated;
        Ok((verdict, outdated.then(|| PasswordHash::make(&password, &*entropy)).transpose()?))
    };
    let (verdict, rehashed) = call.heavy(work).await.map_err(Error::Interrupted)??;
    Ok(found.filter(|_| verdict != Verdict::Wrong).map(|found| (found, rehashed)))
}

/// What attempts to sign in with an address are counted under.
pub fn of_account(address: EmailHash) -> String {
    format!("sign-in/{address}")
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Wrong => {
                Self::new(kit::Code::InvalidCredentials, "The email address or the password is wrong.")
            }
            Error::Elsewhere(region) => Self::elsewhere(region),
            Error::Ended => Self::unauthorized("This session has ended. Sign in again."),
            Error::Attempt(error) => error.into(),
            Error::Failed(failure) => failure.into(),
            Error::Hash(error) => error.into(),
            Error::Interrupted(problem) => problem,
        }
    }
}
