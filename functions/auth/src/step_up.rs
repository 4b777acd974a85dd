//! `POST /api/auth/step-up`: enter the password again, to be shown secrets and do what can't be undone for 15 minutes.

use std::sync::Arc;

use domain::{
    credential::{CannotHash, PasswordHash, Verdict},
    password::Password,
    ports::{Accounts, Failure, Saved, Sessions, Throttles},
    session::{STEP_UP, Session},
    user::personal_workspace,
};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, Output, Person, Ports, Problem, Spec, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attempts;

/// Renews the proof of who is signed in.
pub struct StepUp;

/// What it works with.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    sessions: Arc<dyn Sessions>,
    throttles: Arc<dyn Throttles>,
}

/// The proof.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The password.
    password: Password,
}

/// The session is stepped up.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SteppedUp {
    /// Always true.
    success: bool,
    /// For how long, in seconds.
    expires_in: i64,
}
impl Output for SteppedUp {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("wrong password")]
    Wrong,
    #[error("the session ended meanwhile")]
    Ended,
    #[error(transparent)]
    Attempt(#[from] attempts::Error),
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error(transparent)]
    Hash(#[from] CannotHash),
    #[error("interrupted")]
    Interrupted(Problem),
}

impl Endpoint for StepUp {
    const SPEC: Spec = spec("auth-step-up", Post, "/api/auth/step-up")
        .summary("Enter the password again before a revealing or destructive action")
        .access(Access::Person)
        .full_cpu()
        .problems(&[Code::InvalidCredentials, Code::RateLimited])
        .grants(&[
            Grant::items("GetItem", Items::Passwords),
            Grant::items("BatchGetItem", Items::Throttles),
            Grant::items("PutItem", Items::Sessions),
            Grant::items("PutItem", Items::Throttles),
            Grant::items("DeleteItem", Items::Throttles),
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = SteppedUp;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { accounts: ports.accounts(), sessions: ports.sessions(), throttles: ports.throttles() }
    }

    async fn handle(deps: &Deps, call: &Call<Person>, Body(form): Self::Input) -> Result<SteppedUp, Error> {
        let mut session = call.caller.session.clone();
        let account = format!("step-up/{}", session.user);
        let counters = attempts::look(&*deps.throttles, &account, call.network);
        let (counters, found) = futures::try_join!(counters, deps.accounts.password(session.user))?;
        attempts::count(&*deps.throttles, counters, call.now).await?;
        let hash = found.unwrap_or_else(PasswordHash::nobody);
        let verdict = call.heavy(move || hash.verify(&form.password)).await.map_err(Error::Interrupted)??;
        if verdict == Verdict::Wrong {
            attempts::failed(&*deps.throttles, call.network, call.now).await?;
            return Err(Error::Wrong);
        }
        // A refresh may rotate the session's token at the same time: then the newer record is stepped up.
        let step_up = async {
            while deps.sessions.replace(&session, &stepped_up(&session, call)).await? == Saved::Stale {
                let own = personal_workspace(session.user);
                let standing = deps.sessions.standing(session.user, session.id, own).await?;
                session = standing.ok_or(Error::Ended)?.session;
            }
            Ok::<(), Error>(())
        };
        futures::try_join!(step_up, async { Ok(deps.throttles.clear(&account).await?) })?;
        Ok(SteppedUp { success: true, expires_in: STEP_UP.as_secs() })
    }
}

fn stepped_up(session: &Session, call: &Call<Person>) -> Session {
    Session { authenticated_at: call.now, ..session.clone() }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Wrong => Self::new(Code::InvalidCredentials, "The password is wrong."),
            Error::Ended => Self::unauthorized("This session has ended. Sign in again."),
            Error::Attempt(error) => error.into(),
            Error::Failed(failure) => failure.into(),
            Error::Hash(error) => error.into(),
            Error::Interrupted(problem) => problem,
        }
    }
}
