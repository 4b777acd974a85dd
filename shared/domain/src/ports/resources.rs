//! Projects, datasets and models, their files, and the trash.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Page, Saved},
};
use crate::{
    domain_events::Message,
    id::{ModelId, ProjectId, UploadId, WorkspaceId},
    permissions::EditsResources,
    resource::{Kind, Position, Resource, ResourceId},
    trash::{Due, Purge, Removes, TrashPosition, Trashed},
    upload::Upload,
    usage::Usage,
};

/// A resource that is not in the trash, and whose project is not in the trash either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The resource.
    pub resource: Resource,
    /// Its project.
    pub project: Option<Resource>,
}

/// The scope of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// All projects, datasets or models of a workspace.
    Workspace(Kind),
    /// The models of a project.
    Project(ProjectId),
}

/// The result of creating a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was created.
    Yes,
    /// Another resource has the slug.
    SlugTaken,
    /// The project does not exist.
    NoProject,
    /// The plan's limit is reached.
    LimitReached,
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Yes,
    /// Another resource has the slug.
    SlugTaken,
    /// The record changed since it was read, or is in the trash.
    Stale,
}

/// Projects, datasets and models that are not in the trash. Every read is strongly consistent.
#[async_trait]
pub trait Resources: Send + Sync {
    /// One resource.
    async fn find(&self, workspace: WorkspaceId, id: ResourceId) -> Outcome<Option<Live>>;
    /// One resource and the workspace's usage, in one read.
    async fn find_with_usage(&self, workspace: WorkspaceId, id: ResourceId)
    -> Outcome<(Option<Live>, Usage)>;
    /// A page after `after`. Projects and datasets: newest first. Models: newest project first, models without a project last, and
    /// newest first within each. A page may be short or empty although more follow.
    async fn list(
        &self,
        workspace: WorkspaceId,
        within: Within,
        after: Option<Position>,
        limit: usize,
    ) -> Outcome<Listed>;
    /// The largest datasets and models, largest first. Skips those whose project is in the trash; looks at 500 at most.
    async fn largest(&self, workspace: WorkspaceId, limit: usize) -> Outcome<Vec<Live>>;
    /// A workspace's usage.
    async fn usage(&self, workspace: WorkspaceId) -> Outcome<Usage>;
    /// Creates a resource, if its slug is free, its project exists, and the workspace has fewer than `limit` models (`None`: no
    /// limit).
    async fn create(
        &self,
        proof: &EditsResources,
        resource: &Resource,
        limit: Option<u64>,
        extras: TransactionExtras,
    ) -> Outcome<Created>;
    /// Replaces `before` by `after`, if it did not change since it was read and its project exists. May change the slug. Keeps the
    /// project and the counters, and increments the version.
    async fn replace(
        &self,
        proof: &EditsResources,
        before: &Resource,
        after: &Resource,
        extras: TransactionExtras,
    ) -> Outcome<Changed>;
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The rows.
    pub items: Vec<Resource>,
    /// The position of the next page, if there may be one.
    pub next: Option<Position>,
}

/// The result of restoring a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// It was restored.
    Yes,
    /// Another resource has the slug.
    SlugTaken,
    /// The plan's limit is reached.
    LimitReached,
    /// It is no longer in the trash, or its project no longer exists.
    Stale,
}

/// The trash. Every read is strongly consistent.
#[async_trait]
pub trait Trash: Send + Sync {
    /// Moves a resource into the trash with everything in it, and frees its slug. Requires that it did not change since it was
    /// read, that its project exists, and that the trash was not emptied up to `trashed.at` or later.
    async fn put(
        &self,
        proof: &EditsResources,
        live: &Live,
        trashed: &Trashed,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// A resource in the trash, restorable or not, and the workspace's usage, in one read.
    async fn find(&self, workspace: WorkspaceId, id: ResourceId) -> Outcome<(Option<Trashed>, Usage)>;
    /// Resources trashed at or before `newest` and after `over_until`, newest first.
    async fn page(
        &self,
        workspace: WorkspaceId,
        newest: Option<TrashPosition>,
        over_until: Timestamp,
        limit: usize,
    ) -> Outcome<Page<Trashed>>;
    /// Resources trashed at or before `until` that are still there, oldest first.
    async fn over(&self, workspace: WorkspaceId, until: Timestamp, limit: usize) -> Outcome<Page<Trashed>>;
    /// Restores a resource from the trash as `resource`, at its `updated_at`. Requires that it is still there and not emptied, that
    /// the slug is free, that its project exists, and that the workspace then has at most `limit` models (`None`: no limit). Keeps
    /// the counters and increments the version, so that writes from before the trash fail.
    async fn restore(
        &self,
        proof: &EditsResources,
        trashed: &Trashed,
        resource: &Resource,
        limit: Option<u64>,
        extras: TransactionExtras,
    ) -> Outcome<Restored>;
    /// Removes a resource from the trash permanently, and schedules the removal of its contents. Requires that it is still there and,
    /// if it counts, not emptied.
    async fn remove(
        &self,
        proof: &Removes,
        trashed: &Trashed,
        purge: &Purge,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Empties the trash up to `until`, and schedules the removal. Requires that the trash did not change since `seen`.
    async fn empty(
        &self,
        proof: &EditsResources,
        seen: &Usage,
        until: Timestamp,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
}

/// The result of beginning an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// The upload began, and its bytes are reserved.
    Yes,
    /// The plan's limit is reached.
    LimitReached,
    /// The dataset or model does not exist.
    Gone,
}

/// Uploads and files.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// Begins an upload and reserves its bytes. Requires that at most `limit` bytes (`None`: no limit) are then reserved or stored,
    /// and that the dataset or model exists.
    async fn begin(
        &self,
        proof: &EditsResources,
        live: &Live,
        upload: &Upload,
        limit: Option<u64>,
        extras: TransactionExtras,
    ) -> Outcome<Begun>;
    /// An upload of a workspace, strongly consistent.
    async fn find(&self, workspace: WorkspaceId, id: UploadId) -> Outcome<Option<Upload>>;
    /// Makes the upload `before` a file of `live`, as `complete` says, if neither changed since they were read. Adds the bytes to
    /// `live`, updated `now`.
    async fn complete(
        &self,
        proof: &EditsResources,
        live: &Live,
        before: &Upload,
        complete: &Upload,
        now: Timestamp,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
}

/// The number of partitions of due work, so that none becomes hot.
pub const DUE_PARTS: u8 = 8;

/// Permanent removal, step by step. Every method is idempotent, and safe to interrupt and to call concurrently.
#[async_trait]
pub trait Purges: Send + Sync {
    /// Due work of one of the [`DUE_PARTS`] after `after`, the longest due first.
    async fn due(&self, part: u8, now: Timestamp, after: Option<Due>, limit: usize) -> Outcome<Page<Due>>;
    /// Deletes the note of work that is no longer due.
    async fn settle(&self, due: &Due) -> Outcome<()>;
    /// A running removal.
    async fn find(&self, workspace: WorkspaceId, root: ResourceId) -> Outcome<Option<Purge>>;
    /// Files of a dataset or model that is being removed. At most `limit`.
    async fn files(&self, asset: ResourceId, limit: usize) -> Outcome<Vec<UploadId>>;
    /// Deletes the records of files that are gone from the bucket. At most 100.
    async fn forget_files(&self, asset: ResourceId, files: &[UploadId]) -> Outcome<()>;
    /// Models of a project that is being removed. At most `limit`.
    async fn models(&self, workspace: WorkspaceId, project: ProjectId, limit: usize)
    -> Outcome<Vec<ModelId>>;
    /// Deletes models of a project that is being removed, with their slugs. At most 25.
    async fn forget_models(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        models: &[ModelId],
    ) -> Outcome<()>;
    /// Deletes the record of a removal that is complete.
    async fn finish(&self, purge: &Purge) -> Outcome<()>;
    /// Marks an upload that was not completed in time as swept, and frees its reserved bytes. Returns the upload as it is then;
    /// `None` if it is gone.
    async fn give_up(
        &self,
        workspace: WorkspaceId,
        upload: UploadId,
        now: Timestamp,
    ) -> Outcome<Option<Upload>>;
    /// Deletes the record of an upload that is complete, or whose file is gone.
    async fn forget_upload(&self, upload: &Upload) -> Outcome<()>;
    /// Publishes a message that continues the work.
    async fn go_on(&self, message: &Message) -> Outcome<()>;
}
