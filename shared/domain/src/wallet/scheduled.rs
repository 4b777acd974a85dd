//! What a change of a wallet schedules: the next expiry, the next verification, and nothing that is not due.

use jiff::{SignedDuration, Timestamp};

use super::{machine::opened, *};
use crate::plan::CreditPeriod;

/// So many seconds after the wallet was opened.
fn at(second: i64) -> Timestamp {
    opened().0.changed_at.saturating_add(SignedDuration::from_secs(second)).unwrap()
}

fn named(name: &str) -> Reference {
    Reference::parse(name).unwrap()
}

/// Adds credit that expires in this second.
fn credit(booking: &mut Booking, amount: i64, expires: i64) {
    let id = LotId { kind: LotKind::Promo, expires: Some(at(expires)) };
    let (lot, cause) = (Lot { id, amount: MicroUsd::new(amount) }, Cause::Adjustment(named("gift")));
    booking.credit(PostingType::Adjustment, lot, cause, None).unwrap();
}

fn hold(booking: &mut Booking, job: &str, amount: i64, expires: i64) {
    let amount = MicroUsd::new(amount);
    let start = JobStart { category: JobCategory::Training, amount, key: None, slots: None };
    assert_eq!(booking.hold(&named(job), start, at(expires)), Ok(()));
}

/// The wallet after a change in this second.
fn changed(wallet: &Wallet, second: i64, change: impl FnOnce(&mut Booking)) -> WalletChange {
    let mut booking = Booking::begin(wallet.clone(), None, at(second));
    change(&mut booking);
    booking.finish().unwrap()
}

fn due(wallet: &Wallet) -> [Option<Timestamp>; 3] {
    [WalletTask::Expire, WalletTask::Grant, WalletTask::Verify].map(|task| wallet.due.of(task))
}

/// The end of the day in which the wallet was opened.
fn midnight() -> Timestamp {
    crate::throttle::end_of_day(at(0))
}

#[test]
fn what_a_job_holds_expires_when_the_hold_ends() {
    let (wallet, _) = opened();
    assert_eq!(wallet.next_expiry(), None);
    let mut booking = Booking::begin(wallet, None, at(0));
    credit(&mut booking, 100, 10);
    credit(&mut booking, 100, 40);
    assert_eq!(booking.wallet().next_expiry(), Some(at(10)));
    // The first job holds all that expires first.
    hold(&mut booking, "outlasts", 100, 30);
    assert_eq!(booking.wallet().next_expiry(), Some(at(30)));
    hold(&mut booking, "ends-before", 60, 20);
    assert_eq!(booking.wallet().next_expiry(), Some(at(30)));
    assert_eq!(booking.release(&named("outlasts")), Ok(()));
    assert_eq!(booking.wallet().next_expiry(), Some(at(10)));
    let later = booking.finish().unwrap().wallet.at(at(40));
    assert_eq!((later.next_expiry(), later.balance()), (None, MicroUsd::new(50)));
}

#[test]
fn earlier_expiry_moves_the_schedule_and_a_later_one_does_not() {
    let (wallet, _) = opened();
    let first = changed(&wallet, 0, |booking| credit(booking, 5, 20));
    assert_eq!((first.due_before.is_empty(), due(&first.wallet)[0]), (true, Some(at(20))));
    let earlier = changed(&first.wallet, 1, |booking| credit(booking, 5, 15));
    assert_eq!((earlier.due_before, due(&earlier.wallet)[0]), (first.wallet.due, Some(at(15))));
    let later = changed(&earlier.wallet, 2, |booking| credit(booking, 5, 25));
    assert_eq!(due(&later.wallet), due(&earlier.wallet));
    // What would expire first is spent: the worker comes for nothing, and is told when to come again.
    let spent = changed(&later.wallet, 3, |booking| {
        drop(booking.debit(MicroUsd::new(5), Cause::Adjustment(named("debit")), None).unwrap());
    });
    assert_eq!((due(&spent.wallet)[0], spent.wallet.next_expiry()), (Some(at(15)), Some(at(20))));
    let worker = changed(&spent.wallet, 15, |booking| {
        let next = booking.wallet().next_expiry();
        booking.schedule(WalletTask::Expire, next);
    });
    assert_eq!((due(&worker.wallet)[0], worker.postings.len()), (Some(at(20)), 0));
    assert!(!worker.is_of_holds(), "the index changes, too");
}

#[test]
fn first_posting_of_a_day_schedules_one_verification() {
    let (wallet, opening) = opened();
    let mut booking = Booking::begin(wallet, opening.into_iter().next(), at(0));
    hold(&mut booking, "job", 1, 60);
    // The opening credit is a posting.
    let first = booking.finish().unwrap();
    assert_eq!(due(&first.wallet), [None, None, Some(midnight())]);
    let second = changed(&first.wallet, 1, |booking| credit(booking, 5, 900_000));
    assert_eq!(due(&second.wallet)[2], Some(midnight()));
    assert_eq!(
        second.due_before.difference(&second.wallet.due),
        [(WalletTask::Expire, None, Some(at(900_000)))]
    );
    // It stays due until it was done, however many days that takes.
    let late = changed(&second.wallet, 200_000, |booking| credit(booking, 5, 900_000));
    assert_eq!(due(&late.wallet), due(&second.wallet));
    let done = changed(&late.wallet, 200_001, |booking| booking.schedule(WalletTask::Verify, None));
    assert_eq!(due(&done.wallet)[2], None);
    let next = changed(&done.wallet, 200_002, |booking| credit(booking, 5, 900_000));
    assert_eq!(due(&next.wallet)[2], Some(crate::throttle::end_of_day(at(200_002))));
}

#[test]
fn verification_that_posts_an_expiry_is_followed_by_another() {
    let (wallet, _) = opened();
    let first = changed(&wallet, 0, |booking| credit(booking, 5, 20));
    let done = changed(&first.wallet, 90_000, |booking| booking.schedule(WalletTask::Verify, None));
    assert_eq!(done.postings.len(), 1);
    assert_eq!(due(&done.wallet)[2], Some(crate::throttle::end_of_day(at(90_000))));
}

#[test]
fn hold_alone_changes_no_schedule() {
    let (wallet, _) = opened();
    let stored = changed(&wallet, 0, |booking| credit(booking, 5, 900));
    let held = changed(&stored.wallet, 1, |booking| hold(booking, "job", 5, 950));
    assert!(held.is_of_holds());
    assert_eq!((due(&held.wallet), held.wallet.next_expiry()), (due(&stored.wallet), Some(at(950))));
    let released = changed(&held.wallet, 2, |booking| assert_eq!(booking.release(&named("job")), Ok(())));
    assert_eq!(due(&released.wallet), due(&stored.wallet));
    // A wallet of an early version has no schedule: its next change makes one.
    let old = Wallet { due: Schedule::default(), ..released.wallet };
    let held = changed(&old, 3, |booking| hold(booking, "next", 2, 800));
    assert_eq!((held.is_of_holds(), due(&held.wallet)), (false, [Some(at(900)), None, None]));
}

#[test]
fn credit_of_a_month_replaces_that_of_the_last_one() {
    let (wallet, _) = opened();
    let period =
        |starts, ends| CreditPeriod { starts: at(starts), ends: at(ends), amount: MicroUsd::new(30) };
    let (first, second) = (period(0, 100), period(100, 200));
    let granted = changed(&wallet, 1, |booking| drop(booking.grant(&first).unwrap()));
    let [posting] = &granted.postings[..] else { panic!("{granted:?}") };
    let lot = Lot { id: LotId::new(LotKind::Monthly, Some(at(100))), amount: MicroUsd::new(30) };
    assert_eq!((posting.r#type, &posting.lots), (PostingType::MonthlyGrant, &Lots::from(lot)));
    assert_eq!(posting.cause, Cause::Monthly(at(0)));
    let booked = Booked { posting: Some(posting.number), amount: MicroUsd::new(30), released: false };
    assert_eq!(granted.causes, [(posting.cause.clone(), booked)]);
    assert_eq!(due(&granted.wallet)[0], Some(at(100)));
    // The old credit goes at the instant in which the new one comes.
    let next = changed(&granted.wallet, 100, |booking| drop(booking.grant(&second).unwrap()));
    let amounts: Vec<(PostingType, i64)> =
        next.postings.iter().map(|posting| (posting.r#type, posting.amount.micros())).collect();
    assert_eq!(amounts, [(PostingType::ProCreditExpiry, -30), (PostingType::MonthlyGrant, 30)]);
    assert_eq!(next.wallet.balance(), granted.wallet.balance());
    // A month that is over is not granted any more, and one without credit never.
    let mut late = Booking::begin(next.wallet.clone(), None, at(200));
    let expired = late.wallet().clone();
    assert_eq!(late.grant(&second), Err(Refusal::Expired));
    let nothing = CreditPeriod { amount: MicroUsd::ZERO, ..period(200, 300) };
    assert_eq!(late.grant(&nothing), Err(Refusal::Amount));
    assert_eq!(*late.wallet(), expired);
}

#[test]
fn credit_of_a_month_pays_a_debt_first() {
    let (wallet, _) = opened();
    let record = JobRecord {
        category: JobCategory::Training,
        gpu_type: None,
        user: None,
        api_key: None,
        dataset: None,
        model: None,
        run: None,
    };
    let (cost, overage) = (MicroUsd::new(70), MicroUsd::new(70));
    let owes = changed(&wallet, 0, |booking| {
        drop(booking.settle(Settlement { job: named("job"), cost, overage, record }).unwrap());
    });
    assert_eq!(owes.wallet.debt, MicroUsd::new(20));
    let period = CreditPeriod { starts: at(0), ends: at(100), amount: MicroUsd::new(30) };
    let granted = changed(&owes.wallet, 1, |booking| drop(booking.grant(&period).unwrap()));
    assert_eq!((granted.wallet.debt, granted.wallet.lots.total()), (MicroUsd::ZERO, MicroUsd::new(10)));
}
