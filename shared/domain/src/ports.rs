//! What the rules need from the world. Each method that changes something is one atomic change: all of it happens, or
//! nothing does. Adapters implement these; an endpoint asks for those it uses, and links no others.

mod privacy;
mod resources;

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    activity::{Event, Inbox, Mark, Watermark},
    api_key::{ApiKey, KeyHolder, Sealed},
    credential::PasswordHash,
    deletion,
    directory::{self, Holder, Name},
    email::EmailAddress,
    handle::Handle,
    id::{AttemptId, EventId, KeyId, MessageId, SessionId, UserId, WorkspaceId},
    outbox::Message,
    password_reset::{Asked, LastReset},
    policy::{EditsProfile, KeepsInbox, ManagesKeys, RevealsKeys},
    region::Region,
    role::Role,
    rotation::SecretName,
    secret::{Digest256, MacKey, Secret},
    session::{Claims, Session},
    sign_up::{Code, SignUp},
    throttle::Failures,
    user::{EmailHash, User},
    workspace::{Workspace, WrappedKey},
};

pub use privacy::{Closed, Closing, Deletions, Exports, Inventory, Membership, Started};
pub use resources::{
    Begun, Changed, Created, DUE_PARTS, Listed, Live, Purges, Resources, Restored, Trash, Uploads, Within,
};

/// Why an adapter could not do what it was asked. Never the caller's fault.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The service refused, was too busy, or did not answer in time; nothing is known to have changed.
    #[error("{service} is unavailable: {detail}")]
    Unavailable {
        /// Which service.
        service: &'static str,
        /// What it said, for the log.
        detail: String,
    },
    /// Others changed the same records again and again; trying later will do.
    #[error("lost too many races")]
    Raced,
    /// This very request was already carried out: look at its receipt.
    #[error("already done")]
    AlreadyDone,
    /// Something stored can't be understood: a defect.
    #[error("broken: {0}")]
    Broken(String),
}

/// The answer of a port.
pub type Outcome<T> = Result<T, Failure>;

/// Proof that a request with an `Idempotency-Key` was carried out, and of what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// Caller, endpoint and key, hashed together.
    pub scope: Digest256,
    /// A keyed hash of the request, so that the key can't be used for another one.
    pub fingerprint: Digest256,
    /// What the answer can be made from again: an id, never a secret.
    pub reference: String,
    /// When the request was carried out.
    pub made_at: Timestamp,
    /// From then on the key is free again.
    pub expires_at: Timestamp,
}

/// What is written in the same transaction as a change.
#[derive(Debug, Clone, Default)]
pub struct Alongside {
    /// The line in the history.
    pub event: Option<Event>,
    /// The message to publish.
    pub message: Option<Message>,
    /// The receipt, if the request carried a key.
    pub receipt: Option<Receipt>,
}

impl Alongside {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.event.is_none() && self.message.is_none() && self.receipt.is_none()
    }
}

/// Whether a conditional change happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It did.
    Yes,
    /// The record is no longer what was read: read it again and decide again.
    Stale,
}

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

/// What came of opening a workspace.
#[derive(Debug, PartialEq, Eq)]
pub enum Founded {
    /// It exists now.
    Yes,
    /// The handle belongs to another.
    HandleTaken,
    /// The user has one already.
    AlreadyThere,
}

/// Workspaces and their handles.
#[async_trait]
pub trait Workspaces: Send + Sync {
    /// Opens a workspace under its handle.
    async fn open(&self, workspace: &Workspace, alongside: Alongside) -> Outcome<Founded>;
    /// One workspace.
    async fn find(&self, workspace: WorkspaceId) -> Outcome<Option<Workspace>>;
    /// The workspace that a handle names.
    async fn by_handle(&self, handle: &Handle) -> Outcome<Option<WorkspaceId>>;
    /// A workspace and a user's role in it, in one strongly consistent read: for somebody whose session is elsewhere.
    async fn membership(&self, workspace: WorkspaceId, user: UserId) -> Outcome<Option<(Workspace, Role)>>;
    /// Saves a changed profile, if the workspace's version is still one less.
    async fn save_profile(
        &self,
        proof: &EditsProfile,
        workspace: &Workspace,
        alongside: Alongside,
    ) -> Outcome<Saved>;
}

/// One page of a list.
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Whether there are more after these.
    pub more: bool,
}

/// API keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Who holds the key with this hash: one strongly consistent read.
    async fn holder(&self, hash: Digest256) -> Outcome<Option<KeyHolder>>;
    /// A workspace's keys, newest first, after `after`.
    async fn list(&self, workspace: WorkspaceId, after: Option<KeyId>, limit: usize)
    -> Outcome<Page<ApiKey>>;
    /// One key.
    async fn find(&self, workspace: WorkspaceId, key: KeyId) -> Outcome<Option<ApiKey>>;
    /// Adds a key and what it is found by.
    async fn create(
        &self,
        proof: &ManagesKeys,
        key: &ApiKey,
        holder: &KeyHolder,
        alongside: Alongside,
    ) -> Outcome<()>;
    /// Removes a key and what it is found by; `false` if it is gone already.
    async fn revoke(&self, proof: &ManagesKeys, key: &ApiKey, alongside: Alongside) -> Outcome<bool>;
}

/// A workspace's history and what its inbox remembers.
#[async_trait]
pub trait History: Send + Sync {
    /// Events from `newest` back to `oldest` (both inclusive), newest first.
    async fn page(
        &self,
        workspace: WorkspaceId,
        newest: EventId,
        oldest: EventId,
        limit: usize,
    ) -> Outcome<Page<Event>>;
    /// What "all" was said of.
    async fn inbox(&self, workspace: WorkspaceId) -> Outcome<Inbox>;
    /// What was said of the newest `limit` events up to `newest` of which anything was. Only events that exist are marked, so
    /// these are all the marks of as many events.
    async fn marks(
        &self,
        workspace: WorkspaceId,
        newest: EventId,
        limit: usize,
    ) -> Outcome<BTreeMap<EventId, Mark>>;
    /// Which of these events there are. At most 100.
    async fn existing(&self, workspace: WorkspaceId, events: &[EventId]) -> Outcome<Vec<EventId>>;
    /// Says something of single events.
    async fn mark(&self, proof: &KeepsInbox, marks: &[(EventId, Marking)]) -> Outcome<()>;
    /// Says something of all events so far.
    async fn mark_all(&self, proof: &KeepsInbox, what: All, watermark: Watermark) -> Outcome<()>;
}

/// What is said of a single event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// It was seen.
    Seen,
    /// It goes into the archive, or comes out of it, at this time.
    Archived(bool, Timestamp),
}

/// What is said of all events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum All {
    /// They were seen.
    Seen,
    /// They go into the archive, or come out of it.
    Archived(bool),
}

/// Receipts of requests that carried an `Idempotency-Key`.
#[async_trait]
pub trait Receipts: Send + Sync {
    /// The receipt of an earlier request, if there was one.
    async fn find(&self, scope: Digest256) -> Outcome<Option<Receipt>>;
}

/// Windows in which requests are counted.
#[async_trait]
pub trait RateWindows: Send + Sync {
    /// Takes `want` (at most `limit`) of what is left of `limit` in the window that ends at `ends`, or none if fewer are
    /// left; how many were granted, and how many of the window are taken now.
    async fn take(&self, name: &str, ends: Timestamp, want: u32, limit: u32) -> Outcome<Taken>;
}

/// What a window granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// This many requests may be made.
    pub granted: u32,
    /// This many of the window are taken, by everybody; if none were granted, it counts as full.
    pub used: u32,
}

/// A public signing key, as a JSON Web Key ([RFC 8037]: Ed25519).
///
/// [RFC 8037]: https://www.rfc-editor.org/rfc/rfc8037
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// Which key of its region.
    pub kid: String,
    /// The region whose tokens it verifies.
    pub region: Region,
    /// The point, 32 bytes in base64url.
    pub x: String,
}

/// What came of claiming a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It is the claimant's, for the time being or for good.
    Yes,
    /// It is another's.
    Taken,
}

/// What everybody may know, in every region. It is written in one region, the authority, and read from a replica of one's
/// own, which follows within a second or so.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Whose a name is, as far as this region's replica knows.
    async fn find(&self, name: &Name) -> Outcome<Option<Holder>>;
    /// Claims a name until the claim's deadline. Claiming it again for the same holder succeeds.
    async fn claim(&self, claim: &directory::Claim) -> Outcome<Claimed>;
    /// Makes a claim good for ever; `false` if the name is another's.
    async fn confirm(&self, claim: &directory::Claim) -> Outcome<bool>;
    /// Frees a name, if its claim is still this one and unconfirmed.
    async fn release(&self, claim: &directory::Claim) -> Outcome<()>;
    /// Frees a name that was a holder's for good, if it is still. Nobody gets a handle before `reserved_until`: what is kept
    /// of it till then is a hash.
    async fn give_up(&self, name: &Name, holder: &Holder, reserved_until: Timestamp) -> Outcome<()>;
    /// Whether a handle can be claimed now: it is nobody's, and was not given up too short a time ago. Asks the authority,
    /// unless the replica knows whose it is.
    async fn is_free(&self, handle: &Handle, now: Timestamp) -> Outcome<bool>;
    /// The unconfirmed claims of a region whose deadline has passed; of very many, some.
    async fn overdue(&self, region: Region, now: Timestamp) -> Outcome<Vec<directory::Claim>>;
    /// The public keys that access tokens are verified with.
    async fn signing_keys(&self) -> Outcome<Vec<PublicKey>>;
    /// Makes a public key known.
    async fn publish_signing_key(&self, key: &PublicKey) -> Outcome<()>;
    /// The public keys that were: what they have signed for good can still be verified, and nobody gets in by them.
    async fn retired_keys(&self) -> Outcome<Vec<PublicKey>>;
    /// Retires a public key, if it is known.
    async fn withdraw_signing_key(&self, region: Region, kid: &str) -> Outcome<()>;
}

/// What a value is encrypted for. It opens only under the same.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The workspace whose data key is used.
    pub workspace: &'a Workspace,
    /// The record's id.
    pub record: &'a str,
    /// Which value of the record.
    pub field: &'static str,
}

/// Envelope encryption under a workspace's data key.
#[async_trait]
pub trait Vault: Send + Sync {
    /// A new data key for a workspace, wrapped.
    async fn new_data_key(&self, workspace: WorkspaceId) -> Outcome<WrappedKey>;
    /// Encrypts a value for its place.
    async fn seal(&self, place: Place<'_>, value: &Secret) -> Outcome<Sealed>;
    /// Decrypts a value of its place.
    async fn open(&self, place: Place<'_>, sealed: &Sealed) -> Outcome<Secret>;
    /// Decrypts values for somebody who may see them.
    async fn reveal(&self, proof: &RevealsKeys, place: Place<'_>, sealed: &Sealed) -> Outcome<Secret> {
        if proof.workspace() == place.workspace.id {
            self.open(place, sealed).await
        } else {
            Err(Failure::Broken("a proof for another workspace".to_owned()))
        }
    }
}

/// Signing of access tokens and receipts, and the keys that refresh, CSRF and password reset tokens are derived with.
#[async_trait]
pub trait TokenKeys: Send + Sync {
    /// Signs an access token.
    async fn sign(&self, claims: &Claims) -> Outcome<Secret>;
    /// Signs the receipt of a deletion. It lets nobody in: its type is another.
    async fn sign_receipt(&self, receipt: &deletion::Receipt) -> Outcome<String>;
    /// The key to derive with from an id that was made then: always the same for the same id.
    async fn derivation_key(&self, made_at: Timestamp) -> Outcome<MacKey>;
}

/// The key that addresses are hashed with; the same in every region.
#[async_trait]
pub trait AddressHashes: Send + Sync {
    /// What stands for an address.
    async fn hash(&self, address: &EmailAddress) -> Outcome<EmailHash>;
}

/// The keys that regions sign requests with which they send on to each other; the same in every region.
#[async_trait]
pub trait ForwardingKeys: Send + Sync {
    /// The key for a letter of that time.
    async fn forwarding_key(&self, at: Timestamp) -> Outcome<MacKey>;
}

/// The codes that are mailed. They are derived, so that nothing stored tells them.
#[async_trait]
pub trait Codes: Send + Sync {
    /// The codes of these attempts, in their order.
    async fn sign_up_codes(&self, attempts: &[AttemptId]) -> Outcome<Vec<Code>>;
}

/// A rotation: one new version of one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Of which secret.
    pub secret: SecretName,
    /// The new version's id.
    pub version: String,
}

/// How far a rotation is.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// It never began, or was given up, or another has followed it.
    None,
    /// The version is announced, and has no value yet.
    Announced,
    /// It has one, and is not used yet.
    Pending(NewVersion),
    /// It is the current one: nothing is left to do.
    Done,
}

/// What came of preparing a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// It has its value.
    Yes,
    /// The secret has a key that can't be replaced.
    Irreplaceable,
}

/// What a version brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The version that it was made from; none if it is the first.
    pub made_from: Option<String>,
    /// From when on its newest key is used.
    pub newest_from: Timestamp,
    /// The public halves of its signing keys, oldest first.
    pub public_keys: Vec<PublicKey>,
    /// Signing keys that it does without: nothing can come any more that one of them signed.
    pub retired: Vec<String>,
}

/// New versions of secrets. Every method may be called again after it was carried out, or was interrupted.
#[async_trait]
pub trait Rotations: Send + Sync {
    /// Which secret an ARN or a name means.
    fn secret(&self, id: &str) -> Option<SecretName>;
    /// How far a rotation is.
    async fn progress(&self, rotation: &Rotation) -> Outcome<Progress>;
    /// Gives an announced version its value, with a key more than the current one has.
    async fn prepare(&self, rotation: &Rotation, now: Timestamp) -> Outcome<Prepared>;
    /// Makes a version the current one, if the one that it was made from still is.
    async fn finish(&self, rotation: &Rotation, made_from: Option<&str>) -> Outcome<Saved>;
    /// Gives a version up that is not the current one, so that another rotation can begin.
    async fn give_up(&self, rotation: &Rotation) -> Outcome<()>;
}

/// A mail to one person.
pub struct Mail {
    /// To whom.
    pub to: EmailAddress,
    /// What sort of mail it is, for filters and statistics.
    pub kind: &'static str,
    /// The subject line.
    pub subject: String,
    /// The plain text. May hold a code.
    pub text: Secret,
    /// The same as HTML.
    pub html: Secret,
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail over for delivery.
    async fn send(&self, mail: &Mail) -> Outcome<()>;
}

/// The event bus.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes messages, at least once each; the ids of those that must be tried again.
    async fn publish(&self, messages: &[Message]) -> Outcome<Vec<MessageId>>;
}

/// What came of taking a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's now: act on it, then say so, or let it go.
    Taken,
    /// It was acted on.
    Done,
    /// Somebody is at it, or died over it; it comes free when the lease ends.
    Busy,
}

/// Who has acted on a message: consumers get messages at least once and act once.
#[async_trait]
pub trait Consumed: Send + Sync {
    /// Takes a message for `consumer` until `lease_ends`.
    async fn claim(
        &self,
        consumer: &str,
        message: MessageId,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> Outcome<Claim>;
    /// Notes that a message was acted on.
    async fn done(&self, consumer: &str, message: MessageId, forget_at: Timestamp) -> Outcome<()>;
    /// Lets a message go that was not acted on.
    async fn release(&self, consumer: &str, message: MessageId) -> Outcome<()>;
}
