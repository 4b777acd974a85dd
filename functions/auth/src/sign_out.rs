//! `POST /api/auth/sign-out`: end this session, from the next request on. Doing it twice is 401: there is no session then.

use std::sync::Arc;

use domain::ports::{Failure, Sessions};
use http::{HeaderName, HeaderValue};
use kit::{
    Access, Call, Endpoint, Grant, Items, Output, Person, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Ends a session.
pub struct SignOut;

/// What it works with.
pub struct Deps {
    sessions: Arc<dyn Sessions>,
}

/// The session is over.
#[derive(Serialize, JsonSchema)]
pub struct SignedOut {
    /// Always true.
    success: bool,
}

impl Output for SignedOut {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        kit::caller::forget_cookies()
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for SignOut {
    const SPEC: Spec = spec("auth-sign-out", Post, "/api/auth/sign-out")
        .summary("End this session")
        .access(Access::Person)
        .grants(&[Grant::items("DeleteItem", Items::Sessions)]);
    type Caller = Person;
    type Deps = Deps;
    type Input = ();
    type Output = SignedOut;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { sessions: ports.sessions() }
    }

    async fn handle(deps: &Deps, call: &Call<Person>, (): ()) -> Result<SignedOut, Error> {
        let session = &call.caller.session;
        deps.sessions.end(session.user, session.id, Default::default()).await?;
        Ok(SignedOut { success: true })
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Failed(failure) => failure.into(),
        }
    }
}
