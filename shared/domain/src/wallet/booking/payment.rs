//! Payments, refunds and disputes.

use super::{Booking, Refusal};
use crate::{
    money::MicroUsd,
    payment::{Cents, Payment, PaymentPurpose},
    wallet::{Cause, Lot, LotId, LotKind, Posting, PostingType, TopUpPause},
};

impl Booking {
    /// Books what counts of a payment now, and not what counted `before`: credit the first time, and later what refunds and disputes take
    /// or give back. A referral counts the same. A payment that is taken back pauses automatic top-ups. `None`: nothing changed. An amount
    /// that is taken back comes from paid credit first, then from other credit, and then makes a debt.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn count_payment(&mut self, payment: &Payment, before: Cents) -> Result<Option<Posting>, Refusal> {
        let amount = payment.counted.micros().minus(before.micros()).ok_or(Refusal::Amount)?;
        let cause = Cause::Payment { intent: payment.intent.clone(), change: payment.changes };
        if amount < MicroUsd::ZERO {
            let (kind, taken) = (LotKind::Paid, amount.negated());
            let posting = self.take_back(PostingType::Refund, kind, taken, cause, None)?;
            self.count_top_up(amount);
            if let Some(settings) = self.top_ups().filter(|settings| settings.enabled) {
                settings.pause(TopUpPause::PaymentTakenBack);
            }
            Ok(Some(posting))
        } else if amount > MicroUsd::ZERO {
            let (r#type, reason) = match (payment.changes, payment.purpose) {
                (1, PaymentPurpose::TopUp) => (PostingType::Purchase, None),
                (1, PaymentPurpose::AutoTopUp) => (PostingType::AutoTopup, None),
                _ => (PostingType::Adjustment, Some("A refund or dispute of a payment was reversed")),
            };
            let lot = Lot { id: LotId::new(LotKind::Paid, None), amount };
            let posting = self.credit(r#type, lot, cause, reason.map(str::to_owned))?;
            self.count_top_up(amount);
            let (now, is_first) = (self.now, payment.changes == 1);
            if let Some(settings) =
                self.top_ups().filter(|_| is_first && payment.purpose == PaymentPurpose::AutoTopUp)
            {
                settings.succeeded(payment.received, now);
            }
            Ok(Some(posting))
        } else {
            Ok(None)
        }
    }

    /// Takes credit away because what it was for is gone: credit of this kind first, then other credit. The rest makes a debt.
    pub(super) fn take_back(
        &mut self,
        r#type: PostingType,
        kind: LotKind,
        amount: MicroUsd,
        cause: Cause,
        reason: Option<String>,
    ) -> Result<Posting, Refusal> {
        self.wallet.balance().minus(amount).ok_or(Refusal::Amount)?;
        let mut taken = self.wallet.lots.of_kind(kind).take(amount);
        self.wallet.lots.add_all(&taken.negated());
        self.draw(amount, &mut taken);
        let posting = self.post(r#type, amount.negated(), taken.negated(), cause, None, reason);
        self.post_expired();
        Ok(posting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        reference::Reference,
        wallet::{AutoTopUp, MOST_LOTS, machine::opened},
    };
    use jiff::{SignedDuration, Timestamp};

    fn begun() -> Booking {
        let (wallet, _) = opened();
        let now = wallet.changed_at;
        Booking::begin(wallet, None, now)
    }

    /// A payment of which so many cents count, after so many changes.
    fn payment(counted: u32, changes: u32) -> Payment {
        let (wallet, _) = opened();
        Payment::sample(wallet.workspace, wallet.changed_at, counted, changes)
    }

    fn gift(booking: &mut Booking, amount: i64, expires: Option<Timestamp>, name: &str) {
        let cause = Cause::Adjustment(Reference::parse(name).unwrap());
        let lot = Lot { id: LotId::new(LotKind::Promo, expires), amount: MicroUsd::new(amount) };
        drop(booking.credit(PostingType::Promo, lot, cause, None).unwrap());
    }

    #[test]
    fn refund_takes_paid_credit_before_credit_that_expires() {
        let mut booking = begun();
        let tomorrow = booking.wallet().changed_at.checked_add(SignedDuration::from_hours(24)).unwrap();
        gift(&mut booking, 500, Some(tomorrow), "gift");
        let bought = booking.count_payment(&payment(2_000, 1), Cents::ZERO).unwrap().unwrap();
        assert_eq!((bought.r#type, bought.amount), (PostingType::Purchase, Cents::new(2_000).micros()));
        let part = booking.count_payment(&payment(1_500, 2), Cents::new(2_000)).unwrap().unwrap();
        assert_eq!((part.r#type, part.amount), (PostingType::Refund, Cents::new(500).micros().negated()));
        assert!(part.lots.iter().all(|lot| lot.id.kind == LotKind::Paid));
        assert_eq!(booking.count_payment(&payment(1_500, 2), Cents::new(1_500)).unwrap(), None);
    }

    #[test]
    fn refund_of_spent_credit_makes_a_debt_that_its_reversal_pays() {
        let mut booking = begun();
        drop(booking.count_payment(&payment(2_000, 1), Cents::ZERO).unwrap());
        // All but the opening credit of 50 is spent.
        let cause = Cause::Adjustment(Reference::parse("spent").unwrap());
        drop(booking.debit(Cents::new(2_000).micros(), cause, None).unwrap());
        let refund = booking.count_payment(&payment(0, 2), Cents::new(2_000)).unwrap().unwrap();
        assert_eq!(refund.balance, MicroUsd::new(50 - 20_000_000));
        assert!(booking.wallet().lots.is_empty());
        let again = booking.count_payment(&payment(2_000, 3), Cents::ZERO).unwrap().unwrap();
        assert_eq!((again.r#type, again.balance), (PostingType::Adjustment, MicroUsd::new(50)));
    }

    #[test]
    fn payment_is_credited_beside_the_most_lots() {
        let mut booking = begun();
        let opened = booking.wallet().changed_at;
        for n in 1..MOST_LOTS {
            let hours = i64::try_from(n).unwrap();
            let end = opened.checked_add(SignedDuration::from_hours(hours)).unwrap();
            gift(&mut booking, 1, Some(end), &format!("gift-{n}"));
        }
        assert_eq!(booking.wallet().lots.len(), MOST_LOTS);
        assert!(booking.count_payment(&payment(2_000, 1), Cents::ZERO).unwrap().is_some());
    }

    #[test]
    fn payment_that_is_taken_back_pauses_top_ups() {
        let mut booking = begun();
        let agreed = "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap();
        let now = booking.wallet().changed_at;
        booking.set_auto_top_up(AutoTopUp::agreed(agreed, now));
        drop(booking.count_payment(&payment(2_000, 1), Cents::ZERO).unwrap());
        let paused = |booking: &Booking| booking.wallet().auto_top_up.as_ref().unwrap().paused;
        assert_eq!(paused(&booking), None);
        drop(booking.count_payment(&payment(1_999, 2), Cents::new(2_000)).unwrap());
        assert_eq!(paused(&booking), Some(TopUpPause::PaymentTakenBack));
    }
}
