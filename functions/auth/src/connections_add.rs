//! `POST /api/auth/connections`: connects the identity in the browser's ticket to the account that is signed in and that began the
//! authorization. Connecting it again changes nothing.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    directory::Claim,
    domain_events::DomainEvent,
    ports::{Claimed, Connected, ConnectedBy, Connections, Directory, Failure, IdentityKeys},
    provider::{Connection, ConnectsTo, Provider},
    user::personal_workspace,
};
use http::{HeaderName, HeaderValue, header};
use kit::{
    Access, Code, Endpoint, Output, Person, Ports, Problem, RequestContext, Spec,
    credentials::{IDENTITY_COOKIE, set_cookie},
    grants::{connections, directory, extras, identity_keys},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ticket::{self, TicketError};

/// Connects an account.
pub struct ConnectionsAdd;

/// Dependencies.
pub struct Deps {
    connections: Arc<dyn Connections>,
    directory: Arc<dyn Directory>,
    keys: Arc<dyn IdentityKeys>,
}

/// The account is connected.
#[derive(Serialize, JsonSchema)]
pub struct ConnectedProvider {
    /// Always `true`.
    success: bool,
    provider: Provider,
}

impl Output for ConnectedProvider {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let gone = HeaderValue::from_str(&set_cookie(IDENTITY_COOKIE, "", 0));
        gone.into_iter().map(|gone| (header::SET_COOKIE, gone)).collect()
    }
}

kit::errors! {
    pub enum Error from TicketError, Failure {
        /// Another account has the identity.
        Taken(provider: Provider) => Problem::new(
            Code::IdentityTaken,
            format!(
                "This {0} account belongs to another account. Sign in with it, and disconnect it there first.",
                provider.display_name()
            ),
        ),
        /// The account has another identity of the provider.
        HasAnother(provider: Provider) => Problem::new(
            Code::ProviderConnected,
            format!("Another {} account is connected. Disconnect it first.", provider.display_name()),
        ),
        /// The account was deleted.
        Ended => Problem::unauthorized("This session has ended. Sign in again."),
    }
}

impl Endpoint for ConnectionsAdd {
    const SPEC: Spec = spec("connections-add", Post, "/api/auth/connections")
        .summary("Connect the identity from Google or GitHub to the account")
        .access(Access::person().step_up())
        .once()
        .problems(&[
            Code::AuthorizationInvalid,
            Code::CsrfTokenRequired,
            Code::IdentityTaken,
            Code::ProviderConnected,
            Code::StepUpRequired,
        ])
        .uses(&[
            connections::CONNECT,
            directory::CLAIM_IDENTITY,
            directory::RELEASE_IDENTITY,
            identity_keys::HASH,
            identity_keys::OPEN,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = ();
    type Output = ConnectedProvider;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { connections: ports.connections(), directory: ports.directory(), keys: ports.identity_keys() }
    }

    async fn handle(deps: &Deps, call: &RequestContext<Person>, (): ()) -> Result<ConnectedProvider, Error> {
        let user = call.caller.session.user;
        let ticket = ticket::presented(&*deps.keys, call, Some(ConnectsTo::account_of(user))).await?;
        let provider = ticket.identity.provider;
        let done = ConnectedProvider { success: true, provider };
        if call.made_before::<String>().is_some() {
            return Ok(done);
        }
        let identity = deps.keys.identity_hash(&ticket.identity).await?;
        let claim = Claim::on_identity(identity, call.region, user, call.now);
        if deps.directory.claim(&claim).await? == Claimed::Taken {
            return Err(Error::Taken(provider));
        }
        let event = call.caller.onboarded.then(|| {
            let (workspace, actor) = (personal_workspace(user), Actor { user, key: None });
            let event = call.event(workspace, actor, Action::Updated, ResourceType::Security);
            event.about(provider, format!("{} connected", provider.display_name()))
        });
        let notice = DomainEvent::ProviderConnected { user, provider, identity };
        let connection = Connection { user, provider, identity, connected_at: call.now };
        let extras = call.extras(event, Some(notice), provider);
        match deps.connections.connect(&connection, ConnectedBy::User, extras).await? {
            Connected::Yes => Ok(done),
            refused => {
                deps.directory.release(&claim).await?;
                let has_another = refused == Connected::HasAnother;
                Err(if has_another { Error::HasAnother(provider) } else { Error::Ended })
            }
        }
    }
}
