//! Stripe's events ([object](https://docs.stripe.com/api/events/object)). An event is a hint that an object changed: the platform
//! fetches the object, and never applies what the event says of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{CheckoutId, PaymentIntentId, StripeEventId, SubscriptionId};
use crate::region::Region;

/// The object that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaymentSubject {
    /// A payment, its charge, its refunds or its disputes.
    Payment(PaymentIntentId),
    /// A Checkout session that saves a payment method.
    Checkout(CheckoutId),
    /// A subscription or one of its invoices.
    Subscription(SubscriptionId),
}

impl fmt::Display for PaymentSubject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payment(id) => out.write_str(id.as_str()),
            Self::Checkout(id) => out.write_str(id.as_str()),
            Self::Subscription(id) => out.write_str(id.as_str()),
        }
    }
}

/// An event, without what it says of its object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StripeEvent {
    /// The id.
    pub id: StripeEventId,
    /// The type, for example `payment_intent.succeeded`.
    pub r#type: String,
    /// When Stripe made it.
    pub created: Timestamp,
    /// The object. `None`: the platform does nothing about events of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<PaymentSubject>,
    /// Whether it is of live mode, with real money.
    pub live: bool,
    /// The connected account, if it is of one. The platform has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The region in the metadata of the object, if it has any: the platform's objects do, and some that belong to them do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
}
