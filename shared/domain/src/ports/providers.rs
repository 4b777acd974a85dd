//! Sign-in by providers.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    accounts::Opened,
    extras::TransactionExtras,
    outcome::{Outcome, Saved},
};
use crate::{
    id::UserId,
    provider::{
        AuthorizationError, AuthorizationRequest, BrowserSecret, Connection, IdentityHash, IdentityTicket,
        OauthState, Provider, ProviderIdentity,
    },
    secret::{Digest256, Secret},
    session::Session,
    user::{EmailHash, User},
};

/// Authorizations that were begun.
#[async_trait]
pub trait AuthorizationRequests: Send + Sync {
    /// Saves a request.
    async fn save(&self, request: &AuthorizationRequest) -> Outcome<()>;
    /// Takes the request of a state, if this browser made it: nobody else can take it, and it is gone afterwards.
    async fn take(&self, state: Digest256, browser: Digest256) -> Outcome<Option<AuthorizationRequest>>;
}

/// The keys of identities; the same in every region.
#[async_trait]
pub trait IdentityKeys: Send + Sync {
    /// The hash of an identity.
    async fn identity_hash(&self, identity: &ProviderIdentity) -> Outcome<IdentityHash>;
    /// Seals a ticket for the browser.
    async fn seal_ticket(&self, ticket: &IdentityTicket) -> Outcome<Secret>;
    /// Opens a ticket, if it is genuine. The caller checks its expiry.
    async fn open_ticket(&self, sealed: &str) -> Outcome<Option<IdentityTicket>>;
}

/// One authorization, as both parties to it see it.
pub struct Authorization<'a> {
    /// The provider.
    pub provider: Provider,
    /// The state.
    pub state: &'a OauthState,
    /// The browser.
    pub browser: &'a BrowserSecret,
    /// Where the provider sends the browser.
    pub redirect_uri: &'a str,
}

/// The providers.
#[async_trait]
pub trait IdentityProviders: Send + Sync {
    /// The address to which a provider sends browsers that called this host: the host's own, if it is one of the platform's.
    fn redirect_uri(&self, provider: Provider, host: Option<&str>) -> String;
    /// The page of the provider to which the browser goes. `None` if the deployment has no credentials for the provider.
    async fn authorization_url(
        &self,
        authorization: &Authorization<'_>,
    ) -> Outcome<Result<Option<String>, AuthorizationError>>;
    /// Redeems a code, and returns the person that the provider has authenticated.
    async fn identify(
        &self,
        authorization: &Authorization<'_>,
        code: &str,
        now: Timestamp,
    ) -> Outcome<Result<ProviderIdentity, AuthorizationError>>;
}

/// A new account with a provider's identity, and no password.
pub struct ConnectedAccount {
    /// The user.
    pub user: User,
    /// The hash of the user's address, which the provider has verified.
    pub address: EmailHash,
    /// The connection.
    pub connection: Connection,
    /// The first session.
    pub session: Session,
}

/// The result of connecting an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connected {
    /// The user may sign in with it.
    Yes,
    /// The account has another identity of this provider.
    HasAnother,
    /// The user disconnected the provider.
    WasDisconnected,
    /// The account is closed, or changed meanwhile.
    Stale,
}

/// The caller that connects an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectedBy {
    /// The user, signed in.
    User,
    /// Nobody yet: the account has verified the same address as the provider. Refused if the user disconnected the provider before.
    Address,
}

/// What remains for signing in when an identity is disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherWay {
    /// The password.
    Password,
    /// The identity of another provider.
    Connection(Provider),
}

/// The identities that users sign in with. Every read is strongly consistent.
#[async_trait]
pub trait Connections: Send + Sync {
    /// The user of an identity.
    async fn by_identity(&self, identity: IdentityHash) -> Outcome<Option<UserId>>;
    /// The connections of a user.
    async fn list(&self, user: UserId) -> Outcome<Vec<Connection>>;
    /// The connections of a user, and whether the user has a password.
    async fn sign_in_methods(&self, user: UserId) -> Outcome<(Vec<Connection>, bool)>;
    /// Opens an account. The claims on address and identity come before.
    async fn open_connected(&self, account: &ConnectedAccount, extras: TransactionExtras) -> Outcome<Opened>;
    /// Connects an identity, for which the user has the claim, if the account has none of that provider. Connecting the same one
    /// again changes nothing.
    async fn connect(
        &self,
        connection: &Connection,
        by: ConnectedBy,
        extras: TransactionExtras,
    ) -> Outcome<Connected>;
    /// Disconnects an identity, if the other way remains.
    async fn disconnect(
        &self,
        connection: &Connection,
        remains: OtherWay,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
}
