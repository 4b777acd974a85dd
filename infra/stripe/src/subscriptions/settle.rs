//! What a payment or its failure does to a subscription
//! (<https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>).

use serde_json::Value;

use super::{
    items,
    member::{elements, previous, set, text},
    object::period,
};
use crate::{invoices::bill::open_invoices, work::Work};

/// Stores a changed subscription, and emits `customer.subscription.updated` if anything is different.
pub(crate) fn store(work: &mut Work<'_>, before: &Value, after: Value) -> Value {
    if let Some(previous) = previous(before, &after) {
        work.put(after.clone());
        work.emit("customer.subscription.updated", after.clone(), Some(previous));
    }
    after
}

/// The subscription of an invoice.
pub(crate) fn subscription_of(work: &Work<'_>, invoice: &Value) -> Option<Value> {
    work.find("subscription", text(invoice, "/parent/subscription_details/subscription")).cloned()
}

/// An invoice was paid: its subscription becomes active, and an update that waited for it is applied. Only
/// the latest invoice counts.
pub(crate) fn invoice_paid(work: &mut Work<'_>, invoice: &Value) {
    let Some(before) = subscription_of(work, invoice) else { return };
    if before.get("latest_invoice") != invoice.get("id") {
        return;
    }
    let mut after = before.clone();
    if matches!(text(&before, "/status"), "incomplete" | "past_due" | "unpaid") {
        set(&mut after, "status", "active");
    }
    let is_applied = apply_pending_update(&mut after);
    let after = store(work, &before, after);
    if is_applied {
        work.emit("customer.subscription.pending_update_applied", after, None);
    }
}

/// An attempt to pay an invoice of a subscription that had begun failed: the subscription is past due.
pub(crate) fn payment_failed(work: &mut Work<'_>, invoice: &Value) {
    let Some(before) = subscription_of(work, invoice) else { return };
    if text(&before, "/status") == "active" && before.get("latest_invoice") == invoice.get("id") {
        let mut after = before.clone();
        set(&mut after, "status", "past_due");
        store(work, &before, after);
    }
}

/// An invoice was voided: a subscription that waited for its first payment expires, and an update that waited
/// for it is dropped. A subscription without another open invoice is no longer past due.
pub(crate) fn invoice_voided(work: &mut Work<'_>, invoice: &Value) {
    let Some(before) = subscription_of(work, invoice) else { return };
    let mut after = before.clone();
    let is_latest = before.get("latest_invoice") == invoice.get("id");
    if is_latest {
        set(&mut after, "pending_update", Value::Null);
    }
    match text(&before, "/status") {
        "incomplete" if is_latest => {
            set(&mut after, "status", "incomplete_expired");
            set(&mut after, "ended_at", work.now);
        }
        "past_due" | "unpaid" if open_invoices(work, text(&before, "/id")).is_empty() => {
            set(&mut after, "status", "active");
        }
        _ => (),
    }
    store(work, &before, after);
}

fn apply_pending_update(subscription: &mut Value) -> bool {
    let mut changed = elements(subscription, "/pending_update/subscription_items").to_vec();
    if changed.is_empty() {
        return false;
    }
    let anchor = subscription.pointer("/pending_update/billing_cycle_anchor").cloned().unwrap_or_default();
    let current = period(subscription);
    if anchor.is_null() {
        // The period may have been renewed since.
        changed.iter_mut().for_each(|item| items::set_period(item, current));
    } else {
        set(subscription, "billing_cycle_anchor", anchor);
    }
    let id = text(subscription, "/id").to_owned();
    set(subscription, "items", items::list(&id, changed));
    set(subscription, "pending_update", Value::Null);
    true
}
