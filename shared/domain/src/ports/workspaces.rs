//! Workspaces, their API keys and their histories.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Page, Saved},
};
use crate::{
    activity::{ActivityEvent, Inbox, Mark, Watermark},
    api_key::{ApiKey, KeyHolder},
    handle::Handle,
    id::{EventId, KeyId, UserId, WorkspaceId},
    permissions::{EditsProfile, KeepsInbox, MakesKeys, ManagesKeys, SetsPlans},
    promotion::Promotion,
    role::Role,
    secret::Digest256,
    wallet::WalletChange,
    workspace::{Profile, ProfileRecord, Workspace},
};

/// The result of opening a workspace.
#[derive(Debug, PartialEq, Eq)]
pub enum Founded {
    /// The workspace is open.
    Yes,
    /// Another workspace has the handle.
    HandleTaken,
    /// The user has a workspace already.
    AlreadyThere,
    /// The most people redeemed the promo code.
    PromoUsedUp,
}

/// Workspaces and their handles.
#[async_trait]
pub trait Workspaces: Send + Sync {
    /// Opens a workspace under its handle, with the first change of its wallet if the user gets credit for a promo code or a referral. The
    /// promotion is that of the promo code, which counts the redemption.
    async fn open(
        &self,
        workspace: &Workspace,
        profile: &Profile,
        opening: Option<&WalletChange>,
        promotion: Option<&Promotion>,
        extras: TransactionExtras,
    ) -> Outcome<Founded>;
    /// One workspace.
    async fn find(&self, workspace: WorkspaceId) -> Outcome<Option<Workspace>>;
    /// The profile of a workspace.
    async fn profile(&self, workspace: WorkspaceId) -> Outcome<Option<ProfileRecord>>;
    /// The owner of a workspace.
    async fn owner(&self, workspace: WorkspaceId) -> Outcome<Option<UserId>>;
    /// The workspace that a handle names.
    async fn by_handle(&self, handle: &Handle) -> Outcome<Option<WorkspaceId>>;
    /// A workspace and a user's role in it, in one strongly consistent read: for a user whose session is in another region.
    async fn membership(&self, workspace: WorkspaceId, user: UserId) -> Outcome<Option<(Workspace, Role)>>;
    /// Saves a changed profile, if the stored version is one less.
    async fn save_profile(
        &self,
        proof: &EditsProfile,
        record: &ProfileRecord,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Sets the terms of a workspace's plan to those of `after`, if the stored ones are those of `before`.
    async fn set_plan(
        &self,
        proof: &SetsPlans,
        before: &Workspace,
        after: &Workspace,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
}

/// API keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// The holder of the key with this hash, in one strongly consistent read.
    async fn holder(&self, hash: Digest256) -> Outcome<Option<KeyHolder>>;
    /// A workspace's keys, newest first, after `after`.
    async fn list(&self, workspace: WorkspaceId, after: Option<KeyId>, limit: usize)
    -> Outcome<Page<ApiKey>>;
    /// One key.
    async fn find(&self, workspace: WorkspaceId, key: KeyId) -> Outcome<Option<ApiKey>>;
    /// Adds a key and its holder.
    async fn create(
        &self,
        proof: &MakesKeys,
        key: &ApiKey,
        holder: &KeyHolder,
        extras: TransactionExtras,
    ) -> Outcome<()>;
    /// Removes a key and its holder; `false` if the key is gone already.
    async fn revoke(&self, proof: &ManagesKeys, key: &ApiKey, extras: TransactionExtras) -> Outcome<bool>;
}

/// A workspace's history and inbox.
#[async_trait]
pub trait History: Send + Sync {
    /// Events from `newest` back to `oldest` (both inclusive), newest first.
    async fn page(
        &self,
        workspace: WorkspaceId,
        newest: EventId,
        oldest: EventId,
        limit: usize,
    ) -> Outcome<Page<ActivityEvent>>;
    /// The watermarks of the inbox: up to where all events are seen or archived.
    async fn inbox(&self, workspace: WorkspaceId) -> Outcome<Inbox>;
    /// The newest `limit` marks on events up to `newest`. Only existing events have marks, so these cover the newest `limit` events.
    async fn marks(
        &self,
        workspace: WorkspaceId,
        newest: EventId,
        limit: usize,
    ) -> Outcome<BTreeMap<EventId, Mark>>;
    /// Those of these events that exist. At most 100.
    async fn existing(&self, workspace: WorkspaceId, events: &[EventId]) -> Outcome<Vec<EventId>>;
    /// Marks single events.
    async fn mark(&self, proof: &KeepsInbox, marks: &[(EventId, Marking)]) -> Outcome<()>;
    /// Marks all events so far.
    async fn mark_all(&self, proof: &KeepsInbox, what: All, watermark: Watermark) -> Outcome<()>;
}

/// A mark on a single event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// The event is seen.
    Seen,
    /// The event was archived (`true`) or restored at this time.
    Archived(bool, Timestamp),
}

/// A mark on all events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum All {
    /// All are seen.
    Seen,
    /// All are archived (`true`) or restored.
    Archived(bool),
}
