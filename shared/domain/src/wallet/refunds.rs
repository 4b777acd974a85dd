//! Refunds of charges that made a debt.

use jiff::{SignedDuration, Timestamp};

use super::{machine::opened, *};

const TOMORROW: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    opened().0.changed_at.saturating_add(SignedDuration::from_secs(second)).unwrap()
}

fn settlement(cost: i64) -> Settlement {
    let record = JobRecord {
        category: JobCategory::Training,
        gpu_type: None,
        user: None,
        api_key: None,
        dataset: None,
        model: None,
        run: None,
    };
    let (job, cost) = (Reference::parse("job").unwrap(), MicroUsd::new(cost));
    Settlement { job, cost, overage: cost, record }
}

fn settle(booking: &mut Booking, cost: i64) -> Posting {
    booking.settle(settlement(cost)).unwrap().unwrap()
}

fn gift(booking: &mut Booking, amount: i64, name: &str) {
    let id = LotId::new(LotKind::Promo, Some(at(TOMORROW)));
    let cause = Cause::Adjustment(Reference::parse(name).unwrap());
    let lot = Lot { id, amount: MicroUsd::new(amount) };
    booking.credit(PostingType::Adjustment, lot, cause, None).unwrap();
}

/// The amounts of the lots that expire, and of those that do not.
fn lots(booking: &Booking) -> [i64; 2] {
    let of = |expires: bool| {
        let lots = booking.wallet().lots.iter().filter(|lot| lot.id.expires.is_some() == expires);
        lots.map(|lot| lot.amount.micros()).sum()
    };
    [of(true), of(false)]
}

#[test]
fn refund_cancels_the_debt_of_its_charge_and_expiring_credit_still_expires() {
    // The opening credit is 50.
    let mut booking = Booking::begin(opened().0, None, at(0));
    gift(&mut booking, 100, "gift");
    let charge = settle(&mut booking, 400);
    assert_eq!((booking.wallet().debt, lots(&booking)), (MicroUsd::new(250), [0, 0]));
    // A part reduces the debt only.
    let part = booking.clone().refund(&charge, MicroUsd::new(200)).unwrap();
    assert_eq!((part.balance, part.lots.total()), (MicroUsd::new(-50), MicroUsd::ZERO));
    let whole = booking.refund(&charge, MicroUsd::new(400)).unwrap();
    assert_eq!((whole.balance, lots(&booking)), (MicroUsd::new(150), [100, 50]));
}

#[test]
fn refund_of_a_debt_that_was_paid_is_credit_that_does_not_expire() {
    let mut booking = Booking::begin(opened().0, None, at(0));
    let charge = settle(&mut booking, 90);
    gift(&mut booking, 30, "pays-most");
    assert_eq!(booking.wallet().debt, MicroUsd::new(10));
    let refund = booking.refund(&charge, MicroUsd::new(90)).unwrap();
    // 50 of the opening credit, 30 that a gift paid, and the debt of 10 that is cancelled.
    assert_eq!((refund.balance, lots(&booking)), (MicroUsd::new(80), [0, 80]));
}

#[test]
fn refund_with_another_debt_pays_that_debt() {
    let mut booking = Booking::begin(opened().0, None, at(0));
    let charge = settle(&mut booking, 50);
    let other = Settlement { job: Reference::parse("other").unwrap(), ..settlement(20) };
    booking.settle(other).unwrap();
    let refund = booking.refund(&charge, MicroUsd::new(50)).unwrap();
    assert_eq!(
        (refund.balance, booking.wallet().debt, lots(&booking)),
        (MicroUsd::new(30), MicroUsd::ZERO, [0, 30])
    );
}
