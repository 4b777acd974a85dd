//! Projects, datasets and models, their files, and the trash.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Alongside, Outcome, Page, Saved};
use crate::{
    id::{ModelId, ProjectId, UploadId, WorkspaceId},
    outbox::Message,
    policy::EditsResources,
    resource::{Kind, Position, Resource, ResourceId},
    trash::{Due, Place, Purge, Removes, Trashed},
    upload::Upload,
    usage::Usage,
};

/// Something that is not in the trash, nor in a project that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// It.
    pub resource: Resource,
    /// The project that it is in.
    pub project: Option<Resource>,
}

/// Which of a kind are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// All projects, datasets or models of a workspace.
    Workspace(Kind),
    /// The models of a project.
    Project(ProjectId),
}

/// What came of making something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It exists now.
    Yes,
    /// The slug belongs to another.
    SlugTaken,
    /// The project that it was to be in is not there, or no more.
    NoProject,
    /// The plan has no room for it.
    LimitReached,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is made.
    Yes,
    /// The slug belongs to another.
    SlugTaken,
    /// The record is no longer what was read, or is in the trash.
    Stale,
}

/// Projects, datasets and models that are not in the trash. Every read is strongly consistent.
#[async_trait]
pub trait Resources: Send + Sync {
    /// One of them.
    async fn find(&self, workspace: WorkspaceId, id: ResourceId) -> Outcome<Option<Live>>;
    /// One of them, and what the workspace uses: side by side.
    async fn find_with_usage(&self, workspace: WorkspaceId, id: ResourceId)
    -> Outcome<(Option<Live>, Usage)>;
    /// Some of them, after `after`: projects and datasets newest first; models by project, the newest project first, those
    /// without a project last, the newest of each first. A page may be short, or empty, though there are more.
    async fn list(
        &self,
        workspace: WorkspaceId,
        within: Within,
        after: Option<Position>,
        limit: usize,
    ) -> Outcome<Listed>;
    /// The datasets and models with the most bytes, largest first. What is in the trash with its project is looked over: at
    /// most 500 are looked at.
    async fn largest(&self, workspace: WorkspaceId, limit: usize) -> Outcome<Vec<Live>>;
    /// What a workspace uses.
    async fn usage(&self, workspace: WorkspaceId) -> Outcome<Usage>;
    /// Makes one, if its slug is free, its project is there, and fewer than `limit` models are (`None`: any number).
    async fn create(
        &self,
        proof: &EditsResources,
        resource: &Resource,
        limit: Option<u64>,
        alongside: Alongside,
    ) -> Outcome<Created>;
    /// Replaces `before` by `after`, if it is still what was read and its project is still there. The slug may be another; the
    /// project and the counters are the same, and its version is then the next.
    async fn replace(
        &self,
        proof: &EditsResources,
        before: &Resource,
        after: &Resource,
        alongside: Alongside,
    ) -> Outcome<Changed>;
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The rows.
    pub items: Vec<Resource>,
    /// Where to go on, if there may be more.
    pub next: Option<Position>,
}

/// What came of restoring something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// It is back.
    Yes,
    /// The slug belongs to another.
    SlugTaken,
    /// The plan has no room for it.
    LimitReached,
    /// It is not in the trash any more, or the project that it was to go to is not there any more.
    Stale,
}

/// The trash. Every read is strongly consistent.
#[async_trait]
pub trait Trash: Send + Sync {
    /// Puts something into the trash, with all that is in it: it, its slug and its place among the largest are gone in the
    /// moment. Only if it is still what was read, its project is still there, and the trash was not emptied of anything that
    /// came at `trashed.at` or later.
    async fn put(
        &self,
        proof: &EditsResources,
        live: &Live,
        trashed: &Trashed,
        alongside: Alongside,
    ) -> Outcome<Saved>;
    /// Something in the trash, whether or not it can still be restored, and what the workspace uses: in one read.
    async fn find(&self, workspace: WorkspaceId, id: ResourceId) -> Outcome<(Option<Trashed>, Usage)>;
    /// What came into the trash at `newest` or before and after `over_until`, the newest first.
    async fn page(
        &self,
        workspace: WorkspaceId,
        newest: Option<Place>,
        over_until: Timestamp,
        limit: usize,
    ) -> Outcome<Page<Trashed>>;
    /// What came into the trash at `until` or before and lies there still, the oldest first.
    async fn over(&self, workspace: WorkspaceId, until: Timestamp, limit: usize) -> Outcome<Page<Trashed>>;
    /// Takes something out of the trash, as `resource`, which says in `updated_at` when: if it is still there and was not
    /// emptied, the slug is free, its project is there, and the workspace then has no more than `limit` models (`None`: any
    /// number). It has the counters that it had, and the version after the one that it went there with: no earlier reader
    /// takes it for what they read.
    async fn restore(
        &self,
        proof: &EditsResources,
        trashed: &Trashed,
        resource: &Resource,
        limit: Option<u64>,
        alongside: Alongside,
    ) -> Outcome<Restored>;
    /// Takes something out of the trash for good, and notes that what belongs to it is to be removed; if it is still there,
    /// and was not emptied since if it counts.
    async fn remove(
        &self,
        proof: &Removes,
        trashed: &Trashed,
        purge: &Purge,
        alongside: Alongside,
    ) -> Outcome<Saved>;
    /// Empties the trash of all until `until`, and notes that it is to be removed; if nothing changed in it since `seen`.
    async fn empty(
        &self,
        proof: &EditsResources,
        seen: &Usage,
        until: Timestamp,
        alongside: Alongside,
    ) -> Outcome<Saved>;
}

/// What came of beginning an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// The bytes are promised.
    Yes,
    /// The plan has no room for them.
    LimitReached,
    /// The dataset or model is not there any more.
    Gone,
}

/// Uploads and files.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// Begins one and promises it its bytes, if then no more than `limit` bytes (`None`: any number) are promised or stored,
    /// and the dataset or model is there.
    async fn begin(
        &self,
        proof: &EditsResources,
        live: &Live,
        upload: &Upload,
        limit: Option<u64>,
        alongside: Alongside,
    ) -> Outcome<Begun>;
    /// One of a workspace, strongly consistent.
    async fn find(&self, workspace: WorkspaceId, id: UploadId) -> Outcome<Option<Upload>>;
    /// Makes the upload `before` a file of `live`, as `complete` says, if neither changed since they were read. It has so
    /// many more bytes then, and was changed `now`.
    async fn complete(
        &self,
        proof: &EditsResources,
        live: &Live,
        before: &Upload,
        complete: &Upload,
        now: Timestamp,
        alongside: Alongside,
    ) -> Outcome<Saved>;
}

/// In how many parts what is due is kept, so that no single one is written to all the time.
pub const DUE_PARTS: u8 = 8;

/// Removing what is over, bit by bit. Every method may be called again after it was carried out, or was interrupted, and by
/// two at once.
#[async_trait]
pub trait Purges: Send + Sync {
    /// What is due now in one of the [`DUE_PARTS`], the longest due first, after `after`.
    async fn due(&self, part: u8, now: Timestamp, after: Option<Due>, limit: usize) -> Outcome<Page<Due>>;
    /// Forgets that something was due that is not any more.
    async fn settle(&self, due: &Due) -> Outcome<()>;
    /// Something that is being removed.
    async fn find(&self, workspace: WorkspaceId, root: ResourceId) -> Outcome<Option<Purge>>;
    /// Files of a dataset or model that is being removed. At most `limit`.
    async fn files(&self, asset: ResourceId, limit: usize) -> Outcome<Vec<UploadId>>;
    /// Forgets files that are not stored any more. At most 100.
    async fn forget_files(&self, asset: ResourceId, files: &[UploadId]) -> Outcome<()>;
    /// Models of a project that is being removed. At most `limit`.
    async fn models(&self, workspace: WorkspaceId, project: ProjectId, limit: usize)
    -> Outcome<Vec<ModelId>>;
    /// Forgets models of a project that is being removed, with their slugs. At most 25.
    async fn forget_models(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        models: &[ModelId],
    ) -> Outcome<()>;
    /// Forgets a purge of which nothing is left.
    async fn finish(&self, purge: &Purge) -> Outcome<()>;
    /// Gives up an upload that was not completed in time, and frees what was promised to it; it says so from then on. What it
    /// has become: `None` if it is not there any more.
    async fn give_up(
        &self,
        workspace: WorkspaceId,
        upload: UploadId,
        now: Timestamp,
    ) -> Outcome<Option<Upload>>;
    /// Forgets an upload that is complete, or of which nothing is stored.
    async fn forget_upload(&self, upload: &Upload) -> Outcome<()>;
    /// Says that there is more to do.
    async fn go_on(&self, message: &Message) -> Outcome<()>;
}
