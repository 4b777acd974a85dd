//! Scheduled work on wallets. Workers read due work only, so that their work does not grow with the number of wallets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::whole_millis;
use crate::id::WorkspaceId;

/// The number of partitions of what is due of one task. Each changes at the rate of one partition of DynamoDB.
pub const WALLET_DUE_PARTS: u8 = 8;

/// Work on a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WalletTask {
    /// Posting credit that expired.
    Expire,
    /// Granting the monthly credit of a plan.
    Grant,
    /// Recomputing the wallet from its postings.
    Verify,
    /// Buying credit.
    TopUp,
}

impl WalletTask {
    /// Every task.
    pub const ALL: [Self; 4] = [Self::Expire, Self::Grant, Self::Verify, Self::TopUp];

    /// The name in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expire => "expire",
            Self::Grant => "grant",
            Self::Verify => "verify",
            Self::TopUp => "top-up",
        }
    }
}

/// Work that is due at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletDue {
    /// The wallet's workspace.
    pub workspace: WorkspaceId,
    /// The work.
    pub task: WalletTask,
    /// The time, in whole milliseconds.
    pub at: Timestamp,
}

/// The times at which the tasks of a wallet are due, in whole milliseconds. Each has an item in the index of what is due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schedule(BTreeMap<WalletTask, Timestamp>);

impl Schedule {
    /// When a task is due.
    pub fn of(&self, task: WalletTask) -> Option<Timestamp> {
        self.0.get(&task).copied()
    }

    /// Whether nothing is due, ever.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets when a task is due. `None`: never.
    pub fn set(&mut self, task: WalletTask, at: Option<Timestamp>) {
        match at {
            Some(at) => self.0.insert(task, whole_millis(at)),
            None => self.0.remove(&task),
        };
    }

    /// Sets when a task is due, unless it is due earlier already.
    pub(super) fn set_by(&mut self, task: WalletTask, at: Option<Timestamp>) {
        if at.is_some_and(|at| self.of(task).is_none_or(|due| at < due)) {
            self.set(task, at);
        }
    }

    /// The tasks that are due at other times in `after`: what leaves the index, and what enters it.
    pub fn difference(&self, after: &Self) -> Vec<(WalletTask, Option<Timestamp>, Option<Timestamp>)> {
        let change = |task: WalletTask| (task, self.of(task), after.of(task));
        WalletTask::ALL.into_iter().map(change).filter(|(_, before, after)| before != after).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn schedule_changes_only_to_earlier_times_by_itself() {
        let mut schedule = Schedule::default();
        schedule.set_by(WalletTask::Expire, None);
        assert!(schedule.is_empty());
        for (set, due) in [(5, 5), (7, 5), (3, 3)] {
            schedule.set_by(WalletTask::Expire, Some(at(set)));
            assert_eq!(schedule.of(WalletTask::Expire), Some(at(due)));
        }
        schedule.set(WalletTask::Expire, None);
        assert!(schedule.is_empty());
    }

    #[test]
    fn difference_names_each_change_once() {
        let (mut before, mut after) = (Schedule::default(), Schedule::default());
        for schedule in [&mut before, &mut after] {
            schedule.set(WalletTask::Grant, Some(at(1)));
        }
        before.set(WalletTask::Expire, Some(at(2)));
        after.set(WalletTask::Expire, Some(at(3)));
        after.set(WalletTask::Verify, Some(at(4)));
        let expected =
            [(WalletTask::Expire, Some(at(2)), Some(at(3))), (WalletTask::Verify, None, Some(at(4)))];
        assert_eq!(before.difference(&after), expected);
    }

    #[test]
    fn schedule_is_stored_by_task() {
        let mut schedule = Schedule::default();
        schedule.set(WalletTask::Verify, Some(at(0)));
        let stored = serde_json::to_value(&schedule).unwrap();
        assert_eq!(stored, serde_json::json!({ "verify": "1970-01-01T00:00:00Z" }));
        assert_eq!(serde_json::from_value::<Schedule>(stored).unwrap(), schedule);
        for task in WalletTask::ALL {
            assert_eq!(serde_json::to_value(task).unwrap(), task.as_str());
        }
    }
}
