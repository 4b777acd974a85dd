//! `POST /api/auth/sign-in`: starts a session with email address and password. An unknown address and a wrong password
//! cost the same work and get the same response in every region. An attempt reserves a try before the password is
//! checked.

use std::sync::Arc;

use domain::{
    credential::{CannotHash, PasswordHash, Verdict},
    email::EmailAddress,
    id::{OfSession, OfUser, SessionId},
    password::Password,
    ports::{
        Accounts, AddressHashes, Credentials, Directory, Failure, Outcome, PasswordProof, Sessions,
        SignInProof, Throttles, TokenKeys,
    },
    region::Region,
    session::{RefreshToken, Session},
    throttle::{Network, NetworkLimit, Settled, Wait},
    user::personal_workspace,
};
use kit::{
    Anyone, AttemptError, Body, Endpoint, Interrupted, Params, Ports, Problem, RequestContext, Spec, Stop,
    grants::{accounts, address_hashes, directory, extras, sessions, throttles, token_keys},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    attempts::{Counters, Tries},
    home, known_device,
    new_session::{new_device, new_session},
    tokens::{TokenDeliveryQuery, Tokens, hand_out},
};

/// Starts a session.
pub struct SignIn;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    accounts: Arc<dyn Accounts>,
    directory: Arc<dyn Directory>,
    sessions: Arc<dyn Sessions>,
    throttles: Arc<dyn Throttles>,
    tokens: Arc<dyn TokenKeys>,
}

/// Credentials.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    /// An email address of the account.
    email: EmailAddress,
    /// The password.
    password: Password,
    /// The device token from an earlier sign-in on this device. Browsers send the token as a cookie.
    #[serde(default, rename = "deviceToken")]
    device_token: Option<String>,
}

kit::errors! {
    pub enum Error from AttemptError, CannotHash, Interrupted, Failure {
        /// Wrong address or password.
        Wrong => Problem::new(kit::Code::InvalidCredentials, "Incorrect email address or password."),
        /// The session ended meanwhile.
        Ended => Problem::unauthorized("This session has ended. Sign in again."),
        /// The account belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for SignIn {
    const SPEC: Spec = spec("auth-sign-in", Post, "/api/auth/sign-in")
        .summary("Sign in with an email address and password")
        .may_forward()
        .limits_network(NetworkLimit::SignIn)
        .pads_refusals()
        .once()
        .full_cpu()
        .problems(&[kit::Code::InvalidCredentials, kit::Code::RateLimited])
        .uses(&[
            address_hashes::HASH,
            address_hashes::NETWORK_HASH,
            token_keys::DERIVATION_KEY,
            token_keys::SIGN,
            accounts::BY_ADDRESS,
            accounts::CREDENTIALS,
            directory::FIND_ADDRESS,
            throttles::LOAD,
            throttles::RESERVE,
            throttles::SETTLE,
            sessions::CONTEXT,
            sessions::BEGIN,
            extras::MESSAGE,
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = (Params<TokenDeliveryQuery>, Body<SignInBody>);
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
        call: &RequestContext<Anyone>,
        (Params(delivery), Body(form)): Self::Input,
    ) -> Result<Tokens, Error> {
        let claimed = known_device::claimed(call, form.device_token.as_deref());
        refuse_network(call, claimed.is_some())?;
        let address = deps.addresses.hash(&form.email).await?;
        let network = deps.addresses.network_hash(Network::of(call.network)).await?;
        let device = known_device::genuine(&*deps.tokens, claimed, call).await?;
        let counters = Counters::read(&*deps.throttles, address, network, device.as_ref());
        let (counters, user) = futures::try_join!(counters, deps.accounts.by_address(address))?;
        if user.is_none() && !call.forwarded {
            let home = home::of(&*deps.directory, address).await?;
            if home != call.region {
                return Err(Error::Elsewhere(home));
            }
        }
        let is_known = device.is_some_and(|device| Some(device.user) == user);
        refuse_network(call, is_known)?;
        // An unknown address is looked up like a known one.
        let found = deps.accounts.credentials(user.unwrap_or_else(|| call.id::<OfUser>()));
        let tries = counters.reserve(&*deps.throttles, call, is_known);
        let (tries, found) = futures::join!(tries, found);
        let (right, tries) = judge(deps, call, tries?, found, form.password).await?;
        let onboarded = right.found.onboarded;
        let (session, first) = begin(deps, call, right, tries, is_known).await?;
        Ok(hand_out(&*deps.tokens, &session, &first, onboarded, delivery.session, call.now).await?)
    }
}

/// The account with the correct password.
struct Right {
    found: Credentials,
    rehashed: Option<PasswordHash>,
}

/// Checks the password. A wrong password counts as a failure; an internal error does not.
async fn judge(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    tries: Tries,
    found: Outcome<Option<Credentials>>,
    password: Password,
) -> Result<(Right, Tries), Error> {
    let checked = match found {
        Ok(found) => call.in_time(check(call, found, password)).await.map_err(Error::from).flatten(),
        Err(failure) => Err(failure.into()),
    };
    match checked {
        Ok(Some(right)) => Ok((right, tries)),
        Ok(None) => {
            tries.settle(&*deps.throttles, call, Settled::Failed).await?;
            Err(Error::Wrong)
        }
        Err(error) => {
            tries.settle(&*deps.throttles, call, Settled::Withdrawn).await?;
            Err(error)
        }
    }
}

/// Starts the session, or finds the session of an earlier request with the same `Idempotency-Key`.
async fn begin(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    right: Right,
    tries: Tries,
    is_known: bool,
) -> Result<(Session, RefreshToken), Error> {
    let Right { found, rehashed } = right;
    let (user, proof) = (found.user.id, PasswordProof { seen: found.password, rehashed });
    let id = call.made_before::<SessionId>();
    let session = id.unwrap_or_else(|| call.id::<OfSession>());
    let (session, first) = new_session(&*deps.tokens, call, user, session).await?;
    let begin = async {
        match id {
            // A repeated request: the session may have ended since.
            Some(id) => match deps.sessions.context(user, id, personal_workspace(user)).await? {
                Some(_) => Ok(()),
                None => Err(Error::Ended),
            },
            None => {
                let extras = call.extras(None, new_device(&session, is_known), session.id);
                Ok(deps.sessions.begin(&session, Some(SignInProof::Password(proof)), extras).await?)
            }
        }
    };
    // The password was correct, even if the session can't start.
    let (begun, settled) = futures::join!(begin, tries.settle(&*deps.throttles, call, Settled::Forgiven));
    begun.and(settled.map_err(Error::from))?;
    Ok((session, first))
}

/// Compares the password, for an unknown address with a dummy hash.
async fn check(
    call: &RequestContext<Anyone>,
    found: Option<Credentials>,
    password: Password,
) -> Result<Option<Right>, Error> {
    let hash = found.as_ref().map_or_else(PasswordHash::nobody, |found| found.password.clone());
    let entropy = call.shared_entropy();
    let work = move || -> Result<_, CannotHash> {
        let verdict = hash.verify(&password)?;
        let outdated = verdict == Verdict::RightButOutdated;
        Ok((verdict, outdated.then(|| PasswordHash::make(&password, &*entropy)).transpose()?))
    };
    let (verdict, rehashed) = call.run_blocking(work).await??;
    Ok(found.filter(|_| verdict != Verdict::Wrong).map(|found| Right { found, rehashed }))
}

/// Refuses a network that exceeded its limit, except for known devices.
fn refuse_network(call: &RequestContext<Anyone>, is_known: bool) -> Result<(), Error> {
    let wait: Option<Wait> = call.network_wait.filter(|_| !is_known);
    wait.map_or(Ok(()), |wait| Err(AttemptError::TooMany(wait).into()))
}
