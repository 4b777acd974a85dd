//! Envelope encryption, and the keys that tokens, codes and hashes are made with.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Failure, Outcome, PublicKey, Saved};
use crate::{
    api_key::Sealed,
    deletion,
    email::EmailAddress,
    id::{AttemptId, WorkspaceId},
    policy::RevealsKeys,
    rotation::SecretName,
    secret::{MacKey, Secret},
    session::Claims,
    sign_up::Code,
    user::EmailHash,
    workspace::{Workspace, WrappedKey},
};

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
