//! What the platform stores of payments: ids, amounts and times.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    cents::Cents,
    ids::{CheckoutId, CustomerId, PaymentIntentId},
    intent::PaymentPurpose,
    subscription::PaidSubscription,
};
use crate::id::WorkspaceId;

/// A change of seats in progress: until its end, only the same change can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatsReservation {
    /// The new number of seats.
    pub seats: u32,
    /// When the reservation ends.
    pub ends_at: Timestamp,
}

/// The customer of a workspace at Stripe. A workspace has at most one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingAccount {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The customer.
    pub customer: CustomerId,
    /// When the customer was made.
    pub created_at: Timestamp,
    /// The subscription that the workspace has, or had last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<PaidSubscription>,
    /// The page on which somebody may subscribe. A new page closes it, so that nobody subscribes twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe_page: Option<CheckoutId>,
    /// The change of seats in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats_change: Option<SeatsReservation>,
    /// How often the record changed. Every write is conditional on it.
    pub version: u64,
}

impl BillingAccount {
    /// The record of a new customer.
    pub const fn new(workspace: WorkspaceId, customer: CustomerId, now: Timestamp) -> Self {
        Self {
            workspace,
            customer,
            created_at: now,
            subscription: None,
            subscribe_page: None,
            seats_change: None,
            version: 1,
        }
    }

    /// The record that replaces this one, with the next version.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// The subscription, unless it is over.
    pub fn running(&self) -> Option<&PaidSubscription> {
        self.subscription.as_ref().filter(|subscription| !subscription.is_over())
    }
}

/// A payment, and how much of it is in the wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The payment intent.
    pub intent: PaymentIntentId,
    /// What it is for.
    pub purpose: PaymentPurpose,
    /// The amount that was paid.
    pub received: Cents,
    /// The amount that was given back of it.
    pub refunded: Cents,
    /// What disputes hold or took.
    pub disputed: Cents,
    /// What the wallet has of it: credited, and not taken back.
    pub counted: Cents,
    /// How often the wallet changed because of it.
    pub changes: u32,
    /// How often the record changed. Every write is conditional on it.
    pub version: u64,
    /// When the platform saw the payment first.
    pub seen_at: Timestamp,
    /// When the record changed last.
    pub changed_at: Timestamp,
}

#[cfg(test)]
impl Payment {
    /// A top-up of $20, of which so many cents count after so many changes.
    pub fn sample(workspace: WorkspaceId, at: Timestamp, counted: u32, changes: u32) -> Self {
        Self {
            workspace,
            intent: PaymentIntentId::parse("pi_1").unwrap(),
            purpose: PaymentPurpose::TopUp,
            received: Cents::new(2_000),
            refunded: Cents::ZERO,
            disputed: Cents::ZERO,
            counted: Cents::new(counted),
            changes,
            version: 1,
            seen_at: at,
            changed_at: at,
        }
    }
}
