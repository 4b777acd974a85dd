//! The trash: items can be restored for 30 days and are then permanently deleted.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    activity::Actor,
    id::{ProjectId, UploadId, WorkspaceId},
    permissions::EditsResources,
    resource::{Kind, Resource, ResourceId, ResourceName, Slug},
    text::Invalid,
    time,
    upload::Upload,
    usage::Usage,
};

/// Time for which an item can be restored.
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The former project of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The id.
    pub id: ProjectId,
    /// The display name.
    pub name: ResourceName,
    /// The slug.
    pub slug: Slug,
}

/// An item in the trash. Immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    /// The resource with its counters. A project includes its models.
    pub resource: Resource,
    /// The former project.
    pub origin: Option<Origin>,
    /// The user or key that trashed the item.
    pub by: Actor,
    /// Time of trashing, in milliseconds.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
}

/// The recorded time for an item that is trashed now: after the last time up to which the trash was emptied, and not
/// before the latest item, so that "all until then" selects the same items everywhere. A trash that is emptied now is
/// emptied up to this time.
pub fn moment(now: Timestamp, usage: &Usage) -> Timestamp {
    let emptied = usage.emptied_until.map(|until| time::after(until, SignedDuration::from_millis(1)));
    let newest = [emptied, usage.trashed_until].into_iter().flatten().max();
    let now = to_millisecond(now);
    newest.map_or(now, |newest| newest.max(now))
}

/// Items trashed at or before this time have expired or were deleted. Only later items can be restored.
pub fn over_until(now: Timestamp, usage: &Usage) -> Timestamp {
    let expired = time::after(now, -KEPT);
    usage.emptied_until.map_or(expired, |emptied| emptied.max(expired))
}

fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

impl Trashed {
    /// Time after which the item cannot be restored.
    pub fn expires_at(&self) -> Timestamp {
        time::after(self.at, KEPT)
    }

    /// Whether the item can be restored. An existing record does not imply this.
    pub fn is_restorable(&self, now: Timestamp, usage: &Usage) -> bool {
        self.at > over_until(now, usage)
    }

    /// Days until the item expires, rounded up.
    pub fn days_remaining(&self, now: Timestamp) -> i64 {
        days_until(self.expires_at(), now)
    }

    /// The item's position in the list.
    pub fn place(&self) -> TrashPosition {
        TrashPosition { at: self.at, id: self.resource.id }
    }
}

fn days_until(then: Timestamp, now: Timestamp) -> i64 {
    const DAY: i64 = 24 * 3_600_000;
    let left = then.as_millisecond().saturating_sub(to_millisecond(now).as_millisecond()).max(0);
    left.saturating_add(DAY - 1) / DAY
}

/// A position in the list of the trash, which is sorted by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrashPosition {
    /// Time of trashing.
    pub at: Timestamp,
    /// The id.
    pub id: ResourceId,
}

impl TrashPosition {
    /// The last possible position at a time.
    pub fn last_at(at: Timestamp) -> Self {
        // Ids of projects sort last as text.
        Self { at, id: ResourceId::Project(ProjectId::ceiling(Timestamp::MAX)) }
    }

    /// The preceding position, at which a list with the newest first continues.
    pub fn before(self) -> Self {
        Self { id: self.id.before(), ..self }
    }
}

impl fmt::Display for TrashPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}#{}", self.at.as_millisecond(), self.id)
    }
}

impl FromStr for TrashPosition {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("Invalid trash position.");
        let (millis, id) = text.split_once('#').ok_or_else(invalid)?;
        let at = millis.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
        Ok(Self { at: at.ok_or_else(invalid)?, id: id.parse()? })
    }
}

/// Counts of the trash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Contents {
    pub projects: u64,
    pub datasets: u64,
    /// Individually trashed items.
    pub models: u64,
    pub dataset_bytes: u64,
    /// All items, including models of projects.
    pub model_bytes: u64,
}

impl Contents {
    /// The counts of a workspace's usage.
    pub fn counted(usage: &Usage) -> Self {
        Self {
            projects: usage.trashed_projects,
            datasets: usage.trashed_datasets,
            models: usage.trashed_models,
            dataset_bytes: usage.trashed_dataset_bytes,
            model_bytes: usage.trashed_model_bytes,
        }
    }

    /// The count of one kind, or of all.
    pub fn of(&self, kind: Option<Kind>) -> u64 {
        match kind {
            Some(Kind::Project) => self.projects,
            Some(Kind::Dataset) => self.datasets,
            Some(Kind::Model) => self.models,
            None => self.projects.saturating_add(self.datasets).saturating_add(self.models),
        }
    }

    /// Adds one item.
    pub fn add(&mut self, resource: &Resource) {
        let (count, bytes) = self.counters(resource.id.kind());
        (*count, *bytes) = (count.saturating_add(1), bytes.saturating_add(resource.size_bytes));
    }

    /// Removes one item.
    pub fn remove(&mut self, resource: &Resource) {
        let (count, bytes) = self.counters(resource.id.kind());
        (*count, *bytes) = (count.saturating_sub(1), bytes.saturating_sub(resource.size_bytes));
    }

    fn counters(&mut self, kind: Kind) -> (&mut u64, &mut u64) {
        match kind {
            Kind::Project => (&mut self.projects, &mut self.model_bytes),
            Kind::Dataset => (&mut self.datasets, &mut self.dataset_bytes),
            Kind::Model => (&mut self.models, &mut self.model_bytes),
        }
    }
}

/// Proof that an item in the trash may be permanently deleted.
pub struct Removes {
    workspace: WorkspaceId,
    by: Actor,
    counted: bool,
}

impl Removes {
    /// The workspace of the proof.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The actor of the deletion.
    pub fn by(&self) -> Actor {
        self.by
    }

    /// Whether the usage counters include the item. Items of an emptied trash are no longer counted.
    pub fn is_counted(&self) -> bool {
        self.counted
    }
}

/// Allows editors to delete a restorable item; `None` if the item cannot be restored.
pub fn may_remove(
    proof: &EditsResources,
    trashed: &Trashed,
    usage: &Usage,
    now: Timestamp,
) -> Option<Removes> {
    let here = trashed.resource.workspace == proof.workspace();
    let removes = Removes { workspace: proof.workspace(), by: proof.actor(), counted: true };
    (here && trashed.is_restorable(now, usage)).then_some(removes)
}

/// Permits deleting an item that cannot be restored; `None` if the item can be restored. The actor is the user who
/// emptied the trash, or who trashed the item 30 days ago.
pub fn is_due(trashed: &Trashed, usage: &Usage, now: Timestamp) -> Option<Removes> {
    let workspace = trashed.resource.workspace;
    if usage.emptied_until.is_some_and(|until| trashed.at <= until) {
        return Some(Removes { workspace, by: usage.emptied_by.unwrap_or(trashed.by), counted: false });
    }
    (trashed.expires_at() <= now).then_some(Removes { workspace, by: trashed.by, counted: true })
}

/// The remains of a deleted item: its models and files. Not visible to users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The deleted item.
    pub root: ResourceId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Start time of the removal.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub begun_at: Timestamp,
}

impl Purge {
    /// Time after which an interrupted removal is continued.
    pub const LOOKED_AFTER: SignedDuration = SignedDuration::from_hours(1);
}

/// A task that is due at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Due time, in milliseconds.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The task.
    pub task: Task,
}

impl Due {
    /// The expiry of an item in the trash.
    pub fn expiry(trashed: &Trashed) -> Self {
        let Resource { id, workspace, .. } = trashed.resource;
        Self { at: trashed.expires_at(), workspace, task: Task::Expire(id) }
    }

    /// The check of a trash emptied up to `until`, in case the removal was interrupted.
    pub fn emptying(workspace: WorkspaceId, until: Timestamp) -> Self {
        Self { at: time::after(until, Purge::LOOKED_AFTER), workspace, task: Task::Empty }
    }

    /// The check of an item that is being removed, in case the removal was interrupted.
    pub fn purge(purge: &Purge) -> Self {
        let at = time::after(purge.begun_at, Purge::LOOKED_AFTER);
        Self { at, workspace: purge.workspace, task: Task::Purge(purge.root) }
    }

    /// The expiry of an upload, or the end of its record if the upload is complete.
    pub fn sweep(upload: &Upload) -> Self {
        Self { at: upload.swept_at(), workspace: upload.workspace, task: Task::Sweep(upload.id) }
    }
}

/// A kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// An item in the trash expires.
    Expire(ResourceId),
    /// The trash was emptied: remove its items.
    Empty,
    /// An item is being removed.
    Purge(ResourceId),
    /// An upload expires after a day.
    Sweep(UploadId),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn remaining_days_are_rounded_up() {
        const DAY: i64 = 86_400_000;
        for (left, days) in [(0, 0), (1, 1), (DAY, 1), (DAY + 1, 2), (30 * DAY, 30), (-5, 0)] {
            assert_eq!(days_until(at(left), at(0)), days, "{left}");
        }
    }

    #[test]
    fn item_trashed_after_emptying_sorts_later() {
        let emptied = Usage { emptied_until: Some(at(50)), ..Usage::default() };
        assert_eq!(moment(at(40), &emptied), at(51));
        assert_eq!(moment(at(60), &emptied), at(60));
        let later = Usage { trashed_until: Some(at(70)), ..emptied };
        assert_eq!(moment(at(60), &later), at(70), "emptied then, everything that is in the trash counts");
    }

    #[test]
    fn item_expires_after_exactly_thirty_days() {
        let (usage, end) = (Usage::default(), KEPT.as_millis() as i64);
        assert_eq!(over_until(at(end - 1), &usage), at(-1));
        assert_eq!(over_until(at(end), &usage), at(0));
        let emptied = Usage { emptied_until: Some(at(7)), ..usage };
        assert_eq!(over_until(at(end), &emptied), at(7));
    }

    #[test]
    fn positions_sort_by_time_and_parse_back() {
        let place =
            |millis| TrashPosition { at: at(millis), id: ResourceId::Project(ProjectId::floor(at(0))) };
        assert!(place(999).to_string() < place(1_000).to_string());
        assert_eq!(place(1_000).to_string().parse::<TrashPosition>().unwrap(), place(1_000));
        let last = TrashPosition::last_at(at(1_000));
        let in_order = [place(1_000), last.before(), last, place(1_001)].map(|place| place.to_string());
        assert!(in_order.is_sorted_by(|one, next| one < next), "{in_order:?}");
    }
}
