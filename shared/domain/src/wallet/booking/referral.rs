//! Credit for referrals.

use super::{Booking, Refusal};
use crate::{
    money::MicroUsd,
    referral::{CREDIT, MOST_REFERRALS, Referral, ReferralKey},
    wallet::{Booked, Cause, Lot, LotId, LotKind, Posting, PostingType, RewardStep},
};

/// Why a reward is taken back.
const TAKEN_BACK: &str = "A top-up of the friend that you referred was refunded or disputed";

impl Booking {
    /// Credits the owner of the wallet for opening the account with a referral code, and remembers the referral.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn refer(&mut self, referral: Referral) -> Result<Posting, Refusal> {
        let posting = self.credit(PostingType::Promo, credit(), Cause::Referred, None)?;
        self.wallet.referral = Some(referral);
        Ok(posting)
    }

    /// Books a step of the reward for a friend. The wallet remembers each step, also one without a posting: one that is left out, and a
    /// reward beyond [`MOST_REFERRALS`]. A reward that is taken back comes from the credit for referrals first, then from other credit, and
    /// then makes a debt.
    ///
    /// # Errors
    ///
    /// A refusal; nothing changed.
    pub fn book_reward(
        &mut self,
        referral: ReferralKey,
        step: RewardStep,
    ) -> Result<Option<Posting>, Refusal> {
        match step {
            RewardStep::Add(change) if self.wallet.rewards < MOST_REFERRALS => {
                let cause = Cause::Reward { referral, change };
                let posting = self.credit(PostingType::Promo, credit(), cause, None)?;
                self.wallet.rewards = self.wallet.rewards.saturating_add(1);
                Ok(Some(posting))
            }
            RewardStep::Add(change) | RewardStep::LeaveOut(change) => {
                let left_out = Booked { posting: None, amount: MicroUsd::ZERO, released: false };
                self.causes.push((Cause::Reward { referral, change }, left_out));
                Ok(None)
            }
            RewardStep::TakeBack(change) => {
                let (cause, reason) = (Cause::Reward { referral, change }, Some(TAKEN_BACK.to_owned()));
                let (r#type, kind) = (PostingType::Adjustment, LotKind::Referral);
                let posting = self.take_back(r#type, kind, CREDIT, cause, reason)?;
                self.wallet.rewards = self.wallet.rewards.saturating_sub(1);
                Ok(Some(posting))
            }
        }
    }

    /// Adds what counts of a top-up, which may be negative, to the sum of the referral, if there is one. Every payment is a top-up.
    pub(super) fn count_top_up(&mut self, amount: MicroUsd) {
        if let Some(referral) = &mut self.wallet.referral {
            referral.count(amount);
        }
    }
}

/// The credit, which does not expire.
fn credit() -> Lot {
    Lot { id: LotId::new(LotKind::Referral, None), amount: CREDIT }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        payment::{Cents, Payment},
        reference::Reference,
        referral::{MOST_CHANGES, ReferralCode},
        wallet::{MOST_LOTS, machine::opened},
    };

    fn begun() -> Booking {
        let (wallet, _) = opened();
        let now = wallet.changed_at;
        Booking::begin(wallet, None, now)
    }

    fn key(n: u32) -> ReferralKey {
        let workspace = opened().0.workspace;
        ReferralKey(crate::secret::Digest256::of(format!("{workspace}{n}")))
    }

    fn referral() -> Referral {
        Referral::by(ReferralCode::parse("ap-01m858qy4a1ar9by88nhafn40x-7k2m9xq4").unwrap())
    }

    /// A payment of which so many cents count, after so many changes.
    fn payment(counted: u32, changes: u32) -> Payment {
        let (wallet, _) = opened();
        Payment::sample(wallet.workspace, wallet.changed_at, counted, changes)
    }

    fn adjustment(name: &str) -> Cause {
        Cause::Adjustment(Reference::parse(name).unwrap())
    }

    #[test]
    fn referred_friend_gets_credit_that_does_not_expire() {
        let mut booking = begun();
        let posting = booking.refer(referral()).unwrap();
        assert_eq!(
            (posting.r#type, posting.amount, &posting.cause),
            (PostingType::Promo, CREDIT, &Cause::Referred)
        );
        let change = booking.finish().unwrap();
        assert_eq!(change.wallet.referral, Some(referral()));
        assert_eq!(change.wallet.lots.of_kind(LotKind::Referral).total(), CREDIT);
        assert_eq!(change.wallet.next_expiry(), None);
        assert_eq!((change.causes.len(), change.causes[0].0.to_string().as_str()), (1, "referred"));
    }

    #[test]
    fn top_ups_and_refunds_count_for_the_referral() {
        let mut booking = begun();
        drop(booking.refer(referral()).unwrap());
        let changes = |booking: &Booking| booking.wallet().referral.as_ref().unwrap().changes;
        drop(booking.count_payment(&payment(1_000, 1), Cents::ZERO).unwrap());
        assert_eq!(changes(&booking), 1);
        drop(booking.count_payment(&payment(999, 2), Cents::new(1_000)).unwrap());
        assert_eq!(changes(&booking), 2);
        drop(booking.count_payment(&payment(1_000, 3), Cents::new(999)).unwrap());
        assert_eq!(changes(&booking), 3);
        assert_eq!(booking.wallet().referral.as_ref().unwrap().topped_up, Cents::new(1_000).micros());
    }

    #[test]
    fn payment_without_a_referral_counts_for_none() {
        let mut booking = begun();
        drop(booking.count_payment(&payment(1_000, 1), Cents::ZERO).unwrap());
        assert_eq!(booking.wallet().referral, None);
    }

    #[test]
    fn reward_is_added_and_taken_back() {
        let mut booking = begun();
        let added = booking.book_reward(key(1), RewardStep::Add(1)).unwrap().unwrap();
        assert_eq!((added.r#type, added.amount, booking.wallet().rewards), (PostingType::Promo, CREDIT, 1));
        let taken = booking.book_reward(key(1), RewardStep::TakeBack(2)).unwrap().unwrap();
        assert_eq!((taken.r#type, taken.amount), (PostingType::Adjustment, CREDIT.negated()));
        assert!(taken.lots.iter().all(|lot| lot.id.kind == LotKind::Referral));
        assert_eq!((taken.reason.as_deref(), booking.wallet().rewards), (Some(TAKEN_BACK), 0));
        assert_eq!(booking.wallet().balance(), MicroUsd::new(50));
        let names: Vec<String> = booking.causes.iter().map(|(cause, _)| cause.to_string()).collect();
        assert_eq!(names, [1, 2].map(|change| format!("reward#{}#{change}", key(1))));
    }

    #[test]
    fn reward_that_was_spent_is_taken_of_other_credit_and_owed() {
        let mut booking = begun();
        drop(booking.book_reward(key(1), RewardStep::Add(1)).unwrap());
        drop(booking.debit(CREDIT, adjustment("spent"), None).unwrap());
        let taken = booking.book_reward(key(1), RewardStep::TakeBack(2)).unwrap().unwrap();
        assert_eq!(taken.balance, MicroUsd::new(50 - CREDIT.micros()));
        assert!(booking.wallet().lots.is_empty());
    }

    #[test]
    fn reward_beyond_the_most_is_remembered_without_credit() {
        let mut booking = begun();
        booking.wallet.rewards = MOST_REFERRALS - 1;
        assert!(booking.book_reward(key(1), RewardStep::Add(1)).unwrap().is_some());
        assert_eq!(booking.book_reward(key(2), RewardStep::Add(1)).unwrap(), None);
        assert_eq!(booking.wallet().rewards, MOST_REFERRALS);
        let change = booking.finish().unwrap();
        let booked: Vec<bool> = change.causes.iter().map(|(_, booked)| booked.posting.is_some()).collect();
        assert_eq!(booked, [true, false]);
    }

    #[test]
    fn step_that_is_left_out_changes_no_balance() {
        let mut booking = begun();
        assert_eq!(booking.book_reward(key(1), RewardStep::LeaveOut(1)).unwrap(), None);
        let change = booking.finish().unwrap();
        assert_eq!((change.postings.len(), change.causes.len(), change.wallet.rewards), (0, 1, 0));
    }

    #[test]
    fn reward_is_credited_beside_the_most_lots() {
        let mut booking = begun();
        let opened = booking.wallet().changed_at;
        for n in 1..MOST_LOTS {
            let end = opened.checked_add(SignedDuration::from_hours(i64::try_from(n).unwrap())).unwrap();
            let lot = Lot { id: LotId::new(LotKind::Promo, Some(end)), amount: MicroUsd::new(1) };
            let cause = adjustment(&format!("gift-{n}"));
            drop(booking.credit(PostingType::Promo, lot, cause, None).unwrap());
        }
        assert_eq!(booking.wallet().lots.len(), MOST_LOTS);
        assert!(booking.book_reward(key(1), RewardStep::Add(1)).unwrap().is_some());
        let end = opened.checked_add(SignedDuration::from_hours(900)).unwrap();
        let expires = Lot { id: LotId::new(LotKind::Referral, Some(end)), amount: MicroUsd::new(1) };
        let refused = booking.credit(PostingType::Promo, expires, adjustment("expires"), None);
        assert_eq!(refused, Err(Refusal::TooManyLots));
    }

    #[test]
    fn all_steps_of_a_referral_fit_one_change() {
        let mut booking = begun();
        for change in (1..=MOST_CHANGES).step_by(2) {
            drop(booking.book_reward(key(1), RewardStep::Add(change)).unwrap());
            drop(booking.book_reward(key(1), RewardStep::TakeBack(change + 1)).unwrap());
        }
        let change = booking.finish().unwrap();
        assert_eq!((change.wallet.rewards, change.wallet.balance()), (0, MicroUsd::new(50)));
    }

    #[test]
    fn wallet_without_referrals_is_stored_as_before() {
        let stored = serde_json::to_value(begun().wallet()).unwrap();
        assert!(stored.get("referral").is_none() && stored.get("rewards").is_none());
        let wallet: crate::wallet::Wallet = serde_json::from_value(stored).unwrap();
        assert_eq!((wallet.referral, wallet.rewards), (None, 0));
    }
}
