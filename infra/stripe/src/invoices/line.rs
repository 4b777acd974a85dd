//! Lines of invoices, and the pending invoice items that become lines of a subscription's next invoice
//! (<https://docs.stripe.com/api/invoice-line-item>, <https://docs.stripe.com/api/invoiceitems>).

use serde_json::{Value, json};

use crate::{
    prices,
    subscriptions::{
        member::{integer, text},
        period::Period,
    },
    work::Work,
};

/// The line for a period of a subscription item, without id and invoice.
pub(crate) fn recurring(work: &Work<'_>, item: &Value, period: Period) -> Value {
    let price = item.get("price").unwrap_or(&Value::Null);
    let quantity = integer(item, "/quantity");
    let amount = quantity.saturating_mul(integer(price, "/unit_amount"));
    let description = format!("{quantity} × {}", prices::label(work, price));
    let details = json!({
        "invoice_item": null, "proration": false, "proration_details": null,
        "subscription": item.get("subscription"), "subscription_item": item.get("id"),
    });
    line(
        &json!({
            "amount": amount, "currency": price.get("currency"), "description": description,
            "period": { "start": period.start, "end": period.end }, "pricing": pricing(price),
            "quantity": quantity,
        }),
        &details,
    )
}

/// The line for an invoice item, without id and invoice. See [`link_credits`].
pub(crate) fn of_invoice_item(item: &Value) -> Value {
    let subscription = item.pointer("/parent/subscription_details").unwrap_or(&Value::Null);
    let details = json!({
        "invoice_item": item.get("id"), "proration": true,
        "proration_details": { "credited_items": item.pointer("/proration_details/credited_items") },
        "subscription": subscription.get("subscription"),
        "subscription_item": subscription.get("subscription_item"),
    });
    line(item, &details)
}

/// Gives the credits among the lines of an invoice the shape of lines: they name the lines that they credit,
/// also where the debit was a pending invoice item when the credit was made.
pub(crate) fn link_credits(work: &Work<'_>, lines: &mut [Value]) {
    let own: Vec<(String, Value)> =
        lines.iter().map(|line| (invoice_item_of(line).to_owned(), reference(line))).collect();
    for line in lines {
        let nothing = json!({ "invoice": line.get("invoice"), "invoice_line_items": [] });
        let credited = line.pointer_mut("/parent/subscription_item_details/proration_details/credited_items");
        let Some(credited) = credited.filter(|credited| !credited.is_null()) else { continue };
        let debited = text(credited, "/invoice_item");
        let linked = if debited.is_empty() {
            credited.get("invoice_line_item_details").cloned()
        } else {
            let earlier = || work.all("line_item").into_iter().find(|line| invoice_item_of(line) == debited);
            let in_own = own.iter().find(|(item, _)| item == debited);
            in_own.map(|(_, line)| line.clone()).or_else(|| earlier().map(reference))
        };
        *credited = linked.unwrap_or(nothing);
    }
}

/// A reference to a line, as the credits of it have.
pub(crate) fn reference(line: &Value) -> Value {
    json!({ "invoice": line.get("invoice"), "invoice_line_items": [line.get("id")] })
}

fn invoice_item_of(line: &Value) -> &str {
    text(line, "/parent/subscription_item_details/invoice_item")
}

fn line(source: &Value, details: &Value) -> Value {
    let is_proration = details.get("proration") == Some(&json!(true));
    json!({
        "object": "line_item", "amount": source.get("amount"), "currency": source.get("currency"),
        "description": source.get("description"), "discount_amounts": [], "discountable": !is_proration,
        "discounts": [], "livemode": false, "metadata": {},
        "parent": {
            "invoice_item_details": null, "subscription_item_details": details,
            "type": "subscription_item_details",
        },
        "period": source.get("period"), "pretax_credit_amounts": [], "pricing": source.get("pricing"),
        "quantity": source.get("quantity"), "quantity_decimal": integer(source, "/quantity").to_string(),
        "subscription": details.get("subscription"), "subtotal": source.get("amount"), "taxes": [],
    })
}

/// The member `pricing` of lines and invoice items.
pub(crate) fn pricing(price: &Value) -> Value {
    json!({
        "price_details": { "price": price.get("id"), "product": price.get("product") },
        "type": "price_details", "unit_amount_decimal": price.get("unit_amount_decimal"),
    })
}

/// The invoice items of a subscription that no invoice has yet, oldest first.
pub(crate) fn pending(work: &Work<'_>, subscription: &str) -> Vec<Value> {
    let mut items = work.all("invoiceitem");
    items.retain(|item| {
        item.get("invoice").is_none_or(Value::is_null)
            && text(item, "/parent/subscription_details/subscription") == subscription
    });
    items.into_iter().rev().cloned().collect()
}
