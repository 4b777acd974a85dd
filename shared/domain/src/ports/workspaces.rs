//! Workspaces, their API keys and their histories.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Alongside, Outcome, Page, Saved};
use crate::{
    activity::{Event, Inbox, Mark, Watermark},
    api_key::{ApiKey, KeyHolder},
    handle::Handle,
    id::{EventId, KeyId, UserId, WorkspaceId},
    policy::{EditsProfile, KeepsInbox, ManagesKeys},
    role::Role,
    secret::Digest256,
    workspace::Workspace,
};

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
