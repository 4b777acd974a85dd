//! Usage.  Table `resources`: PK `USAGE#<workspace>`  SK `USAGE`; its counters are only added to.
//! Reads: one (get), or beside a record that is live or in the trash (batch get), all strongly consistent.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Timestamp,
    id::WorkspaceId,
    ports::Outcome,
    usage::{Difference, Usage},
};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Item, Key, from_item, number},
    transaction::{Condition, Transaction},
};

/// A change of a workspace's usage: one write of a transaction, with all its conditions.
pub struct UsageChange {
    difference: Difference,
    sets: Vec<(&'static str, AttributeValue)>,
    of_trash: bool,
    condition: Condition,
}

impl UsageChange {
    /// A change of the counters at a time.
    pub fn new(difference: Difference, at: Timestamp) -> Self {
        let sets = vec![("changed_at", millis(at))];
        Self { difference, sets, of_trash: false, condition: Condition::none() }
    }

    /// A change that moves a resource into or out of the trash.
    pub fn of_trash(difference: Difference, at: Timestamp) -> Self {
        Self { of_trash: true, ..Self::new(difference, at) }
    }

    /// Also sets an attribute.
    pub fn set(mut self, attribute: &'static str, value: AttributeValue) -> Self {
        self.sets.push((attribute, value));
        self
    }

    pub fn only_if(self, condition: Condition) -> Self {
        Self { condition: self.condition.and(condition), ..self }
    }

    /// Requires that a counter is at most `limit` after the change.
    pub fn within(self, counter: &'static str, limit: Option<u64>) -> Self {
        let added = self.difference.by_name().into_iter().find(|(name, _)| *name == counter);
        match (limit, added) {
            (Some(limit), Some((_, more))) if more > 0 => {
                self.only_if(room(counter, i128::from(limit) - i128::from(more)))
            }
            _ => self,
        }
    }

    /// The expression, and the values in it.
    fn expression(&self) -> (String, Vec<(String, AttributeValue)>) {
        let counters = self.difference.by_name().into_iter().filter(|(_, more)| *more != 0);
        let version = self.of_trash.then_some(("trash_version", 1));
        let adds: Vec<(&str, AttributeValue)> =
            counters.chain(version).map(|(name, more)| (name, number(more))).collect();
        let sets = self.sets.iter().map(|(name, _)| format!("{name} = :{name}")).collect::<Vec<_>>();
        let mut expression = format!("SET {}", sets.join(", "));
        if !adds.is_empty() {
            let adds = adds.iter().map(|(name, _)| format!("{name} :{name}")).collect::<Vec<_>>();
            expression = format!("{expression} ADD {}", adds.join(", "));
        }
        let values = self.sets.iter().cloned().chain(adds);
        (expression, values.map(|(name, value)| (format!(":{name}"), value)).collect())
    }
}

/// A counter is at most `most`. An absent counter is 0.
fn room(counter: &str, most: i128) -> Condition {
    let expression = match most {
        0.. => format!("attribute_not_exists({counter}) OR {counter} <= :most"),
        _ => format!("{counter} <= :most"),
    };
    Condition::of(expression, [(":most", number(most))])
}

/// The trash was not emptied up to `at`.
pub fn not_emptied_of(at: Timestamp) -> Condition {
    Condition::of("attribute_not_exists(emptied_until) OR emptied_until < :came", [(":came", millis(at))])
}

/// Nothing was trashed after `at`.
pub fn newest_is(at: Timestamp) -> Condition {
    Condition::of(
        "attribute_not_exists(trashed_until) OR trashed_until <= :newest",
        [(":newest", millis(at))],
    )
}

/// The trash did not change since `seen`.
pub fn trash_is(seen: &Usage) -> Condition {
    match seen.trash_version {
        0 => Condition::of("attribute_not_exists(trash_version)", []),
        version => Condition::of("trash_version = :seen", [(":seen", number(version))]),
    }
}

/// A time as it is stored.
pub fn millis(at: Timestamp) -> AttributeValue {
    number(at.as_millisecond())
}

pub fn key_of(workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Usage, workspace, "USAGE")
}

/// The usage of a record. Without one, nothing is used.
pub fn usage_of(item: Option<Item>) -> Outcome<Usage> {
    item.map_or(Ok(Usage::default()), from_item)
}

impl Store {
    pub(crate) async fn used(&self, workspace: WorkspaceId) -> Outcome<Usage> {
        usage_of(self.get(key_of(workspace)).await?)
    }
}

impl Transaction<'_> {
    /// Also changes a workspace's usage. Label: `usage`.
    pub fn count(self, workspace: WorkspaceId, change: UsageChange) -> Self {
        let (expression, values) = change.expression();
        self.update("usage", &key_of(workspace), expression, values, change.condition)
    }
}
