//! Random operations on a wallet, with a clock that moves in both directions, beside a model that knows sums only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    id::{UserId, WorkspaceId},
    region::Region,
    user::personal_workspace,
    workspace::{WorkspaceKind, WrappedKey},
};

/// An operation. Small numbers, so that operations meet.
#[derive(Debug, Clone)]
enum Operation {
    Credit { kind: LotKind, amount: i64, expires: Option<i64> },
    Debit { amount: i64 },
    Hold { job: u8, amount: i64, expires: i64, slots: Option<u64> },
    Settle { job: u8, cost: i64, overage: i64 },
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
    let amount = || prop_oneof![9 => -2..60i64, 1 => Just(i64::MAX), 1 => Just(MicroUsd::MOST.micros())];
    prop_oneof![
        3 => (kind, amount(), proptest::option::of(-2..20i64))
            .prop_map(|(kind, amount, expires)| Operation::Credit { kind, amount, expires }),
        1 => amount().prop_map(|amount| Operation::Debit { amount }),
        3 => (0..5u8, amount(), -1..15i64, proptest::option::of(0..4u64))
            .prop_map(|(job, amount, expires, slots)| Operation::Hold { job, amount, expires, slots }),
        4 => (0..5u8, amount(), amount())
            .prop_map(|(job, cost, overage)| Operation::Settle { job, cost, overage }),
        1 => (0..5u8).prop_map(|job| Operation::Release { job }),
        1 => (0..9usize, amount()).prop_map(|(nth, amount)| Operation::Refund { nth, amount }),
        3 => (-3..9i64).prop_map(|seconds| Operation::Wait { seconds }),
    ]
}

fn reference(job: u8) -> Reference {
    Reference::parse(&format!("job-{job}")).unwrap()
}

fn record() -> JobRecord {
    JobRecord {
        category: JobCategory::Training,
        gpu_type: None,
        user: None,
        api_key: None,
        dataset: None,
        model: None,
        run: None,
    }
}

fn opened() -> (Wallet, Vec<Posting>) {
    let at = Timestamp::from_second(1_000_000).unwrap();
    let id: WorkspaceId = personal_workspace(UserId::floor(at));
    let workspace = Workspace {
        id,
        handle: crate::handle::Handle::parse("ada-lovelace").unwrap(),
        kind: WorkspaceKind::Personal,
        owner: UserId::floor(at),
        region: Region::Eu,
        plan: crate::plan::Plan::Free,
        plan_ends_at: None,
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

/// Applies an operation. Returns the change of the balance that it must cause, apart from what expired.
fn apply(booking: &mut Booking, operation: &Operation, now: Timestamp, charged: &[Posting]) -> i64 {
    let second = |offset: i64| now.saturating_add(jiff::SignedDuration::from_secs(offset)).unwrap();
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
        Operation::Hold { job, amount, expires, slots } => {
            let (job, amount) = (reference(job), MicroUsd::new(amount));
            let known = booking.wallet().holds.iter().any(|hold| hold.job == job);
            let running = booking.wallet().running(JobCategory::Training);
            let held = booking.hold(&job, JobCategory::Training, amount, second(expires), slots);
            if let (Ok(()), false, Some(limit)) = (held, known, slots) {
                assert!(u64::try_from(running).unwrap() < limit);
            }
            0
        }
        Operation::Settle { job, cost, overage } => {
            let held = booking.wallet().holds.iter().find(|hold| hold.job == reference(job));
            let held = held.map_or(0, |hold| hold.amount.micros());
            let settlement = Settlement {
                job: reference(job),
                cost: MicroUsd::new(cost),
                overage: MicroUsd::new(overage),
                record: record(),
            };
            match booking.settle(settlement) {
                Ok(posting) => {
                    assert!(cost >= 0 && cost <= held.saturating_add(overage));
                    assert_eq!(posting.is_some(), cost > 0);
                    -cost
                }
                Err(_) => 0,
            }
        }
        Operation::Release { job } => {
            let _ = booking.release(&reference(job));
            0
        }
        Operation::Refund { nth, amount } => match charged.get(nth) {
            Some(posting) => booking.refund(posting, MicroUsd::new(amount)).map_or(0, |_| amount),
            None => 0,
        },
        Operation::Wait { .. } => 0,
    }
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
        let mut refunded = BTreeMap::<u64, i64>::new();
        for operation in &operations {
            if let Operation::Wait { seconds } = operation {
                now = now.saturating_add(jiff::SignedDuration::from_secs(*seconds)).unwrap();
            }
            latest = latest.max(now);
            let charged: Vec<Posting> = all.iter().filter(|posting| posting.r#type == PostingType::Training)
                .filter(|posting| !refunded.contains_key(&posting.number)).cloned().collect();
            let before = wallet.clone();
            let mut booking = Booking::begin(wallet.clone(), None, now);
            let change = apply(&mut booking, operation, latest, &charged);
            let Some(WalletChange { wallet: after, postings, .. }) = booking.finish() else {
                prop_assert_eq!(change, 0);
                continue;
            };
            if let Operation::Refund { nth, amount } = operation && change != 0 {
                refunded.insert(charged[*nth].number, *amount);
            }
            prop_assert_eq!(after.version, before.version + 1);
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
    for n in 0..MOST_HOLDS {
        assert_eq!(booking.hold(&job(n), JobCategory::Inference, MicroUsd::ZERO, later, None), Ok(()));
    }
    let one_more = booking.hold(&job(MOST_HOLDS), JobCategory::Inference, MicroUsd::ZERO, later, None);
    assert_eq!(one_more, Err(Refusal::TooManyHolds));
    let mut refused = 0;
    for n in 0..60 {
        let settlement =
            Settlement { job: job(n), cost: MicroUsd::new(1), overage: MicroUsd::new(1), record: record() };
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
