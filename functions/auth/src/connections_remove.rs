//! `DELETE /api/auth/connections/{provider}`: disconnects a provider's identity. The last way to sign in stays.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    domain_events::DomainEvent,
    ports::{Connections, Failure, OtherWay, Rounds, Saved},
    provider::{Connection, Provider},
    user::personal_workspace,
};
use kit::{
    Access, Code, Endpoint, Output, Params, Person, Ports, Problem, RequestContext, Spec,
    grants::{connections, extras},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Disconnects an account.
pub struct ConnectionsRemove;

/// Dependencies.
pub struct Deps {
    connections: Arc<dyn Connections>,
}

/// The connected account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionPath {
    /// The provider.
    provider: Provider,
}

/// The account is disconnected.
#[derive(Serialize, JsonSchema)]
pub struct DisconnectedProvider {
    /// Always `true`.
    success: bool,
}
impl Output for DisconnectedProvider {}

kit::errors! {
    pub enum Error from Failure {
        /// The account is not connected with this provider.
        NotFound => Problem::not_found(),
        /// Nothing else remains to sign in with.
        Last => Problem::new(
            Code::LastSignInMethod,
            "This is your only way to sign in. Set a password or connect another account first.",
        ),
    }
}

impl Endpoint for ConnectionsRemove {
    const SPEC: Spec = spec("connections-remove", Delete, "/api/auth/connections/{provider}")
        .summary("Disconnect an account")
        .access(Access::person().step_up())
        .once()
        .problems(&[Code::LastSignInMethod, Code::NotFound, Code::StepUpRequired])
        .uses(&[connections::SIGN_IN_METHODS, connections::DISCONNECT, extras::EVENT, extras::MESSAGE]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Params<ConnectionPath>;
    type Output = DisconnectedProvider;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { connections: ports.connections() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Params(ConnectionPath { provider }): Self::Input,
    ) -> Result<DisconnectedProvider, Error> {
        if call.made_before::<String>().is_some() {
            return Ok(DisconnectedProvider { success: true });
        }
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let (all, has_password) = deps.connections.sign_in_methods(call.caller.session.user).await?;
            let (these, others): (Vec<Connection>, Vec<Connection>) =
                all.into_iter().partition(|connection| connection.provider == provider);
            let connection = these.into_iter().next().ok_or(Error::NotFound)?;
            let other = others.first().map(|other| OtherWay::Connection(other.provider));
            let remains = has_password.then_some(OtherWay::Password).or(other).ok_or(Error::Last)?;
            if disconnect(deps, call, &connection, remains).await? == Saved::Yes {
                return Ok(DisconnectedProvider { success: true });
            }
        }
    }
}

async fn disconnect(
    deps: &Deps,
    call: &RequestContext<Person>,
    connection: &Connection,
    remains: OtherWay,
) -> Result<Saved, Failure> {
    let Connection { user, provider, identity, .. } = *connection;
    let event = call.caller.onboarded.then(|| {
        let (workspace, actor) = (personal_workspace(user), Actor { user, key: None });
        let event = call.event(workspace, actor, Action::Updated, ResourceType::Security);
        event.about(provider, format!("{} disconnected", provider.display_name()))
    });
    let notice = DomainEvent::ProviderDisconnected { user, provider, identity };
    deps.connections.disconnect(connection, remains, call.extras(event, Some(notice), provider)).await
}
