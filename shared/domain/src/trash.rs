//! The trash: whatever is put into it stays there for 30 days, can be restored until then, and is removed after.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    activity::Actor,
    id::{ProjectId, UploadId, WorkspaceId},
    policy::EditsResources,
    resource::{Kind, Resource, ResourceId, ResourceName, Slug},
    text::Invalid,
    time,
    upload::Upload,
    usage::Usage,
};

/// How long something can be restored.
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The project that a model was in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Which.
    pub id: ProjectId,
    /// What it was called.
    pub name: ResourceName,
    /// Its slug.
    pub slug: Slug,
}

/// Something in the trash. It does not change there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    /// What it was, with what it counted: a project takes its models along.
    pub resource: Resource,
    /// The project that it was in.
    pub origin: Option<Origin>,
    /// Who put it there.
    pub by: Actor,
    /// When, to the millisecond.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
}

/// When something that goes into the trash now is said to have gone there: after all that the trash was emptied of, and not
/// before what came last, so that "all until then" means the same to everybody. A trash that is emptied now is emptied until then.
pub fn moment(now: Timestamp, usage: &Usage) -> Timestamp {
    let emptied = usage.emptied_until.map(|until| time::after(until, SignedDuration::from_millis(1)));
    let newest = [emptied, usage.trashed_until].into_iter().flatten().max();
    let now = to_millisecond(now);
    newest.map_or(now, |newest| newest.max(now))
}

/// What came into the trash at this time or before is over. Only what came later can be restored.
pub fn over_until(now: Timestamp, usage: &Usage) -> Timestamp {
    let expired = time::after(now, -KEPT);
    usage.emptied_until.map_or(expired, |emptied| emptied.max(expired))
}

fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

impl Trashed {
    /// From then on it can't be restored.
    pub fn expires_at(&self) -> Timestamp {
        time::after(self.at, KEPT)
    }

    /// Whether it can be restored: whether its record still exists says nothing.
    pub fn is_restorable(&self, now: Timestamp, usage: &Usage) -> bool {
        self.at > over_until(now, usage)
    }

    /// The days until it expires; the last one counts as a whole.
    pub fn days_remaining(&self, now: Timestamp) -> i64 {
        days_until(self.expires_at(), now)
    }

    /// Where it is in the list.
    pub fn place(&self) -> Place {
        Place { at: self.at, id: self.resource.id }
    }
}

fn days_until(then: Timestamp, now: Timestamp) -> i64 {
    const DAY: i64 = 24 * 3_600_000;
    let left = then.as_millisecond().saturating_sub(to_millisecond(now).as_millisecond()).max(0);
    left.saturating_add(DAY - 1) / DAY
}

/// A place in the list of what is in the trash, which is sorted by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was put there.
    pub at: Timestamp,
    /// What.
    pub id: ResourceId,
}

impl Place {
    /// The last place of all at a time.
    pub fn last_at(at: Timestamp) -> Self {
        // Projects' ids sort last as text.
        Self { at, id: ResourceId::Project(ProjectId::ceiling(Timestamp::MAX)) }
    }

    /// The place right before this one: a list, whose newest is first, goes on there.
    pub fn before(self) -> Self {
        Self { id: self.id.before(), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}#{}", self.at.as_millisecond(), self.id)
    }
}

impl FromStr for Place {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("This is no place in the trash.");
        let (millis, id) = text.split_once('#').ok_or_else(invalid)?;
        let at = millis.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
        Ok(Self { at: at.ok_or_else(invalid)?, id: id.parse()? })
    }
}

/// What is in the trash, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Contents {
    pub projects: u64,
    pub datasets: u64,
    /// Those that are there by themselves.
    pub models: u64,
    pub dataset_bytes: u64,
    /// Those of projects too.
    pub model_bytes: u64,
}

impl Contents {
    /// What is counted as being there.
    pub fn counted(usage: &Usage) -> Self {
        Self {
            projects: usage.trashed_projects,
            datasets: usage.trashed_datasets,
            models: usage.trashed_models,
            dataset_bytes: usage.trashed_dataset_bytes,
            model_bytes: usage.trashed_model_bytes,
        }
    }

    /// How many of a kind, or of all.
    pub fn of(&self, kind: Option<Kind>) -> u64 {
        match kind {
            Some(Kind::Project) => self.projects,
            Some(Kind::Dataset) => self.datasets,
            Some(Kind::Model) => self.models,
            None => self.projects.saturating_add(self.datasets).saturating_add(self.models),
        }
    }

    /// One more.
    pub fn add(&mut self, resource: &Resource) {
        let (count, bytes) = self.counters(resource.id.kind());
        (*count, *bytes) = (count.saturating_add(1), bytes.saturating_add(resource.size_bytes));
    }

    /// One less.
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

/// Proof that something may be taken out of the trash for good.
pub struct Removes {
    workspace: WorkspaceId,
    by: Actor,
    counted: bool,
}

impl Removes {
    /// Where the proof is good.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Who removes it.
    pub fn by(&self) -> Actor {
        self.by
    }

    /// Whether it still counts: what the trash was emptied of does not.
    pub fn is_counted(&self) -> bool {
        self.counted
    }
}

/// Whoever edits what a workspace has may remove what can still be restored; `None` if it can't.
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

/// What can't be restored any more has to be removed; `None` if it can. Whoever emptied the trash did it, or whoever put it
/// there 30 days ago.
pub fn is_due(trashed: &Trashed, usage: &Usage, now: Timestamp) -> Option<Removes> {
    let workspace = trashed.resource.workspace;
    if usage.emptied_until.is_some_and(|until| trashed.at <= until) {
        return Some(Removes { workspace, by: usage.emptied_by.unwrap_or(trashed.by), counted: false });
    }
    (trashed.expires_at() <= now).then_some(Removes { workspace, by: trashed.by, counted: true })
}

/// What is left to remove of something that was in the trash: its models, its files. Nobody sees it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// What it was.
    pub root: ResourceId,
    /// Whose.
    pub workspace: WorkspaceId,
    /// Since when it is being removed.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub begun_at: Timestamp,
}

impl Purge {
    /// After so long it is looked after again, in case that it was left half done.
    pub const LOOKED_AFTER: SignedDuration = SignedDuration::from_hours(1);
}

/// Something that has to be done at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// When, to the millisecond.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// Of which workspace.
    pub workspace: WorkspaceId,
    /// What.
    pub task: Task,
}

impl Due {
    /// That something in the trash expires.
    pub fn expiry(trashed: &Trashed) -> Self {
        let Resource { id, workspace, .. } = trashed.resource;
        Self { at: trashed.expires_at(), workspace, task: Task::Expire(id) }
    }

    /// That a trash was emptied of all until `until`: looked after later, in case that it was left half done.
    pub fn emptying(workspace: WorkspaceId, until: Timestamp) -> Self {
        Self { at: time::after(until, Purge::LOOKED_AFTER), workspace, task: Task::Empty }
    }

    /// That something is being removed: looked after later, too.
    pub fn purge(purge: &Purge) -> Self {
        let at = time::after(purge.begun_at, Purge::LOOKED_AFTER);
        Self { at, workspace: purge.workspace, task: Task::Purge(purge.root) }
    }

    /// That an upload is swept, or forgotten if it is complete.
    pub fn sweep(upload: &Upload) -> Self {
        Self { at: upload.swept_at(), workspace: upload.workspace, task: Task::Sweep(upload.id) }
    }
}

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Something in the trash expires.
    Expire(ResourceId),
    /// The trash was emptied: what is in it is to be removed.
    Empty,
    /// Something is being removed.
    Purge(ResourceId),
    /// An upload was begun a day ago.
    Sweep(UploadId),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn days_are_counted_up_to_the_last_moment() {
        const DAY: i64 = 86_400_000;
        for (left, days) in [(0, 0), (1, 1), (DAY, 1), (DAY + 1, 2), (30 * DAY, 30), (-5, 0)] {
            assert_eq!(days_until(at(left), at(0)), days, "{left}");
        }
    }

    #[test]
    fn what_comes_into_an_emptied_trash_comes_after_what_it_was_emptied_of() {
        let emptied = Usage { emptied_until: Some(at(50)), ..Usage::default() };
        assert_eq!(moment(at(40), &emptied), at(51));
        assert_eq!(moment(at(60), &emptied), at(60));
        let later = Usage { trashed_until: Some(at(70)), ..emptied };
        assert_eq!(moment(at(60), &later), at(70), "emptied then, everything that is in the trash counts");
    }

    #[test]
    fn thirty_days_to_the_millisecond() {
        let (usage, end) = (Usage::default(), KEPT.as_millis() as i64);
        assert_eq!(over_until(at(end - 1), &usage), at(-1));
        assert_eq!(over_until(at(end), &usage), at(0));
        let emptied = Usage { emptied_until: Some(at(7)), ..usage };
        assert_eq!(over_until(at(end), &emptied), at(7));
    }

    #[test]
    fn places_sort_by_time_and_read_back() {
        let place = |millis| Place { at: at(millis), id: ResourceId::Project(ProjectId::floor(at(0))) };
        assert!(place(999).to_string() < place(1_000).to_string());
        assert_eq!(place(1_000).to_string().parse::<Place>().unwrap(), place(1_000));
        let last = Place::last_at(at(1_000));
        let in_order = [place(1_000), last.before(), last, place(1_001)].map(|place| place.to_string());
        assert!(in_order.is_sorted_by(|one, next| one < next), "{in_order:?}");
    }
}
