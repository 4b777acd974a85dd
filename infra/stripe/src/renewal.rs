//! What happens to subscriptions and invoices as time passes: renewals, retries of payments, and expiries
//! (<https://docs.stripe.com/billing/subscriptions/overview>).

use serde_json::Value;

use crate::{
    deliveries::AfterLastFailure,
    invoices::{
        self,
        bill::{Bill, Draft, open_invoices},
        line::{pending, recurring},
        payment::{self, Collection, intent_status},
    },
    proration::period_of,
    subscriptions::{
        cancel::{end, invoice_pending, is_over},
        items::{interval, list, set_period},
        member::{elements, integer, is_true, set, text},
        object::{payment_method, period},
        period::Period,
        settle::{invoice_paid, payment_failed, store, subscription_of},
    },
    work::Work,
};

/// A subscription expires if its first invoice is not paid in this time, in seconds.
const INCOMPLETE_LIFETIME: i64 = 23 * 60 * 60;

/// The most steps of one tick. More follow in the next.
const STEPS: usize = 10_000;

/// A step that is due. Steps of one time are taken in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// The update of a subscription waited too long for its payment.
    ExpireUpdate(String),
    /// A subscription waited too long for its first payment.
    Expire(String),
    /// The next attempt to pay an invoice.
    Retry(String),
    /// The end of a subscription's period.
    EndPeriod(String),
}

/// Does everything that is due until now, each at its own time.
pub(crate) fn tick(work: &mut Work<'_>) {
    settle_intents(work);
    let now = work.now;
    for _ in 0..STEPS {
        let Some((at, step)) = next_step(work, now) else { break };
        work.now = at;
        match step {
            Step::ExpireUpdate(id) => expire_update(work, &id),
            Step::Expire(id) => expire(work, &id),
            Step::Retry(id) => retry(work, &id),
            Step::EndPeriod(id) => end_period(work, &id),
        }
    }
    work.now = now;
}

/// Applies what became of payment intents outside of invoices: an intent that the customer confirmed or that
/// was processed pays its invoice, and a delayed payment that failed makes the subscription past due.
fn settle_intents(work: &mut Work<'_>) {
    let invoices = work.all("invoice").into_iter().filter(|invoice| text(invoice, "/status") == "open");
    let open: Vec<Value> = invoices.cloned().collect();
    for mut invoice in open {
        match intent_status(work, &invoice) {
            "succeeded" => {
                payment::settle(&mut invoice, work.now);
                let mut bill = Bill::of(invoice);
                let amount = bill.amount_due();
                bill.paid(work, amount);
                let invoice = bill.store(work);
                invoice_paid(work, &invoice);
            }
            "requires_payment_method" if counts_as_paid(work, &invoice) => {
                let mut bill = Bill::of(invoice);
                bill.returned(work.now);
                let invoice = bill.store(work);
                payment_failed(work, &invoice);
            }
            _ => (),
        }
    }
}

/// Whether a subscription is active because the payment of its latest invoice was under way.
fn counts_as_paid(work: &Work<'_>, invoice: &Value) -> bool {
    subscription_of(work, invoice).is_some_and(|subscription| {
        text(&subscription, "/status") == "active"
            && subscription.get("latest_invoice") == invoice.get("id")
            && subscription.get("pending_update").is_none_or(Value::is_null)
    })
}

/// The earliest step that is due until `now`, with its time.
fn next_step(work: &Work<'_>, now: i64) -> Option<(i64, Step)> {
    let subscriptions = work.all("subscription").into_iter().filter_map(step_of_subscription);
    let invoices = work.all("invoice").into_iter().filter_map(|invoice| {
        let at = invoice.get("next_payment_attempt").and_then(Value::as_i64)?;
        let is_open = text(invoice, "/status") == "open" && is_true(invoice, "/auto_advance");
        is_open.then(|| (at, Step::Retry(text(invoice, "/id").to_owned())))
    });
    subscriptions.chain(invoices).filter(|(at, _)| *at <= now).min()
}

fn step_of_subscription(subscription: &Value) -> Option<(i64, Step)> {
    let id = text(subscription, "/id").to_owned();
    let end = period(subscription).end;
    match text(subscription, "/status") {
        "incomplete" => {
            let at = integer(subscription, "/created").saturating_add(INCOMPLETE_LIFETIME);
            Some((at, Step::Expire(id)))
        }
        "active" | "past_due" | "unpaid" => {
            let expiry = subscription.pointer("/pending_update/expires_at").and_then(Value::as_i64);
            match expiry {
                Some(expiry) if expiry <= end => Some((expiry, Step::ExpireUpdate(id))),
                _ => Some((end, Step::EndPeriod(id))),
            }
        }
        _ => None,
    }
}

fn expire_update(work: &mut Work<'_>, id: &str) {
    let Some(before) = work.find("subscription", id).cloned() else { return };
    invoices::void_now(work, text(&before, "/latest_invoice"));
    let Some(mut after) = work.find("subscription", id).cloned() else { return };
    if !after.get("pending_update").is_none_or(Value::is_null) {
        let current = after.clone();
        set(&mut after, "pending_update", Value::Null);
        after = store(work, &current, after);
    }
    work.emit("customer.subscription.pending_update_expired", after, None);
}

fn expire(work: &mut Work<'_>, id: &str) {
    for invoice in open_invoices(work, id) {
        invoices::void_now(work, text(&invoice, "/id"));
    }
    let Some(before) = work.find("subscription", id).cloned() else { return };
    if text(&before, "/status") == "incomplete" {
        let mut after = before.clone();
        set(&mut after, "status", "incomplete_expired");
        set(&mut after, "ended_at", work.now);
        store(work, &before, after);
    }
}

fn retry(work: &mut Work<'_>, id: &str) {
    let Some(invoice) = work.find("invoice", id).cloned() else { return };
    let subscription = subscription_of(work, &invoice).unwrap_or_default();
    let mut bill = Bill::of(invoice);
    if subscription.is_null() || is_over(&subscription) {
        bill.stop_collection();
        bill.store(work);
        return;
    }
    let method = payment_method(work, &subscription);
    let collection = Collection { method: method.as_deref(), off_session: true, is_automatic: true };
    let is_paid = bill.collect(work, &collection).error().is_none();
    let invoice = bill.store(work);
    if is_paid {
        invoice_paid(work, &invoice);
        return;
    }
    payment_failed(work, &invoice);
    if invoice.get("next_payment_attempt").is_none_or(Value::is_null) {
        after_last_failure(work, &subscription);
    }
}

/// Ends or suspends a subscription whose invoice could not be paid in the last attempt.
fn after_last_failure(work: &mut Work<'_>, subscription: &Value) {
    let Some(before) = work.find("subscription", text(subscription, "/id")).cloned() else { return };
    if text(&before, "/status") != "past_due" {
        return;
    }
    match work.state.after_last_failure() {
        AfterLastFailure::Cancel => drop(end(work, before, "payment_failed")),
        AfterLastFailure::MarkUnpaid => {
            let mut after = before.clone();
            set(&mut after, "status", "unpaid");
            store(work, &before, after);
        }
    }
}

fn end_period(work: &mut Work<'_>, id: &str) {
    let Some(before) = work.find("subscription", id).cloned() else { return };
    if is_true(&before, "/cancel_at_period_end") {
        let mut subscription = before;
        invoice_pending(work, &mut subscription, "subscription_cycle");
        end(work, subscription, "cancellation_requested");
    } else {
        renew(work, &before);
    }
}

/// Begins the next period of a subscription, and invoices it. An unpaid subscription gets a draft that is not
/// collected.
fn renew(work: &mut Work<'_>, before: &Value) {
    let id = text(before, "/id");
    let mut after = renewed(before);
    let items = elements(&after, "/items/data");
    let draft = Draft {
        subscription: &after,
        reason: "subscription_cycle",
        invoice_items: pending(work, id),
        lines: items.iter().map(|item| recurring(work, item, period_of(item))).collect(),
        period: period(before),
        proration_date: None,
    };
    let Ok(mut bill) = Bill::draft(work, draft, "in_") else {
        // A subscription without its customer can't be invoiced.
        end(work, before.clone(), "cancellation_requested");
        return;
    };
    set(&mut after, "latest_invoice", text(&bill.invoice, "/id"));
    if text(before, "/status") == "unpaid" {
        set(&mut bill.invoice, "auto_advance", false);
    } else {
        bill.finalize(work);
        let method = payment_method(work, before);
        let collection = Collection { method: method.as_deref(), off_session: true, is_automatic: true };
        let is_paid = bill.collect(work, &collection).error().is_none();
        set(&mut after, "status", if is_paid { "active" } else { "past_due" });
    }
    store(work, before, after);
    bill.store(work);
}

/// The subscription in its next period.
pub(crate) fn renewed(subscription: &Value) -> Value {
    let anchor = integer(subscription, "/billing_cycle_anchor");
    let mut items = elements(subscription, "/items/data").to_vec();
    for item in &mut items {
        let start = period_of(item).end;
        let end = interval(item).map_or(start, |interval| interval.next(anchor, start));
        set_period(item, Period { start, end });
    }
    let mut after = subscription.clone();
    let items = list(text(subscription, "/id"), items);
    set(&mut after, "items", items);
    after
}

#[cfg(test)]
mod tests;
