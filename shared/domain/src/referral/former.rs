//! The record of a referral whose friend deleted the account, so that a refund or dispute of a top-up takes the reward of
//! the referrer back.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Referral, ReferralKey};
use crate::{
    id::WorkspaceId,
    payment::{Cents, Payment, PaymentIntentId},
    secret::Digest256,
    time::after,
};

/// How long it is kept. Card networks allow most disputes for 120 days after the payment ([disputes]).
///
/// [disputes]: https://docs.stripe.com/disputes/how-disputes-work
pub const KEPT: SignedDuration = SignedDuration::from_hours(180 * 24);
/// The most payments that are kept: the newest ones.
pub const MOST_PAYMENTS: usize = 100;

/// SHA-256 of the friend's personal workspace. The random part of an id has 80 bits, so the hash does not reveal the friend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FriendHash(pub Digest256);

impl FriendHash {
    /// The hash of a workspace.
    pub fn of(friend: WorkspaceId) -> Self {
        Self(Digest256::of(format!("former-referral/{friend}")))
    }
}

impl std::fmt::Display for FriendHash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0.to_base64())
    }
}

/// A payment of the friend that counted at the deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerPayment {
    /// The payment intent.
    pub intent: PaymentIntentId,
    /// What counted at the deletion. It never counts for more.
    pub most: Cents,
    /// What counts now.
    pub counted: Cents,
}

/// The referral of a friend whose account was deleted. It has neither names nor ids of the friend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerReferral {
    /// The hash of the friend's personal workspace.
    pub friend: FriendHash,
    /// The identity of the referral.
    pub key: ReferralKey,
    /// The referral.
    pub referral: Referral,
    /// The newest payments that counted.
    pub payments: Vec<FormerPayment>,
    /// How often the record changed. Every write is conditional on it.
    pub version: u64,
    /// When the record expires.
    pub kept_until: Timestamp,
}

impl FormerReferral {
    /// The record of a friend's referral. It expires [`KEPT`] after the request of the deletion.
    pub fn new(
        friend: WorkspaceId,
        referral: Referral,
        mut payments: Vec<Payment>,
        deleted_at: Timestamp,
    ) -> Self {
        keep_newest(&mut payments);
        let payments = payments.into_iter().map(|Payment { intent, counted, .. }| FormerPayment {
            intent,
            most: counted,
            counted,
        });
        Self {
            friend: FriendHash::of(friend),
            key: ReferralKey::of(referral.referrer, friend),
            referral,
            payments: payments.collect(),
            version: 1,
            kept_until: after(deleted_at, KEPT),
        }
    }

    /// Whether the payment may be one that counted at the deletion: one of those that are kept, or one that is too old to be kept.
    pub fn may_know(&self, intent: &PaymentIntentId) -> bool {
        self.payments.len() >= MOST_PAYMENTS || self.payments.iter().any(|payment| payment.intent == *intent)
    }

    /// The record after so much of a payment counts. `None`: nothing changed, or the payment is not kept.
    #[must_use]
    pub fn counted(&self, intent: &PaymentIntentId, counts: Cents) -> Option<Self> {
        let mut next = Self { version: self.version.saturating_add(1), ..self.clone() };
        let payment = next.payments.iter_mut().find(|payment| payment.intent == *intent)?;
        let counts = counts.min(payment.most);
        if counts == payment.counted {
            return None;
        }
        let amount = counts.micros().minus(payment.counted.micros())?;
        payment.counted = counts;
        next.referral.count(amount);
        Some(next)
    }
}

/// Leaves the payments that count, and of them only the newest ones.
pub fn keep_newest(payments: &mut Vec<Payment>) {
    payments.retain(|payment| payment.counted > Cents::ZERO);
    payments.sort_by_key(|payment| std::cmp::Reverse(payment.seen_at));
    payments.truncate(MOST_PAYMENTS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{money::MicroUsd, region::Region};

    fn workspace(last: char) -> WorkspaceId {
        format!("ws_01m858qy4a1ar9by88nhafn40{last}").parse().unwrap()
    }

    fn intent(n: i64) -> PaymentIntentId {
        PaymentIntentId::parse(&format!("pi_{n}")).unwrap()
    }

    /// A payment of this second.
    fn payment(n: i64, counted: u32) -> Payment {
        let at = Timestamp::from_second(n).unwrap();
        Payment { intent: intent(n), ..Payment::sample(workspace('x'), at, counted, 1) }
    }

    /// The record of a friend who topped up in these payments, and was rewarded for.
    fn former(payments: Vec<Payment>) -> FormerReferral {
        let topped_up = payments.iter().map(|payment| payment.counted.micros()).sum();
        let referral = Referral { referrer: workspace('y'), region: Region::Eu, topped_up, changes: 1 };
        FormerReferral::new(workspace('x'), referral, payments, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn refund_takes_away_and_reversal_gives_back_no_more() {
        let first = former(vec![payment(1, 600), payment(2, 500)]);
        assert_eq!(first.counted(&intent(1), Cents::new(600)), None);
        assert_eq!(first.counted(&intent(1), Cents::new(700)), None, "it counts for no more than before");
        let less = first.counted(&intent(1), Cents::new(499)).unwrap();
        assert_eq!((less.referral.changes, less.version), (2, 2));
        assert_eq!(less.referral.topped_up, MicroUsd::new(9_990_000));
        let back = less.counted(&intent(1), Cents::new(700)).unwrap();
        assert_eq!((back.referral.changes, back.version), (3, 3));
        assert_eq!(back.referral.topped_up, first.referral.topped_up);
        assert_eq!(first.counted(&intent(3), Cents::ZERO), None);
    }

    #[test]
    fn hundred_newest_payments_that_count_are_kept() {
        let mut payments: Vec<Payment> = (1..=150).map(|n| payment(n, 100)).collect();
        payments.push(payment(151, 0));
        let kept = former(payments);
        assert_eq!(kept.payments.len(), MOST_PAYMENTS);
        let kept_ids: Vec<&PaymentIntentId> = kept.payments.iter().map(|payment| &payment.intent).collect();
        assert!(kept_ids.contains(&&intent(51)) && kept_ids.contains(&&intent(150)));
        assert!(!kept_ids.contains(&&intent(50)) && !kept_ids.contains(&&intent(151)));
        assert!(kept.may_know(&intent(1)), "it may be one of the older ones");
        let few = former(vec![payment(1, 1_000)]);
        assert!(few.may_know(&intent(1)) && !few.may_know(&intent(2)));
    }

    #[test]
    fn record_does_not_name_the_friend() {
        let record = serde_json::to_value(former(vec![payment(1, 1_000)])).unwrap();
        assert!(!record.to_string().contains(&workspace('x').bare()));
        assert_eq!(record["keptUntil"], "1970-06-30T00:00:00Z");
        let read: FormerReferral = serde_json::from_value(record).unwrap();
        assert_eq!(read, former(vec![payment(1, 1_000)]));
    }
}
