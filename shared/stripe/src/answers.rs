//! The parts of Stripe's objects that are read. Other members are ignored, and members that Stripe may leave
//! out or set to null may be absent. Version: see `call.rs`.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    payment::{
        Cents, CheckoutId, CustomerId, IntentStatus, PaymentIntentId, SubscriptionId, SubscriptionStatus,
    },
};
use serde::Deserialize;

use crate::error::{ApiAnswer, refused};

/// A page of a list ([pagination](https://docs.stripe.com/api/pagination)).
#[derive(Deserialize)]
pub struct List<T> {
    /// The objects.
    pub data: Vec<T>,
    /// Whether more follow.
    #[serde(default)]
    pub has_more: bool,
}

/// An object, or its id where it is not expanded
/// ([expanding](https://docs.stripe.com/api/expanding_objects)).
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Expandable<T> {
    /// The id.
    Id(String),
    /// The object.
    Object(T),
}

impl<T> Expandable<T> {
    /// The object, if it is expanded.
    pub fn object(self) -> Option<T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}

/// An object of which only the id is read.
#[derive(Deserialize)]
pub struct ObjectId {
    id: String,
}

/// A reference to an object.
pub type ObjectReference = Expandable<ObjectId>;

impl ObjectReference {
    /// The id.
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Object(ObjectId { id }) => id,
        }
    }
}

/// The customer that an object names.
pub fn customer_of(reference: Option<&ObjectReference>) -> Option<CustomerId> {
    reference.and_then(|reference| CustomerId::parse(reference.id()))
}

/// Metadata of an object ([metadata](https://docs.stripe.com/api/metadata)).
pub type Metadata = BTreeMap<String, String>;

/// A customer that was created.
#[derive(Deserialize)]
pub struct CreatedCustomer {
    pub id: CustomerId,
}

/// A customer. One that was deleted has `deleted` and the id only.
#[derive(Deserialize)]
pub struct CustomerAnswer {
    pub deleted: Option<bool>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub address: Option<AddressAnswer>,
    pub tax_ids: Option<List<TaxIdAnswer>>,
    pub invoice_settings: Option<InvoiceSettings>,
}

/// The address of a customer.
#[derive(Default, Deserialize)]
pub struct AddressAnswer {
    pub line1: Option<String>,
    pub line2: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

/// What the invoices of a customer are paid with.
#[derive(Deserialize)]
pub struct InvoiceSettings {
    pub default_payment_method: Option<ObjectReference>,
}

/// A tax id.
#[derive(Deserialize)]
pub struct TaxIdAnswer {
    pub id: String,
    pub r#type: String,
    pub value: String,
}

/// A payment method.
#[derive(Deserialize)]
pub struct MethodAnswer {
    pub id: String,
    pub r#type: String,
    pub card: Option<CardAnswer>,
    /// The customer to which it is attached.
    pub customer: Option<ObjectReference>,
}

/// A card.
#[derive(Deserialize)]
pub struct CardAnswer {
    pub brand: Option<String>,
    pub last4: Option<String>,
    pub exp_month: Option<u8>,
    pub exp_year: Option<u16>,
}

/// A Checkout session.
#[derive(Deserialize)]
pub struct SessionAnswer {
    pub id: CheckoutId,
    pub url: Option<String>,
    pub customer: Option<ObjectReference>,
    pub metadata: Option<Metadata>,
    pub setup_intent: Option<Expandable<SetupIntentAnswer>>,
}

/// A setup intent: the attempt to save a payment method.
#[derive(Deserialize)]
pub struct SetupIntentAnswer {
    pub status: Option<String>,
    pub payment_method: Option<ObjectReference>,
}

/// A payment intent.
#[derive(Deserialize)]
pub struct IntentAnswer {
    pub id: PaymentIntentId,
    pub customer: Option<ObjectReference>,
    pub status: IntentStatus,
    pub currency: String,
    pub amount: Option<i64>,
    pub amount_received: Option<i64>,
    pub metadata: Option<Metadata>,
    pub latest_charge: Option<Expandable<ChargeAnswer>>,
}

/// A charge.
#[derive(Deserialize)]
pub struct ChargeAnswer {
    pub amount_refunded: Option<i64>,
    pub disputed: Option<bool>,
    pub receipt_url: Option<String>,
}

/// A dispute.
#[derive(Deserialize)]
pub struct DisputeAnswer {
    pub amount: Option<i64>,
    pub status: Option<String>,
}

/// The status of an object of which nothing else is read.
#[derive(Deserialize)]
pub struct StatusAnswer {
    pub status: Option<String>,
}

/// A subscription.
#[derive(Deserialize)]
pub struct SubscriptionAnswer {
    pub id: SubscriptionId,
    pub customer: ObjectReference,
    pub status: SubscriptionStatus,
    pub metadata: Option<Metadata>,
    pub items: List<ItemAnswer>,
    pub start_date: i64,
    pub cancel_at_period_end: Option<bool>,
    pub cancel_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub default_payment_method: Option<ObjectReference>,
    pub latest_invoice: Option<Expandable<LatestInvoice>>,
}

/// An item of a subscription. Since the version 2025-03-31, it has the current period.
#[derive(Deserialize)]
pub struct ItemAnswer {
    pub id: String,
    /// Prices by usage have none.
    pub quantity: Option<u32>,
    pub price: PriceAnswer,
    pub current_period_start: i64,
    pub current_period_end: i64,
}

/// A price.
#[derive(Deserialize)]
pub struct PriceAnswer {
    pub id: String,
    pub lookup_key: Option<String>,
    pub recurring: Option<RecurringAnswer>,
}

/// How often a price is paid.
#[derive(Deserialize)]
pub struct RecurringAnswer {
    pub interval: String,
    pub interval_count: u32,
}

/// The last invoice of a subscription.
#[derive(Deserialize)]
pub struct LatestInvoice {
    pub id: Option<String>,
    pub status: Option<String>,
    pub attempt_count: Option<u32>,
    pub created: i64,
    pub status_transitions: Option<InvoiceTransitions>,
}

/// When an invoice had its statuses.
#[derive(Deserialize)]
pub struct InvoiceTransitions {
    pub finalized_at: Option<i64>,
    pub paid_at: Option<i64>,
}

/// An invoice.
#[derive(Deserialize)]
pub struct InvoiceAnswer {
    pub id: String,
    pub number: Option<String>,
    pub status: String,
    pub total: i64,
    pub created: i64,
    pub hosted_invoice_url: Option<String>,
    pub invoice_pdf: Option<String>,
}

/// An amount. Amounts in other currencies than the platform's may be larger than any of the platform's: they
/// must not spoil a list.
pub fn cents(amount: Option<i64>) -> Cents {
    let amount = amount.unwrap_or_default().max(0);
    Cents::new(u32::try_from(amount).unwrap_or(u32::MAX))
}

/// A time in Unix seconds.
pub fn time(seconds: i64) -> ApiAnswer<Timestamp> {
    Timestamp::from_second(seconds).map_err(|_| refused("answer"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reads<T: for<'de> Deserialize<'de>>(value: Value) -> bool {
        serde_json::from_value::<T>(value).is_ok()
    }

    #[test]
    fn absent_null_and_unknown_members_are_read() {
        assert!(reads::<CustomerAnswer>(json!({ "id": "cus_1", "object": "customer", "deleted": true })));
        assert!(reads::<CustomerAnswer>(json!({
            "name": null, "email": null, "address": null, "tax_ids": null, "invoice_settings": null,
            "new": {},
        })));
        assert!(reads::<AddressAnswer>(json!({ "line1": null, "other": 1 })));
        assert!(reads::<MethodAnswer>(json!({ "id": "pm_1", "type": "link", "link": {} })));
        assert!(reads::<SessionAnswer>(json!({ "id": "cs_test_1", "url": null, "setup_intent": "seti_1" })));
        assert!(reads::<IntentAnswer>(json!({
            "id": "pi_1", "status": "succeeded", "currency": "usd", "amount": 1, "latest_charge": null,
        })));
        assert!(!reads::<IntentAnswer>(json!({ "id": "pi_1", "status": "new", "currency": "usd" })));
        assert!(reads::<SubscriptionAnswer>(json!({
            "id": "sub_1", "customer": "cus_1", "status": "incomplete_expired", "metadata": null,
            "items": { "data": [] }, "start_date": 1, "cancel_at": null, "default_payment_method": null,
            "latest_invoice": "in_1",
        })));
        assert!(reads::<ItemAnswer>(json!({
            "id": "si_1", "price": { "id": "price_1", "lookup_key": null, "recurring": null },
            "current_period_start": 1, "current_period_end": 2,
        })));
        assert!(reads::<LatestInvoice>(json!({ "status": null, "created": 1 })));
        assert!(!reads::<CreatedCustomer>(json!({ "id": "acct_1" })));
    }

    #[test]
    fn reference_is_an_id_or_an_object() {
        for value in [json!("cus_1"), json!({ "id": "cus_1", "object": "customer" })] {
            let reference: ObjectReference = serde_json::from_value(value).unwrap();
            assert_eq!(reference.id(), "cus_1");
            assert_eq!(customer_of(Some(&reference)), CustomerId::parse("cus_1"));
        }
        let account: ObjectReference = serde_json::from_value(json!("acct_1")).unwrap();
        assert_eq!(customer_of(Some(&account)), None);
    }

    #[test]
    fn amount_outside_the_range_is_the_nearest_in_it() {
        for (amount, expected) in [
            (None, 0),
            (Some(-1), 0),
            (Some(1_999), 1_999),
            (Some(99_999_999), 99_999_999),
            (Some(999_999_999_999), u32::MAX),
        ] {
            assert_eq!(cents(amount), Cents::new(expected));
        }
    }
}
