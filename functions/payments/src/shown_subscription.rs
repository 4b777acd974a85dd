//! The subscription of a workspace, as clients read it.

use domain::{
    Timestamp,
    payment::{BillingCycle, PaidSubscription, SubscriptionStatus},
};
use kit::Output;
use schemars::JsonSchema;
use serde::Serialize;

/// The subscription now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownSubscription {
    /// `active`, `past_due` while Stripe tries to collect an invoice, or `canceled`.
    status: &'static str,
    /// How often it is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_cycle: Option<BillingCycle>,
    /// The seats of the next invoice.
    seats: u32,
    /// The seats that are paid until the end of the period.
    paid_seats: u32,
    /// The end of the current period.
    #[schemars(schema_with = "kit::input::date_time")]
    current_period_end: Timestamp,
    /// Whether it ends with the current period.
    cancel_at_period_end: bool,
    /// Since when an invoice is open although a payment was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    payment_failed_at: Option<Timestamp>,
}
impl Output for ShownSubscription {}

impl From<&PaidSubscription> for ShownSubscription {
    fn from(subscription: &PaidSubscription) -> Self {
        use SubscriptionStatus::{
            Active, Canceled, Incomplete, IncompleteExpired, PastDue, Paused, Trialing, Unpaid,
        };
        Self {
            status: match subscription.status {
                Active | Trialing => "active",
                PastDue | Unpaid | Incomplete | Paused => "past_due",
                Canceled | IncompleteExpired => "canceled",
            },
            billing_cycle: subscription.cycle,
            seats: subscription.seats,
            paid_seats: subscription.paid_seats,
            current_period_end: subscription.period_end,
            cancel_at_period_end: subscription.cancel_at_period_end,
            payment_failed_at: subscription.payment_failed_at,
        }
    }
}
