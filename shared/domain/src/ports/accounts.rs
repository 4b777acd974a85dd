//! Signing up, signing in, and staying signed in.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Alongside, Outcome, Saved};
use crate::{
    credential::PasswordHash,
    id::{SessionId, UserId, WorkspaceId},
    password_reset::{Asked, LastReset},
    role::Role,
    session::Session,
    sign_up::SignUp,
    throttle::Failures,
    user::{EmailHash, User},
    workspace::Workspace,
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

/// What came of opening an account.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// It exists now.
    Yes,
    /// The address belongs to an account already.
    AddressTaken,
    /// The sign-up is no longer what was read.
    Stale,
}

/// Sign-ups that wait for a code.
#[async_trait]
pub trait SignUps: Send + Sync {
    /// What waits for an address.
    async fn find(&self, address: EmailHash) -> Outcome<Option<SignUp>>;
    /// Saves a record, if its version is still one less.
    async fn save(&self, sign_up: &SignUp, alongside: Alongside) -> Outcome<Saved>;
    /// Removes a record, if it is still what was read.
    async fn discard(&self, sign_up: &SignUp) -> Outcome<()>;
    /// Makes an account of a sign-up: user, address, password and session, and the sign-up is gone.
    async fn open_account(&self, account: &NewAccount, alongside: Alongside) -> Outcome<Opened>;
}

/// What sign-in compares with.
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
    /// Whose address it is.
    async fn by_address(&self, address: EmailHash) -> Outcome<Option<UserId>>;
    /// What a sign-in compares with, in one read. For an unknown user it reads as much and answers `None`.
    async fn credentials(&self, user: UserId) -> Outcome<Option<Credentials>>;
    /// A user's password.
    async fn password(&self, user: UserId) -> Outcome<Option<PasswordHash>>;
    /// One user.
    async fn user(&self, user: UserId) -> Outcome<Option<User>>;
    /// Users with their personal workspaces, in one read; those that are gone are left out. At most 50.
    async fn people(&self, users: &[UserId]) -> Outcome<Vec<(User, Option<Workspace>)>>;
}

/// What a session is good for, read anew for each request.
pub struct Standing {
    /// The session.
    pub session: Session,
    /// The workspace asked for, if it exists.
    pub workspace: Option<Workspace>,
    /// The user's role in it, if the user belongs to it.
    pub role: Option<Role>,
}

/// The password that a sign-in was proved with.
pub struct PasswordProof {
    /// Its hash, as it was read.
    pub seen: PasswordHash,
    /// The same with today's parameters, to replace it.
    pub rehashed: Option<PasswordHash>,
}

/// Sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// The session, a workspace and the membership in it, in one strongly consistent read.
    async fn standing(
        &self,
        user: UserId,
        session: SessionId,
        workspace: WorkspaceId,
    ) -> Outcome<Option<Standing>>;
    /// Begins a session after a sign-in; not if the password that it was proved with was changed meanwhile.
    async fn begin(
        &self,
        session: &Session,
        proof: Option<PasswordProof>,
        alongside: Alongside,
    ) -> Outcome<()>;
    /// Replaces `before` by `after`, if the session was neither refreshed nor stepped up since.
    async fn replace(&self, before: &Session, after: &Session) -> Outcome<Saved>;
    /// Ends a session; whether there was one.
    async fn end(&self, user: UserId, session: SessionId, alongside: Alongside) -> Outcome<bool>;
    /// A user's sessions that began at `until` or before, newest first, strongly consistent. At most 100.
    async fn begun_until(&self, user: UserId, until: Timestamp, limit: usize) -> Outcome<Vec<SessionId>>;
    /// Ends several sessions, those that there still are. At most 100.
    async fn end_several(&self, user: UserId, sessions: &[SessionId]) -> Outcome<()>;
}

/// Whose password a mailed token is to set.
pub struct Resettable {
    /// The user.
    pub user: User,
    /// Whether the user has a workspace.
    pub onboarded: bool,
    /// Which token did so last.
    pub last: Option<LastReset>,
}

/// A new password, with all that changes in the same moment.
pub struct NewPassword {
    /// Whose.
    pub user: UserId,
    /// Its hash.
    pub password: PasswordHash,
    /// The token that sets it.
    pub by: LastReset,
    /// The one that did so last, as it was read.
    pub before: Option<LastReset>,
    /// The sessions that end. At most [`NewPassword::MOST_SESSIONS`].
    pub sessions: Vec<SessionId>,
    /// The counter of failed sign-ins that is forgotten.
    pub throttle: String,
}

impl NewPassword {
    /// DynamoDB takes 100 writes in a transaction: the password, the token, the counter, and the three of [`Alongside`] are
    /// the others.
    pub const MOST_SESSIONS: usize = 94;
}

/// Setting a new password by mail.
#[async_trait]
pub trait PasswordResets: Send + Sync {
    /// What was asked for with an address.
    async fn asked(&self, address: EmailHash) -> Outcome<Option<Asked>>;
    /// Saves that it was asked for once more, if the version is still one less.
    async fn ask(&self, asked: &Asked, alongside: Alongside) -> Outcome<Saved>;
    /// Whose password it is, in one read.
    async fn find(&self, user: UserId) -> Outcome<Option<Resettable>>;
    /// Sets a password in place of another, if no other token has done so since.
    async fn set(&self, new: &NewPassword, alongside: Alongside) -> Outcome<Saved>;
}

/// Counters of failed attempts.
#[async_trait]
pub trait Throttles: Send + Sync {
    /// The failures counted under each name so far, in one read.
    async fn load(&self, names: &[String]) -> Outcome<Vec<Failures>>;
    /// Saves a counter, if it is still what was read.
    async fn save(&self, name: &str, seen: Failures, now: Failures, forget_at: Timestamp) -> Outcome<Saved>;
    /// Forgets a counter after a success.
    async fn clear(&self, name: &str) -> Outcome<()>;
}
