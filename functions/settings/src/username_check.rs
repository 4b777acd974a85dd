//! `GET /api/username/check`: is a handle free? With `suggest=true`, a free one like it if not.

use std::sync::Arc;

use domain::{
    handle::Handle,
    ports::{Directory, Failure},
};
use kit::{
    Anyone, Call, Endpoint, Grant, Items, Output, Params, Ports, Problem, Spec, input::YesNo, spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Checks a handle.
pub struct CheckUsername;

/// So many suggestions are tried; whoever wants more can type.
const SUGGESTIONS: usize = 4;

/// What it works with.
pub struct Deps {
    directory: Arc<dyn Directory>,
}

/// The handle in question.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    username: Handle,
    #[serde(default)]
    suggest: Option<YesNo>,
}

/// Whether it is free.
#[derive(Serialize, JsonSchema)]
pub struct Answer {
    available: bool,
    /// The handle that was asked about, or, if it is taken and a suggestion was asked for, a free one.
    username: Handle,
}
impl Output for Answer {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for CheckUsername {
    const SPEC: Spec =
        spec("username-check", Get, "/api/username/check").summary("Is a username free?").grants(&[
            Grant::items("GetItem", Items::HandleClaims),
            Grant::authority("BatchGetItem", Items::HandleClaims),
            Grant::authority("BatchGetItem", Items::ReservedHandles),
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<Question>;
    type Output = Answer;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { directory: ports.directory() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<Anyone>,
        Params(question): Self::Input,
    ) -> Result<Answer, Error> {
        let Question { username, suggest } = question;
        // Free in every region: only the authority can tell.
        if deps.directory.is_free(&username, call.now).await? {
            return Ok(Answer { available: true, username });
        }
        let wanted = suggest == Some(YesNo::True);
        for candidate in username.suggestions().take(if wanted { SUGGESTIONS } else { 0 }) {
            if deps.directory.is_free(&candidate, call.now).await? {
                return Ok(Answer { available: false, username: candidate });
            }
        }
        Ok(Answer { available: false, username })
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Failed(failure) => failure.into(),
        }
    }
}
