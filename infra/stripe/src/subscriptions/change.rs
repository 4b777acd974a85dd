//! A change of a subscription's items: what it changes and what it costs, for updates and previews.

use serde_json::Value;

use super::{
    behavior::ProrationBehavior,
    items::{self, interval, set_period},
    member::{elements, is_true, set},
    object::period,
    period::Period,
    update::with_items,
};
use crate::{
    api_error::ApiError,
    invoices::line::recurring,
    params::{Params, bracketed},
    proration::{self, bills_the_same, period_of},
    work::Work,
};

/// A planned change.
pub(crate) struct ItemsChange {
    /// The items after the change.
    pub items: Vec<Value>,
    /// The time of the prorations.
    pub at: i64,
    /// The new billing cycle anchor, if the change begins a new period.
    pub resets_at: Option<i64>,
    /// The prorations. They are not stored.
    pub invoice_items: Vec<Value>,
    /// The lines of a new period.
    pub lines: Vec<Value>,
}

impl ItemsChange {
    /// Plans the change that `items`, `proration_date` and `billing_cycle_anchor` ask for, whose names begin
    /// with `prefix`: nothing, or `subscription_details.` A price with another interval begins a new period.
    ///
    /// # Errors
    ///
    /// 400, if a parameter is invalid.
    pub(crate) fn plan(
        work: &mut Work<'_>,
        subscription: &Value,
        params: &Params,
        prefix: &str,
        proration: ProrationBehavior,
    ) -> Result<Self, ApiError> {
        let mut items = items::of_update(work, subscription, params, &format!("{prefix}items"))?;
        let at = proration_date(work, subscription, params, &format!("{prefix}proration_date"))?;
        let old = elements(subscription, "/items/data");
        let is_other_interval = items.first().and_then(interval) != old.first().and_then(interval);
        if is_other_interval || params.text(&format!("{prefix}billing_cycle_anchor")) == Some("now") {
            let invoice_items = match proration {
                ProrationBehavior::None => Vec::new(),
                _ => proration::credits(work, subscription, at),
            };
            let start = work.now;
            for item in &mut items {
                let end = interval(item).map_or(start, |interval| interval.next(start, start));
                set_period(item, Period { start, end });
            }
            let lines = items.iter().map(|item| recurring(work, item, period_of(item))).collect();
            return Ok(Self { items, at, resets_at: Some(start), invoice_items, lines });
        }
        let invoice_items = match proration {
            ProrationBehavior::None => Vec::new(),
            _ => proration::of_change(work, subscription, &items, at),
        };
        Ok(Self { items, at, resets_at: None, invoice_items, lines: Vec::new() })
    }

    /// Whether the change makes an invoice at once.
    pub(crate) fn is_invoiced_at_once(&self, proration: ProrationBehavior) -> bool {
        let has_prorations = !self.invoice_items.is_empty();
        self.resets_at.is_some() || (proration == ProrationBehavior::AlwaysInvoice && has_prorations)
    }

    /// The subscription after the change.
    pub(crate) fn applied_to(&self, subscription: &Value) -> Value {
        let mut after = with_items(subscription, &self.items);
        if let Some(anchor) = self.resets_at {
            set(&mut after, "billing_cycle_anchor", anchor);
            if is_true(&after, "/cancel_at_period_end") {
                let end = period(&after).end;
                set(&mut after, "cancel_at", end);
            }
        }
        after
    }

    /// Whether the change changes what the subscription costs.
    pub(crate) fn is_changed(&self, subscription: &Value) -> bool {
        let old = elements(subscription, "/items/data");
        old.len() != self.items.len()
            || old.iter().zip(&self.items).any(|(old, new)| !bills_the_same(old, new))
    }
}

fn proration_date(
    work: &Work<'_>,
    subscription: &Value,
    params: &Params,
    path: &str,
) -> Result<i64, ApiError> {
    let at = params.integer(path)?.unwrap_or(work.now);
    let current = period(subscription);
    if params.has(path) && !(current.start..=current.end).contains(&at) {
        let message = "Invalid proration_date: must be in the current period of the subscription.";
        return Err(ApiError::invalid(&bracketed(path), message));
    }
    Ok(at)
}
