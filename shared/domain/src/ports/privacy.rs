//! Exports and deletions of a person's data.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Page, Saved},
};
use crate::{
    activity::{ActivityEvent, Mark},
    deletion::{Deletion, Part},
    export::Export,
    id::{EventId, JobId, SessionId, UploadId, UserId, WorkspaceId},
    permissions::{DeletesForGood, ExportsData},
    resource::{Kind, Resource, ResourceId},
    session::Session,
    trash::Trashed,
    upload::Upload,
    user::{EmailHash, User},
    workspace::Workspace,
};

/// The result of beginning an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The export began.
    Yes,
    /// This export is running already.
    Running(JobId),
}

/// Exports. Every read is strongly consistent.
#[async_trait]
pub trait Exports: Send + Sync {
    /// Begins an export, if the user has no running one.
    async fn start(
        &self,
        proof: &ExportsData,
        export: &Export,
        extras: TransactionExtras,
    ) -> Outcome<Started>;
    /// One export of a user.
    async fn find(&self, user: UserId, id: JobId) -> Outcome<Option<Export>>;
    /// The exports of a user, newest first. At most `limit`.
    async fn of(&self, user: UserId, limit: usize) -> Outcome<Vec<Export>>;
    /// Replaces `before` by `after`, if it did not change since it was read. When it ends, another may begin.
    async fn replace(&self, before: &Export, after: &Export, extras: TransactionExtras) -> Outcome<Saved>;
    /// Deletes the record of an export whose bundle is gone.
    async fn forget(&self, export: &Export) -> Outcome<()>;
    /// Jobs that are due, the longest due first.
    async fn due(&self, now: Timestamp, limit: usize) -> Outcome<Vec<(UserId, JobId)>>;
}

/// Everything that a workspace and a person have, live or in the trash, in the order of ids: a page begins after the last row's
/// id. Every read is strongly consistent.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// Records of a kind that are not in the trash themselves. Their project may be.
    async fn resources(
        &self,
        workspace: WorkspaceId,
        kind: Kind,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Outcome<Page<Resource>>;
    /// Resources in the trash.
    async fn trashed(
        &self,
        workspace: WorkspaceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Outcome<Page<Trashed>>;
    /// Files of a dataset or model.
    async fn files(&self, asset: ResourceId, after: Option<UploadId>, limit: usize) -> Outcome<Page<Upload>>;
    /// Uploads, including those that were completed lately or expired.
    async fn uploads(
        &self,
        workspace: WorkspaceId,
        after: Option<UploadId>,
        limit: usize,
    ) -> Outcome<Page<Upload>>;
    /// Events up to `until`, oldest first.
    async fn events(
        &self,
        workspace: WorkspaceId,
        after: Option<EventId>,
        until: EventId,
        limit: usize,
    ) -> Outcome<Page<ActivityEvent>>;
    /// The marks on the events from `first` to `last`, which are at most `limit`.
    async fn marks(
        &self,
        workspace: WorkspaceId,
        first: EventId,
        last: EventId,
        limit: usize,
    ) -> Outcome<BTreeMap<EventId, Mark>>;
    /// A user's sessions.
    async fn sessions(&self, user: UserId, after: Option<SessionId>, limit: usize) -> Outcome<Page<Session>>;
    /// Whether a workspace has a member other than `user`.
    async fn has_others(&self, workspace: WorkspaceId, user: UserId) -> Outcome<bool>;
}

/// What gives access to an account or a team. Removed when the deletion begins.
pub struct Closing<'a> {
    /// The job.
    pub deletion: &'a Deletion,
    /// The person, if an account is deleted.
    pub user: Option<&'a User>,
    /// The workspace, if it exists.
    pub workspace: Option<&'a Workspace>,
}

/// The result of closing an account or a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Nobody has access any more.
    Yes,
    /// It was closed before, or changed since it was read.
    Stale,
    /// This deletion is running already.
    Running(JobId),
}

/// Deletions. Every method is idempotent, and safe to interrupt and to call concurrently.
#[async_trait]
pub trait Deletions: Send + Sync {
    /// Begins a deletion: removes the workspace's record with its wrapped data key and, of an account, user, password and address.
    /// Nobody can sign in or make an API key from then on.
    async fn close(
        &self,
        proof: &DeletesForGood,
        closing: &Closing<'_>,
        extras: TransactionExtras,
    ) -> Outcome<Closed>;
    /// A deletion that a user requested.
    async fn find(&self, user: UserId, id: JobId) -> Outcome<Option<Deletion>>;
    /// The running deletion of an account or a team.
    async fn running(&self, user: UserId, workspace: WorkspaceId) -> Outcome<Option<JobId>>;
    /// Replaces `before` by `after`, if it did not change since it was read.
    async fn replace(&self, before: &Deletion, after: &Deletion, extras: TransactionExtras)
    -> Outcome<Saved>;
    /// Deletes the record of a deletion. Of a team, the fact that it was deleted stays for a while.
    async fn forget(&self, deletion: &Deletion) -> Outcome<()>;
    /// Jobs that are due, the longest due first.
    async fn due(&self, now: Timestamp, limit: usize) -> Outcome<Vec<(UserId, JobId)>>;
    /// The first names of a part's records, in order. At most `limit`, which must not exceed 100.
    async fn left(&self, deletion: &Deletion, part: Part, limit: usize) -> Outcome<Page<String>>;
    /// The hashes of the addresses in the record of an account's addresses, if it is left.
    async fn verified_addresses(&self, user: UserId) -> Outcome<Vec<EmailHash>>;
    /// Erases the records with these names, after everything that only they lead to.
    async fn erase(&self, deletion: &Deletion, part: Part, names: &[String]) -> Outcome<()>;
}
