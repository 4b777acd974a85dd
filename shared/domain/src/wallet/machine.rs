//! Random operations on a wallet, with a clock that moves in both directions, beside a model that knows sums only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    id::{KeyId, UserId, WorkspaceId},
    plan::CreditPeriod,
    region::Region,
    user::personal_workspace,
    workspace::{WorkspaceKind, WrappedKey},
};

/// An operation. Small numbers, so that operations meet.
#[derive(Debug, Clone)]
enum Operation {
    Credit { kind: LotKind, amount: i64, expires: Option<i64> },
    Debit { amount: i64 },
    Hold { job: u8, amount: i64, expires: i64, slots: Option<u64>, key: Option<u8> },
    Settle { job: u8, cost: i64, overage: i64, key: Option<u8> },
    Budget { key: u8, monthly: Option<i64>, gone: Option<u8> },
    Grant { month: u8, amount: i64 },
    Expire,
    Release { job: u8 },
    Refund { nth: usize, amount: i64 },
    Wait { seconds: i64 },
}

fn operation() -> impl Strategy<Value = Operation> {
    let kind = prop_oneof![
        Just(LotKind::Monthly),
        Just(LotKind::Promo),
        Just(LotKind::SignUp),
        Just(LotKind::Adjustment),
        Just(LotKind::Paid),
    ];
    let key = || proptest::option::of(0..3u8);
    let amount = || prop_oneof![9 => -2..60i64, 1 => Just(i64::MAX), 1 => Just(MicroUsd::MOST.micros())];
    prop_oneof![
        3 => (kind, amount(), proptest::option::of(-2..20i64))
            .prop_map(|(kind, amount, expires)| Operation::Credit { kind, amount, expires }),
        1 => amount().prop_map(|amount| Operation::Debit { amount }),
        3 => (0..5u8, amount(), -1..15i64, proptest::option::of(0..4u64), key())
            .prop_map(|(job, amount, expires, slots, key)| Operation::Hold { job, amount, expires, slots, key }),
        4 => (0..5u8, amount(), amount(), key())
            .prop_map(|(job, cost, overage, key)| Operation::Settle { job, cost, overage, key }),
        1 => (0..3u8, proptest::option::weighted(0.8, 1..90i64), proptest::option::weighted(0.1, 0..3u8))
            .prop_map(|(key, monthly, gone)| Operation::Budget { key, monthly, gone }),
        1 => (0..4u8, amount()).prop_map(|(month, amount)| Operation::Grant { month, amount }),
        1 => Just(Operation::Expire),
        1 => (0..5u8).prop_map(|job| Operation::Release { job }),
        1 => (0..9usize, amount()).prop_map(|(nth, amount)| Operation::Refund { nth, amount }),
        3 => (-3..9i64).prop_map(|seconds| Operation::Wait { seconds }),
    ]
}

fn reference(job: u8) -> Reference {
    Reference::parse(&format!("job-{job}")).unwrap()
}

fn key_of(key: u8) -> KeyId {
    KeyId::floor(Timestamp::from_second(i64::from(key)).unwrap())
}

fn record(api_key: Option<KeyId>) -> JobRecord {
    JobRecord {
        category: JobCategory::Training,
        gpu_type: None,
        user: None,
        api_key,
        dataset: None,
        model: None,
        run: None,
    }
}

/// A wallet that was opened ten seconds before the end of a month.
pub(super) fn opened() -> (Wallet, Vec<Posting>) {
    let at = Timestamp::from_second(2_678_390).unwrap();
    let id: WorkspaceId = personal_workspace(UserId::floor(at));
    let workspace = Workspace {
        id,
        handle: crate::handle::Handle::parse("ada-lovelace").unwrap(),
        kind: WorkspaceKind::Personal,
        owner: UserId::floor(at),
        region: Region::Eu,
        plan: crate::plan::Plan::Free,
        plan_ends_at: None,
        plan_since: None,
        plan_paid_until: None,
        seats_taken: 0,
        joins: 0,
        entitlement_overrides: crate::entitlements::EntitlementOverrides::default(),
        opening_credit: MicroUsd::new(50),
        data_key: WrappedKey(String::new()),
        created_at: at,
    };
    let (wallet, opening) = Wallet::unopened(&workspace);
    (wallet, opening.into_iter().collect())
}

/// What jobs of a key spent and hold of its budget, and the budget.
fn used(wallet: &Wallet, key: Option<KeyId>, at: Timestamp) -> Option<(MicroUsd, MicroUsd)> {
    let budget = wallet.budget_of(key?)?;
    let held = wallet.holds.iter().filter(|hold| hold.key == key).map(|hold| hold.amount);
    Some((held.chain([budget.spent_at(at)]).sum(), budget.monthly))
}

/// What the postings say was spent of a budget in the month of this time: charges since it was set, minus refunds of them in the month.
fn spent_of(
    budget: &KeyBudget,
    postings: &[Posting],
    refunded: &BTreeMap<u64, (i64, Timestamp)>,
    now: Timestamp,
) -> i64 {
    let is_now = |at: Timestamp| at.to_string()[..7] == now.to_string()[..7];
    let counted = postings.iter().filter(|posting| {
        let key = posting.record.as_ref().and_then(|record| record.api_key);
        let is_charge = posting.r#type == PostingType::Training && key == Some(budget.key);
        is_charge && posting.number > budget.after && is_now(posting.at)
    });
    let cost = |posting: &Posting| {
        let given_back = refunded.get(&posting.number).filter(|(_, at)| is_now(*at));
        -posting.amount.micros() - given_back.map_or(0, |(amount, _)| *amount)
    };
    counted.map(cost).sum()
}

/// Settles a job. Returns the change of the balance.
fn settle(booking: &mut Booking, job: Reference, cost: i64, overage: i64, key: Option<u8>) -> i64 {
    let held = booking.wallet().holds.iter().find(|hold| hold.job == job);
    let held = held.map_or(0, |hold| hold.amount.micros());
    let (price, excess) = (MicroUsd::new(cost), MicroUsd::new(overage));
    match booking.settle(Settlement { job, cost: price, overage: excess, record: record(key.map(key_of)) }) {
        Ok(posting) => {
            assert!(cost >= 0 && cost <= held.saturating_add(overage));
            assert_eq!(posting.is_some(), cost > 0);
            -cost
        }
        Err(_) => 0,
    }
}

/// Applies an operation. Returns the change of the balance that it must cause, apart from what expired. `latest` is the latest time so far.
fn apply(
    booking: &mut Booking,
    operation: &Operation,
    (now, latest): (Timestamp, Timestamp),
    charged: &[Posting],
) -> i64 {
    let second = |offset: i64| latest.saturating_add(jiff::SignedDuration::from_secs(offset)).unwrap();
    let manual = || Cause::Adjustment(reference(0));
    match *operation {
        Operation::Credit { kind, amount, expires } => {
            let id = LotId { kind, expires: expires.map(second) };
            let lot = Lot { id, amount: MicroUsd::new(amount) };
            booking.credit(PostingType::Adjustment, lot, manual(), None).map_or(0, |_| amount)
        }
        Operation::Debit { amount } => {
            booking.debit(MicroUsd::new(amount), manual(), None).map_or(0, |_| -amount)
        }
        Operation::Hold { job, amount, expires, slots, key } => {
            let (job, amount, key) = (reference(job), MicroUsd::new(amount), key.map(key_of));
            let known = booking.wallet().holds.iter().any(|hold| hold.job == job);
            let running = booking.wallet().running(JobCategory::Training);
            let start = JobStart { category: JobCategory::Training, amount, key, slots };
            let held = booking.hold(&job, start, second(expires));
            if let (Ok(()), false, Some((used, monthly))) = (held, known, used(booking.wallet(), key, now)) {
                assert!(used <= monthly, "{used:?} of {monthly:?}");
            }
            if let (Ok(()), false, Some(limit)) = (held, known, slots) {
                assert!(u64::try_from(running).unwrap() < limit);
            }
            0
        }
        Operation::Settle { job, cost, overage, key } => settle(booking, reference(job), cost, overage, key),
        Operation::Release { job } => {
            let _ = booking.release(&reference(job));
            0
        }
        Operation::Refund { nth, amount } => match charged.get(nth) {
            Some(posting) => booking.refund(posting, MicroUsd::new(amount)).map_or(0, |_| amount),
            None => 0,
        },
        Operation::Budget { key, monthly, gone } => {
            let gone: Vec<KeyId> = gone.map(key_of).into_iter().collect();
            assert_eq!(booking.set_budget(key_of(key), monthly.map(MicroUsd::new), &gone), Ok(()));
            0
        }
        Operation::Grant { month, amount } => booking.grant(&month_of(month, amount)).map_or(0, |_| amount),
        // What expired is posted already: the worker says when it comes again.
        Operation::Expire => {
            let next = booking.wallet().next_expiry();
            booking.schedule(WalletTask::Expire, next);
            0
        }
        Operation::Wait { .. } => 0,
    }
}

/// A month of ten seconds. That each is granted once, the store sees to.
fn month_of(month: u8, amount: i64) -> CreditPeriod {
    let first = opened().0.changed_at;
    let start = |n: u8| first.saturating_add(jiff::SignedDuration::from_secs(10 * i64::from(n))).unwrap();
    CreditPeriod { starts: start(month), ends: start(month + 1), amount: MicroUsd::new(amount) }
}

/// Whether a worker comes by the time at which something expires, and verifies the wallet if it has new postings.
fn is_scheduled(wallet: &Wallet, has_postings: bool) -> bool {
    let due = wallet.due.of(WalletTask::Expire);
    let comes = wallet.next_expiry().is_none_or(|next| due.is_some_and(|due| due <= next));
    comes && (!has_postings || wallet.due.of(WalletTask::Verify).is_some())
}

/// What a posting may move after the time at which a lot expires: nothing but what was held, what is given back, and the expiry.
fn spends_expired(before: &Wallet, posting: &Posting) -> bool {
    let held = |id: LotId| -> MicroUsd {
        let parts = before.holds.iter().flat_map(|hold| hold.lots.iter());
        parts.filter(|part| part.id == id).map(|part| part.amount).sum()
    };
    let spent = |lot: &&Lot| lot.amount < MicroUsd::ZERO && lot.id.has_expired(posting.at);
    posting.r#type != PostingType::ProCreditExpiry
        && posting.lots.iter().filter(spent).any(|lot| lot.amount.negated() > held(lot.id))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn postings_lots_and_balance_agree_after_any_operations(operations in prop::collection::vec(operation(), 1..60)) {
        let (mut wallet, mut all) = opened();
        let mut now = wallet.changed_at;
        let mut latest = now;
        let mut refunded = BTreeMap::<u64, (i64, Timestamp)>::new();
        for operation in &operations {
            if let Operation::Wait { seconds } = operation {
                now = now.saturating_add(jiff::SignedDuration::from_secs(*seconds)).unwrap();
            }
            latest = latest.max(now);
            let charged: Vec<Posting> = all.iter().filter(|posting| posting.r#type == PostingType::Training)
                .filter(|posting| !refunded.contains_key(&posting.number)).cloned().collect();
            let before = wallet.clone();
            let mut booking = Booking::begin(wallet.clone(), None, now);
            let change = apply(&mut booking, operation, (now.max(before.changed_at), latest), &charged);
            let Some(WalletChange { wallet: after, postings, due_before, .. }) = booking.finish() else {
                prop_assert_eq!(change, 0);
                continue;
            };
            if let Operation::Refund { nth, amount } = operation && change != 0 {
                refunded.insert(charged[*nth].number, (*amount, after.changed_at));
            }
            prop_assert_eq!(after.version, before.version + 1);
            prop_assert_eq!(&due_before, &before.due);
            prop_assert!(is_scheduled(&after, !postings.is_empty()), "{:?} {:?}", after.due, after.next_expiry());
            let expired: i64 = postings.iter().filter(|posting| posting.r#type == PostingType::ProCreditExpiry)
                .map(|posting| posting.amount.micros()).sum();
            prop_assert_eq!(after.balance().micros() - before.balance().micros(), change + expired);
            for posting in &postings {
                prop_assert!(!spends_expired(&before, posting), "{posting:?}");
            }
            prop_assert!(after.lots.iter().all(|lot| lot.amount > MicroUsd::ZERO && !lot.id.has_expired(after.changed_at)));
            prop_assert!(after.debt >= MicroUsd::ZERO);
            prop_assert_eq!(after.at(after.changed_at).lots, after.lots.clone());
            all.extend(postings);
            let mut sums = Recomputation::new();
            for posting in &all {
                prop_assert_eq!(sums.add(posting), Ok(()));
            }
            prop_assert_eq!(sums.end(&after), Ok(()));
            for budget in &after.budgets {
                let expected = spent_of(budget, &all, &refunded, after.changed_at);
                prop_assert_eq!(budget.spent_at(after.changed_at).micros(), expected);
            }
            let stored: Wallet = serde_json::from_value(serde_json::to_value(&after).unwrap()).unwrap();
            prop_assert_eq!(&stored, &after);
            wallet = after;
        }
    }
}

#[test]
fn most_jobs_hold_and_a_transaction_takes_no_more_than_it_can() {
    let (wallet, _) = opened();
    let now = wallet.changed_at;
    let later = now.saturating_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let job = |n: usize| Reference::parse(&format!("job-{n}")).unwrap();
    let mut booking = Booking::begin(wallet, None, now);
    let start = JobStart { category: JobCategory::Inference, amount: MicroUsd::ZERO, key: None, slots: None };
    for n in 0..MOST_HOLDS {
        assert_eq!(booking.hold(&job(n), start, later), Ok(()));
    }
    let one_more = booking.hold(&job(MOST_HOLDS), start, later);
    assert_eq!(one_more, Err(Refusal::TooManyHolds));
    let mut refused = 0;
    for n in 0..60 {
        let settlement = Settlement {
            job: job(n),
            cost: MicroUsd::new(1),
            overage: MicroUsd::new(1),
            record: record(None),
        };
        let before = booking.wallet().clone();
        match booking.settle(settlement) {
            Ok(_) => assert_eq!(refused, 0),
            Err(refusal) => {
                assert_eq!((refusal, booking.wallet()), (Refusal::TooMuchAtOnce, &before));
                refused += 1;
            }
        }
    }
    let change = booking.finish().unwrap();
    // The wallet and the check of its workspace are written, too.
    assert!(refused > 0 && change.postings.len() + change.causes.len() + 2 <= 100);
}
