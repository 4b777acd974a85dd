//! `DELETE /v1/subscriptions/{id}`, and other ends of subscriptions
//! (<https://docs.stripe.com/billing/subscriptions/cancel>).

use serde_json::{Value, json};

use super::{
    member::{set, set_at, text},
    object::{payment_method, period},
    period::Period,
};
use crate::{
    api_error::ApiError,
    invoices::{
        self,
        bill::{Bill, Draft, open_invoices},
        line::pending,
        payment::Collection,
    },
    params::Params,
    proration,
    routes::path_id,
    work::Work,
};

/// Cancels a subscription at once.
pub(super) fn cancel(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["prorate", "invoice_now", "cancellation_details"])?;
    let id = path_id(ids, 0);
    let mut subscription = work.get("subscription", id)?.clone();
    if is_over(&subscription) {
        return Err(ApiError::missing("subscription", id));
    }
    let (prorates, invoices_now) = (params.flag("prorate")?, params.flag("invoice_now")?);
    for name in ["comment", "feedback"] {
        if let Some(value) = params.text(&format!("cancellation_details.{name}")) {
            set_at(&mut subscription, &format!("/cancellation_details/{name}"), value);
        }
    }
    if prorates == Some(true) && text(&subscription, "/status") != "incomplete" {
        for credit in proration::credits(work, &subscription, work.now) {
            work.put(credit);
        }
    }
    if invoices_now == Some(true) {
        invoice_pending(work, &mut subscription, "subscription_update");
    }
    Ok(end(work, subscription, "cancellation_requested"))
}

/// Cancels a subscription at once, unless it is over. Pending prorations stay with the customer.
pub(crate) fn cancel_now(work: &mut Work<'_>, id: &str) {
    let subscription = work.find("subscription", id).cloned();
    if let Some(subscription) = subscription.filter(|subscription| !is_over(subscription)) {
        end(work, subscription, "cancellation_requested");
    }
}

/// Whether a subscription can't be canceled any more.
pub(crate) fn is_over(subscription: &Value) -> bool {
    matches!(text(subscription, "/status"), "canceled" | "incomplete_expired")
}

/// Invoices the pending items of a subscription that ends, and tries to pay them once.
pub(crate) fn invoice_pending(work: &mut Work<'_>, subscription: &mut Value, reason: &'static str) {
    let invoice_items = pending(work, text(subscription, "/id"));
    if invoice_items.is_empty() {
        return;
    }
    let draft = Draft {
        subscription,
        reason,
        invoice_items,
        lines: Vec::new(),
        period: Period { start: period(subscription).start, end: work.now },
        proration_date: None,
    };
    // Without a customer there is nobody to invoice.
    let Ok(mut bill) = Bill::draft(work, draft, "in_") else { return };
    bill.finalize(work);
    let method = payment_method(work, subscription);
    bill.collect(work, &Collection { method: method.as_deref(), off_session: true, is_automatic: true });
    bill.without_retries();
    set(subscription, "latest_invoice", text(&bill.invoice, "/id"));
    bill.store(work);
}

/// Ends a subscription: its open invoices are no longer collected, and the one for its start is voided.
pub(crate) fn end(work: &mut Work<'_>, mut subscription: Value, reason: &str) -> Value {
    let id = text(&subscription, "/id").to_owned();
    let was_incomplete = text(&subscription, "/status") == "incomplete";
    let requested = subscription.get("canceled_at").cloned().filter(|at| !at.is_null());
    set(&mut subscription, "status", "canceled");
    set(&mut subscription, "canceled_at", requested.unwrap_or_else(|| json!(work.now)));
    set(&mut subscription, "ended_at", work.now);
    set(&mut subscription, "pending_update", Value::Null);
    set_at(&mut subscription, "/cancellation_details/reason", reason);
    work.put(subscription.clone());
    for invoice in open_invoices(work, &id) {
        if was_incomplete {
            invoices::void_now(work, text(&invoice, "/id"));
        } else {
            let mut bill = Bill::of(invoice);
            bill.stop_collection();
            bill.store(work);
        }
    }
    work.emit("customer.subscription.deleted", subscription.clone(), None);
    subscription
}
