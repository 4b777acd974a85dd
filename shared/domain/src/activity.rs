//! A workspace's history: events that never change, and what the inbox remembers about them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{EventId, KeyId, UserId, WorkspaceId};

/// What happened.
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

/// What it happened to.
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
    /// The name as it stands in the API.
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

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The user (a key acts as its workspace's owner).
    pub user: UserId,
    /// The key that acted, if one did.
    pub key: Option<KeyId>,
}

/// One line of a workspace's history. Written in the transaction of the change that it tells of; never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Sorts by time.
    pub id: EventId,
    /// Whose history.
    pub workspace: WorkspaceId,
    /// Who did it.
    pub actor: Actor,
    /// What happened.
    pub action: Action,
    /// What it happened to.
    pub resource_type: ResourceType,
    /// Which one.
    pub resource_id: Option<String>,
    /// What it was called then.
    pub resource_name: Option<String>,
    /// More, by type.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Event {
    /// A line that says no more than who did what to what sort of thing.
    pub fn new(id: EventId, workspace: WorkspaceId, actor: Actor, action: Action, of: ResourceType) -> Self {
        let (resource_id, resource_name, metadata) = (None, None, Map::new());
        Self { id, workspace, actor, action, resource_type: of, resource_id, resource_name, metadata }
    }

    /// The same, of a certain thing by this name.
    #[must_use]
    pub fn about(self, id: impl ToString, name: impl ToString) -> Self {
        Self { resource_id: Some(id.to_string()), resource_name: Some(name.to_string()), ..self }
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        self.id.made_at()
    }

    /// Whether a search for `needle` (in lower case) finds it: by the resource's name or type.
    pub fn is_found_by(&self, needle: &str) -> bool {
        let name = self.resource_name.as_deref().unwrap_or_default().to_lowercase();
        name.contains(needle) || self.resource_type.as_str().contains(needle)
    }
}

/// A point in a history up to which everything is marked, and when that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The newest event that is covered.
    pub up_to: EventId,
    /// When.
    pub at: Timestamp,
}

/// What "all" was said of: one record a workspace, not one per event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// All up to here are seen.
    pub seen: Option<Watermark>,
    /// All up to here went into the archive.
    pub archived: Option<Watermark>,
    /// All up to here came out of it again.
    pub restored: Option<Watermark>,
}

/// What was said of one event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// It is seen.
    #[serde(default)]
    pub seen: bool,
    /// It was put into the archive, or taken out of it, at this time.
    #[serde(default)]
    pub archived: Option<(bool, Timestamp)>,
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it was seen.
    pub seen: bool,
    /// Whether it is in the archive rather than the inbox.
    pub archived: bool,
}

impl Inbox {
    /// Where an event stands: of all that was said of it, alone or with all others, the latest word counts.
    pub fn standing(&self, event: EventId, mark: Mark) -> Standing {
        let covering = |watermark: Option<Watermark>| watermark.filter(|mark| event <= mark.up_to);
        let alone = mark.archived.map(|(archived, at)| (at, archived));
        let all_in = covering(self.archived).map(|all| (all.at, true));
        let all_out = covering(self.restored).map(|all| (all.at, false));
        let latest = [all_in, all_out, alone].into_iter().flatten().max_by_key(|(at, _)| *at);
        let archived = latest.is_some_and(|(_, archived)| archived);
        Standing { seen: mark.seen || covering(self.seen).is_some(), archived }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn all(second: i64) -> Option<Watermark> {
        Some(Watermark { up_to: EventId::ceiling(at(second)), at: at(second) })
    }

    #[test]
    fn all_covers_what_there_was_and_nothing_later() {
        let inbox = Inbox { seen: all(10), archived: all(10), restored: None };
        let standing = |second| inbox.standing(EventId::floor(at(second)), Mark::default());
        assert_eq!(standing(9), Standing { seen: true, archived: true });
        assert_eq!(standing(11), Standing { seen: false, archived: false });
    }

    #[test]
    fn the_later_word_counts() {
        let event = EventId::floor(at(1));
        let restored = Mark { seen: false, archived: Some((false, at(20))) };
        let archived = |inbox: Inbox| inbox.standing(event, restored).archived;
        assert!(!archived(Inbox { archived: all(10), ..Inbox::default() }));
        assert!(archived(Inbox { archived: all(30), ..Inbox::default() }));
        assert!(!archived(Inbox { archived: all(30), restored: all(40), ..Inbox::default() }));
    }
}
