//! Signing up, signing in, and staying signed in.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Saved},
};
use crate::{
    credential::PasswordHash,
    id::{JobId, RequestId, SessionId, UserId, WorkspaceId},
    password_reset::{Asked, LastReset},
    provider::IdentityHash,
    role::Role,
    session::Session,
    sign_up::SignUp,
    throttle::{Failures, Settled, Slot},
    user::{EmailHash, User},
    workspace::{Profile, Workspace},
};

/// A new account, in all its parts.
pub struct NewAccount {
    /// The sign-up that it came from, as it was read.
    pub sign_up: SignUp,
    /// The user.
    pub user: User,
    /// The password.
    pub password: PasswordHash,
    /// The first session.
    pub session: Session,
}

/// The result of opening an account.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// The account is open.
    Yes,
    /// The address belongs to an account already.
    AddressTaken,
    /// The sign-up is no longer what was read.
    Stale,
}

/// Pending sign-ups.
#[async_trait]
pub trait SignUps: Send + Sync {
    /// The pending sign-up of an address.
    async fn find(&self, address: EmailHash) -> Outcome<Option<SignUp>>;
    /// Saves a sign-up, if the stored version is one less.
    async fn save(&self, sign_up: &SignUp, extras: TransactionExtras) -> Outcome<Saved>;
    /// Deletes a sign-up, if it did not change since it was read.
    async fn discard(&self, sign_up: &SignUp) -> Outcome<()>;
    /// Replaces a sign-up by an account: user, address, password and session.
    async fn open_account(&self, account: &NewAccount, extras: TransactionExtras) -> Outcome<Opened>;
}

/// What a sign-in compares with.
pub struct Credentials {
    /// The user.
    pub user: User,
    /// The password's hash.
    pub password: PasswordHash,
    /// Whether the user has a workspace.
    pub onboarded: bool,
}

/// Users and their credentials.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// The user of an address.
    async fn by_address(&self, address: EmailHash) -> Outcome<Option<UserId>>;
    /// The credentials of a user, in one read. An unknown user takes the same read.
    async fn credentials(&self, user: UserId) -> Outcome<Option<Credentials>>;
    /// A user's password.
    async fn password(&self, user: UserId) -> Outcome<Option<PasswordHash>>;
    /// One user.
    async fn user(&self, user: UserId) -> Outcome<Option<User>>;
    /// Users with their profiles, in one read. Omits users that no longer exist. At most 50.
    async fn people(&self, users: &[UserId]) -> Outcome<Vec<(User, Option<Profile>)>>;
}

/// A session with the permissions that it gives. Read again for each request.
pub struct SessionContext {
    /// The session.
    pub session: Session,
    /// The requested workspace, if it exists.
    pub workspace: Option<Workspace>,
    /// The user's role in the workspace, if the user is a member.
    pub role: Option<Role>,
}

/// The password that proved a sign-in.
pub struct PasswordProof {
    /// Its hash, as it was read.
    pub seen: PasswordHash,
    /// A hash of the same password with current parameters, to replace the stored one.
    pub rehashed: Option<PasswordHash>,
}

/// What proved a sign-in. It must still hold when the session begins.
pub enum SignInProof {
    /// A password.
    Password(PasswordProof),
    /// A provider's identity, connected to the account.
    Connection(IdentityHash),
}

/// Sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// The session, a workspace and the membership in it, in one strongly consistent read.
    async fn context(
        &self,
        user: UserId,
        session: SessionId,
        workspace: WorkspaceId,
    ) -> Outcome<Option<SessionContext>>;
    /// A session, strongly consistent.
    async fn find(&self, user: UserId, session: SessionId) -> Outcome<Option<Session>>;
    /// Begins a session after a sign-in, if its proof still holds. Ends the user's oldest live sessions
    /// in the same transaction, so that at most [`MOST_SESSIONS`](crate::session::MOST_SESSIONS) remain. Concurrent sign-ins may
    /// exceed that limit; the next sign-in ends the surplus.
    async fn begin(
        &self,
        session: &Session,
        proof: Option<SignInProof>,
        extras: TransactionExtras,
    ) -> Outcome<()>;
    /// Replaces `before` by `after`, if nothing refreshed or stepped up the session since it was read.
    async fn replace(&self, before: &Session, after: &Session) -> Outcome<Saved>;
    /// The running deletion of the user's account that this session requested.
    async fn deletion_by(&self, user: UserId, session: SessionId) -> Outcome<Option<JobId>>;
    /// Ends a session. Returns whether it existed.
    async fn end(&self, user: UserId, session: SessionId, extras: TransactionExtras) -> Outcome<bool>;
    /// A user's live sessions, newest first, strongly consistent.
    async fn live(&self, user: UserId, now: Timestamp) -> Outcome<Vec<Session>>;
    /// A user's sessions that began at or before `until`, newest first, strongly consistent. At most 100.
    async fn begun_until(&self, user: UserId, until: Timestamp, limit: usize) -> Outcome<Vec<SessionId>>;
    /// Ends those of these sessions that still exist. At most 100.
    async fn end_several(&self, user: UserId, sessions: &[SessionId]) -> Outcome<()>;
}

/// The user whose password a mailed token sets.
pub struct Resettable {
    /// The user.
    pub user: User,
    /// Whether the user has a workspace.
    pub onboarded: bool,
    /// The handle and the display name, if any. A password must not contain them.
    pub names: Vec<String>,
    /// The token that set the password last.
    pub last: Option<LastReset>,
    /// The hashes of the verified addresses. Empty if the primary address is the only one.
    pub addresses: Vec<EmailHash>,
}

/// What a new password replaces.
pub enum Replaces {
    /// Any password or none, if this was the last token that set the password.
    AfterToken(Option<LastReset>),
    /// This password.
    Password(PasswordHash),
    /// No password: the new one is the account's first.
    Nothing,
}

/// A new password, and what changes in the same transaction.
pub struct NewPassword {
    /// The user.
    pub user: UserId,
    /// The hash.
    pub password: PasswordHash,
    /// What the password replaces. If that changed since it was read, nothing is changed.
    pub replaces: Replaces,
    /// The token that sets the password, or a new one that nobody has: tokens that were requested before are invalid from then on.
    pub by: LastReset,
    /// The sessions to end, newest first. At most [`NewPassword::MOST_SESSIONS`].
    pub sessions: Vec<SessionId>,
    /// The account's counters of failed sign-ins, one for each address, which are reset.
    pub throttles: Vec<String>,
}

impl NewPassword {
    /// More sessions than any user has.
    pub const MOST_SESSIONS: usize = 1_000;
}

/// Password resets by mail.
#[async_trait]
pub trait PasswordResets: Send + Sync {
    /// The requests for an address.
    async fn asked(&self, address: EmailHash) -> Outcome<Option<Asked>>;
    /// The requests for several addresses, in order.
    async fn asked_all(&self, addresses: &[EmailHash]) -> Outcome<Vec<Option<Asked>>>;
    /// Saves another request, if the stored version is one less.
    async fn ask(&self, asked: &Asked, extras: TransactionExtras) -> Outcome<Saved>;
    /// The user whose password a token may set, in one read.
    async fn find(&self, user: UserId) -> Outcome<Option<Resettable>>;
    /// Sets the password, unless another request did so since it was read, or the account was deleted. All of [`NewPassword::sessions`] end. Sessions that
    /// do not fit into the transaction end before it, even if it then fails.
    async fn set(&self, new: &NewPassword, extras: TransactionExtras) -> Outcome<Saved>;
}

/// The result of a reservation.
#[derive(Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The attempt has a try.
    Yes,
    /// The attempt has no try: the counter changed to this.
    No(Failures),
}

/// Counters of failed attempts.
#[async_trait]
pub trait Throttles: Send + Sync {
    /// The failures counted under each name, in one read.
    async fn load(&self, names: &[String]) -> Outcome<Vec<Failures>>;
    /// Reserves a try for an attempt, unless the slot was taken since it was read. The counter expires at `forget_at`.
    async fn reserve(
        &self,
        name: &str,
        attempt: RequestId,
        slot: Slot,
        forget_at: Timestamp,
    ) -> Outcome<Reserved>;
    /// Settles an attempt's reservation, if it still exists.
    async fn settle(&self, name: &str, attempt: RequestId, settled: Settled) -> Outcome<()>;
}
