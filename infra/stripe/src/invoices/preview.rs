//! `POST /v1/invoices/create_preview`: the next invoice of a subscription, or the one that a change would
//! make (<https://docs.stripe.com/api/invoices/create_preview>).

use serde_json::{Value, json};

use super::{
    bill::{Bill, Draft},
    hide_payments,
    line::{pending, recurring},
    object::LINES_SHOWN,
};
use crate::{
    api_error::ApiError,
    customers,
    params::Params,
    proration::{self, period_of},
    renewal::renewed,
    subscriptions::{
        behavior::ProrationBehavior,
        cancel::is_over,
        change::ItemsChange,
        items,
        member::{elements, is_true, set, text},
        object::{self, NewSubscription, period},
        period::Period,
    },
    work::Work,
};

/// Answers an invoice that is not stored.
pub(super) fn create_preview(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["customer", "subscription", "subscription_details", "preview_mode", "currency"])?;
    let proration = ProrationBehavior::read(params, "subscription_details.proration_behavior")?;
    if let Some(id) = params.text("subscription") {
        let subscription =
            work.get("subscription", id).map_err(|error| error.for_param("subscription"))?.clone();
        let customer = text(&subscription, "/customer");
        if params.text("customer").is_some_and(|wanted| wanted != customer) {
            return Err(ApiError::invalid("customer", "The subscription belongs to another customer."));
        }
        return of_subscription(work, params, &subscription, proration);
    }
    let customer = params.required("customer")?;
    customers::live(work, customer).map_err(|error| error.for_param("customer"))?;
    if !params.has("subscription_details.items") {
        return Err(nothing_upcoming(customer));
    }
    of_new(work, params, customer)
}

fn nothing_upcoming(customer: &str) -> ApiError {
    let message = format!("No upcoming invoices for customer: {customer}");
    ApiError { code: Some("invoice_upcoming_none"), ..ApiError::not_found(message) }
}

/// The first invoice of a subscription that does not exist.
fn of_new(work: &mut Work<'_>, params: &Params, customer: &str) -> Result<Value, ApiError> {
    let id = work.new_id("sub_");
    let items = items::of_new(work, &id, params, "subscription_details.items")?;
    let lines = items.iter().map(|item| recurring(work, item, period_of(item))).collect();
    let new =
        NewSubscription { id: &id, customer, items, method: None, description: None, metadata: json!({}) };
    let subscription = object::new(work, new);
    let now = work.now;
    let draft = Draft {
        subscription: &subscription,
        reason: "upcoming",
        invoice_items: Vec::new(),
        lines,
        period: Period { start: now, end: now },
        proration_date: None,
    };
    let mut preview = preview(work, draft, now)?;
    // There is no subscription to name.
    set(&mut preview, "parent", Value::Null);
    Ok(preview)
}

fn of_subscription(
    work: &mut Work<'_>,
    params: &Params,
    subscription: &Value,
    proration: ProrationBehavior,
) -> Result<Value, ApiError> {
    let upcoming_none = nothing_upcoming(text(subscription, "/customer"));
    if is_over(subscription) {
        return Err(upcoming_none);
    }
    let mut invoice_items = pending(work, text(subscription, "/id"));
    let now = work.now;
    let current = period(subscription);
    let at_once = Period { start: current.start, end: now };
    if params.flag("subscription_details.cancel_now")?.unwrap_or_default() {
        if proration != ProrationBehavior::None {
            invoice_items.extend(proration::credits(work, subscription, now));
        }
        let draft = draft(subscription, invoice_items, Vec::new(), at_once, Some(now));
        return preview(work, draft, now);
    }
    let change = ItemsChange::plan(work, subscription, params, "subscription_details.", proration)?;
    let after = change.applied_to(subscription);
    let proration_date = change.is_changed(subscription).then_some(change.at);
    let is_at_once = change.is_invoiced_at_once(proration);
    invoice_items.extend(change.invoice_items);
    if is_at_once {
        let draft = draft(&after, invoice_items, change.lines, at_once, proration_date);
        return preview(work, draft, now);
    }
    let ends = params.flag("subscription_details.cancel_at_period_end")?;
    let lines = if ends.unwrap_or_else(|| is_true(subscription, "/cancel_at_period_end")) {
        Vec::new()
    } else {
        let next = renewed(&after);
        elements(&next, "/items/data").iter().map(|item| recurring(work, item, period_of(item))).collect()
    };
    if lines.is_empty() && invoice_items.is_empty() {
        return Err(upcoming_none);
    }
    let draft = draft(&after, invoice_items, lines, current, proration_date);
    preview(work, draft, current.end)
}

fn draft(
    subscription: &Value,
    invoice_items: Vec<Value>,
    lines: Vec<Value>,
    period: Period,
    proration_date: Option<i64>,
) -> Draft<'_> {
    Draft { subscription, reason: "upcoming", invoice_items, lines, period, proration_date }
}

/// The preview of a draft whose invoice will be made at a time.
fn preview(work: &mut Work<'_>, draft: Draft<'_>, at: i64) -> Result<Value, ApiError> {
    let mut bill = Bill::draft(work, draft, "upcoming_in_")?;
    bill.apply_balance(work);
    set(&mut bill.invoice, "created", at);
    set(&mut bill.invoice, "next_payment_attempt", at);
    if bill.lines.len() > LINES_SHOWN {
        // The other lines are listed by `GET /v1/invoices/{id}/lines`.
        for line in bill.lines {
            work.put(line);
        }
    }
    hide_payments(&mut bill.invoice);
    Ok(bill.invoice)
}
