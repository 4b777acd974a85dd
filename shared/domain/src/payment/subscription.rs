//! A subscription of a workspace to the plan Pro, as Stripe tells it.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{CustomerId, InvoiceId, PaymentMethodId, SubscriptionId};
use crate::{id::WorkspaceId, region::Region};

/// How often a subscription is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum BillingCycle {
    /// Every month.
    Monthly,
    /// Every year.
    Yearly,
}

/// The status of a subscription ([statuses](https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// The first payment is not made yet.
    Incomplete,
    /// The first payment was not made in time.
    IncompleteExpired,
    /// In a trial period. The platform offers none.
    Trialing,
    /// Paid.
    Active,
    /// The last invoice is not paid. Stripe tries again.
    PastDue,
    /// The last invoice is not paid, and Stripe does not try again.
    Unpaid,
    /// Paused. The platform pauses none.
    Paused,
    /// Over.
    Canceled,
}

impl SubscriptionStatus {
    /// Whether the subscription is active again once its last invoice is paid.
    pub const fn is_unpaid(self) -> bool {
        matches!(self, Self::PastDue | Self::Unpaid)
    }
}

/// The metadata by which the platform knows its own subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionTag {
    /// The workspace that has the plan.
    pub workspace: WorkspaceId,
    /// The region of the workspace.
    pub region: Region,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The id.
    pub id: SubscriptionId,
    /// The customer who pays.
    pub customer: CustomerId,
    /// The status.
    pub status: SubscriptionStatus,
    /// The metadata of the platform. `None`: the platform did not make it.
    pub tag: Option<SubscriptionTag>,
    /// The id of its one item, whose quantity is the number of seats.
    pub item: String,
    /// How often it is paid. `None`: it has another price than those of the deployment.
    pub cycle: Option<BillingCycle>,
    /// The seats of the next invoice.
    pub seats: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// The first instant of the current period.
    pub period_start: Timestamp,
    /// The end of the current period.
    pub period_end: Timestamp,
    /// Whether it ends with the current period.
    pub cancel_at_period_end: bool,
    /// The payment method of its own. Without one, it is paid with the customer's default.
    pub method: Option<PaymentMethodId>,
    /// Its last invoice, if that is open.
    pub open_invoice: Option<InvoiceId>,
    /// Since when its last invoice is open although a payment was tried.
    pub payment_failed_at: Option<Timestamp>,
    /// Its last invoice, if that is from before the end of the subscription and was paid afterwards: it brought nothing.
    pub paid_after_end: Option<InvoiceId>,
}

/// A change of the seats of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatChange {
    /// The next invoice has the new number; nothing is paid now.
    AtRenewal,
    /// The rest of the period is paid now. If that fails, nothing changes.
    PayNow,
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// The id at Stripe.
    pub id: String,
    /// The number on the invoice. Drafts have none.
    pub number: Option<String>,
    /// `draft`, `open`, `paid`, `uncollectible` or `void`.
    pub status: String,
    /// The amount in US cents.
    pub total_cents: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Stripe's page of the invoice, where it can also be paid.
    pub url: Option<String>,
    /// The invoice as a PDF.
    pub pdf_url: Option<String>,
}

/// How long a plan goes on after the period that was paid: Stripe tries to collect meanwhile, and its events may be late.
pub const GRACE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What the platform stores of the subscription of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaidSubscription {
    /// The id.
    pub id: SubscriptionId,
    /// The status.
    pub status: SubscriptionStatus,
    /// How often it is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<BillingCycle>,
    /// The seats of the next invoice.
    pub seats: u32,
    /// The seats that are paid for until the end of the period. More than `seats` if some were given up meanwhile.
    pub paid_seats: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// The end of the current period.
    pub period_end: Timestamp,
    /// The end of the last period that was paid.
    pub paid_until: Timestamp,
    /// Whether it ends with the current period.
    pub cancel_at_period_end: bool,
    /// Since when the last invoice is open although a payment was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_failed_at: Option<Timestamp>,
}

impl Subscription {
    /// Whether the current period is paid.
    pub const fn is_paid(&self) -> bool {
        matches!(self.status, SubscriptionStatus::Active | SubscriptionStatus::Trialing)
    }

    /// Whether it gives a plan, or may give it again once an invoice is paid.
    pub const fn is_alive(&self) -> bool {
        use SubscriptionStatus::{Active, PastDue, Trialing, Unpaid};
        matches!(self.status, Active | PastDue | Trialing | Unpaid)
    }
}

impl PaidSubscription {
    /// The record after this state at Stripe. `before`: the record until now, perhaps of another subscription.
    pub fn after(before: Option<&Self>, now: &Subscription) -> Self {
        let paid_until = if now.is_paid() { now.period_end } else { now.period_start };
        let kept = before.filter(|before| before.id == now.id && before.paid_until == now.period_end);
        Self {
            id: now.id.clone(),
            status: now.status,
            cycle: now.cycle,
            seats: now.seats,
            paid_seats: kept.map_or(now.seats, |before| before.paid_seats.max(now.seats)),
            started_at: now.started_at,
            period_end: now.period_end,
            paid_until,
            cancel_at_period_end: now.cancel_at_period_end,
            payment_failed_at: now.payment_failed_at,
        }
    }

    /// Whether it is over and can't be renewed.
    pub const fn is_over(&self) -> bool {
        matches!(self.status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
    }

    /// When the plan that it gives ends, unless it is renewed. `None`: it gives no plan.
    pub fn plan_ends_at(&self) -> Option<Timestamp> {
        use SubscriptionStatus::{Active, PastDue, Trialing};
        match self.status {
            Active | Trialing if self.cancel_at_period_end => Some(self.paid_until),
            Active | Trialing | PastDue => {
                Some(self.paid_until.saturating_add(GRACE).unwrap_or(Timestamp::MAX))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).unwrap()
    }

    fn subscription(status: SubscriptionStatus, seats: u32, period: [i64; 2]) -> Subscription {
        Subscription {
            id: SubscriptionId::parse("sub_1").unwrap(),
            customer: CustomerId::parse("cus_1").unwrap(),
            status,
            tag: None,
            item: "si_1".to_owned(),
            cycle: Some(BillingCycle::Monthly),
            seats,
            started_at: day(0),
            period_start: day(period[0]),
            period_end: day(period[1]),
            cancel_at_period_end: false,
            method: None,
            open_invoice: None,
            payment_failed_at: None,
            paid_after_end: None,
        }
    }

    #[test]
    fn seats_given_up_stay_paid_until_the_period_ends() {
        use SubscriptionStatus::Active;
        let first = PaidSubscription::after(None, &subscription(Active, 4, [0, 30]));
        assert_eq!((first.seats, first.paid_seats), (4, 4));
        let fewer = PaidSubscription::after(Some(&first), &subscription(Active, 2, [0, 30]));
        assert_eq!((fewer.seats, fewer.paid_seats), (2, 4));
        let back = PaidSubscription::after(Some(&fewer), &subscription(Active, 3, [0, 30]));
        assert_eq!((back.seats, back.paid_seats), (3, 4));
        let more = PaidSubscription::after(Some(&back), &subscription(Active, 5, [0, 30]));
        assert_eq!((more.seats, more.paid_seats), (5, 5));
        let renewed = PaidSubscription::after(Some(&fewer), &subscription(Active, 2, [30, 60]));
        assert_eq!((renewed.seats, renewed.paid_seats), (2, 2));
    }

    #[test]
    fn plan_ends_with_what_was_paid_or_after_the_grace() {
        use SubscriptionStatus::{Active, Canceled, Incomplete, PastDue, Unpaid};
        let ends = |subscription: &Subscription| PaidSubscription::after(None, subscription).plan_ends_at();
        assert_eq!(ends(&subscription(Active, 1, [0, 30])), Some(day(37)));
        let canceling = Subscription { cancel_at_period_end: true, ..subscription(Active, 1, [0, 30]) };
        assert_eq!(ends(&canceling), Some(day(30)));
        // The period that began is not paid.
        assert_eq!(ends(&subscription(PastDue, 1, [30, 60])), Some(day(37)));
        for over in [Unpaid, Canceled, Incomplete] {
            assert_eq!(ends(&subscription(over, 1, [30, 60])), None, "{over:?}");
        }
    }
}
