//! Envelope encryption, and the keys that tokens, codes and hashes are made with.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    directory::PublicKey,
    outcome::{Failure, Outcome, Saved},
};
use crate::{
    deletion,
    email::EmailAddress,
    free_credit::CreditHashes,
    id::{AttemptId, WorkspaceId},
    permissions::RevealsKeys,
    referral::ReferralTag,
    region::Region,
    rotation::SecretName,
    sealing::Sealed,
    secret::{MacKey, Secret},
    session::Claims,
    sign_up::{SignUpToken, VerificationCode},
    source::Source,
    throttle::{Network, NetworkHash},
    user::EmailHash,
    workspace::{Workspace, WrappedKey},
};

/// The context of an encrypted value. It decrypts only in the same context.
#[derive(Clone, Copy)]
pub struct EncryptionContext<'a> {
    /// The workspace whose data key is used.
    pub workspace: &'a Workspace,
    /// The record's id.
    pub record: &'a str,
    /// The field of the record.
    pub field: &'static str,
}

/// Envelope encryption under a workspace's data key.
#[async_trait]
pub trait Vault: Send + Sync {
    /// A new data key for a workspace, wrapped.
    async fn new_data_key(&self, workspace: WorkspaceId) -> Outcome<WrappedKey>;
    /// Encrypts a value in its context.
    async fn seal(&self, context: EncryptionContext<'_>, value: &Secret) -> Outcome<Sealed>;
    /// Decrypts a value in its context.
    async fn open(&self, context: EncryptionContext<'_>, sealed: &Sealed) -> Outcome<Secret>;
    /// Decrypts a value for a caller who may see it.
    async fn reveal(
        &self,
        proof: &RevealsKeys,
        context: EncryptionContext<'_>,
        sealed: &Sealed,
    ) -> Outcome<Secret> {
        if proof.workspace() == context.workspace.id {
            self.open(context, sealed).await
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
    /// Signs the receipt of a deletion. Its token type differs, so that it gives no access.
    async fn sign_receipt(&self, receipt: &deletion::Receipt) -> Outcome<String>;
    /// The derivation key for an id that was made at that time: always the same for the same id.
    async fn derivation_key(&self, made_at: Timestamp) -> Outcome<MacKey>;
}

/// The key that email addresses and networks are hashed with; the same in every region.
#[async_trait]
pub trait AddressHashes: Send + Sync {
    /// The hash of an address.
    async fn hash(&self, address: &EmailAddress) -> Outcome<EmailHash>;
    /// The hash of a client's network.
    async fn network_hash(&self, network: Network) -> Outcome<NetworkHash>;
    /// The hashes that free credit for an address is counted with.
    async fn credit_hashes(&self, address: &EmailAddress) -> Outcome<CreditHashes>;
    /// The tag in the referral code of the user with this home region and personal workspace.
    async fn referral_tag(&self, region: Region, workspace: WorkspaceId) -> Outcome<ReferralTag>;
    /// The hash of the network of a request that names an address.
    async fn source(&self, address: EmailHash, network: Network) -> Outcome<Source>;
}

/// The keys that sign requests between regions; the same in every region.
#[async_trait]
pub trait ForwardingKeys: Send + Sync {
    /// The key for a request that was forwarded at that time.
    async fn forwarding_key(&self, at: Timestamp) -> Outcome<MacKey>;
}

/// Mailed codes, and tokens that sign-ups answer. They are derived, so that no stored item contains them.
#[async_trait]
pub trait Codes: Send + Sync {
    /// The codes of these attempts, in order.
    async fn sign_up_codes(&self, attempts: &[AttemptId]) -> Outcome<Vec<VerificationCode>>;
    /// The code that verifies another address of an account.
    async fn address_code(&self, attempt: AttemptId) -> Outcome<VerificationCode>;
    /// The token of an attempt.
    async fn sign_up_token(&self, attempt: AttemptId) -> Outcome<SignUpToken>;
}

/// A rotation: one new version of one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The secret.
    pub secret: SecretName,
    /// The new version's id.
    pub version: String,
}

/// The progress of a rotation.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// It never began, was abandoned, or was superseded.
    None,
    /// The version is announced, and has no value yet.
    Announced,
    /// The version has a value, and is not used yet.
    Pending(NewVersion),
    /// The version is the current one.
    Done,
}

/// The result of preparing a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// The version has its value.
    Yes,
    /// The secret has a key that can't be replaced.
    Irreplaceable,
}

/// The news of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The version that it was made from; none for the first.
    pub made_from: Option<String>,
    /// When its newest key comes into use.
    pub newest_from: Timestamp,
    /// The public halves of its signing keys, oldest first.
    pub public_keys: Vec<PublicKey>,
    /// Signing keys that it drops: no token that they signed is still valid.
    pub retired: Vec<String>,
}

/// New versions of secrets. Every method is idempotent and safe to interrupt.
#[async_trait]
pub trait Rotations: Send + Sync {
    /// The secret that an ARN or a name means.
    fn secret(&self, id: &str) -> Option<SecretName>;
    /// The progress of a rotation.
    async fn progress(&self, rotation: &Rotation) -> Outcome<Progress>;
    /// Gives an announced version its value: the current keys and a new one.
    async fn prepare(&self, rotation: &Rotation, now: Timestamp) -> Outcome<Prepared>;
    /// Makes a version the current one, if the version that it was made from still is.
    async fn finish(&self, rotation: &Rotation, made_from: Option<&str>) -> Outcome<Saved>;
    /// Abandons a version that is not the current one, so that another rotation can begin.
    async fn give_up(&self, rotation: &Rotation) -> Outcome<()>;
    /// When a secret was last rotated; when it was created, if it never was.
    async fn rotated_at(&self, secret: SecretName) -> Outcome<Timestamp>;
}
