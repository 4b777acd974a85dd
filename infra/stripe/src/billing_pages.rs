//! The pages of receipts and invoices, on which an open invoice can be paid, and invoices as PDF.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use serde_json::Value;

use crate::{
    invoice_payment::{self, InvoiceOutcome},
    page::{authentication_form, card_select, document, escape, not_found, redirect},
    params::Params,
    prices::money,
    server::Shared,
    subscriptions::member::{elements, integer, is_true, text},
};

/// The receipt of a charge.
pub(crate) fn receipt(shared: &Shared, id: &str) -> Response {
    shared.with(None, |work| match work.get("charge", id) {
        Ok(charge) if is_true(charge, "/paid") => page("Receipt", &receipt_lines(charge)),
        Ok(_) => document(StatusCode::NOT_FOUND, "Receipt", "<p>This charge was not paid.</p>", &[]),
        Err(error) => not_found(&error),
    })
}

/// The page of an invoice. An open one has a form to pay it.
pub(crate) fn invoice(shared: &Shared, id: &str) -> Response {
    shared.with(None, |work| match work.get("invoice", id) {
        Ok(invoice) => invoice_page(invoice, "", None),
        Err(error) => not_found(&error),
    })
}

/// Performs the form of an invoice's page. A paid invoice is shown after a redirect.
pub(crate) fn pay_invoice(shared: &Shared, id: &str, body: &str) -> Response {
    shared.with(None, |work| {
        let form = match Params::parse(body) {
            Ok(form) => form,
            Err(error) => return not_found(&error),
        };
        let outcome = invoice_payment::submit(work, id, &form);
        let invoice = match work.get("invoice", id) {
            Ok(invoice) => invoice,
            Err(error) => return not_found(&error),
        };
        let card = form.text("card").unwrap_or_default();
        match outcome {
            Ok(InvoiceOutcome::Paid) => redirect(text(invoice, "/hosted_invoice_url")),
            Ok(InvoiceOutcome::Again(message)) => invoice_page(invoice, card, Some(&message)),
            Ok(InvoiceOutcome::Authenticate) => authentication_page(invoice, card),
            Ok(InvoiceOutcome::Closed) => invoice_page(invoice, card, None),
            Err(error) => not_found(&error),
        }
    })
}

/// The page of an invoice, with a message about the last attempt to pay it.
fn invoice_page(invoice: &Value, card: &str, message: Option<&str>) -> Response {
    let alert = message.map(|message| format!("<p role=\"alert\">{}</p>", escape(message)));
    let main = [alert.unwrap_or_default(), paragraphs(&invoice_lines(invoice)), payment_form(invoice, card)];
    document(StatusCode::OK, "Invoice", &main.concat(), &[text(invoice, "/hosted_invoice_url")])
}

/// The form that pays an open invoice. Another invoice has none.
fn payment_form(invoice: &Value, card: &str) -> String {
    if text(invoice, "/status") != "open" {
        return String::new();
    }
    format!(
        "<p>This page of the local platform stands in for Stripe's page of the invoice. Use a test card.</p>\
         <form method=\"post\"><p><label for=\"card\">Card</label>{}</p>\
         <p><button name=\"action\" value=\"pay\">Pay</button></p></form>",
        card_select(invoice, card)
    )
}

/// The step where the customer authenticates at the bank, before the payment.
fn authentication_page(invoice: &Value, card: &str) -> Response {
    let hidden = format!("<input type=\"hidden\" name=\"card\" value=\"{}\">", escape(card));
    let target = text(invoice, "/hosted_invoice_url");
    document(StatusCode::OK, "Authenticate", &authentication_form(&hidden), &[target])
}

/// An invoice as PDF.
pub(crate) fn invoice_pdf(shared: &Shared, id: &str) -> Response {
    shared.with(None, |work| match work.get("invoice", id) {
        Ok(invoice) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
                (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"invoice.pdf\"")),
            ];
            (StatusCode::OK, headers, pdf(&invoice_lines(invoice))).into_response()
        }
        Err(error) => not_found(&error),
    })
}

fn receipt_lines(charge: &Value) -> Vec<String> {
    let currency = text(charge, "/currency");
    let card = "/payment_method_details/card";
    let mut lines = vec![
        format!("Receipt of {}", text(charge, "/id")),
        format!("Amount paid: {}", money(integer(charge, "/amount"), currency)),
        format!(
            "Paid with: {} {}",
            text(charge, &format!("{card}/brand")),
            text(charge, &format!("{card}/last4"))
        ),
    ];
    let refunded = integer(charge, "/amount_refunded");
    if refunded > 0 {
        lines.push(format!("Refunded: {}", money(refunded, currency)));
    }
    let description = text(charge, "/description");
    if !description.is_empty() {
        lines.push(description.to_owned());
    }
    lines
}

fn invoice_lines(invoice: &Value) -> Vec<String> {
    let currency = text(invoice, "/currency");
    let amount = |pointer: &str| money(integer(invoice, pointer), currency);
    let mut lines = vec![
        format!("Invoice {}", text(invoice, "/number")),
        format!("Status: {}", text(invoice, "/status")),
        format!("Customer: {} {}", text(invoice, "/customer_name"), text(invoice, "/customer_email")),
    ];
    for line in elements(invoice, "/lines/data") {
        let (description, sum) = (text(line, "/description"), money(integer(line, "/amount"), currency));
        lines.push(format!("{description}: {sum}"));
    }
    lines.push(format!("Total: {}", amount("/total")));
    // `amount_due` stays what it was at first.
    if !matches!(text(invoice, "/status"), "paid" | "void") {
        lines.push(format!("Amount due: {}", amount("/amount_remaining")));
    }
    lines.push(format!("Amount paid: {}", amount("/amount_paid")));
    lines
}

fn page(title: &str, lines: &[String]) -> Response {
    document(StatusCode::OK, title, &paragraphs(lines), &[])
}

fn paragraphs(lines: &[String]) -> String {
    lines.iter().map(|line| format!("<p>{}</p>", escape(line))).collect()
}

/// A PDF of one page with lines of text (ISO 32000-1). Characters outside of ASCII become question marks.
fn pdf(lines: &[String]) -> Vec<u8> {
    let mut content = String::from("BT /F1 12 Tf 16 TL 56 780 Td\n");
    for line in lines {
        let shown: String =
            line.chars().map(|it| if it.is_ascii() && !it.is_control() { it } else { '?' }).collect();
        let escaped = shown.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
        let _ = writeln!(content, "({escaped}) Tj T*");
    }
    content.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len().saturating_add(1));
    for (index, object) in objects.iter().enumerate() {
        let _ = writeln!(table, "{:010} 00000 n ", file.len());
        let _ = writeln!(file, "{} 0 obj\n{object}\nendobj", index.saturating_add(1));
    }
    let start = file.len();
    let size = objects.len().saturating_add(1);
    let _ = write!(file, "{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    file.into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pdf_table_has_the_place_of_each_object() {
        let bytes = pdf(&["Invoice (1)".to_owned(), "山田".to_owned()]);
        let file = String::from_utf8(bytes).unwrap();
        assert!(file.starts_with("%PDF-1.4\n") && file.ends_with("%%EOF\n"));
        assert!(file.contains("(Invoice \\(1\\)) Tj T*\n(??) Tj"));
        let (_, table) = file.split_once("xref\n0 6\n").unwrap();
        let entries = table.lines().skip(1).take(5);
        for (index, entry) in entries.enumerate() {
            let place: usize = entry[..10].parse().unwrap();
            assert!(file[place..].starts_with(&format!("{} 0 obj", index + 1)), "{entry}");
        }
        let start: usize = file.lines().rev().nth(1).unwrap().parse().unwrap();
        assert!(file[start..].starts_with("xref"));
    }

    #[test]
    fn receipt_shows_the_refund() {
        let charge = json!({ "id": "ch_1", "amount": 500, "amount_refunded": 200, "currency": "usd" });
        let lines = receipt_lines(&charge);
        assert_eq!(lines[1..], ["Amount paid: $5.00", "Paid with:  ", "Refunded: $2.00"]);
    }

    #[test]
    fn only_an_open_invoice_has_a_form() {
        let form = payment_form(&json!({ "status": "open" }), "4000000000000002");
        assert!(
            form.contains("<form method=\"post\">") && form.contains("value=\"4000000000000002\" selected")
        );
        assert!(!form.contains("bank_debit"));
        for status in ["draft", "paid", "void", "uncollectible"] {
            assert_eq!(payment_form(&json!({ "status": status }), ""), "", "{status}");
        }
    }

    #[test]
    fn invoice_shows_its_lines() {
        let mut invoice = json!({
            "number": "A-1", "currency": "usd", "total": 2900, "amount_due": 2900, "amount_paid": 0,
            "amount_remaining": 2900, "status": "open",
            "lines": { "data": [{ "description": "1 × Pro", "amount": 2900 }] },
        });
        let lines = invoice_lines(&invoice);
        assert!(
            lines.contains(&"1 × Pro: $29.00".to_owned()) && lines.contains(&"Amount due: $29.00".to_owned())
        );
        for status in ["paid", "void"] {
            invoice["status"] = json!(status);
            let lines = invoice_lines(&invoice);
            assert!(!lines.iter().any(|line| line.starts_with("Amount due")), "{status}");
        }
    }
}
