//! Budgets: what the jobs of an API key may spend in a calendar month, in UTC.

use jiff::{Timestamp, civil::Date, tz::Offset};
use serde::{Deserialize, Serialize};

use super::Posting;
use crate::{id::KeyId, money::MicroUsd};

/// The most budgets of a wallet. It bounds the size of the record.
pub const MOST_BUDGETS: usize = 20;

/// The wallet has the most budgets already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyBudgets;

/// What the jobs of an API key may spend in a calendar month, and what they spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyBudget {
    /// The key.
    pub key: KeyId,
    /// The most that its jobs may spend in a month. Less than `spent` if jobs cost more than was held for them, or if the budget was
    /// lowered.
    pub monthly: MicroUsd,
    /// The first day of the month of `spent`.
    pub month: Date,
    /// What its jobs cost in that month, minus what was given back of it. Only what was charged since the budget was set: what the key
    /// spent earlier in the month is unknown.
    pub spent: MicroUsd,
    /// The last posting before the budget was set. Only later charges are counted, and only they are given back.
    pub after: u64,
}

impl KeyBudget {
    /// A budget that is set now.
    pub(super) fn new(key: KeyId, monthly: MicroUsd, after: u64, now: Timestamp) -> Self {
        Self { key, monthly, month: first_of_month(now), spent: MicroUsd::ZERO, after }
    }

    /// The spending in the month of this time. The spending of an earlier month does not count.
    pub fn spent_at(&self, now: Timestamp) -> MicroUsd {
        if self.month < first_of_month(now) { MicroUsd::ZERO } else { self.spent }
    }

    /// Counts what a job cost, even beyond the budget.
    pub(super) fn count(&mut self, cost: MicroUsd, now: Timestamp) {
        self.spent = [self.spent_at(now), cost].into_iter().sum();
        self.month = first_of_month(now);
    }

    /// Counts what is given back of a charge, if the charge was counted in the same month.
    pub(super) fn give_back(&mut self, charged: &Posting, amount: MicroUsd, now: Timestamp) {
        if charged.number > self.after && first_of_month(charged.at) == first_of_month(now) {
            self.count(amount.negated(), now);
        }
    }
}

/// The first day of a time's month, in UTC.
pub(super) fn first_of_month(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date().first_of_month()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        reference::Reference,
        wallet::{
            Booking, Cause, JobCategory, JobRecord, JobStart, Lot, LotId, LotKind, PostingType, Refusal,
            Settlement, Wallet, machine,
        },
    };

    /// A second after the time at which the wallet of these tests was opened, which is near the end of a month.
    const NEXT_MONTH: i64 = 60;

    fn key(n: u64) -> KeyId {
        KeyId::floor(Timestamp::from_second(i64::try_from(n).unwrap()).unwrap())
    }

    fn job(name: &str) -> Reference {
        Reference::parse(name).unwrap()
    }

    fn micros(amount: i64) -> MicroUsd {
        MicroUsd::new(amount)
    }

    /// Begins a change so many seconds after the wallet was opened.
    fn booking(wallet: &Wallet, second: i64) -> Booking {
        let at = machine::opened().0.changed_at;
        Booking::begin(
            wallet.clone(),
            None,
            at.saturating_add(jiff::SignedDuration::from_secs(second)).unwrap(),
        )
    }

    fn after(booking: Booking) -> Wallet {
        booking.finish().unwrap().wallet
    }

    /// A wallet with enough credit, and a budget of 100 for the first key.
    fn budgeted() -> Wallet {
        let mut booking = booking(&machine::opened().0, 0);
        let lot = Lot { id: LotId { kind: LotKind::Paid, expires: None }, amount: micros(10_000) };
        booking.credit(PostingType::Adjustment, lot, Cause::Adjustment(job("credit")), None).unwrap();
        booking.set_budget(key(1), Some(micros(100)), &[]).unwrap();
        after(booking)
    }

    fn start(amount: i64, key: Option<KeyId>) -> JobStart {
        JobStart { category: JobCategory::Inference, amount: micros(amount), key, slots: None }
    }

    fn hold(booking: &mut Booking, name: &str, start: JobStart) -> Result<(), Refusal> {
        let expires =
            booking.wallet().changed_at.saturating_add(jiff::SignedDuration::from_hours(1)).unwrap();
        booking.hold(&job(name), start, expires)
    }

    fn settle(booking: &mut Booking, name: &str, cost: i64, api_key: Option<KeyId>) -> Posting {
        let record = JobRecord {
            category: JobCategory::Inference,
            gpu_type: None,
            user: None,
            api_key,
            dataset: None,
            model: None,
            run: None,
        };
        let (cost, overage) = (micros(cost), micros(cost));
        booking.settle(Settlement { job: job(name), cost, overage, record }).unwrap().unwrap()
    }

    fn spent(booking: &Booking) -> i64 {
        booking.wallet().budget_of(key(1)).unwrap().spent.micros()
    }

    #[test]
    fn holds_and_charges_of_the_key_use_up_its_budget() {
        let mut booking = booking(&budgeted(), 1);
        assert_eq!(hold(&mut booking, "a", start(60, Some(key(1)))), Ok(()));
        let left = |left| Err(Refusal::OverBudget { left: micros(left) });
        assert_eq!(hold(&mut booking, "b", start(41, Some(key(1)))), left(40));
        settle(&mut booking, "a", 50, Some(key(1)));
        assert_eq!(hold(&mut booking, "b", start(51, Some(key(1)))), left(50));
        assert_eq!(hold(&mut booking, "b", start(50, Some(key(1)))), Ok(()));
        assert_eq!(hold(&mut booking, "c", start(0, Some(key(1)))), left(0));
        // The same hold again is answered as before.
        assert_eq!(hold(&mut booking, "b", start(50, Some(key(1)))), Ok(()));
        assert_eq!(hold(&mut booking, "b", start(50, None)), Err(Refusal::HeldDifferently));
        for other in [None, Some(key(2))] {
            assert_eq!(booking.may_start(start(1_000, other)), Ok(()));
        }
    }

    #[test]
    fn charge_is_counted_beyond_the_budget_and_without_a_key_in_one_of_hold_and_record() {
        let mut booking = booking(&budgeted(), 1);
        settle(&mut booking, "never-held", 150, Some(key(1)));
        assert_eq!(spent(&booking), 150);
        let left = Err(Refusal::OverBudget { left: MicroUsd::ZERO });
        assert_eq!(booking.may_start(start(0, Some(key(1)))), left);
        settle(&mut booking, "of-another", 70, Some(key(2)));
        assert_eq!(spent(&booking), 150);
        booking.set_budget(key(1), Some(micros(1_000)), &[]).unwrap();
        assert_eq!(spent(&booking), 150, "a changed budget keeps what was spent");
        assert_eq!(hold(&mut booking, "held", start(20, Some(key(1)))), Ok(()));
        let charged = settle(&mut booking, "held", 20, None);
        assert_eq!(charged.record.and_then(|record| record.api_key), Some(key(1)));
        assert_eq!(spent(&booking), 170);
    }

    #[test]
    fn next_month_begins_with_nothing_spent() {
        let mut first = booking(&budgeted(), 1);
        settle(&mut first, "a", 100, Some(key(1)));
        let wallet = after(first);
        let mut next = booking(&wallet, NEXT_MONTH);
        assert_eq!(hold(&mut next, "b", start(100, Some(key(1)))), Ok(()));
        settle(&mut next, "b", 30, Some(key(1)));
        assert_eq!(spent(&next), 30);
    }

    #[test]
    fn refund_gives_back_what_was_counted_in_the_same_month() {
        let mut first = booking(&machine::opened().0, 0);
        let early = settle(&mut first, "early", 40, Some(key(1)));
        first.set_budget(key(1), Some(micros(100)), &[]).unwrap();
        let counted = settle(&mut first, "counted", 30, Some(key(1)));
        let late = settle(&mut first, "late", 20, Some(key(1)));
        first.refund(&early, micros(40)).unwrap();
        assert_eq!(spent(&first), 50, "what was not counted is not given back");
        first.refund(&counted, micros(10)).unwrap();
        assert_eq!(spent(&first), 40);
        let mut next = booking(&after(first), NEXT_MONTH);
        settle(&mut next, "next", 5, Some(key(1)));
        next.refund(&late, micros(20)).unwrap();
        assert_eq!(spent(&next), 5, "another month gets nothing back");
    }

    #[test]
    fn most_budgets_are_kept_and_those_of_missing_keys_make_room() {
        let mut booking = booking(&budgeted(), 1);
        let most = u64::try_from(MOST_BUDGETS).unwrap();
        for n in 1..=most {
            assert_eq!(booking.set_budget(key(n), Some(micros(1)), &[]), Ok(()));
        }
        let before = booking.wallet().clone();
        let one_more = most.checked_add(1).unwrap();
        assert_eq!(booking.set_budget(key(one_more), Some(micros(1)), &[]), Err(TooManyBudgets));
        assert_eq!(booking.wallet(), &before);
        assert_eq!(booking.set_budget(key(most), Some(micros(2)), &[]), Ok(()));
        assert_eq!(booking.set_budget(key(one_more), Some(micros(1)), &[key(3), key(4)]), Ok(()));
        assert_eq!(booking.wallet().budgets.len(), MOST_BUDGETS.checked_sub(1).unwrap());
        booking.set_budget(key(5), None, &[]).unwrap();
        assert!([3, 4, 5].iter().all(|n| booking.wallet().budget_of(key(*n)).is_none()));
    }

    #[test]
    fn wallet_of_an_earlier_form_has_no_budgets() {
        let (wallet, _) = machine::opened();
        let stored = serde_json::to_value(&wallet).unwrap();
        assert_eq!(stored.get("budgets"), None);
        assert_eq!(serde_json::from_value::<Wallet>(stored).unwrap(), wallet);
        let stored = serde_json::to_value(budgeted()).unwrap();
        assert_eq!(stored["budgets"][0]["month"], "1970-01-01");
    }
}
