//! The password that a signed-in user confirms. Tries count per session: a stolen session does not keep the owner from using
//! another session.

use domain::{
    credential::{CannotHash, PasswordHash, Verdict},
    password::Password,
    ports::{Failure, Outcome},
    session::Session,
    throttle::{PER_SOURCE, Settled},
};
use kit::{Code, Interrupted, Person, Problem, RequestContext, attempts::Counter};

kit::errors! {
    pub enum OwnPasswordError from CannotHash, Interrupted, Failure {
        /// Wrong password.
        Wrong => Problem::new(Code::InvalidCredentials, "Incorrect password."),
        /// The account has no password.
        NoPassword => Problem::new(Code::NoPassword, "Your account has no password. Sign in again to continue."),
    }
}

/// The counter of wrong passwords in a session.
pub fn counter(session: &Session) -> Counter {
    Counter { name: format!("step-up/{}/{}", session.user, session.id), policy: PER_SOURCE }
}

/// Judges the password of the session's user, who may have none, while there is time left to settle the attempt.
pub async fn judge(
    call: &RequestContext<Person>,
    found: Outcome<Option<PasswordHash>>,
    password: Password,
) -> Result<(), OwnPasswordError> {
    let hash = found?.ok_or(OwnPasswordError::NoPassword)?;
    let verdict = call.in_time(call.run_blocking(move || hash.verify(&password))).await???;
    if verdict == Verdict::Wrong { Err(OwnPasswordError::Wrong) } else { Ok(()) }
}

/// How a judged attempt counts. An internal error does not count.
pub const fn settlement(judged: &Result<(), OwnPasswordError>) -> Settled {
    match judged {
        Ok(()) => Settled::Forgiven,
        Err(OwnPasswordError::Wrong) => Settled::Failed,
        Err(_) => Settled::Withdrawn,
    }
}
