//! Invoices ([object](https://docs.stripe.com/api/invoices)).

use domain::{
    Timestamp,
    payment::{CustomerId, Invoice, InvoiceId, PaymentMethodId, SubscriptionId},
    ports::{Page, PaymentError, StepKey},
};
use providers::Fetch;

use crate::{
    answers::{InvoiceAnswer, List, StatusAnswer, time},
    call::Api,
    error::{ApiAnswer, CallError, refused},
    form::Form,
};

/// The statuses of invoices that are not paid and can be paid at their pages ([statuses]).
///
/// [statuses]: https://docs.stripe.com/invoicing/overview#invoice-statuses
const PAYABLE: [&str; 2] = ["open", "uncollectible"];
/// How long attempts to void an invoice have the same key, in seconds. Stripe keeps an error for the key.
const SAME_VOID: i64 = 600;

impl<F: Fetch> Api<'_, F> {
    /// A page of the invoices of a customer, newest first.
    pub async fn invoices(&self, customer: &CustomerId, after: Option<&str>) -> ApiAnswer<Page<Invoice>> {
        let query = Form::page().with("customer", customer).with_some("starting_after", after);
        let found: List<InvoiceAnswer> = self.get("/v1/invoices", &query).await?;
        let items = found.data.into_iter().map(invoice).collect::<ApiAnswer<_>>()?;
        Ok(Page { items, more: found.has_more })
    }

    /// Pays an open invoice with a payment method of its customer, who is absent ([pay]). Whether it is paid.
    /// Stripe refuses to pay an invoice that is paid or void, and has no code for it.
    ///
    /// [pay]: https://docs.stripe.com/api/invoices/pay
    pub async fn pay_invoice(
        &self,
        id: &InvoiceId,
        method: &PaymentMethodId,
        step: &StepKey,
    ) -> ApiAnswer<bool> {
        self.within(async {
            let path = format!("/v1/invoices/{id}");
            let form = Form::default().with("payment_method", method);
            let invoice = match self.take::<StatusAnswer>(&format!("{path}/pay"), &form, step).await {
                Err(CallError::Payment(PaymentError::Refused(code))) => {
                    let now: StatusAnswer = self.get(&path, &Form::default()).await?;
                    if !matches!(now.status.as_deref(), Some("paid" | "void")) {
                        return Err(refused(&code));
                    }
                    now
                }
                answer => answer?,
            };
            Ok(invoice.status.as_deref() == Some("paid"))
        })
        .await
    }

    /// The invoices that are not paid and can be paid at their pages, newest first for each status.
    pub async fn payable_invoices(
        &self,
        customer: &CustomerId,
        subscription: Option<&SubscriptionId>,
    ) -> ApiAnswer<Vec<InvoiceId>> {
        self.within(async {
            let mut payable = Vec::new();
            for status in PAYABLE {
                let query = Form::page()
                    .with("customer", customer)
                    .with_some("subscription", subscription)
                    .with("status", status);
                let found: List<InvoiceAnswer> = self.get("/v1/invoices", &query).await?;
                for invoice in found.data {
                    payable.push(InvoiceId::parse(&invoice.id).ok_or_else(|| refused("answer"))?);
                }
            }
            Ok(payable)
        })
        .await
    }

    /// Voids an invoice ([void]). Whether it is void. Stripe refuses to void an invoice that is paid or void, and has
    /// no code for it.
    ///
    /// [void]: https://docs.stripe.com/api/invoices/void
    pub async fn void_invoice(&self, id: &InvoiceId, now: Timestamp) -> ApiAnswer<bool> {
        self.within(async {
            let path = format!("/v1/invoices/{id}");
            let step = StepKey(format!("void-{id}-{}", now.as_second().div_euclid(SAME_VOID)));
            let voided = self.take::<StatusAnswer>(&format!("{path}/void"), &Form::default(), &step).await;
            let invoice = match voided {
                Err(CallError::Payment(PaymentError::Refused(code))) => {
                    let found: StatusAnswer = self.get(&path, &Form::default()).await?;
                    if !matches!(found.status.as_deref(), Some("paid" | "void")) {
                        return Err(refused(&code));
                    }
                    found
                }
                answer => answer?,
            };
            Ok(invoice.status.as_deref() == Some("void"))
        })
        .await
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
    use domain::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::testing::{Answered, Script, done, error, list, ok, unreachable, why};

    const PAY: &str = "POST /v1/invoices/in_1/pay payment_method=pm_1 [invoice-1]";
    const READ: &str = "GET /v1/invoices/in_1";

    async fn pay(script: &Script) -> ApiAnswer<bool> {
        let (id, method) = (InvoiceId::parse("in_1").unwrap(), PaymentMethodId::parse("pm_1").unwrap());
        script.api().pay_invoice(&id, &method, &StepKey("invoice-1".to_owned())).await
    }

    fn invoice_with(status: &str) -> Answered {
        ok(json!({ "id": "in_1", "object": "invoice", "status": status }))
    }

    /// The answer to a payment of an invoice that is not open.
    fn refusal() -> Answered {
        error(400, json!({ "type": "invalid_request_error", "message": "Invoice is already paid" }))
    }

    #[tokio::test]
    async fn invoice_is_paid_with_the_method_and_the_key() {
        for (status, expected) in [("paid", true), ("open", false)] {
            let script = Script::of([invoice_with(status)]);
            assert_eq!(done(pay(&script).await), expected, "{status}");
            assert_eq!(script.asked(), [PAY]);
        }
    }

    #[tokio::test]
    async fn payment_without_answer_is_repeated_with_its_key() {
        let script = Script::of([unreachable(), invoice_with("paid")]);
        assert!(done(pay(&script).await));
        assert_eq!(script.asked(), [PAY, PAY]);
    }

    #[tokio::test]
    async fn invoice_that_was_paid_meanwhile_is_paid() {
        for (status, expected) in [("paid", true), ("void", false)] {
            let script = Script::of([refusal(), invoice_with(status)]);
            assert_eq!(done(pay(&script).await), expected, "{status}");
            assert_eq!(script.asked(), [PAY, READ]);
        }
    }

    #[tokio::test]
    async fn refused_payment_of_an_open_invoice_is_an_error() {
        let script = Script::of([refusal(), invoice_with("open")]);
        let refused = PaymentError::Refused("invalid_request_error".to_owned());
        assert_eq!(why(pay(&script).await), refused);
        assert_eq!(script.asked(), [PAY, READ]);
    }

    #[tokio::test]
    async fn declined_payment_of_an_invoice_has_the_reason() {
        let declined = PaymentError::Declined("card_declined".to_owned());
        for (code, expected) in [
            ("card_declined", declined),
            ("invoice_payment_intent_requires_action", PaymentError::AuthenticationRequired),
        ] {
            let script = Script::of([error(402, json!({ "type": "card_error", "code": code }))]);
            assert_eq!(why(pay(&script).await), expected);
            assert_eq!(script.asked(), [PAY]);
        }
    }

    const VOID: &str = "POST /v1/invoices/in_1/void [void-in_1-3000000]";

    async fn void(script: &Script) -> ApiAnswer<bool> {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        script.api().void_invoice(&InvoiceId::parse("in_1").unwrap(), now).await
    }

    #[tokio::test]
    async fn void_without_answer_is_repeated_with_its_key() {
        let script = Script::of([unreachable(), invoice_with("void")]);
        assert!(done(void(&script).await));
        assert_eq!(script.asked(), [VOID, VOID]);
    }

    #[tokio::test]
    async fn invoice_that_is_not_open_any_more_is_void_or_paid() {
        for (status, expected) in [("void", true), ("paid", false)] {
            let script = Script::of([refusal(), invoice_with(status)]);
            assert_eq!(done(void(&script).await), expected, "{status}");
            assert_eq!(script.asked(), [VOID, READ]);
        }
    }

    #[tokio::test]
    async fn refused_void_of_an_open_invoice_is_an_error() {
        let script = Script::of([refusal(), invoice_with("open")]);
        let refused = PaymentError::Refused("invalid_request_error".to_owned());
        assert_eq!(why(void(&script).await), refused);
    }

    #[tokio::test]
    async fn payable_invoices_are_open_or_uncollectible() {
        let invoices = |ids: &[&str]| {
            let invoice = |id: &&str| json!({ "id": id, "status": "open", "total": 1, "created": 1 });
            list(json!(ids.iter().map(invoice).collect::<Vec<_>>()), false)
        };
        let subscription = SubscriptionId::parse("sub_1");
        let script = Script::of([invoices(&["in_2", "in_1"]), invoices(&["in_3"])]);
        let payable = done(script.api().payable_invoices(&customer(), subscription.as_ref()).await);
        assert_eq!(payable.iter().map(InvoiceId::as_str).collect::<Vec<_>>(), ["in_2", "in_1", "in_3"]);
        let query = "GET /v1/invoices limit=100 customer=cus_1 subscription=sub_1 status";
        assert_eq!(script.asked(), [format!("{query}=open"), format!("{query}=uncollectible")]);

        let script = Script::of([invoices(&[]), invoices(&[])]);
        assert!(done(script.api().payable_invoices(&customer(), None).await).is_empty());
        let query = "GET /v1/invoices limit=100 customer=cus_1 status";
        assert_eq!(script.asked(), [format!("{query}=open"), format!("{query}=uncollectible")]);
    }

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
