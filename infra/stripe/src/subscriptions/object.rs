//! The subscription object (<https://docs.stripe.com/api/subscriptions/object>).

use serde_json::{Value, json};

use super::{
    items,
    member::{elements, merged, text},
    period::Period,
};
use crate::{api_error::ApiError, proration::period_of, work::Work};

/// What a new subscription starts with.
pub(crate) struct NewSubscription<'a> {
    /// The id.
    pub id: &'a str,
    /// The id of the customer.
    pub customer: &'a str,
    /// The items.
    pub items: Vec<Value>,
    /// The id of the default payment method, if it has its own.
    pub method: Option<&'a str>,
    /// The description.
    pub description: Option<&'a str>,
    /// The metadata.
    pub metadata: Value,
}

/// A subscription that is `incomplete`.
pub(crate) fn new(work: &Work<'_>, start: NewSubscription<'_>) -> Value {
    let currency = start.items.first().map(|item| text(item, "/price/currency").to_owned());
    let first = json!({
        "id": start.id, "object": "subscription", "application": null, "application_fee_percent": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "billing_cycle_anchor": work.now, "billing_cycle_anchor_config": null,
        "billing_mode": { "flexible": { "proration_discounts": "included" }, "type": "flexible" },
        "billing_schedules": [], "billing_thresholds": null, "cancel_at": null, "cancel_at_period_end": false,
        "canceled_at": null,
        "cancellation_details": {
            "comment": null, "feedback": null, "feedback_option": null, "reason": null,
        },
        "collection_method": "charge_automatically", "created": work.now, "currency": currency,
        "customer": start.customer, "customer_account": null, "days_until_due": null,
        "default_payment_method": start.method,
    });
    let second = json!({
        "default_source": null, "default_tax_rates": [], "description": start.description, "discounts": [],
        "ended_at": null, "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } },
        "items": items::list(start.id, start.items), "latest_invoice": null, "livemode": false,
        "managed_payments": null, "metadata": start.metadata, "next_pending_invoice_item_invoice": null,
        "on_behalf_of": null, "pause_collection": null,
        "payment_settings": {
            "payment_method_options": null, "payment_method_types": null,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": null, "pending_setup_intent": null, "pending_update": null,
        "schedule": null, "start_date": work.now, "status": "incomplete", "test_clock": null,
        "transfer_data": null, "trial_end": null,
        "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } },
        "trial_start": null,
    });
    merged([first, second])
}

/// The payment method that a subscription's invoices are charged to: its own, or else the customer's default.
pub(crate) fn payment_method(work: &Work<'_>, subscription: &Value) -> Option<String> {
    let own = text(subscription, "/default_payment_method");
    let customer = work.find("customer", text(subscription, "/customer"));
    let default = customer.map(|customer| text(customer, "/invoice_settings/default_payment_method"));
    [own, default.unwrap_or_default()].into_iter().find(|id| !id.is_empty()).map(str::to_owned)
}

/// Checks that a payment method is the customer's.
///
/// # Errors
///
/// 400, if the method does not exist or is not the customer's.
pub(crate) fn check_method(work: &Work<'_>, customer: &str, method: &str) -> Result<(), ApiError> {
    let param = "default_payment_method";
    let object = work.get("payment_method", method).map_err(|error| error.for_param(param))?;
    if text(object, "/customer") == customer {
        return Ok(());
    }
    let message = "The payment method must be attached to the customer. Attach it first.";
    Err(ApiError::invalid(param, message))
}

/// The current period of a subscription: that of its items.
pub(crate) fn period(subscription: &Value) -> Period {
    let first = elements(subscription, "/items/data").first();
    first.map_or(Period { start: 0, end: 0 }, period_of)
}
