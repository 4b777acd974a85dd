//! `POST /v1/subscriptions/{id}`: settings, and changes of items with prorations.

use serde_json::{Value, json};

use super::{
    behavior::{PaymentBehavior, ProrationBehavior, collect},
    change::ItemsChange,
    items,
    member::{set, set_at, text, update_metadata},
    object::{check_method, period},
    period::Period,
    settle::store,
};
use crate::{
    api_error::ApiError,
    invoices::{
        self,
        bill::{Bill, Draft},
        line::pending,
    },
    params::Params,
    routes::path_id,
    work::Work,
};

/// An update that waits for its payment is dropped after this time, in seconds
/// (<https://docs.stripe.com/billing/subscriptions/pending-updates>).
const PENDING_UPDATE_LIFETIME: i64 = 23 * 60 * 60;

/// The parameters of an update.
const PARAMS: [&str; 13] = [
    "items",
    "cancel_at_period_end",
    "proration_behavior",
    "proration_date",
    "payment_behavior",
    "default_payment_method",
    "metadata",
    "billing_cycle_anchor",
    "cancellation_details",
    "collection_method",
    "off_session",
    "payment_settings",
    "description",
];

/// Updates a subscription.
pub(super) fn update(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&PARAMS)?;
    let mut before = work.get("subscription", path_id(ids, 0))?.clone();
    params.choice("billing_cycle_anchor", &["now", "unchanged"])?;
    params.choice("collection_method", &["charge_automatically"])?;
    let payment = PaymentBehavior::read(params)?;
    let proration = ProrationBehavior::read(params, "proration_behavior")?;
    check(&before, params, payment)?;
    let mut after = before.clone();
    apply_settings(work, &mut after, params)?;
    if !params.has("items") && params.text("billing_cycle_anchor") != Some("now") {
        return Ok(store(work, &before, after));
    }
    let change = ItemsChange::plan(work, &before, params, "", proration)?;
    let off_session = params.flag("off_session")?.unwrap_or_default();
    if before.get("pending_update").is_some_and(Value::is_object) {
        // A new change replaces the one that waits for its payment.
        invoices::void_now(work, text(&before, "/latest_invoice"));
        before = work.get("subscription", path_id(ids, 0))?.clone();
        set(&mut after, "pending_update", Value::Null);
    }
    let after = change.applied_to(&after);
    if !change.is_invoiced_at_once(proration) {
        for item in change.invoice_items {
            work.put(item);
        }
        return Ok(store(work, &before, after));
    }
    invoice_at_once(work, &before, after, change, payment, off_session)
}

/// Checks whether the subscription can change like this.
fn check(subscription: &Value, params: &Params, payment: PaymentBehavior) -> Result<(), ApiError> {
    let status = text(subscription, "/status");
    let allowed: &[&str] = match status {
        "canceled" | "incomplete_expired" => &["metadata", "cancellation_details"],
        "incomplete" => &["metadata", "cancellation_details", "default_payment_method", "payment_settings"],
        _ if payment == PaymentBehavior::Pending => &[
            "items",
            "proration_behavior",
            "proration_date",
            "payment_behavior",
            "billing_cycle_anchor",
            "off_session",
        ],
        _ => &PARAMS,
    };
    let Some(name) = PARAMS.iter().find(|name| params.has(name) && !allowed.contains(name)) else {
        return Ok(());
    };
    let message = match status {
        "canceled" | "incomplete_expired" | "incomplete" => {
            format!("A subscription with the status {status} can only update: {}.", allowed.join(", "))
        }
        _ => format!("With `pending_if_incomplete`, an update can only have: {}.", allowed.join(", ")),
    };
    Err(ApiError::invalid(name, message))
}

fn apply_settings(work: &Work<'_>, subscription: &mut Value, params: &Params) -> Result<(), ApiError> {
    update_metadata(subscription, params)?;
    match params.text("default_payment_method") {
        None => (),
        Some("") => set(subscription, "default_payment_method", Value::Null),
        Some(method) => {
            check_method(work, text(subscription, "/customer"), method)?;
            set(subscription, "default_payment_method", method);
        }
    }
    for name in ["comment", "feedback"] {
        if let Some(value) = params.text(&format!("cancellation_details.{name}")) {
            let value = Some(value).filter(|value| !value.is_empty());
            set_at(subscription, &format!("/cancellation_details/{name}"), value);
        }
    }
    if let Some(description) = params.text("description") {
        set(subscription, "description", Some(description).filter(|description| !description.is_empty()));
    }
    match params.flag("cancel_at_period_end")? {
        Some(true) => {
            let end = period(subscription).end;
            let requested = subscription.get("canceled_at").cloned().filter(|at| !at.is_null());
            set(subscription, "cancel_at_period_end", true);
            set(subscription, "cancel_at", end);
            set(subscription, "canceled_at", requested.unwrap_or_else(|| json!(work.now)));
            set_at(subscription, "/cancellation_details/reason", "cancellation_requested");
        }
        Some(false) => {
            set(subscription, "cancel_at_period_end", false);
            set(subscription, "cancel_at", Value::Null);
            set(subscription, "canceled_at", Value::Null);
            set_at(subscription, "/cancellation_details/reason", Value::Null);
        }
        None => (),
    }
    Ok(())
}

/// Invoices a change, and applies it if the payment behaviour allows.
fn invoice_at_once(
    work: &mut Work<'_>,
    before: &Value,
    after: Value,
    change: ItemsChange,
    payment: PaymentBehavior,
    off_session: bool,
) -> Result<Value, ApiError> {
    let may_wait = payment == PaymentBehavior::Pending;
    // An update that may be dropped leaves the pending items to the next invoice.
    let mut invoice_items = if may_wait { Vec::new() } else { pending(work, text(before, "/id")) };
    invoice_items.extend(change.invoice_items.iter().cloned());
    let draft = Draft {
        subscription: &after,
        reason: "subscription_update",
        invoice_items,
        lines: change.lines.clone(),
        period: Period { start: period(before).start, end: work.now },
        proration_date: Some(change.at),
    };
    let mut bill = Bill::draft(work, draft, "in_")?;
    bill.finalize(work);
    let is_paid = collect(work, &mut bill, &after, payment, off_session)?;
    let mut result = match (is_paid, text(before, "/status")) {
        (false, _) if may_wait => {
            let mut kept = before.clone();
            set(&mut kept, "pending_update", pending_update(work, &change));
            bill.without_retries();
            kept
        }
        (false, _) => with_status(after, "past_due"),
        (true, "past_due" | "unpaid") => with_status(after, "active"),
        (true, _) => after,
    };
    set(&mut result, "latest_invoice", text(&bill.invoice, "/id"));
    let result = store(work, before, result);
    bill.store(work);
    Ok(result)
}

fn with_status(mut subscription: Value, status: &str) -> Value {
    set(&mut subscription, "status", status);
    subscription
}

fn pending_update(work: &Work<'_>, change: &ItemsChange) -> Value {
    json!({
        "billing_cycle_anchor": change.resets_at, "cancel_at_period_end": null, "discount": null,
        "discounts": null, "expires_at": work.now.saturating_add(PENDING_UPDATE_LIFETIME), "metadata": null,
        "subscription_items": change.items, "trial_end": null, "trial_from_plan": null,
    })
}

/// The list of a subscription's items after a change.
pub(super) fn with_items(subscription: &Value, items: &[Value]) -> Value {
    let mut after = subscription.clone();
    let list = items::list(text(subscription, "/id"), items.to_vec());
    set(&mut after, "items", list);
    after
}
