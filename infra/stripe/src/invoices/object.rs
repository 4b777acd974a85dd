//! The parts of an invoice object (<https://docs.stripe.com/api/invoices/object>). One literal with all
//! members would exceed the recursion limit of `json!`.

use serde_json::{Value, json};

use super::bill::Draft;
use crate::{
    subscriptions::member::{integer, merged, set, text},
    work::Work,
};

/// The most lines that an invoice itself contains. The list of its lines has all.
pub(crate) const LINES_SHOWN: usize = 10;

/// What the invoice is for.
pub(crate) fn origin(work: &Work<'_>, id: &str, draft: &Draft<'_>) -> Value {
    let subscription = draft.subscription;
    let mut details =
        json!({ "metadata": subscription.get("metadata"), "subscription": subscription.get("id") });
    if let Some(date) = draft.proration_date {
        set(&mut details, "subscription_proration_date", date);
    }
    json!({
        "id": id, "object": "invoice", "auto_advance": true, "billing_reason": draft.reason,
        "collection_method": "charge_automatically", "created": work.now,
        "currency": subscription.get("currency"), "customer": subscription.get("customer"),
        "description": null, "metadata": {},
        "parent": { "quote_details": null, "subscription_details": details, "type": "subscription_details" },
        "period_end": draft.period.end, "period_start": draft.period.start, "status": "draft",
        "status_transitions": {
            "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null,
        },
    })
}

/// The customer's data at the time of the invoice.
pub(crate) fn customer(work: &Work<'_>, customer: &Value) -> Value {
    let mut tax_ids = work.all("tax_id");
    tax_ids.retain(|tax_id| tax_id.get("customer") == customer.get("id"));
    let tax_ids =
        tax_ids.iter().map(|tax_id| json!({ "type": tax_id.get("type"), "value": tax_id.get("value") }));
    json!({
        "customer_account": null, "customer_address": customer.get("address"),
        "customer_email": customer.get("email"), "customer_name": customer.get("name"),
        "customer_phone": customer.get("phone"), "customer_shipping": customer.get("shipping"),
        "customer_tax_exempt": customer.get("tax_exempt"), "customer_tax_ids": tax_ids.collect::<Vec<_>>(),
    })
}

/// The amounts of a draft. The stand-in calculates no taxes.
pub(crate) fn amounts(total: i64, balance: i64) -> Value {
    let due = total.max(0);
    json!({
        "amount_due": due, "amount_overpaid": 0, "amount_paid": 0, "amount_paid_off_stripe": 0,
        "amount_remaining": due, "amount_shipping": 0, "ending_balance": null,
        "post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0,
        "starting_balance": balance, "subtotal": total, "subtotal_excluding_tax": total, "total": total,
        "total_discount_amounts": [], "total_excluding_tax": total, "total_pretax_credit_amounts": [],
        "total_taxes": [],
    })
}

/// The members that the stand-in does not use.
pub(crate) fn defaults() -> Value {
    let first = json!({
        "account_country": "US", "account_name": null, "account_tax_ids": null, "application": null,
        "attempt_count": 0, "attempted": false, "automatically_finalizes_at": null,
        "confirmation_secret": null,
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
        },
        "custom_fields": null, "default_payment_method": null, "default_source": null,
        "default_tax_rates": [], "discounts": [], "due_date": null, "effective_at": null, "footer": null,
        "from_invoice": null, "hosted_invoice_url": null, "invoice_pdf": null,
    });
    let second = json!({
        "issuer": { "type": "self" }, "last_finalization_error": null, "latest_revision": null,
        "livemode": false, "next_payment_attempt": null, "number": null, "on_behalf_of": null,
        "payment_settings": {
            "default_mandate": null, "payment_method_options": null, "payment_method_types": null,
        },
        "receipt_number": null, "rendering": null, "shipping_cost": null, "shipping_details": null,
        "statement_descriptor": null, "test_clock": null, "threshold_reason": null,
        "webhooks_delivered_at": null,
    });
    merged([first, second])
}

/// The first lines of an invoice.
pub(crate) fn lines(id: &str, lines: &[Value]) -> Value {
    let shown: Vec<&Value> = lines.iter().take(LINES_SHOWN).collect();
    json!({
        "object": "list", "data": shown, "has_more": lines.len() > LINES_SHOWN, "total_count": lines.len(),
        "url": format!("/v1/invoices/{id}/lines"),
    })
}

/// The payments of a new invoice: none.
pub(crate) fn payments(id: &str) -> Value {
    let url = format!("/v1/invoice_payments?invoice={id}");
    json!({ "object": "list", "data": [], "has_more": false, "url": url })
}

/// The next number of a customer's invoices: a prefix of the customer, and a sequence.
pub(crate) fn number(work: &Work<'_>, customer: &str) -> String {
    let known = work.find("customer", customer).map(|customer| text(customer, "/invoice_prefix"));
    let prefix = known.filter(|prefix| !prefix.is_empty()).map_or_else(|| prefix_of(customer), str::to_owned);
    let numbered = work.all("invoice").into_iter().filter(|invoice| {
        text(invoice, "/customer") == customer && invoice.get("number").is_some_and(Value::is_string)
    });
    format!("{prefix}-{:04}", numbered.count().saturating_add(1))
}

fn prefix_of(customer: &str) -> String {
    let id = customer.trim_start_matches("cus_");
    id.chars().take(8).collect::<String>().to_uppercase()
}

/// An entry of an invoice's payments (<https://docs.stripe.com/api/invoice-payment/object>).
pub(crate) fn payment(work: &mut Work<'_>, invoice: &Value, intent: &str) -> Value {
    json!({
        "id": work.new_id("inpay_"), "object": "invoice_payment", "amount_paid": null,
        "amount_requested": integer(invoice, "/amount_remaining"), "created": work.now,
        "currency": invoice.get("currency"), "invoice": invoice.get("id"), "is_default": true,
        "livemode": false, "payment": { "payment_intent": intent, "type": "payment_intent" },
        "status": "open", "status_transitions": { "canceled_at": null, "paid_at": null },
    })
}
