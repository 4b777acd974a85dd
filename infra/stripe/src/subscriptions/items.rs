//! The items of a subscription: what a request asks for, and the objects
//! (<https://docs.stripe.com/api/subscription_items>).

use serde_json::{Value, json};

use super::{
    member::{elements, integer, set, text, update_metadata},
    period::{Interval, Period},
};
use crate::{api_error::ApiError, params::Params, proration::period_of, work::Work};

/// The most items of a subscription.
const LIMIT: usize = 20;

/// The largest quantity of an item.
const QUANTITY_LIMIT: i64 = 1_000_000;

/// The items of a new subscription. `path` is the list's parameter, for example `items`.
///
/// # Errors
///
/// 400, if there is no item, or a price or a quantity is invalid.
pub(crate) fn of_new(
    work: &mut Work<'_>,
    subscription: &str,
    params: &Params,
    path: &str,
) -> Result<Vec<Value>, ApiError> {
    let mut items = Vec::new();
    for (index, entry) in params.list(path).iter().enumerate() {
        let param = param_of(path, index);
        entry.only(&["price", "quantity", "metadata"]).map_err(|error| error.for_param(&param))?;
        let mut item = new_item(work, subscription, entry, &param)?;
        let start = work.now;
        let end = interval(&item).map_or(start, |interval| interval.next(start, start));
        set_period(&mut item, Period { start, end });
        items.push(item);
    }
    check(&items, path)?;
    Ok(items)
}

/// The items of a subscription after an update. Entries name an item by `id`, or add one by `price`. Items
/// without an entry stay.
///
/// # Errors
///
/// 400, if an entry is invalid, or no item stays.
pub(crate) fn of_update(
    work: &mut Work<'_>,
    subscription: &Value,
    params: &Params,
    path: &str,
) -> Result<Vec<Value>, ApiError> {
    let mut items = elements(subscription, "/items/data").to_vec();
    let current = items.first().map(period_of);
    for (index, entry) in params.list(path).iter().enumerate() {
        let param = param_of(path, index);
        let allowed = ["id", "price", "quantity", "deleted", "metadata", "clear_usage"];
        entry.only(&allowed).map_err(|error| error.for_param(&param))?;
        let Some(id) = entry.text("id") else {
            let mut item = new_item(work, text(subscription, "/id"), entry, &param)?;
            if let Some(period) = current {
                set_period(&mut item, period);
            }
            items.push(item);
            continue;
        };
        let Some(item) = items.iter_mut().find(|item| text(item, "/id") == id) else {
            return Err(ApiError::missing("subscription_item", id).for_param(&format!("{param}[id]")));
        };
        if entry.flag("deleted")?.unwrap_or_default() {
            items.retain(|item| text(item, "/id") != id);
        } else {
            change(work, item, entry, &param)?;
        }
    }
    check(&items, path)?;
    Ok(items)
}

/// The item for a price that a Checkout session sold.
///
/// # Errors
///
/// 400, if the price does not recur.
pub(crate) fn of_price(
    work: &mut Work<'_>,
    subscription: &str,
    price: &Value,
    quantity: i64,
) -> Result<Value, ApiError> {
    let Some(interval) = Interval::of(price) else {
        return Err(ApiError::invalid("line_items", "Use a recurring price in subscription mode."));
    };
    let mut item = item(work, subscription, price, quantity);
    set_period(&mut item, Period { start: work.now, end: interval.next(work.now, work.now) });
    Ok(item)
}

/// The interval of an item's price.
pub(crate) fn interval(item: &Value) -> Option<Interval> {
    item.get("price").and_then(Interval::of)
}

/// Sets the current period of an item.
pub(crate) fn set_period(item: &mut Value, period: Period) {
    set(item, "current_period_start", period.start);
    set(item, "current_period_end", period.end);
}

/// The list of a subscription's items, as the subscription contains it.
pub(crate) fn list(subscription: &str, items: Vec<Value>) -> Value {
    let url = format!("/v1/subscription_items?subscription={subscription}");
    json!({ "object": "list", "total_count": items.len(), "data": items, "has_more": false, "url": url })
}

/// The parameter of an entry of a list: `items[0]`, `subscription_details[items][0]`.
fn param_of(path: &str, index: usize) -> String {
    crate::params::bracketed(&format!("{path}.{index}"))
}

fn new_item(work: &mut Work<'_>, subscription: &str, entry: &Params, param: &str) -> Result<Value, ApiError> {
    let id = entry.required("price").map_err(|error| error.for_param(&format!("{param}[price]")))?;
    let price = price(work, id, param)?;
    let quantity = quantity(entry, param)?.unwrap_or(1);
    let mut item = item(work, subscription, &price, quantity);
    update_metadata(&mut item, entry)?;
    Ok(item)
}

fn change(work: &Work<'_>, item: &mut Value, entry: &Params, param: &str) -> Result<(), ApiError> {
    if let Some(id) = entry.text("price") {
        let price = price(work, id, param)?;
        set(item, "plan", plan(&price));
        set(item, "price", price);
    }
    if let Some(quantity) = quantity(entry, param)? {
        set(item, "quantity", quantity);
    }
    update_metadata(item, entry)
}

fn price(work: &Work<'_>, id: &str, param: &str) -> Result<Value, ApiError> {
    let param = format!("{param}[price]");
    let price = work.get("price", id).map_err(|error| error.for_param(&param))?;
    if price.get("active") != Some(&json!(true)) {
        return Err(ApiError::invalid(&param, "The price specified is inactive. Use an active price."));
    }
    if Interval::of(price).is_none() {
        let message = "The price specified is set to `type=one_time`. Use a price with `type=recurring`.";
        return Err(ApiError::invalid(&param, message));
    }
    Ok(price.clone())
}

fn quantity(entry: &Params, param: &str) -> Result<Option<i64>, ApiError> {
    let param = format!("{param}[quantity]");
    let quantity = entry.integer("quantity").map_err(|error| error.for_param(&param))?;
    match quantity {
        Some(quantity) if !(0..=QUANTITY_LIMIT).contains(&quantity) => Err(ApiError::invalid(
            &param,
            format!("Invalid quantity: must be between 0 and {QUANTITY_LIMIT}."),
        )),
        quantity => Ok(quantity),
    }
}

/// Checks what the items of one subscription must have in common.
fn check(items: &[Value], path: &str) -> Result<(), ApiError> {
    let param = crate::params::bracketed(path);
    let Some(first) = items.first() else {
        return Err(ApiError::invalid_code(
            "parameter_missing",
            &param,
            "A subscription must have at least one item.",
        ));
    };
    if items.len() > LIMIT {
        return Err(ApiError::invalid(&param, format!("A subscription must not exceed {LIMIT} items.")));
    }
    for (index, item) in items.iter().enumerate() {
        if text(item, "/price/currency") != text(first, "/price/currency") {
            return Err(ApiError::invalid(
                &param,
                "All prices of a subscription must have the same currency.",
            ));
        }
        if interval(item) != interval(first) {
            return Err(ApiError::invalid(
                &param,
                "All prices of a subscription must have the same interval.",
            ));
        }
        let earlier =
            items.iter().take(index).any(|other| text(other, "/price/id") == text(item, "/price/id"));
        if earlier {
            let message =
                "Specify each price in one item of the subscription only. Use `quantity` for more of it.";
            return Err(ApiError::invalid(&param, message));
        }
    }
    Ok(())
}

fn item(work: &mut Work<'_>, subscription: &str, price: &Value, quantity: i64) -> Value {
    json!({
        "id": work.new_id("si_"), "object": "subscription_item", "billed_until": null,
        "billing_thresholds": null, "created": work.now, "current_period_end": work.now,
        "current_period_start": work.now, "discounts": [], "metadata": {}, "plan": plan(price),
        "price": price, "quantity": quantity, "subscription": subscription, "tax_rates": [],
    })
}

/// The price in the older form that items still carry beside it (<https://docs.stripe.com/api/plans>).
fn plan(price: &Value) -> Value {
    json!({
        "id": price.get("id"), "object": "plan", "active": price.get("active"),
        "amount": price.get("unit_amount"), "amount_decimal": price.get("unit_amount_decimal"),
        "billing_scheme": "per_unit", "created": price.get("created"), "currency": price.get("currency"),
        "interval": text(price, "/recurring/interval"),
        "interval_count": integer(price, "/recurring/interval_count"), "livemode": false, "metadata": {},
        "meter": null, "nickname": price.get("nickname"), "product": price.get("product"), "tiers_mode": null,
        "transform_usage": null, "trial_period_days": null, "usage_type": "licensed",
    })
}
