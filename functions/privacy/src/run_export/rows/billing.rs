//! What the person gave to Stripe, which stores it for the platform.

use domain::payment::{BillingAccount, BillingDetails, Card, PaymentMethod, PostalAddress, TaxId};
use schemars::JsonSchema;
use serde::Serialize;

/// The customer at Stripe.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Billing")]
pub struct BillingRow {
    /// The customer's id at Stripe.
    pub customer: String,
    /// The name on invoices.
    pub name: Option<String>,
    /// The address that receipts are sent to.
    pub email: Option<String>,
    /// The postal address.
    pub address: PostalAddress,
    /// The tax ids.
    pub tax_ids: Vec<TaxId>,
    /// The saved payment methods.
    pub payment_methods: Vec<PaymentMethodRow>,
}

/// A saved payment method.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SavedPaymentMethod")]
pub struct PaymentMethodRow {
    /// The id at Stripe.
    pub id: String,
    /// The type, for example `card`.
    pub r#type: String,
    /// The card, if it is one.
    pub card: Option<Card>,
    /// Whether it is charged when nobody is asked.
    pub is_default: bool,
}

impl BillingRow {
    /// The customer, as Stripe has it now.
    pub fn new(account: &BillingAccount, details: BillingDetails, methods: Vec<PaymentMethod>) -> Self {
        let BillingDetails { name, email, address, tax_ids, default_method } = details;
        let row = |PaymentMethod { id, r#type, card }| PaymentMethodRow {
            is_default: default_method.as_ref() == Some(&id),
            id: id.to_string(),
            r#type,
            card,
        };
        let payment_methods = methods.into_iter().map(row).collect();
        Self { customer: account.customer.to_string(), name, email, address, tax_ids, payment_methods }
    }
}
