//! Invoices (<https://docs.stripe.com/api/invoices>).

pub(crate) mod bill;
pub(crate) mod line;
mod object;
pub(crate) mod payment;
mod preview;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::{
    bill::Bill,
    payment::{Collection, no_payment_method},
};
use crate::{
    api_error::ApiError,
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    routes::{Route, path_id, route},
    subscriptions::{
        member::{elements, text},
        object::payment_method,
        settle::{invoice_paid, invoice_voided, payment_failed, subscription_of},
    },
    work::Work,
};

/// The operations on invoices.
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/v1/invoices", list),
    route("GET", "/v1/invoices/{id}", retrieve),
    route("GET", "/v1/invoices/{id}/lines", list_lines),
    route("POST", "/v1/invoices/create_preview", preview::create_preview),
    route("POST", "/v1/invoices/{id}/finalize", finalize),
    route("POST", "/v1/invoices/{id}/pay", pay),
    route("POST", "/v1/invoices/{id}/void", void),
    route("GET", "/v1/invoice_payments", list_payments),
];

/// Voids an open invoice. Another invoice stays as it is.
pub(crate) fn void_now(work: &mut Work<'_>, id: &str) {
    let invoice = work.find("invoice", id).filter(|invoice| text(invoice, "/status") == "open").cloned();
    if let Some(invoice) = invoice {
        let mut bill = Bill::of(invoice);
        bill.void(work);
        let invoice = bill.store(work);
        invoice_voided(work, &invoice);
    }
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    let invoice = work.get("invoice", path_id(ids, 0))?.clone();
    Ok(answer(params, invoice))
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    let filters = ["customer", "subscription", "status", "collection_method"];
    params.only(&[filters.as_slice(), LIST_PARAMS.as_slice()].concat())?;
    params.choice("status", &["draft", "open", "paid", "uncollectible", "void"])?;
    let mut invoices = work.all("invoice");
    invoices.retain(|invoice| {
        ["customer", "status", "collection_method"].iter().all(|name| matches(params, invoice, name))
            && params.text("subscription").is_none_or(|subscription| {
                text(invoice, "/parent/subscription_details/subscription") == subscription
            })
    });
    let mut list = list_answer(params, invoices, "/v1/invoices")?;
    if !is_expanded(params, "data.payments") {
        let shown = list.pointer_mut("/data").and_then(Value::as_array_mut);
        shown.into_iter().flatten().for_each(hide_payments);
    }
    Ok(list)
}

/// Invoices show their payments only if `expand` asks for it.
fn answer(params: &Params, mut invoice: Value) -> Value {
    if !is_expanded(params, "payments") {
        hide_payments(&mut invoice);
    }
    invoice
}

fn is_expanded(params: &Params, path: &str) -> bool {
    let paths = params.list("expand");
    paths
        .iter()
        .filter_map(|wanted| wanted.text(""))
        .any(|wanted| wanted.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn hide_payments(invoice: &mut Value) {
    if let Some(members) = invoice.as_object_mut() {
        members.remove("payments");
    }
}

fn list_lines(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&LIST_PARAMS)?;
    let id = path_id(ids, 0);
    let mut lines = work.all("line_item");
    lines.retain(|line| text(line, "/invoice") == id);
    lines.reverse();
    if lines.is_empty() {
        // A preview with few lines keeps none.
        work.get("invoice", id)?;
    }
    list_answer(params, lines, &format!("/v1/invoices/{id}/lines"))
}

fn finalize(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["auto_advance"])?;
    let invoice = work.get("invoice", path_id(ids, 0))?.clone();
    if text(&invoice, "/status") != "draft" {
        return Err(refused("This invoice is already finalized. Only a draft can be finalized."));
    }
    let mut bill = Bill::of(invoice);
    bill.finalize(work);
    let is_paid = bill.is_paid();
    let invoice = bill.store(work);
    if is_paid {
        invoice_paid(work, &invoice);
    }
    Ok(answer(params, invoice))
}

/// Pays an invoice at once. The customer counts as absent, unless `off_session` says otherwise.
fn pay(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["payment_method", "off_session", "paid_out_of_band", "forgive"])?;
    let off_session = params.flag("off_session")?.unwrap_or(true);
    let is_out_of_band = params.flag("paid_out_of_band")?.unwrap_or_default();
    let invoice = payable(work, path_id(ids, 0))?;
    let method = method_to_pay(work, params, &invoice)?;
    if method.is_none() && !is_out_of_band {
        return Err(no_payment_method());
    }
    let mut bill = Bill::of(invoice);
    if text(&bill.invoice, "/status") == "draft" {
        bill.finalize(work);
    }
    let error = if is_out_of_band {
        payment::cancel(work, &mut bill.invoice);
        let amount = bill.amount_due();
        bill.paid(work, amount);
        None
    } else {
        let collection = Collection { method: method.as_deref(), off_session, is_automatic: false };
        bill.collect(work, &collection).error()
    };
    Ok(answer(params, attempted(work, bill, error)?))
}

/// Pays an invoice with a payment method that the customer, who is present, enters on its page.
///
/// # Errors
///
/// 402, if the payment fails; 400, if the invoice can't be paid; 404, if there is none.
pub(crate) fn pay_on_page(work: &mut Work<'_>, id: &str, method: &str) -> Result<Value, ApiError> {
    let mut bill = Bill::of(payable(work, id)?);
    let collection = Collection { method: Some(method), off_session: false, is_automatic: false };
    let error = bill.collect(work, &collection).error();
    attempted(work, bill, error)
}

/// An invoice whose payment can be tried.
fn payable(work: &Work<'_>, id: &str) -> Result<Value, ApiError> {
    let invoice = work.get("invoice", id)?;
    match text(invoice, "/status") {
        "draft" | "open" | "uncollectible" => (),
        "paid" => return Err(refused("Invoice is already paid.")),
        status => return Err(refused(&format!("An invoice with the status {status} can't be paid."))),
    }
    if payment::intent_status(work, invoice) == "processing" {
        return Err(refused("A payment of this invoice is processing. Wait until it succeeds or fails."));
    }
    Ok(invoice.clone())
}

/// Stores an invoice after an attempt to pay it, with what the attempt does to its subscription.
fn attempted(work: &mut Work<'_>, bill: Bill, error: Option<ApiError>) -> Result<Value, ApiError> {
    let invoice = bill.store(work);
    match error {
        None => {
            invoice_paid(work, &invoice);
            Ok(invoice)
        }
        Some(error) => {
            payment_failed(work, &invoice);
            Err(error)
        }
    }
}

/// The payment method to charge: the request's, or else the subscription's.
fn method_to_pay(work: &Work<'_>, params: &Params, invoice: &Value) -> Result<Option<String>, ApiError> {
    let Some(id) = params.text("payment_method") else {
        let subscription = subscription_of(work, invoice).unwrap_or_default();
        return Ok(payment_method(work, &subscription));
    };
    let method = work.get("payment_method", id).map_err(|error| error.for_param("payment_method"))?;
    if method.get("customer") != invoice.get("customer") {
        let message = "The payment method must be attached to the customer of the invoice. Attach it first.";
        return Err(ApiError::invalid("payment_method", message));
    }
    Ok(Some(id.to_owned()))
}

fn void(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    let id = path_id(ids, 0);
    if !matches!(text(work.get("invoice", id)?, "/status"), "open" | "uncollectible") {
        return Err(refused("Only an open invoice can be voided."));
    }
    void_now(work, id);
    let invoice = work.get("invoice", id)?.clone();
    Ok(answer(params, invoice))
}

fn list_payments(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["invoice", "payment", "status"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let intent = params.text("payment.payment_intent");
    let invoices = work
        .all("invoice")
        .into_iter()
        .filter(|invoice| params.text("invoice").is_none_or(|wanted| text(invoice, "/id") == wanted));
    let payments = invoices.flat_map(|invoice| elements(invoice, "/payments/data").iter().rev());
    let payments = payments.filter(|payment| {
        matches(params, payment, "status")
            && intent.is_none_or(|intent| text(payment, "/payment/payment_intent") == intent)
    });
    list_answer(params, payments.collect(), "/v1/invoice_payments")
}

/// The state of an invoice forbids the request. Stripe has no code for it.
fn refused(message: &str) -> ApiError {
    ApiError { code: None, ..ApiError::state("invoice_not_editable", message) }
}
