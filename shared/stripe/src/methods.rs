//! Saved payment methods ([object](https://docs.stripe.com/api/payment_methods)).

use domain::{
    payment::{Card, CustomerId, PaymentMethod, PaymentMethodId},
    ports::PaymentError,
};
use providers::Fetch;
use serde::de::IgnoredAny;

use crate::{
    answers::{CardAnswer, List, MethodAnswer},
    call::Api,
    customers,
    error::{ApiAnswer, CallError},
    form::Form,
};

impl<F: Fetch> Api<'_, F> {
    /// The payment methods of a customer, newest first.
    pub async fn payment_methods(&self, customer: &CustomerId) -> ApiAnswer<Vec<PaymentMethod>> {
        let path = format!("{}/payment_methods", customers::path(customer));
        let found: List<MethodAnswer> = self.get(&path, &Form::page()).await?;
        Ok(found.data.into_iter().filter_map(method).collect())
    }

    /// Detaches a payment method from its customer.
    pub async fn remove_method(&self, method: &PaymentMethodId) -> ApiAnswer<()> {
        self.within(async {
            let path = format!("/v1/payment_methods/{method}");
            match self.post::<IgnoredAny>(&format!("{path}/detach"), &Form::default()).await {
                Ok(_) => Ok(()),
                // Stripe refuses to detach a payment method that has no customer, and has no code for it.
                Err(CallError::Payment(PaymentError::Refused(code))) => {
                    let found: MethodAnswer = self.get(&path, &Form::default()).await?;
                    match found.customer {
                        None => Ok(()),
                        Some(_) => Err(PaymentError::Refused(code).into()),
                    }
                }
                Err(error) => Err(error),
            }
        })
        .await
    }
}

/// `None`: an object of an older API, with another kind of id. The platform makes none.
fn method(answer: MethodAnswer) -> Option<PaymentMethod> {
    Some(PaymentMethod {
        id: PaymentMethodId::parse(&answer.id)?,
        r#type: answer.r#type,
        card: answer.card.and_then(card),
    })
}

fn card(answer: CardAnswer) -> Option<Card> {
    Some(Card {
        brand: answer.brand?,
        last4: answer.last4?,
        exp_month: answer.exp_month?,
        exp_year: answer.exp_year?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Script, done, error, list, ok, why};

    const DETACHED: &str = "POST /v1/payment_methods/pm_1/detach";
    const READ: &str = "GET /v1/payment_methods/pm_1";

    fn pm() -> PaymentMethodId {
        PaymentMethodId::parse("pm_1").unwrap()
    }

    #[tokio::test]
    async fn methods_of_every_type_are_listed() {
        let card = json!({
            "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2031, "funding": "credit",
        });
        let script = Script::of([list(
            json!([
                { "id": "pm_1", "type": "card", "card": card, "customer": "cus_1" },
                { "id": "card_1", "type": "card", "card": card },
                { "id": "pm_2", "type": "link", "link": { "email": null } },
            ]),
            false,
        )]);
        let customer = CustomerId::parse("cus_1").unwrap();
        let read = done(script.api().payment_methods(&customer).await);
        let card = Card { brand: "visa".to_owned(), last4: "4242".to_owned(), exp_month: 12, exp_year: 2031 };
        let link = PaymentMethodId::parse("pm_2").unwrap();
        assert_eq!(
            read,
            [
                PaymentMethod { id: pm(), r#type: "card".to_owned(), card: Some(card) },
                PaymentMethod { id: link, r#type: "link".to_owned(), card: None },
            ]
        );
        assert_eq!(script.asked(), ["GET /v1/customers/cus_1/payment_methods limit=100"]);
    }

    #[tokio::test]
    async fn method_is_detached() {
        let script = Script::of([ok(json!({ "id": "pm_1", "customer": null }))]);
        done(script.api().remove_method(&pm()).await);
        assert_eq!(script.asked(), [DETACHED]);
    }

    #[tokio::test]
    async fn method_that_is_not_attached_is_removed() {
        let refusal = error(400, json!({ "type": "invalid_request_error" }));
        let script = Script::of([refusal, ok(json!({ "id": "pm_1", "type": "card", "customer": null }))]);
        done(script.api().remove_method(&pm()).await);
        assert_eq!(script.asked(), [DETACHED, READ]);
    }

    #[tokio::test]
    async fn refusal_for_another_reason_is_told() {
        let refusal = error(400, json!({ "type": "invalid_request_error", "code": "other" }));
        let script = Script::of([refusal, ok(json!({ "id": "pm_1", "type": "card", "customer": "cus_1" }))]);
        let refused = PaymentError::Refused("other".to_owned());
        assert_eq!(why(script.api().remove_method(&pm()).await), refused);
        assert_eq!(script.asked(), [DETACHED, READ]);
    }

    #[tokio::test]
    async fn unknown_method_is_not_found() {
        let script = Script::of([error(404, json!({ "code": "resource_missing" }))]);
        assert_eq!(why(script.api().remove_method(&pm()).await), PaymentError::NotFound);
        assert_eq!(script.asked(), [DETACHED]);
    }
}
