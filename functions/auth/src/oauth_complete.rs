//! `POST /api/auth/oauth/complete`: signs in with the identity ticket that the callback gave to the browser.
//!
//! A known identity signs in. An unknown one whose address the provider has verified is connected to the account that has verified
//! the same address. Otherwise a new account is opened, in the region that the request names.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    device::DeviceToken,
    directory::{Claim, Name},
    domain_events::DomainEvent,
    id::{OfSession, SessionId, UserId},
    ports::{
        Accounts, AddressHashes, Claimed, Connected, ConnectedAccount, ConnectedBy, Connections, Directory,
        Failure, IdentityKeys, Opened, Sessions, SignInProof, TokenKeys, TransactionExtras, Workspaces,
    },
    provider::{Connection, IdentityHash, IdentityTicket, Provider},
    region::Region,
    session::{RefreshToken, Session},
    throttle::NetworkLimit,
    user::{EmailHash, User, personal_workspace},
};
use kit::{
    Anyone, Code, Endpoint, OptionalBody, Params, Ports, Problem, RequestContext, Spec, Stop,
    credentials::IDENTITY_COOKIE,
    grants::{
        accounts, address_hashes, connections, directory, extras, identity_keys, sessions, token_keys,
        workspaces,
    },
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    known_device::{claimed, genuine},
    new_session::{new_device, new_session},
    ticket::{self, TicketError},
    tokens::{TokenDeliveryQuery, Tokens, hand_out},
};

/// Signs in with a provider's identity.
pub struct OauthComplete;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    addresses: Arc<dyn AddressHashes>,
    connections: Arc<dyn Connections>,
    directory: Arc<dyn Directory>,
    keys: Arc<dyn IdentityKeys>,
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn TokenKeys>,
    workspaces: Arc<dyn Workspaces>,
}

/// The choices for a new account.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OauthCompleteBody {
    /// The data region of a new account. Ignored if the identity has an account.
    #[serde(default)]
    region: Option<Region>,
    /// The device token from an earlier sign-in on this device. Browsers send the token as a cookie.
    #[serde(default)]
    device_token: Option<String>,
}

kit::errors! {
    pub enum Error from TicketError, Failure {
        /// The person has no account yet.
        RegionNeeded => Problem::new(
            Code::RegionRequired,
            "There is no account for this sign-in yet. Choose a data region and send it as `region`.",
        ),
        /// The provider has not verified the address.
        Unverified(provider: Provider) => Problem::new(
            Code::ProviderEmailUnverified,
            format!(
                "{0} has not verified your email address. Verify the address there. Or sign in with your password, and \
                 connect {0} in your settings.",
                provider.display_name()
            ),
        ),
        /// The account of the address is connected with another identity of this provider.
        HasAnother(provider: Provider) => Problem::new(
            Code::ProviderConnected,
            format!(
                "Your account is connected with another {0} account. Sign in with that one or with your password, and change \
                 the connection in your settings.",
                provider.display_name()
            ),
        ),
        /// The user of the account disconnected the provider.
        WasDisconnected(provider: Provider) => Problem::new(
            Code::ProviderDisconnected,
            format!(
                "You disconnected {0} from your account. Sign in with your password or another provider, and connect {0} again in \
                 your settings.",
                provider.display_name()
            ),
        ),
        /// Another account has the identity, or another sign-up is under way.
        Taken => Problem::new(
            Code::IdentityTaken,
            "This sign-in is being used for another account at this moment. Start it again in ten minutes.",
        ),
        /// The session of the first request has ended.
        Ended => Problem::unauthorized("This session has ended. Sign in again."),
        /// The account belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for OauthComplete {
    const SPEC: Spec = spec("auth-oauth-complete", Post, "/api/auth/oauth/complete")
        .summary("Sign in, or open an account, with the identity from Google or GitHub")
        .may_forward()
        .limits_network(NetworkLimit::Oauth)
        .once_per_cookie(IDENTITY_COOKIE)
        .problems(&[
            Code::AuthorizationInvalid,
            Code::CsrfTokenRequired,
            Code::ProviderEmailUnverified,
            Code::IdentityTaken,
            Code::ProviderConnected,
            Code::ProviderDisconnected,
            Code::RegionRequired,
        ])
        .uses(&[
            accounts::BY_ADDRESS,
            address_hashes::HASH,
            connections::BY_IDENTITY,
            connections::CONNECT_BY_ADDRESS,
            connections::OPEN_CONNECTED,
            directory::CLAIM_ADDRESS,
            directory::CLAIM_IDENTITY,
            directory::FIND_ADDRESS,
            directory::FIND_IDENTITY,
            directory::RELEASE_IDENTITY,
            identity_keys::HASH,
            identity_keys::OPEN,
            sessions::BEGIN_CONNECTED,
            sessions::CONTEXT,
            token_keys::DERIVATION_KEY,
            token_keys::SIGN,
            workspaces::FIND,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = (Params<TokenDeliveryQuery>, OptionalBody<OauthCompleteBody>);
    type Output = Tokens;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            addresses: ports.address_hashes(),
            connections: ports.connections(),
            directory: ports.directory(),
            keys: ports.identity_keys(),
            sessions: ports.sessions(),
            tokens: ports.token_keys(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        (Params(delivery), OptionalBody(form)): Self::Input,
    ) -> Result<Tokens, Error> {
        let ticket = ticket::presented(&*deps.keys, call, None).await?;
        let identity = deps.keys.identity_hash(&ticket.identity).await?;
        let device = claimed(call, form.device_token.as_deref());
        let (session, first) = match holder(deps, call, &ticket, identity).await? {
            Holder::Identity(user) => sign_in(deps, call, user, identity, device).await?,
            Holder::Address(user) => {
                connect(deps, call, user, identity, ticket.identity.provider).await?;
                sign_in(deps, call, user, identity, device).await?
            }
            Holder::Nobody(address) => {
                let region = form.region.ok_or(Error::RegionNeeded)?;
                if region != call.region {
                    // A region that another forwarded this to has just lost the account: it is being deleted.
                    return Err(if call.forwarded { Error::Taken } else { Error::Elsewhere(region) });
                }
                open(deps, call, &ticket, (identity, address), device).await?
            }
        };
        let (user, id) = (session.user, session.id);
        let context = deps.sessions.context(user, id, personal_workspace(user)).await?.ok_or(Error::Ended)?;
        let (onboarded, cookies) = (context.workspace.is_some(), delivery.session);
        let tokens = hand_out(&*deps.tokens, &session, &first, onboarded, cookies, call.now).await?;
        Ok(tokens.forgetting(IDENTITY_COOKIE))
    }
}

/// The account that a ticket signs in to.
enum Holder {
    /// The user who has the identity.
    Identity(UserId),
    /// The user who has verified the same address as the provider.
    Address(UserId),
    /// Nobody has either. The hash of the address.
    Nobody(EmailHash),
}

/// Finds the account of a ticket in this region, or the region that it is in.
async fn holder(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    ticket: &IdentityTicket,
    identity: IdentityHash,
) -> Result<Holder, Error> {
    let elsewhere = async |name: Name| -> Result<(), Error> {
        let found = deps.directory.find(&name).await?;
        match found.filter(|holder| holder.confirmed && holder.region != call.region && !call.forwarded) {
            Some(holder) => Err(Error::Elsewhere(holder.region)),
            None => Ok(()),
        }
    };
    if let Some(user) = deps.connections.by_identity(identity).await? {
        return Ok(Holder::Identity(user));
    }
    elsewhere(Name::Identity(identity)).await?;
    let email = ticket.identity.verified_email().ok_or(Error::Unverified(ticket.identity.provider))?;
    let address = deps.addresses.hash(email).await?;
    if let Some(user) = deps.accounts.by_address(address).await? {
        return Ok(Holder::Address(user));
    }
    elsewhere(Name::Address(address)).await?;
    Ok(Holder::Nobody(address))
}

async fn sign_in(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    user: UserId,
    identity: IdentityHash,
    device: Option<DeviceToken>,
) -> Result<(Session, RefreshToken), Error> {
    if let Some(id) = call.made_before::<SessionId>() {
        // The session of an earlier request with the same `Idempotency-Key`.
        return Ok(new_session(&*deps.tokens, call, user, id).await?);
    }
    let (session, first) = new_session(&*deps.tokens, call, user, call.id::<OfSession>()).await?;
    let device = genuine(&*deps.tokens, device, call).await?;
    let is_known = device.is_some_and(|device| device.user == user);
    let extras = call.extras(None, new_device(&session, is_known), session.id);
    deps.sessions.begin(&session, Some(SignInProof::Connection(identity)), extras).await?;
    Ok((session, first))
}

/// Connects the identity to the account that has verified the same address as the provider. Its owner is told by mail.
async fn connect(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    user: UserId,
    identity: IdentityHash,
    provider: Provider,
) -> Result<(), Error> {
    let (claim, own) = (Claim::on_identity(identity, call.region, user, call.now), personal_workspace(user));
    let (claimed, workspace) = futures::try_join!(deps.directory.claim(&claim), deps.workspaces.find(own))?;
    if claimed == Claimed::Taken {
        return Err(Error::Taken);
    }
    // A user without a workspace has no history.
    let event = workspace.map(|_| {
        let event = call.event(own, Actor { user, key: None }, Action::Updated, ResourceType::Security);
        event.about(provider, format!("{} connected by its verified address", provider.display_name()))
    });
    let connection = Connection { user, provider, identity, connected_at: call.now };
    let notice = DomainEvent::ProviderConnected { user, provider, identity };
    // The session is what the request makes, and has the idempotency record.
    let extras = TransactionExtras { receipt: None, ..call.extras(event, Some(notice), "") };
    let refused = match deps.connections.connect(&connection, ConnectedBy::Address, extras).await? {
        Connected::Yes => return Ok(()),
        Connected::HasAnother => Error::HasAnother(provider),
        Connected::WasDisconnected => Error::WasDisconnected(provider),
        Connected::Stale => Error::Taken,
    };
    deps.directory.release(&claim).await?;
    Err(refused)
}

/// Opens an account with the address that the provider has verified.
async fn open(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    ticket: &IdentityTicket,
    (identity, address): (IdentityHash, EmailHash),
    device: Option<DeviceToken>,
) -> Result<(Session, RefreshToken), Error> {
    let (user, provider, region) = (ticket.user, ticket.identity.provider, call.region);
    let email = ticket.identity.verified_email().ok_or(Error::Unverified(provider))?;
    let on_identity = Claim::on_identity(identity, region, user, call.now);
    let on_address = Claim::on_address(address, region, user, call.now);
    if deps.directory.claim(&on_identity).await? == Claimed::Taken {
        return Err(Error::Taken);
    }
    if deps.directory.claim(&on_address).await? == Claimed::Taken {
        deps.directory.release(&on_identity).await?;
        return Err(Error::Taken);
    }
    let (session, first) = new_session(&*deps.tokens, call, user, call.id::<OfSession>()).await?;
    let account = ConnectedAccount {
        user: User { id: user, region, primary_email: email.clone(), created_at: call.now },
        address,
        connection: Connection { user, provider, identity, connected_at: call.now },
        session: session.clone(),
    };
    let notice = DomainEvent::AccountOpened { user, address, identity: Some(identity) };
    match deps.connections.open_connected(&account, call.extras(None, Some(notice), session.id)).await? {
        Opened::Yes => Ok((session, first)),
        // The same browser may have opened it a moment ago.
        Opened::AddressTaken | Opened::Stale => match deps.connections.by_identity(identity).await? {
            Some(opened) if opened == user => sign_in(deps, call, user, identity, device).await,
            _ => Err(Error::Taken),
        },
    }
}
