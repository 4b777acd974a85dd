//! `GET /api/username/check`: checks whether a username is available. With `suggest=true`, suggests an available one.

use std::sync::Arc;

use domain::{
    handle::Handle,
    ports::{Directory, Failure},
};
use kit::{
    Anyone, Endpoint, Output, Params, Ports, RequestContext, Spec, grants::directory, parameters::YesNo,
    spec, spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Checks whether a username is available.
pub struct CheckUsername;

/// Number of suggestions to try.
const SUGGESTIONS: usize = 4;

/// Dependencies.
pub struct Deps {
    directory: Arc<dyn Directory>,
}

/// The username to check.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsernameQuery {
    /// The username, ignoring case.
    #[serde(deserialize_with = "domain::handle::free")]
    #[schemars(schema_with = "domain::handle::lookup_schema")]
    username: Handle,
    #[serde(default)]
    suggest: Option<YesNo>,
}

/// Availability of a username.
#[derive(Serialize, JsonSchema)]
pub struct UsernameAvailability {
    available: bool,
    /// The requested username in lower case. If the username is taken and a suggestion was requested, an available one.
    username: Handle,
}
impl Output for UsernameAvailability {}

impl Endpoint for CheckUsername {
    const SPEC: Spec = spec("username-check", Get, "/api/username/check")
        .summary("Check whether a username is available")
        .uses(&[directory::IS_FREE]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<UsernameQuery>;
    type Output = UsernameAvailability;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { directory: ports.directory() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Params(question): Self::Input,
    ) -> Result<UsernameAvailability, Failure> {
        let UsernameQuery { username, suggest } = question;
        // Only the authority region knows whether the name is free in every region.
        if deps.directory.is_free(&username, call.now).await? {
            return Ok(UsernameAvailability { available: true, username });
        }
        let wanted = suggest == Some(YesNo::True);
        for candidate in username.suggestions().take(if wanted { SUGGESTIONS } else { 0 }) {
            if deps.directory.is_free(&candidate, call.now).await? {
                return Ok(UsernameAvailability { available: false, username: candidate });
            }
        }
        Ok(UsernameAvailability { available: false, username })
    }
}
