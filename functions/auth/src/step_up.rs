//! `POST /api/auth/step-up`: confirms the password and permits sensitive actions for 15 minutes.

use std::sync::Arc;

use domain::{
    password::Password,
    ports::{Accounts, Failure, Rounds, Saved, Sessions, Throttles},
    session::{STEP_UP, Session},
    throttle::Failures,
    user::personal_workspace,
};
use kit::{
    Access, AttemptError, Body, Code, Endpoint, Output, Person, Ports, Problem, RequestContext, Spec,
    grants::{accounts, sessions, throttles},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::own_password::{self, OwnPasswordError};

/// Confirms the password of the session's user.
pub struct StepUp;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    sessions: Arc<dyn Sessions>,
    throttles: Arc<dyn Throttles>,
}

/// The password to confirm.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUpBody {
    /// The password.
    password: Password,
}

/// The session is stepped up.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SteppedUp {
    /// Always `true`.
    success: bool,
    /// Lifetime of the step-up, in seconds.
    expires_in: i64,
}
impl Output for SteppedUp {}

kit::errors! {
    pub enum Error from OwnPasswordError, AttemptError, Failure {
        /// The session ended meanwhile.
        Ended => Problem::unauthorized("This session has ended. Sign in again."),
    }
}

impl Endpoint for StepUp {
    const SPEC: Spec = spec("auth-step-up", Post, "/api/auth/step-up")
        .summary("Confirm the password before a sensitive action")
        .access(Access::person())
        .full_cpu()
        .problems(&[Code::InvalidCredentials, Code::NoPassword, Code::RateLimited])
        .uses(&[
            accounts::PASSWORD,
            sessions::CONTEXT,
            sessions::REPLACE,
            throttles::RESERVE,
            throttles::SETTLE,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Body<StepUpBody>;
    type Output = SteppedUp;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { accounts: ports.accounts(), sessions: ports.sessions(), throttles: ports.throttles() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Body(form): Self::Input,
    ) -> Result<SteppedUp, Error> {
        let session = &call.caller.session;
        let (attempt, counter) = (call.attempt(&*deps.throttles), own_password::counter(session));
        let tried = attempt.reserve(&counter, Failures::default(), None);
        let (tried, found) = futures::join!(tried, deps.accounts.password(session.user));
        tried?;
        let judged = own_password::judge(call, found, form.password).await;
        let settled = attempt.settle(&counter, own_password::settlement(&judged));
        match judged {
            Ok(()) => {
                let (done, settled) = futures::join!(step_up(deps, call), settled);
                done.and(settled.map_err(Error::from))?;
                Ok(SteppedUp { success: true, expires_in: STEP_UP.as_secs() })
            }
            Err(error) => {
                settled.await?;
                Err(error.into())
            }
        }
    }
}

/// If a concurrent refresh rotated the session's token, the newer record is stepped up.
async fn step_up(deps: &Deps, call: &RequestContext<Person>) -> Result<(), Error> {
    let mut session = call.caller.session.clone();
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        if deps.sessions.replace(&session, &stepped_up(&session, call)).await? == Saved::Yes {
            return Ok(());
        }
        let own = personal_workspace(session.user);
        let context = deps.sessions.context(session.user, session.id, own).await?;
        session = context.ok_or(Error::Ended)?.session;
    }
}

fn stepped_up(session: &Session, call: &RequestContext<Person>) -> Session {
    Session { authenticated_at: call.now, ..session.clone() }
}
