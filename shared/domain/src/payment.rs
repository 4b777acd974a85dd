//! Payments by Stripe. Its objects are the truth: the platform stores ids and what it booked, and fetches everything else.

mod cents;
mod customer;
mod event;
mod ids;
mod intent;
mod record;
mod subscription;

pub use cents::Cents;
pub use customer::{
    BillingDetails, BillingDetailsChange, BillingLine, Card, Country, PaymentMethod, PostalAddress, TaxId,
    TaxIdType,
};
pub use event::{PaymentSubject, StripeEvent};
pub use ids::{
    CheckoutId, CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId, StripeEventId, SubscriptionId,
};
pub use intent::{IntentStatus, PaymentIntent, PaymentMismatch, PaymentPurpose, PaymentTag};
pub use record::{BillingAccount, Payment, SeatsReservation};
pub use subscription::{
    BillingCycle, GRACE, Invoice, PaidSubscription, SeatChange, Subscription, SubscriptionStatus,
    SubscriptionTag,
};
