//! Prorations: the credit for the unused time of what a subscription item had, and the charge for the rest of
//! the period at what it has now, by the second (<https://docs.stripe.com/billing/subscriptions/prorations>).
//!
//! A credit is for what was billed, as in Stripe's billing mode `flexible`: a quantity that changed without a
//! proration is not credited.

use serde_json::{Value, json};

use crate::{
    invoices::line::{pending, pricing, reference},
    prices::product_name,
    subscriptions::{
        member::{elements, integer, text},
        period::{Period, date_text},
    },
    work::Work,
};

/// The part of `amount`, in cents, that falls on the time from `at` until the end of the period. Halves of a
/// cent are rounded away from zero.
pub(crate) fn share(amount: i64, period: Period, at: i64) -> i64 {
    let length = i128::from(period.end.saturating_sub(period.start)).max(1);
    let rest = i128::from(period.end.saturating_sub(at)).clamp(0, length);
    let product = i128::from(amount).saturating_mul(rest);
    let doubled = product.abs().saturating_mul(2).saturating_add(length);
    let rounded = doubled.checked_div(length.saturating_mul(2)).unwrap_or_default();
    i64::try_from(rounded.saturating_mul(product.signum())).unwrap_or_default()
}

/// The invoice items of a change of a subscription's items at a time: a credit for each item that changes or
/// goes, and a debit for each that changes or comes. They are not stored.
pub(crate) fn of_change(work: &mut Work<'_>, subscription: &Value, items: &[Value], at: i64) -> Vec<Value> {
    let mut made = Vec::new();
    let old_items = elements(subscription, "/items/data");
    for old in old_items {
        let new = items.iter().find(|item| item.get("id") == old.get("id"));
        if new.is_some_and(|new| bills_the_same(old, new)) {
            continue;
        }
        made.extend(credit(work, subscription, old, at));
        made.extend(new.map(|new| debit(work, subscription, new, at)));
    }
    let is_old = |item: &Value| old_items.iter().any(|old| old.get("id") == item.get("id"));
    for new in items.iter().filter(|item| !is_old(item)) {
        made.push(debit(work, subscription, new, at));
    }
    made
}

/// The credits for the unused time of all items of a subscription. They are not stored.
pub(crate) fn credits(work: &mut Work<'_>, subscription: &Value, at: i64) -> Vec<Value> {
    let items = elements(subscription, "/items/data");
    items.iter().filter_map(|item| credit(work, subscription, item, at)).collect()
}

/// Whether two versions of an item have the same price and quantity.
pub(crate) fn bills_the_same(old: &Value, new: &Value) -> bool {
    old.pointer("/price/id") == new.pointer("/price/id") && old.get("quantity") == new.get("quantity")
}

/// The current period of a subscription item.
pub(crate) fn period_of(item: &Value) -> Period {
    Period { start: integer(item, "/current_period_start"), end: integer(item, "/current_period_end") }
}

/// What a subscription item was last billed for in its current period.
struct BilledDebit {
    price: Value,
    quantity: i64,
    start: i64,
    /// The member `credited_items` of its credit.
    source: Value,
}

fn credit(work: &mut Work<'_>, subscription: &Value, item: &Value, at: i64) -> Option<Value> {
    let billed = last_debit(work, subscription, item)?;
    let unit_amount = text(&billed.price, "/unit_amount_decimal").parse().unwrap_or(0_i64);
    let amount = share(billed.quantity.saturating_mul(unit_amount), period_of(item), at);
    let name = product_name(work, &billed.price);
    let description = format!("Unused time on {} × {name} after {}", billed.quantity, date_text(at));
    let parts = Parts { amount: amount.saturating_neg(), description, quantity: billed.quantity, at };
    Some(invoice_item(work, subscription, item, &billed.price, parts, billed.source))
}

fn debit(work: &mut Work<'_>, subscription: &Value, item: &Value, at: i64) -> Value {
    let price = item.get("price").cloned().unwrap_or_default();
    let quantity = integer(item, "/quantity");
    let amount = share(quantity.saturating_mul(integer(&price, "/unit_amount")), period_of(item), at);
    let name = product_name(work, &price);
    let description = format!("Remaining time on {quantity} × {name} after {}", date_text(at));
    let parts = Parts { amount, description, quantity, at };
    invoice_item(work, subscription, item, &price, parts, Value::Null)
}

/// The latest debit for the current period of an item, pending or on an invoice. What an update waits for
/// that still needs its payment is not billed yet.
fn last_debit(work: &Work<'_>, subscription: &Value, item: &Value) -> Option<BilledDebit> {
    let id = text(item, "/id");
    let end = period_of(item).end;
    let unapplied = match subscription.get("pending_update") {
        None | Some(Value::Null) => "",
        Some(_) => text(subscription, "/latest_invoice"),
    };
    let pending: Vec<BilledDebit> = pending(work, text(subscription, "/id"))
        .iter()
        .rev()
        .filter(|item| text(item, "/parent/subscription_details/subscription_item") == id)
        .filter(|item| is_debit(item, "/proration_details", end))
        .map(|item| {
            let source = json!({
                "invoice_item": item.get("id"), "invoice_line_item_details": null, "type": "invoice_item",
            });
            billed(work, item, source)
        })
        .collect();
    let lines = work.all("line_item").into_iter().filter(|line| {
        let invoice = text(line, "/invoice");
        let status = work.find("invoice", invoice).map(|invoice| text(invoice, "/status"));
        text(line, "/parent/subscription_item_details/subscription_item") == id
            && is_debit(line, "/parent/subscription_item_details/proration_details", end)
            && invoice != unapplied
            && status.is_some_and(|status| status != "void")
    });
    let lines = lines.map(|line| {
        let source = json!({
            "invoice_item": null, "invoice_line_item_details": reference(line), "type": "invoice_line_items",
        });
        billed(work, line, source)
    });
    pending.into_iter().chain(lines).reduce(|best, next| if next.start > best.start { next } else { best })
}

/// Whether a line or an invoice item is a debit for a period that ends at `end`. Credits name the items that
/// they credit.
fn is_debit(line: &Value, proration_details: &str, end: i64) -> bool {
    let details = line.pointer(proration_details).unwrap_or(&Value::Null);
    details.get("credited_items").is_none_or(Value::is_null) && integer(line, "/period/end") == end
}

fn billed(work: &Work<'_>, line: &Value, source: Value) -> BilledDebit {
    let price = work.find("price", text(line, "/pricing/price_details/price")).cloned();
    BilledDebit {
        price: price.unwrap_or_default(),
        quantity: integer(line, "/quantity"),
        start: integer(line, "/period/start"),
        source,
    }
}

/// What differs between the invoice items of a change.
struct Parts {
    amount: i64,
    description: String,
    quantity: i64,
    at: i64,
}

fn invoice_item(
    work: &mut Work<'_>,
    subscription: &Value,
    item: &Value,
    price: &Value,
    parts: Parts,
    credited_items: Value,
) -> Value {
    json!({
        "id": work.new_id("ii_"), "object": "invoiceitem", "amount": parts.amount,
        "currency": subscription.get("currency"), "customer": subscription.get("customer"),
        "customer_account": null, "date": work.now, "description": parts.description, "discountable": false,
        "discounts": [], "invoice": null, "livemode": false, "metadata": {}, "net_amount": parts.amount,
        "parent": {
            "subscription_details": {
                "subscription": subscription.get("id"), "subscription_item": item.get("id"),
            },
            "type": "subscription_details",
        },
        "period": { "start": parts.at, "end": period_of(item).end }, "pricing": pricing(price),
        "proration": true,
        "proration_details": { "credited_items": credited_items, "discount_amounts": [] },
        "quantity": parts.quantity, "quantity_decimal": parts.quantity.to_string(), "tax_rates": [],
        "test_clock": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Period = Period { start: 0, end: 30 * 86_400 };

    #[test]
    fn half_of_the_time_costs_half() {
        assert_eq!(share(2_900, MONTH, 15 * 86_400), 1_450);
        assert_eq!(share(-2_900, MONTH, 15 * 86_400), -1_450);
    }

    #[test]
    fn share_is_counted_by_the_second() {
        let period = Period { start: 0, end: 1_000 };
        assert_eq!(share(1_000, period, 1), 999);
        assert_eq!(share(1_000, period, 999), 1);
    }

    #[test]
    fn half_cents_round_away_from_zero() {
        let period = Period { start: 0, end: 1_000 };
        assert_eq!(share(1, period, 500), 1);
        assert_eq!(share(-1, period, 500), -1);
        assert_eq!(share(1, period, 501), 0);
    }

    #[test]
    fn times_outside_the_period_are_its_ends() {
        assert_eq!(share(2_900, MONTH, -5), 2_900);
        assert_eq!(share(2_900, MONTH, MONTH.end + 5), 0);
        assert_eq!(share(2_900, Period { start: 7, end: 7 }, 7), 0);
    }
}
