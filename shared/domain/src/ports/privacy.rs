//! A person's data: to be exported, and to be deleted.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Alongside, Outcome, Page, Saved};
use crate::{
    activity::{Event, Mark},
    deletion::{Deletion, Part},
    export::Export,
    id::{EventId, JobId, SessionId, UploadId, UserId, WorkspaceId},
    policy::DeletesForGood,
    resource::{Kind, Resource, ResourceId},
    role::Role,
    session::Session,
    trash::Trashed,
    upload::Upload,
    user::User,
    workspace::Workspace,
};

/// What came of beginning an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It has begun.
    Yes,
    /// This one is under way.
    Running(JobId),
}

/// Exports. Every read is strongly consistent.
#[async_trait]
pub trait Exports: Send + Sync {
    /// Begins an export, if none of this user's is under way.
    async fn start(&self, export: &Export, alongside: Alongside) -> Outcome<Started>;
    /// One of a user's.
    async fn find(&self, user: UserId, id: JobId) -> Outcome<Option<Export>>;
    /// All of a user's, newest first. At most `limit`.
    async fn of(&self, user: UserId, limit: usize) -> Outcome<Vec<Export>>;
    /// Replaces `before` by `after`, if it is still what was read. With its end, another may begin.
    async fn replace(&self, before: &Export, after: &Export, alongside: Alongside) -> Outcome<Saved>;
    /// Forgets one of which nothing is stored any more.
    async fn forget(&self, export: &Export) -> Outcome<()>;
    /// Those that somebody has to look after by now, the longest due first.
    async fn due(&self, now: Timestamp, limit: usize) -> Outcome<Vec<(UserId, JobId)>>;
}

/// What a user belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The workspace, another than the personal one.
    pub workspace: WorkspaceId,
    /// As what.
    pub role: Role,
}

/// All that a workspace and a person have, read through from the first to the last, live or in the trash: pages go on after the
/// last row's id. Every read is strongly consistent.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// Records of a kind that are not in the trash themselves (a project that they are in may be).
    async fn resources(
        &self,
        workspace: WorkspaceId,
        kind: Kind,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Outcome<Page<Resource>>;
    /// What is in the trash.
    async fn trashed(
        &self,
        workspace: WorkspaceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Outcome<Page<Trashed>>;
    /// Files of a dataset or model.
    async fn files(&self, asset: ResourceId, after: Option<UploadId>, limit: usize) -> Outcome<Page<Upload>>;
    /// Events from the oldest on, up to `until`.
    async fn events(
        &self,
        workspace: WorkspaceId,
        after: Option<EventId>,
        until: EventId,
        limit: usize,
    ) -> Outcome<Page<Event>>;
    /// What was said of the events from `first` to `last`, of which there are no more than `limit`.
    async fn marks(
        &self,
        workspace: WorkspaceId,
        first: EventId,
        last: EventId,
        limit: usize,
    ) -> Outcome<BTreeMap<EventId, Mark>>;
    /// A user's sessions.
    async fn sessions(&self, user: UserId, after: Option<SessionId>, limit: usize) -> Outcome<Page<Session>>;
    /// What a user belongs to beside the personal workspace. At most `limit`.
    async fn memberships(&self, user: UserId, limit: usize) -> Outcome<Vec<Membership>>;
    /// Whether anybody but `user` belongs to a workspace.
    async fn has_others(&self, workspace: WorkspaceId, user: UserId) -> Outcome<bool>;
}

/// What lets people into an account or a team, and is gone when its deletion begins.
pub struct Closing<'a> {
    /// The job.
    pub deletion: &'a Deletion,
    /// The person, of an account.
    pub user: Option<&'a User>,
    /// The workspace, if it came to be.
    pub workspace: Option<&'a Workspace>,
}

/// What came of closing an account or a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Nobody gets in any more.
    Yes,
    /// It was closed before, or is not what was read.
    Stale,
    /// A deletion is under way.
    Running(JobId),
}

/// Deletions. Every method may be called again after it was carried out, or was interrupted, and by two at once.
#[async_trait]
pub trait Deletions: Send + Sync {
    /// Begins a deletion: the record of the person or the workspace is gone with its wrapped data key, and of an account the
    /// password and the address. Nobody signs in any more, no key is made any more.
    async fn close(
        &self,
        proof: &DeletesForGood,
        closing: &Closing<'_>,
        alongside: Alongside,
    ) -> Outcome<Closed>;
    /// One that a user asked for.
    async fn find(&self, user: UserId, id: JobId) -> Outcome<Option<Deletion>>;
    /// The one of an account or a team that is under way.
    async fn running(&self, user: UserId, workspace: WorkspaceId) -> Outcome<Option<JobId>>;
    /// Replaces `before` by `after`, if it is still what was read.
    async fn replace(&self, before: &Deletion, after: &Deletion, alongside: Alongside) -> Outcome<Saved>;
    /// Forgets it: nothing of the account is left, and of a team only that it was deleted.
    async fn forget(&self, deletion: &Deletion) -> Outcome<()>;
    /// Those that somebody has to look after by now, the longest due first.
    async fn due(&self, now: Timestamp, limit: usize) -> Outcome<Vec<(UserId, JobId)>>;
    /// The first names of a part's records, in their order: at most `limit`, which is 100 at the most.
    async fn left(&self, deletion: &Deletion, part: Part, limit: usize) -> Outcome<Page<String>>;
    /// Erases the records with these names, after all that only they lead to.
    async fn erase(&self, deletion: &Deletion, part: Part, names: &[String]) -> Outcome<()>;
}
