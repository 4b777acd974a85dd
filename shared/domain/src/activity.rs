//! Activity of a workspace: immutable events, and the state of the inbox.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    id::{EventId, KeyId, UserId, WorkspaceId},
    search::SearchTerm,
};

/// The action of an activity event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names are the field's own words")]
pub enum Action {
    Created,
    Updated,
    Deleted,
    Trashed,
    Restored,
    Started,
    Completed,
    Failed,
    Cancelled,
    Uploaded,
    Shared,
    Unshared,
    Exported,
    Cloned,
    Analyzed,
}

/// The type of the affected resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names are the field's own words")]
pub enum ResourceType {
    Project,
    Dataset,
    Model,
    Training,
    Settings,
    ApiKey,
    Export,
    Deployment,
    Onboarding,
    Team,
    Billing,
    Security,
}

impl ResourceType {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Dataset => "dataset",
            Self::Model => "model",
            Self::Training => "training",
            Self::Settings => "settings",
            Self::ApiKey => "api_key",
            Self::Export => "export",
            Self::Deployment => "deployment",
            Self::Onboarding => "onboarding",
            Self::Team => "team",
            Self::Billing => "billing",
            Self::Security => "security",
        }
    }
}

/// The actor of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The user. A key acts as the owner of its workspace.
    pub user: UserId,
    /// The API key that acted, if any.
    pub key: Option<KeyId>,
}

/// An event of a workspace's history. Written in the transaction of its change. Immutable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityEvent {
    /// The id, which sorts by time.
    pub id: EventId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The actor.
    pub actor: Actor,
    /// The action.
    pub action: Action,
    /// The type of the affected resource.
    pub resource_type: ResourceType,
    /// The id of the affected resource.
    pub resource_id: Option<String>,
    /// The name of the resource at the time of the event.
    pub resource_name: Option<String>,
    /// Details, depending on the type.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl ActivityEvent {
    /// An event without a resource id, name or details.
    pub fn new(id: EventId, workspace: WorkspaceId, actor: Actor, action: Action, of: ResourceType) -> Self {
        let (resource_id, resource_name, metadata) = (None, None, Map::new());
        Self { id, workspace, actor, action, resource_type: of, resource_id, resource_name, metadata }
    }

    /// Adds the id and name of the resource.
    #[must_use]
    pub fn about(self, id: impl ToString, name: impl ToString) -> Self {
        Self { resource_id: Some(id.to_string()), resource_name: Some(name.to_string()), ..self }
    }

    /// Time of the event.
    pub fn at(&self) -> Timestamp {
        self.id.made_at()
    }

    /// Whether `term` matches the resource's name or type.
    pub fn is_found_by(&self, term: &SearchTerm) -> bool {
        term.is_in(self.resource_name.as_deref().unwrap_or_default())
            || term.is_in(self.resource_type.as_str())
    }
}

/// A point in a history up to which all events are marked, and the time of marking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The newest marked event.
    pub up_to: EventId,
    /// Time of marking.
    pub at: Timestamp,
}

/// Marks of all events of a workspace: one record per workspace instead of one per event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// Events up to here are seen.
    pub seen: Option<Watermark>,
    /// Events up to here were archived.
    pub archived: Option<Watermark>,
    /// Events up to here were returned to the inbox.
    pub restored: Option<Watermark>,
}

/// The marks of one event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Whether the event is seen.
    #[serde(default)]
    pub seen: bool,
    /// Whether and when the event was archived or returned to the inbox.
    #[serde(default)]
    pub archived: Option<(bool, Timestamp)>,
}

/// Maximum count of events.
pub const COUNTED: usize = 100;
/// Maximum number of events that a request reads, newest first.
pub const LOOKED_AT: usize = 1_000;

/// The state of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventState {
    /// Whether the event is seen.
    pub seen: bool,
    /// Whether the event is archived.
    pub archived: bool,
}

impl EventState {
    /// Whether the event is in the inbox and not seen.
    pub fn is_unseen(self) -> bool {
        !self.seen && !self.archived
    }
}

/// Counts the unseen events of an inbox while a history is read from the newest event back. Stops at [`COUNTED`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnseenCount(usize);

impl UnseenCount {
    /// Counts the next event.
    pub fn add(&mut self, standing: EventState) {
        self.0 = self.0.saturating_add(usize::from(standing.is_unseen())).min(COUNTED);
    }

    /// The count.
    pub fn get(self) -> usize {
        self.0
    }

    /// Whether events before `event` can add to the count. `false` if all of them are seen.
    pub fn goes_on_before(self, event: EventId, inbox: Inbox) -> bool {
        self.0 < COUNTED && inbox.seen.is_none_or(|seen| event > seen.up_to)
    }
}

impl Inbox {
    /// The state of an event: the latest of its own marks and the marks of all events counts.
    pub fn standing(&self, event: EventId, mark: Mark) -> EventState {
        let covering = |watermark: Option<Watermark>| watermark.filter(|mark| event <= mark.up_to);
        let alone = mark.archived.map(|(archived, at)| (at, archived));
        let all_in = covering(self.archived).map(|all| (all.at, true));
        let all_out = covering(self.restored).map(|all| (all.at, false));
        let latest = [all_in, all_out, alone].into_iter().flatten().max_by_key(|(at, _)| *at);
        let archived = latest.is_some_and(|(_, archived)| archived);
        EventState { seen: mark.seen || covering(self.seen).is_some(), archived }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn all(second: i64) -> Option<Watermark> {
        Some(Watermark { up_to: EventId::ceiling(at(second)), at: at(second) })
    }

    #[test]
    fn mark_all_covers_existing_events_only() {
        let inbox = Inbox { seen: all(10), archived: all(10), restored: None };
        let standing = |second| inbox.standing(EventId::floor(at(second)), Mark::default());
        assert_eq!(standing(9), EventState { seen: true, archived: true });
        assert_eq!(standing(11), EventState { seen: false, archived: false });
    }

    #[test]
    fn latest_mark_wins() {
        let event = EventId::floor(at(1));
        let restored = Mark { seen: false, archived: Some((false, at(20))) };
        let archived = |inbox: Inbox| inbox.standing(event, restored).archived;
        assert!(!archived(Inbox { archived: all(10), ..Inbox::default() }));
        assert!(archived(Inbox { archived: all(30), ..Inbox::default() }));
        assert!(!archived(Inbox { archived: all(30), restored: all(40), ..Inbox::default() }));
    }

    const EVENTS: usize = 300;

    /// A mark in a history.
    #[derive(Debug, Clone)]
    enum Said {
        SeenSome(Vec<usize>),
        SeenAll,
        ArchivedSome(Vec<usize>, bool),
        ArchivedAll(bool),
    }

    fn said() -> impl Strategy<Value = Said> {
        let some = || prop_oneof![vec(0..EVENTS, 0..20), (0..EVENTS, 0..150_usize).prop_map(run)];
        prop_oneof![
            4 => some().prop_map(Said::SeenSome),
            1 => Just(Said::SeenAll),
            6 => (some(), any::<bool>()).prop_map(|(some, into)| Said::ArchivedSome(some, into)),
            1 => any::<bool>().prop_map(Said::ArchivedAll),
        ]
    }

    fn run((from, count): (usize, usize)) -> Vec<usize> {
        (from..(from + count).min(EVENTS)).collect()
    }

    /// The nth event. Events are 100 seconds apart.
    fn event(n: usize) -> EventId {
        EventId::floor(at(100 * (n as i64 + 1)))
    }

    /// The stored marks of a history, with the expected state of each event.
    #[derive(Default)]
    struct Stored {
        inbox: Inbox,
        marks: BTreeMap<usize, Mark>,
        truth: Vec<EventState>,
    }

    impl Stored {
        /// Marks the existing events.
        fn say(&mut self, said: &Said, now: i64) {
            let watermark = Some(Watermark { up_to: EventId::ceiling(at(now)), at: at(now) });
            let so_far = self.truth.len();
            let all: Vec<usize> = (0..so_far).collect();
            let of = |some: &[usize]| some.iter().copied().filter(|n| *n < so_far).collect::<Vec<_>>();
            match said {
                Said::SeenSome(some) => of(some).into_iter().for_each(|n| {
                    self.marks.entry(n).or_default().seen = true;
                    self.truth[n].seen = true;
                }),
                Said::SeenAll => {
                    self.inbox.seen = watermark;
                    all.into_iter().for_each(|n| self.truth[n].seen = true);
                }
                Said::ArchivedSome(some, into) => of(some).into_iter().for_each(|n| {
                    self.marks.entry(n).or_default().archived = Some((*into, at(now)));
                    self.truth[n].archived = *into;
                }),
                Said::ArchivedAll(into) => {
                    if *into {
                        self.inbox.archived = watermark
                    } else {
                        self.inbox.restored = watermark
                    }
                    all.into_iter().for_each(|n| self.truth[n].archived = *into);
                }
            }
        }

        fn standing(&self, n: usize) -> EventState {
            let mark = self.marks.get(&n).copied().unwrap_or_default();
            self.inbox.standing(event(n), mark)
        }

        /// Counts while the count can increase.
        fn counted(&self) -> usize {
            let mut unseen = UnseenCount::default();
            for n in (0..self.truth.len()).rev() {
                unseen.add(self.standing(n));
                if !unseen.goes_on_before(event(n), self.inbox) {
                    break;
                }
            }
            unseen.get()
        }
    }

    proptest! {
        #[test]
        fn unseen_count_matches_list_after_any_marks(said in vec((said(), 0..60_usize), 1..12)) {
            let mut stored = Stored::default();
            for (nth, (said, more)) in said.into_iter().enumerate() {
                let events = (stored.truth.len() + more).min(EVENTS);
                stored.truth.resize(events, EventState { seen: false, archived: false });
                // After the existing events and marks, and before the next event.
                stored.say(&said, 100 * events as i64 + 50 + nth as i64);
                for n in 0..events {
                    prop_assert_eq!(stored.standing(n), stored.truth[n], "event {}", n);
                }
                let listed = stored.truth.iter().filter(|standing| !standing.archived && !standing.seen);
                prop_assert_eq!(stored.counted(), listed.count().min(COUNTED));
            }
        }
    }
}
