//! `GET /api/auth/connections`: the ways in which the user may sign in.

use std::sync::Arc;

use domain::{
    Timestamp,
    ports::{Connections, Failure},
    provider::{Connection, Provider},
};
use kit::{
    Access, Endpoint, Output, Person, Ports, RequestContext, Spec, grants::connections, spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Lists connected accounts.
pub struct ConnectionsList;

/// Dependencies.
pub struct Deps {
    connections: Arc<dyn Connections>,
}

/// The ways to sign in.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInMethods {
    /// The connected accounts, at most one of each provider.
    connections: Vec<ListedConnection>,
    /// Whether the account has a password.
    has_password: bool,
}
impl Output for SignInMethods {}

/// A connected account.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedConnection {
    provider: Provider,
    /// Time of the connection.
    #[schemars(schema_with = "kit::input::date_time")]
    connected_at: Timestamp,
    /// Whether the account may be disconnected: there is another way to sign in.
    can_disconnect: bool,
}

kit::errors! {
    pub enum Error from Failure {}
}

impl Endpoint for ConnectionsList {
    const SPEC: Spec = spec("connections-list", Get, "/api/auth/connections")
        .summary("List connected accounts")
        .access(Access::person())
        .uses(&[connections::SIGN_IN_METHODS]);
    type Caller = Person;
    type Deps = Deps;
    type Input = ();
    type Output = SignInMethods;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { connections: ports.connections() }
    }

    async fn handle(deps: &Deps, call: &RequestContext<Person>, (): ()) -> Result<SignInMethods, Error> {
        let (connections, has_password) = deps.connections.sign_in_methods(call.caller.session.user).await?;
        let can_disconnect = has_password || connections.len() > 1;
        let listed = |Connection { provider, connected_at, .. }| ListedConnection {
            provider,
            connected_at,
            can_disconnect,
        };
        Ok(SignInMethods { connections: connections.into_iter().map(listed).collect(), has_password })
    }
}
