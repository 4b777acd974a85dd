//! The wallet of a workspace: its balance, the lots that make it up, and what is held for running jobs.
//!
//! The balance is the sum of all postings. It is also the sum of all lots, held or not, minus the debt; a wallet with a debt has no
//! lots. Credit that has expired can't be spent, whether or not a posting says so yet: every change first posts what expired.

mod auto_top_up;
mod booking;
mod budget;
mod due;
mod lot;
mod posting;
mod reason;
mod record;
mod reward;
mod stored;
mod verify;

#[cfg(test)]
mod machine;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod scheduled;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use auto_top_up::{AutoTopUp, MOST_DECLINES, TopUpAttempt, TopUpPause};
pub use booking::{Booking, JobStart, Refusal, Settlement, WalletChange};
pub use budget::{KeyBudget, MOST_BUDGETS, TooManyBudgets};
pub use due::{Schedule, WALLET_DUE_PARTS, WalletDue, WalletTask};
pub use lot::{Lot, LotId, LotKind, Lots, whole_millis};
pub use posting::{Booked, Cause, Posting, PostingType};
pub use reason::AdjustmentReason;
pub use record::{JobCategory, JobRecord};
pub use reward::{RewardStep, reward_steps};
pub use stored::StoredWallet;
pub use verify::{Mismatch, Recomputation};

use crate::{
    id::{KeyId, WorkspaceId},
    money::MicroUsd,
    reference::Reference,
    referral::Referral,
    workspace::Workspace,
};

/// The most jobs that hold money of a wallet at the same time, in any plan. It bounds the size of the record.
pub const MOST_HOLDS: usize = 500;
/// The most lots of a wallet, held or not, beside those that are always credited: paid credit and rewards. It bounds the size of the
/// record and of a transaction.
pub const MOST_LOTS: usize = 20;

/// The latest time at which credit may expire, counted from now: ten years.
pub const LATEST_EXPIRY: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// Money that is reserved for a job. It pays for the job even if it expires meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The job.
    pub job: Reference,
    /// Its category.
    pub category: JobCategory,
    /// The most that the job may cost.
    pub amount: MicroUsd,
    /// The reserved amounts of lots. Less than `amount` if other jobs cost more than was held for them.
    pub lots: Lots,
    /// From this time on, nothing is reserved any more.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub expires: Timestamp,
    /// The API key that starts the job. Its budget, if it has one, counts the amount as spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
}

/// A wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wallet {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// How often the record changed. Zero: it is not stored yet.
    pub version: u64,
    /// The number of the last posting.
    pub postings: u64,
    /// The lots, without the amounts that are reserved for jobs.
    pub lots: Lots,
    /// The holds for jobs, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// The budgets of API keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<KeyBudget>,
    /// Automatic top-ups, if somebody agreed to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_top_up: Option<AutoTopUp>,
    /// The referral of the workspace's owner, if the owner opened the account with a referral code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
    /// The number of friends of the owner whose rewards are not taken back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rewards: u32,
    /// What the workspace owes.
    #[serde(default)]
    pub debt: MicroUsd,
    /// The time of the last change.
    pub changed_at: Timestamp,
    /// When which work is due.
    #[serde(default, skip_serializing_if = "Schedule::is_empty")]
    pub due: Schedule,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Wallet {
    /// The wallet of a workspace without a stored one: its only posting is the opening credit, if there was any.
    pub fn unopened(workspace: &Workspace) -> (Self, Option<Posting>) {
        let &Workspace { id, opening_credit: amount, created_at: at, .. } = workspace;
        let mut wallet = Self {
            workspace: id,
            version: 0,
            postings: 0,
            lots: Lots::default(),
            holds: Vec::new(),
            budgets: Vec::new(),
            auto_top_up: None,
            referral: None,
            rewards: 0,
            debt: MicroUsd::ZERO,
            changed_at: at,
            due: Schedule::default(),
        };
        if amount <= MicroUsd::ZERO {
            return (wallet, None);
        }
        let lots = Lots::from(Lot { id: LotId { kind: LotKind::SignUp, expires: None }, amount });
        wallet.lots = lots.clone();
        wallet.postings = 1;
        let posting = Posting {
            number: 1,
            r#type: PostingType::Signup,
            amount,
            balance: amount,
            lots,
            cause: Cause::SignUp,
            at,
            record: None,
            reason: None,
        };
        (wallet, Some(posting))
    }

    /// The sum of all postings.
    pub fn balance(&self) -> MicroUsd {
        let held = self.holds.iter().map(|hold| hold.lots.total());
        [self.lots.total(), self.debt.negated()].into_iter().chain(held).sum()
    }

    /// What a new job can spend at this time.
    pub fn available_at(&self, now: Timestamp) -> MicroUsd {
        self.at(now).lots.total()
    }

    /// The wallet as it is at this time: without what has expired.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        let mut wallet = self.clone();
        wallet.end_holds(now);
        while wallet.lots.take_first_expired(now).is_some() {}
        wallet
    }

    /// The number of lots, held or not.
    fn lot_count(&self) -> usize {
        let mut all = self.lots.clone();
        for hold in &self.holds {
            all.add_all(&hold.lots);
        }
        all.len()
    }

    /// The number of jobs of a category that hold money, or at least a slot.
    pub fn running(&self, category: JobCategory) -> usize {
        self.holds.iter().filter(|hold| hold.category == category).count()
    }

    /// The budget of an API key, if it has one.
    pub fn budget_of(&self, key: KeyId) -> Option<&KeyBudget> {
        self.budgets.iter().find(|budget| budget.key == key)
    }

    /// What new jobs of a budget's key may still spend in the month of this time: without what is held for others of its jobs. Never
    /// below zero.
    pub fn left_of(&self, budget: &KeyBudget, now: Timestamp) -> MicroUsd {
        let held = self.holds.iter().filter(|hold| hold.key == Some(budget.key));
        let used = held.map(|hold| hold.amount).chain([budget.spent_at(now)]).map(MicroUsd::negated);
        std::iter::once(budget.monthly).chain(used).sum::<MicroUsd>().max(MicroUsd::ZERO)
    }

    /// When credit expires next. Credit that is held for a job expires when the hold ends.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let free = self.lots.iter().filter_map(|lot| lot.id.expires);
        let held = self.holds.iter().flat_map(|hold| {
            hold.lots.iter().filter_map(|lot| lot.id.expires.map(|end| end.max(hold.expires)))
        });
        free.chain(held).min()
    }

    /// Gives back what was held for jobs until now.
    fn end_holds(&mut self, now: Timestamp) {
        let (ended, held) = std::mem::take(&mut self.holds).into_iter().partition(|hold| hold.expires <= now);
        self.holds = held;
        let ended: Vec<Hold> = ended;
        for hold in ended {
            self.lots.add_all(&hold.lots);
        }
    }
}
