//! Invoices ([object](https://docs.stripe.com/api/invoices)).

use domain::{
    payment::{CustomerId, Invoice},
    ports::Page,
};
use providers::Fetch;

use crate::{
    answers::{InvoiceAnswer, List, time},
    call::Api,
    error::ApiAnswer,
    form::Form,
};

impl<F: Fetch> Api<'_, F> {
    /// A page of the invoices of a customer, newest first.
    pub async fn invoices(&self, customer: &CustomerId, after: Option<&str>) -> ApiAnswer<Page<Invoice>> {
        let query = Form::page().with("customer", customer).with_some("starting_after", after);
        let found: List<InvoiceAnswer> = self.get("/v1/invoices", &query).await?;
        let items = found.data.into_iter().map(invoice).collect::<ApiAnswer<_>>()?;
        Ok(Page { items, more: found.has_more })
    }
}

fn invoice(answer: InvoiceAnswer) -> ApiAnswer<Invoice> {
    Ok(Invoice {
        id: answer.id,
        number: answer.number,
        status: answer.status,
        total_cents: answer.total,
        created_at: time(answer.created)?,
        url: answer.hosted_invoice_url,
        pdf_url: answer.invoice_pdf,
    })
}

#[cfg(test)]
mod tests {
    use domain::{Timestamp, ports::PaymentError};
    use serde_json::json;

    use super::*;
    use crate::testing::{Script, done, error, list, why};

    fn customer() -> CustomerId {
        CustomerId::parse("cus_1").unwrap()
    }

    #[tokio::test]
    async fn page_of_invoices_has_drafts_and_credits() {
        let text = |text: &str| Some(text.to_owned());
        let script = Script::of([list(
            json!([
                {
                    "id": "in_2", "object": "invoice", "number": null, "status": "draft", "total": -150,
                    "created": 1_800_000_000, "hosted_invoice_url": null, "invoice_pdf": null,
                },
                {
                    "id": "in_1", "object": "invoice", "number": "ABC-0001", "status": "paid", "total": 8_700,
                    "created": 1_790_000_000, "hosted_invoice_url": "https://invoice.example/1",
                    "invoice_pdf": "https://invoice.example/1.pdf", "lines": { "data": [] },
                },
            ]),
            true,
        )]);
        let page = done(script.api().invoices(&customer(), Some("in_3")).await);
        let draft = Invoice {
            id: "in_2".to_owned(),
            number: None,
            status: "draft".to_owned(),
            total_cents: -150,
            created_at: Timestamp::from_second(1_800_000_000).unwrap(),
            url: None,
            pdf_url: None,
        };
        let paid = Invoice {
            id: "in_1".to_owned(),
            number: text("ABC-0001"),
            status: "paid".to_owned(),
            total_cents: 8_700,
            created_at: Timestamp::from_second(1_790_000_000).unwrap(),
            url: text("https://invoice.example/1"),
            pdf_url: text("https://invoice.example/1.pdf"),
        };
        assert_eq!(page.items, [draft, paid]);
        assert!(page.more);
        assert_eq!(script.asked(), ["GET /v1/invoices limit=100 customer=cus_1 starting_after=in_3"]);
    }

    #[tokio::test]
    async fn first_page_starts_after_nothing() {
        let script = Script::of([list(json!([]), false)]);
        let page = done(script.api().invoices(&customer(), None).await);
        assert!(page.items.is_empty() && !page.more);
        assert_eq!(script.asked(), ["GET /v1/invoices limit=100 customer=cus_1"]);
    }

    #[tokio::test]
    async fn invoice_without_a_valid_time_spoils_the_page() {
        let invoice = json!({ "id": "in_1", "status": "paid", "total": 1, "created": i64::MAX });
        let script = Script::of([list(json!([invoice]), false)]);
        let refused = PaymentError::Refused("answer".to_owned());
        assert_eq!(why(script.api().invoices(&customer(), None).await), refused);
    }

    #[tokio::test]
    async fn page_after_an_unknown_invoice_is_not_found() {
        let missing = json!({ "code": "resource_missing", "param": "starting_after" });
        let script = Script::of([error(400, missing)]);
        assert_eq!(why(script.api().invoices(&customer(), Some("in_3")).await), PaymentError::NotFound);
    }
}
