//! Checkout sessions: pages of Stripe on which a person pays or saves a card
//! ([object](https://docs.stripe.com/api/checkout/sessions)).

use domain::{
    payment::{Cents, CheckoutId, PaymentMethodId, PaymentPurpose, PaymentTag},
    ports::{Checkout, CheckoutKind, CheckoutRequest, PaymentError, StepKey},
};
use providers::Fetch;
use serde::de::IgnoredAny;

use crate::{
    answers::{Expandable, SessionAnswer, SetupIntentAnswer, StatusAnswer, customer_of},
    call::Api,
    error::{ApiAnswer, CallError, refused},
    form::Form,
    metadata::{self, PURPOSE, REGION, SAVE_METHOD, SUBSCRIPTION, WORKSPACE},
};

const PATH: &str = "/v1/checkout/sessions";

impl<F: Fetch> Api<'_, F> {
    /// Opens a session.
    pub async fn open_checkout(&self, request: &CheckoutRequest, step: &StepKey) -> ApiAnswer<Checkout> {
        let form = Form::default()
            .with("customer", &request.customer)
            .with("currency", "usd")
            .with("success_url", &request.success_url)
            .with("cancel_url", &request.cancel_url);
        let form = match request.kind {
            CheckoutKind::TopUp(amount) => top_up(form, request, amount),
            CheckoutKind::SaveMethod => save_method(form, request),
            CheckoutKind::Subscribe { cycle, seats } => {
                let prices = self.credentials.prices.as_ref().ok_or(PaymentError::NotConfigured)?;
                subscribe(form, request, prices.of(cycle), seats)
            }
        };
        Ok(session(self.take(PATH, &form, step).await?))
    }

    /// A session as it is now.
    pub async fn checkout(&self, id: &CheckoutId) -> ApiAnswer<Checkout> {
        let query = Form::default().with("expand[]", "setup_intent");
        Ok(session(self.get(&format!("{PATH}/{id}"), &query).await?))
    }

    /// Closes a session, so that nobody can complete it any more.
    pub async fn expire_checkout(&self, id: &CheckoutId) -> ApiAnswer<()> {
        self.within(async {
            let path = format!("{PATH}/{id}");
            match self.post::<IgnoredAny>(&format!("{path}/expire"), &Form::default()).await {
                Ok(_) => Ok(()),
                // Stripe refuses to expire a session that is closed already, and has no code for it.
                Err(CallError::Payment(PaymentError::Refused(code))) => {
                    let found: StatusAnswer = self.get(&path, &Form::default()).await?;
                    match found.status.as_deref() {
                        Some("complete" | "expired") => Ok(()),
                        _ => Err(refused(&code)),
                    }
                }
                Err(error) => Err(error),
            }
        })
        .await
    }
}

/// The payment intent has the metadata too: it is what the platform reads, whatever becomes of the session.
fn top_up(form: Form, request: &CheckoutRequest, amount: Cents) -> Form {
    let CheckoutRequest { workspace, region, .. } = *request;
    let metadata =
        metadata::members(&PaymentTag { purpose: PaymentPurpose::TopUp, workspace, region, amount });
    form.with("mode", "payment")
        .with("line_items[0][quantity]", 1)
        .with("line_items[0][price_data][currency]", "usd")
        .with("line_items[0][price_data][unit_amount]", amount.get())
        .with("line_items[0][price_data][product_data][name]", "Credit")
        .with_members("customer_update", &customer_update())
        .with_members("payment_intent_data[metadata]", &metadata)
        .with_members("metadata", &metadata)
}

/// Only cards: they can be charged without the customer, and at once.
fn save_method(form: Form, request: &CheckoutRequest) -> Form {
    let metadata = metadata_of(request, SAVE_METHOD);
    form.with("mode", "setup")
        .with("payment_method_types[0]", "card")
        .with_members("setup_intent_data[metadata]", &metadata)
        .with_members("metadata", &metadata)
}

/// The subscription has the metadata too: it outlives the session.
fn subscribe(form: Form, request: &CheckoutRequest, price: &str, seats: u32) -> Form {
    let metadata = metadata_of(request, SUBSCRIPTION);
    form.with("mode", "subscription")
        .with("line_items[0][price]", price)
        .with("line_items[0][quantity]", seats)
        .with("billing_address_collection", "auto")
        .with_members("customer_update", &customer_update())
        .with_members("subscription_data[metadata]", &metadata)
        .with_members("metadata", &metadata)
}

/// Saves the address and the name that a person enters: invoices show them.
fn customer_update() -> [(&'static str, String); 2] {
    [("address", "auto".to_owned()), ("name", "auto".to_owned())]
}

/// The metadata of a session without an agreed amount.
fn metadata_of(request: &CheckoutRequest, purpose: &str) -> [(&'static str, String); 3] {
    [
        (WORKSPACE, request.workspace.to_string()),
        (REGION, request.region.to_string()),
        (PURPOSE, purpose.to_owned()),
    ]
}

fn session(answer: SessionAnswer) -> Checkout {
    let metadata = answer.metadata.unwrap_or_default();
    Checkout {
        id: answer.id,
        url: answer.url,
        customer: customer_of(answer.customer.as_ref()),
        workspace: metadata::workspace(&metadata),
        region: metadata::region(&metadata),
        saved_method: answer.setup_intent.and_then(Expandable::object).and_then(saved),
    }
}

/// A setup intent names its payment method also while the bank still checks it.
fn saved(intent: SetupIntentAnswer) -> Option<PaymentMethodId> {
    let method = intent.payment_method.filter(|_| intent.status.as_deref() == Some("succeeded"))?;
    PaymentMethodId::parse(method.id())
}

#[cfg(test)]
mod tests {
    use domain::{
        payment::{BillingCycle, CustomerId},
        region::Region,
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Script, WORKSPACE_ID, done, error, ok, why};

    fn request(kind: CheckoutKind) -> CheckoutRequest {
        CheckoutRequest {
            customer: CustomerId::parse("cus_1").unwrap(),
            workspace: WORKSPACE_ID.parse().unwrap(),
            region: Region::Eu,
            kind,
            success_url: "https://app.example/?session={CHECKOUT_SESSION_ID}&ok=1".to_owned(),
            cancel_url: "https://app.example/billing".to_owned(),
        }
    }

    fn id() -> CheckoutId {
        CheckoutId::parse("cs_test_1").unwrap()
    }

    async fn open(kind: CheckoutKind) -> (Checkout, String) {
        let script = Script::of([ok(json!({
            "id": "cs_test_1", "url": "https://checkout.example/c/1", "customer": "cus_1",
            "metadata": { "workspace": WORKSPACE_ID, "region": "eu" }, "setup_intent": null,
        }))]);
        let opened = script.api().open_checkout(&request(kind), &StepKey("checkout-1".to_owned())).await;
        (done(opened), script.asked().remove(0))
    }

    #[tokio::test]
    async fn top_up_has_amount_and_metadata_of_the_payment() {
        let (opened, asked) = open(CheckoutKind::TopUp(Cents::new(2_000))).await;
        assert_eq!(opened.id, id());
        assert_eq!(opened.url.as_deref(), Some("https://checkout.example/c/1"));
        assert_eq!(opened.customer, CustomerId::parse("cus_1"));
        assert_eq!(opened.workspace, Some(request(CheckoutKind::SaveMethod).workspace));
        assert_eq!(opened.region, Some(Region::Eu));
        assert_eq!(opened.saved_method, None);
        let metadata = |of: &str| {
            format!(
                "{of}[workspace]={WORKSPACE_ID} {of}[region]=eu {of}[purpose]=top-up {of}[amount_cents]=2000"
            )
        };
        let expected = [
            "POST /v1/checkout/sessions customer=cus_1 currency=usd",
            "success_url=https://app.example/?session={CHECKOUT_SESSION_ID}&ok=1",
            "cancel_url=https://app.example/billing mode=payment line_items[0][quantity]=1",
            "line_items[0][price_data][currency]=usd line_items[0][price_data][unit_amount]=2000",
            "line_items[0][price_data][product_data][name]=Credit",
            "customer_update[address]=auto customer_update[name]=auto",
            &metadata("payment_intent_data[metadata]"),
            &metadata("metadata"),
            "[checkout-1]",
        ];
        assert_eq!(asked, expected.join(" "));
    }

    #[tokio::test]
    async fn saving_a_method_takes_cards_and_no_money() {
        let (_, asked) = open(CheckoutKind::SaveMethod).await;
        let metadata =
            |of: &str| format!("{of}[workspace]={WORKSPACE_ID} {of}[region]=eu {of}[purpose]=save-method");
        let expected = [
            "POST /v1/checkout/sessions customer=cus_1 currency=usd",
            "success_url=https://app.example/?session={CHECKOUT_SESSION_ID}&ok=1",
            "cancel_url=https://app.example/billing mode=setup payment_method_types[0]=card",
            &metadata("setup_intent_data[metadata]"),
            &metadata("metadata"),
            "[checkout-1]",
        ];
        assert_eq!(asked, expected.join(" "));
    }

    #[tokio::test]
    async fn subscription_has_price_seats_and_metadata() {
        for (cycle, price) in [(BillingCycle::Monthly, "price_month"), (BillingCycle::Yearly, "price_year")] {
            let (_, asked) = open(CheckoutKind::Subscribe { cycle, seats: 3 }).await;
            let metadata = |of: &str| {
                format!("{of}[workspace]={WORKSPACE_ID} {of}[region]=eu {of}[purpose]=subscription")
            };
            let expected = [
                "POST /v1/checkout/sessions customer=cus_1 currency=usd",
                "success_url=https://app.example/?session={CHECKOUT_SESSION_ID}&ok=1",
                "cancel_url=https://app.example/billing mode=subscription",
                &format!("line_items[0][price]={price} line_items[0][quantity]=3"),
                "billing_address_collection=auto",
                "customer_update[address]=auto customer_update[name]=auto",
                &metadata("subscription_data[metadata]"),
                &metadata("metadata"),
                "[checkout-1]",
            ];
            assert_eq!(asked, expected.join(" "));
        }
    }

    #[tokio::test]
    async fn subscribing_without_prices_is_not_configured() {
        let script = Script::with_prices([], json!({}));
        let kind = CheckoutKind::Subscribe { cycle: BillingCycle::Monthly, seats: 1 };
        let opened = script.api().open_checkout(&request(kind), &StepKey("checkout-1".to_owned())).await;
        assert_eq!(why(opened), PaymentError::NotConfigured);
        assert!(script.asked().is_empty());
    }

    async fn saved_by(setup_intent: Value) -> Option<PaymentMethodId> {
        let script = Script::of([ok(json!({ "id": "cs_test_1", "setup_intent": setup_intent }))]);
        let read = done(script.api().checkout(&id()).await);
        assert_eq!(script.asked(), ["GET /v1/checkout/sessions/cs_test_1 expand[]=setup_intent"]);
        assert_eq!((read.workspace, read.region, read.url), (None, None, None));
        read.saved_method
    }

    #[tokio::test]
    async fn method_is_saved_when_its_setup_succeeded() {
        let pm = PaymentMethodId::parse("pm_1");
        for (setup_intent, expected) in [
            (json!({ "id": "seti_1", "status": "succeeded", "payment_method": "pm_1" }), pm.clone()),
            (json!({ "id": "seti_1", "status": "succeeded", "payment_method": { "id": "pm_1" } }), pm),
            (json!({ "id": "seti_1", "status": "processing", "payment_method": "pm_1" }), None),
            (json!({ "id": "seti_1", "status": "requires_payment_method", "payment_method": null }), None),
            (json!("seti_1"), None),
            (json!(null), None),
        ] {
            assert_eq!(saved_by(setup_intent.clone()).await, expected, "{setup_intent}");
        }
    }

    const EXPIRED: &str = "POST /v1/checkout/sessions/cs_test_1/expire";
    const READ: &str = "GET /v1/checkout/sessions/cs_test_1";

    #[tokio::test]
    async fn open_session_is_expired() {
        let script = Script::of([ok(json!({ "id": "cs_test_1", "status": "expired" }))]);
        done(script.api().expire_checkout(&id()).await);
        assert_eq!(script.asked(), [EXPIRED]);
    }

    #[tokio::test]
    async fn closed_session_needs_no_end() {
        for status in ["complete", "expired"] {
            let refusal = error(400, json!({ "type": "invalid_request_error" }));
            let script = Script::of([refusal, ok(json!({ "id": "cs_test_1", "status": status }))]);
            done(script.api().expire_checkout(&id()).await);
            assert_eq!(script.asked(), [EXPIRED, READ]);
        }
    }

    #[tokio::test]
    async fn session_that_stays_open_is_an_error() {
        let refusal = error(400, json!({ "type": "invalid_request_error", "code": "other" }));
        let script = Script::of([refusal, ok(json!({ "id": "cs_test_1", "status": "open" }))]);
        let expired = script.api().expire_checkout(&id()).await;
        assert_eq!(why(expired), PaymentError::Refused("other".to_owned()));
        let script = Script::of([error(404, json!({ "code": "resource_missing", "param": "session" }))]);
        assert_eq!(why(script.api().expire_checkout(&id()).await), PaymentError::NotFound);
        assert_eq!(script.asked(), [EXPIRED]);
    }

    #[tokio::test]
    async fn deleted_customer_opens_no_page() {
        let missing =
            json!({ "type": "invalid_request_error", "code": "resource_missing", "param": "customer" });
        let script = Script::of([error(400, missing)]);
        let kind = CheckoutKind::SaveMethod;
        let opened = script.api().open_checkout(&request(kind), &StepKey("checkout-1".to_owned())).await;
        assert_eq!(why(opened), PaymentError::NotFound);
    }
}
