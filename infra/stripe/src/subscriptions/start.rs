//! `POST /v1/subscriptions`, and the start of a subscription by a Checkout session.

use serde_json::{Value, json};

use super::{
    behavior::{PaymentBehavior, collect},
    items,
    member::{elements, set, text, update_metadata},
    object::{self, NewSubscription, check_method},
    period::Period,
};
use crate::{
    api_error::ApiError,
    customers,
    invoices::{
        bill::{Bill, Draft},
        line::recurring,
    },
    params::Params,
    proration::period_of,
    work::Work,
};

/// Creates a subscription, and charges its first invoice.
pub(super) fn create(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[
        "customer",
        "items",
        "default_payment_method",
        "payment_behavior",
        "metadata",
        "off_session",
        "collection_method",
        "currency",
        "payment_settings",
        "proration_behavior",
        "billing_mode",
        "description",
    ])?;
    let customer = params.required("customer")?;
    customers::live(work, customer).map_err(|error| error.for_param("customer"))?;
    params.choice("collection_method", &["charge_automatically"])?;
    let behavior = PaymentBehavior::read(params)?;
    if behavior == PaymentBehavior::Pending {
        let message = "`pending_if_incomplete` is for updates of subscriptions only.";
        return Err(ApiError::invalid("payment_behavior", message));
    }
    let method = params.text("default_payment_method").filter(|method| !method.is_empty());
    if let Some(method) = method {
        check_method(work, customer, method)?;
    }
    let id = work.new_id("sub_");
    let items = items::of_new(work, &id, params, "items")?;
    let mut described = json!({ "metadata": {} });
    update_metadata(&mut described, params)?;
    let metadata = described.get("metadata").cloned().unwrap_or_default();
    let description = params.text("description").filter(|description| !description.is_empty());
    let new = NewSubscription { id: &id, customer, items, method, description, metadata };
    start(work, new, behavior, params.flag("off_session")?.unwrap_or_default())
}

/// Starts the subscription that a Checkout session sold, and charges its first invoice to the payment method,
/// which becomes the subscription's default. The customer is present.
///
/// # Errors
///
/// 402, if the card is declined or needs authentication; nothing is started then.
pub(crate) fn start_from_checkout(
    work: &mut Work<'_>,
    session: &Value,
    payment_method: &str,
) -> Result<Value, ApiError> {
    let id = work.new_id("sub_");
    let mut items = Vec::new();
    for line in elements(session, "/line_items/data") {
        let price = line.get("price").unwrap_or(&Value::Null);
        let quantity = line.get("quantity").and_then(Value::as_i64).unwrap_or(1);
        items.push(items::of_price(work, &id, price, quantity)?);
    }
    let metadata = session.pointer("/subscription_data/metadata").filter(|metadata| metadata.is_object());
    let new = NewSubscription {
        id: &id,
        customer: text(session, "/customer"),
        items,
        method: Some(payment_method),
        description: session.pointer("/subscription_data/description").and_then(Value::as_str),
        metadata: metadata.cloned().unwrap_or_else(|| json!({})),
    };
    start(work, new, PaymentBehavior::Error, false)
}

/// Starts a subscription. It is active if its first invoice is paid, else incomplete.
///
/// # Errors
///
/// See [`collect`]; nothing is started then.
fn start(
    work: &mut Work<'_>,
    new: NewSubscription<'_>,
    behavior: PaymentBehavior,
    off_session: bool,
) -> Result<Value, ApiError> {
    let mut subscription = object::new(work, new);
    let items = elements(&subscription, "/items/data");
    let draft = Draft {
        subscription: &subscription,
        reason: "subscription_create",
        invoice_items: Vec::new(),
        lines: items.iter().map(|item| recurring(work, item, period_of(item))).collect(),
        period: Period { start: work.now, end: work.now },
        proration_date: None,
    };
    let mut bill = Bill::draft(work, draft, "in_")?;
    bill.finalize(work);
    let is_paid = collect(work, &mut bill, &subscription, behavior, off_session)?;
    set(&mut subscription, "status", if is_paid { "active" } else { "incomplete" });
    set(&mut subscription, "latest_invoice", text(&bill.invoice, "/id"));
    work.put(subscription.clone());
    work.emit("customer.subscription.created", subscription.clone(), None);
    bill.store(work);
    Ok(subscription)
}
