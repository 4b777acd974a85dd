//! Payment intents: payments with what happened to their money since
//! ([object](https://docs.stripe.com/api/payment_intents)).

use domain::{
    Timestamp,
    payment::{Cents, CustomerId, PaymentIntent, PaymentIntentId, PaymentMethodId, PaymentTag},
    ports::{Page, StepKey},
};
use providers::Fetch;

use crate::{
    answers::{ChargeAnswer, DisputeAnswer, Expandable, IntentAnswer, List, cents, customer_of},
    call::Api,
    error::ApiAnswer,
    form::Form,
    metadata,
};

const PATH: &str = "/v1/payment_intents";

/// The statuses of disputes that hold or took the money ([statuses]). Inquiries (`warning_…`) hold nothing; a
/// dispute that was won or prevented gave it back.
///
/// [statuses]: https://docs.stripe.com/api/disputes/object#dispute_object-status
const HOLDING: [&str; 3] = ["needs_response", "under_review", "lost"];

impl<F: Fetch> Api<'_, F> {
    /// Charges a saved card. The customer isn't there to authenticate: a card that needs it is an error, and
    /// the intent doesn't wait for it ([off-session payments]). Methods that redirect are excluded: they
    /// would need an address to return to.
    ///
    /// [off-session payments]:
    /// https://docs.stripe.com/api/payment_intents/create#create_payment_intent-error_on_requires_action
    pub async fn charge(
        &self,
        customer: &CustomerId,
        method: &PaymentMethodId,
        tag: &PaymentTag,
        step: &StepKey,
    ) -> ApiAnswer<PaymentIntent> {
        let form = Form::default()
            .with("amount", tag.amount.get())
            .with("currency", "usd")
            .with("customer", customer)
            .with("payment_method", method)
            .with("payment_method_types[0]", "card")
            .with("confirm", true)
            .with("off_session", true)
            .with("error_on_requires_action", true)
            .with("description", "Automatic top-up")
            .with_members("metadata", &metadata::members(tag));
        // Nothing can be given back yet of what was charged just now.
        Ok(intent(self.take(PATH, &form, step).await?).0)
    }

    /// A payment as it is now.
    pub async fn payment(&self, id: &PaymentIntentId) -> ApiAnswer<PaymentIntent> {
        self.within(async { self.with_disputes(self.with_charge(id).await?).await }).await
    }

    /// The page with the receipt, if there is one.
    pub async fn receipt_url(&self, id: &PaymentIntentId) -> ApiAnswer<Option<String>> {
        let found = self.with_charge(id).await?;
        Ok(found.latest_charge.and_then(Expandable::object).and_then(|charge| charge.receipt_url))
    }

    /// A page of payments. Each of its calls has the time of one: disputes are rare, but a page may have
    /// several.
    pub async fn payments(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&PaymentIntentId>,
    ) -> ApiAnswer<Page<PaymentIntent>> {
        let after = after.map(PaymentIntentId::as_str);
        let query = Form::span(since, until, after).with("expand[]", "data.latest_charge");
        let found: List<IntentAnswer> = self.get(PATH, &query).await?;
        let mut items = Vec::with_capacity(found.data.len());
        for answer in found.data {
            items.push(self.with_disputes(answer).await?);
        }
        Ok(Page { items, more: found.has_more })
    }

    async fn with_charge(&self, id: &PaymentIntentId) -> ApiAnswer<IntentAnswer> {
        let query = Form::default().with("expand[]", "latest_charge");
        self.get(&format!("{PATH}/{id}"), &query).await
    }

    async fn with_disputes(&self, answer: IntentAnswer) -> ApiAnswer<PaymentIntent> {
        let (intent, is_disputed) = intent(answer);
        if !is_disputed {
            return Ok(intent);
        }
        let query = Form::page().with("payment_intent", &intent.id);
        let found: List<DisputeAnswer> = self.get("/v1/disputes", &query).await?;
        let holds = |dispute: &DisputeAnswer| {
            dispute.status.as_deref().is_some_and(|status| HOLDING.contains(&status))
        };
        let held = found.data.iter().filter(|dispute| holds(dispute));
        let disputed = held.fold(Cents::ZERO, |sum, dispute| sum.plus(cents(dispute.amount)));
        Ok(PaymentIntent { disputed, ..intent })
    }
}

/// A payment without its disputes, and whether it has any.
fn intent(answer: IntentAnswer) -> (PaymentIntent, bool) {
    let none = ChargeAnswer { amount_refunded: None, disputed: None, receipt_url: None };
    let charge = answer.latest_charge.and_then(Expandable::object).unwrap_or(none);
    let intent = PaymentIntent {
        id: answer.id,
        customer: customer_of(answer.customer.as_ref()),
        status: answer.status,
        currency: answer.currency,
        amount: cents(answer.amount),
        received: cents(answer.amount_received),
        refunded: cents(charge.amount_refunded),
        disputed: Cents::ZERO,
        tag: answer.metadata.as_ref().and_then(metadata::tag),
    };
    (intent, charge.disputed == Some(true))
}

#[cfg(test)]
mod tests {
    use domain::{
        payment::{IntentStatus, PaymentPurpose},
        ports::PaymentError,
        region::Region,
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Script, WORKSPACE_ID, done, error, list, ok, unreachable, why};

    const READ: &str = "GET /v1/payment_intents/pi_1 expand[]=latest_charge";
    const DISPUTES: &str = "GET /v1/disputes limit=100 payment_intent=pi_1";

    fn id() -> PaymentIntentId {
        PaymentIntentId::parse("pi_1").unwrap()
    }

    fn tag() -> PaymentTag {
        PaymentTag {
            purpose: PaymentPurpose::AutoTopUp,
            workspace: WORKSPACE_ID.parse().unwrap(),
            region: Region::Eu,
            amount: Cents::new(2_000),
        }
    }

    fn answer(id: &str, latest_charge: Value) -> Value {
        json!({
            "id": id, "object": "payment_intent", "status": "succeeded", "currency": "usd", "amount": 2_000,
            "amount_received": 2_000, "customer": "cus_1", "latest_charge": latest_charge,
            "metadata": {
                "workspace": WORKSPACE_ID, "region": "eu", "purpose": "auto-top-up", "amount_cents": "2000",
            },
        })
    }

    fn paid() -> PaymentIntent {
        PaymentIntent {
            id: id(),
            customer: CustomerId::parse("cus_1"),
            status: IntentStatus::Succeeded,
            currency: "usd".to_owned(),
            amount: Cents::new(2_000),
            received: Cents::new(2_000),
            refunded: Cents::ZERO,
            disputed: Cents::ZERO,
            tag: Some(tag()),
        }
    }

    async fn charge(script: &Script) -> ApiAnswer<PaymentIntent> {
        let (customer, method) =
            (CustomerId::parse("cus_1").unwrap(), PaymentMethodId::parse("pm_1").unwrap());
        script.api().charge(&customer, &method, &tag(), &StepKey("charge-1".to_owned())).await
    }

    fn charged() -> String {
        [
            "POST /v1/payment_intents amount=2000 currency=usd customer=cus_1 payment_method=pm_1",
            "payment_method_types[0]=card confirm=true off_session=true error_on_requires_action=true",
            "description=Automatic top-up",
            &format!("metadata[workspace]={WORKSPACE_ID} metadata[region]=eu metadata[purpose]=auto-top-up"),
            "metadata[amount_cents]=2000 [charge-1]",
        ]
        .join(" ")
    }

    #[tokio::test]
    async fn charge_is_off_session_with_the_key_of_the_step() {
        let script = Script::of([ok(answer("pi_1", json!("ch_1")))]);
        assert_eq!(done(charge(&script).await), paid());
        assert_eq!(script.asked(), [charged()]);
    }

    #[tokio::test]
    async fn charge_without_answer_is_repeated_with_its_key() {
        let script = Script::of([unreachable(), ok(answer("pi_1", json!("ch_1")))]);
        assert_eq!(done(charge(&script).await), paid());
        assert_eq!(script.asked(), [charged(), charged()]);
    }

    #[tokio::test]
    async fn declined_charge_has_the_reason() {
        let declined = PaymentError::Declined("insufficient_funds".to_owned());
        for (code, expected) in
            [("card_declined", declined), ("authentication_required", PaymentError::AuthenticationRequired)]
        {
            let refusal = json!({
                "type": "card_error", "code": code, "decline_code": "insufficient_funds",
                "payment_intent": {},
            });
            let script = Script::of([error(402, refusal)]);
            assert_eq!(why(charge(&script).await), expected);
            assert_eq!(script.asked().len(), 1);
        }
    }

    #[tokio::test]
    async fn payment_has_refunds_of_its_charge() {
        let undisputed = json!({ "amount_refunded": 500, "disputed": false, "receipt_url": null });
        let script = Script::of([ok(answer("pi_1", undisputed))]);
        let expected = PaymentIntent { refunded: Cents::new(500), ..paid() };
        assert_eq!(done(script.api().payment(&id()).await), expected);
        assert_eq!(script.asked(), [READ]);
    }

    #[tokio::test]
    async fn payment_without_charge_or_tag_is_read() {
        let script = Script::of([ok(json!({
            "id": "pi_1", "status": "requires_payment_method", "currency": "eur", "amount": 100,
            "metadata": {},
        }))]);
        let read = done(script.api().payment(&id()).await);
        assert_eq!(
            (read.status, read.currency.as_str(), read.received, read.tag, read.customer),
            (IntentStatus::RequiresPaymentMethod, "eur", Cents::ZERO, None, None)
        );
    }

    async fn disputed_by(disputes: Value) -> Cents {
        let charge = json!({ "amount_refunded": 0, "disputed": true });
        let script = Script::of([ok(answer("pi_1", charge)), list(disputes, false)]);
        let read = done(script.api().payment(&id()).await);
        assert_eq!(script.asked(), [READ, DISPUTES]);
        read.disputed
    }

    #[tokio::test]
    async fn open_and_lost_disputes_count_only() {
        for (status, counts) in [
            ("needs_response", 700),
            ("under_review", 700),
            ("lost", 700),
            ("won", 0),
            ("prevented", 0),
            ("warning_needs_response", 0),
            ("warning_under_review", 0),
            ("warning_closed", 0),
            ("new_status", 0),
        ] {
            let dispute = json!({ "id": "dp_1", "amount": 700, "status": status });
            assert_eq!(disputed_by(json!([dispute])).await, Cents::new(counts), "{status}");
        }
        let several = json!([
            { "amount": 700, "status": "won" },
            { "amount": 600, "status": "lost" },
            { "amount": 50, "status": "under_review" },
            { "amount": null, "status": null },
        ]);
        assert_eq!(disputed_by(several).await, Cents::new(650));
    }

    #[tokio::test]
    async fn disputes_that_can_not_be_read_are_an_error() {
        let charge = json!({ "disputed": true });
        let script = Script::of([ok(answer("pi_1", charge)), error(401, json!({}))]);
        let refused = PaymentError::Refused("authentication".to_owned());
        assert_eq!(why(script.api().payment(&id()).await), refused);
    }

    #[tokio::test]
    async fn unknown_payment_is_not_found() {
        let script = Script::of([error(404, json!({ "code": "resource_missing", "param": "intent" }))]);
        assert_eq!(why(script.api().payment(&id()).await), PaymentError::NotFound);
    }

    #[tokio::test]
    async fn receipt_is_that_of_the_latest_charge() {
        let url = "https://pay.example/receipts/1";
        for (charge, expected) in [
            (json!({ "receipt_url": url }), Some(url.to_owned())),
            (json!({ "receipt_url": null }), None),
            (json!(null), None),
        ] {
            let script = Script::of([ok(answer("pi_1", charge))]);
            assert_eq!(done(script.api().receipt_url(&id()).await), expected);
            assert_eq!(script.asked(), [READ]);
        }
    }

    #[tokio::test]
    async fn page_of_payments_has_their_disputes() {
        let script = Script::of([
            list(
                json!([
                    answer("pi_2", json!({ "amount_refunded": 10 })),
                    answer("pi_1", json!({ "disputed": true })),
                    { "id": "pi_0", "status": "canceled", "currency": "idr", "amount": 90_000_000_000_i64 },
                ]),
                true,
            ),
            list(json!([{ "amount": 700, "status": "lost" }]), false),
        ]);
        let at = |second| Timestamp::from_second(second).unwrap();
        let after = PaymentIntentId::parse("pi_3").unwrap();
        let page = done(script.api().payments(at(10), at(20), Some(&after)).await);
        assert!(page.more);
        let read: Vec<_> =
            page.items.iter().map(|item| (item.id.as_str(), item.refunded, item.disputed)).collect();
        assert_eq!(
            read,
            [
                ("pi_2", Cents::new(10), Cents::ZERO),
                ("pi_1", Cents::ZERO, Cents::new(700)),
                ("pi_0", Cents::ZERO, Cents::ZERO),
            ]
        );
        let expected = "GET /v1/payment_intents limit=100 created[gte]=10 created[lt]=20 starting_after=pi_3 \
            expand[]=data.latest_charge";
        assert_eq!(script.asked(), [expected, DISPUTES]);
    }
}
