//! Events ([object](https://docs.stripe.com/api/events/object)), from the list and from webhooks. Of the
//! object in an event only what it is and whose it is are read.

use domain::{
    Timestamp,
    payment::{CheckoutId, PaymentIntentId, PaymentSubject, StripeEvent, StripeEventId, SubscriptionId},
    ports::Page,
    region::Region,
};
use providers::Fetch;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    answers::List,
    call::Api,
    error::{ApiAnswer, refused},
    form::Form,
};

impl<F: Fetch> Api<'_, F> {
    /// A page of events of all types. Stripe keeps events for 30 days.
    pub async fn events(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&StripeEventId>,
    ) -> ApiAnswer<Page<StripeEvent>> {
        let query = Form::span(since, until, after.map(StripeEventId::as_str));
        let found: List<EventEnvelope> = self.get("/v1/events", &query).await?;
        let items = found.data.into_iter().map(EventEnvelope::event).collect::<Option<_>>();
        Ok(Page { items: items.ok_or_else(|| refused("answer"))?, more: found.has_more })
    }
}

/// An event as Stripe sends it.
#[derive(Deserialize)]
pub struct EventEnvelope {
    id: StripeEventId,
    r#type: String,
    created: i64,
    livemode: bool,
    account: Option<String>,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    /// The object has the version of the webhook endpoint, and any type.
    object: Value,
}

impl EventEnvelope {
    /// The event. `None`: its time is out of range.
    pub fn event(self) -> Option<StripeEvent> {
        let object = &self.data.object;
        Some(StripeEvent {
            created: Timestamp::from_second(self.created).ok()?,
            subject: subject(object),
            live: self.livemode,
            region: region(object),
            account: self.account,
            id: self.id,
            r#type: self.r#type,
        })
    }
}

/// The object to fetch because of an event.
fn subject(object: &Value) -> Option<PaymentSubject> {
    let id = object.get("id").and_then(Value::as_str);
    match object.get("object")?.as_str()? {
        "payment_intent" => payment(id),
        "charge" | "refund" | "dispute" => payment(reference(object.get("payment_intent"))),
        "checkout.session" => session(object, id),
        "subscription" => subscription(id),
        "invoice" => {
            let of_parent = reference(object.pointer("/parent/subscription_details/subscription"));
            // Versions before 2025-03-31 have it at the top.
            subscription(of_parent.or_else(|| reference(object.get("subscription"))))
        }
        _ => None,
    }
}

/// What a Checkout session made. It made nothing before somebody completed it.
fn session(object: &Value, id: Option<&str>) -> Option<PaymentSubject> {
    match object.get("mode").and_then(Value::as_str) {
        Some("setup") => id.and_then(CheckoutId::parse).map(PaymentSubject::Checkout),
        Some("subscription") => subscription(reference(object.get("subscription"))),
        _ => payment(reference(object.get("payment_intent"))),
    }
}

fn payment(id: Option<&str>) -> Option<PaymentSubject> {
    id.and_then(PaymentIntentId::parse).map(PaymentSubject::Payment)
}

fn subscription(id: Option<&str>) -> Option<PaymentSubject> {
    id.and_then(SubscriptionId::parse).map(PaymentSubject::Subscription)
}

/// The id of an object that may be expanded.
fn reference(value: Option<&Value>) -> Option<&str> {
    let value = value?;
    value.as_str().or_else(|| value.get("id")?.as_str())
}

/// The region in the metadata. Invoices have none of their own, but a copy of their subscription's.
fn region(object: &Value) -> Option<Region> {
    let own = object.pointer("/metadata/region");
    own.or_else(|| object.pointer("/parent/subscription_details/metadata/region"))?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use domain::ports::PaymentError;
    use serde_json::json;

    use super::*;
    use crate::testing::{Script, done, list, why};

    fn event(object: Value) -> Value {
        json!({
            "id": "evt_1", "object": "event", "type": "charge.refunded", "created": 1_800_000_000,
            "livemode": false,
            "data": { "object": object }, "pending_webhooks": 1, "request": { "id": null },
        })
    }

    fn subject_of(object: Value) -> Option<PaymentSubject> {
        serde_json::from_value::<EventEnvelope>(event(object)).unwrap().event().unwrap().subject
    }

    #[test]
    fn payment_is_the_subject_of_what_belongs_to_it() {
        let payment = PaymentIntentId::parse("pi_1").map(PaymentSubject::Payment);
        for object in [
            json!({ "object": "payment_intent", "id": "pi_1" }),
            json!({ "object": "charge", "id": "ch_1", "payment_intent": "pi_1" }),
            json!({ "object": "charge", "id": "ch_1", "payment_intent": { "id": "pi_1" } }),
            json!({ "object": "refund", "id": "re_1", "payment_intent": "pi_1" }),
            json!({ "object": "dispute", "id": "dp_1", "payment_intent": "pi_1" }),
            json!({ "object": "checkout.session", "mode": "payment", "payment_intent": "pi_1" }),
        ] {
            assert_eq!(subject_of(object.clone()), payment, "{object}");
        }
    }

    #[test]
    fn session_without_payment_is_its_own_or_its_subscription() {
        let session = |mode: &str, subscription: Value| {
            json!({
                "object": "checkout.session", "id": "cs_test_1", "mode": mode, "payment_intent": null,
                "setup_intent": "seti_1", "subscription": subscription,
            })
        };
        let checkout = CheckoutId::parse("cs_test_1").map(PaymentSubject::Checkout);
        let subscription = SubscriptionId::parse("sub_1").map(PaymentSubject::Subscription);
        assert_eq!(subject_of(session("setup", json!(null))), checkout);
        assert_eq!(subject_of(session("subscription", json!("sub_1"))), subscription);
        assert_eq!(subject_of(session("subscription", json!({ "id": "sub_1" }))), subscription);
        assert_eq!(subject_of(session("subscription", json!(null))), None);
        assert_eq!(subject_of(session("payment", json!(null))), None);
    }

    #[test]
    fn session_of_a_subscription_is_never_a_payment() {
        let object = json!({
            "object": "checkout.session", "id": "cs_test_1", "mode": "subscription",
            "payment_intent": "pi_1", "subscription": "sub_1",
        });
        assert_eq!(subject_of(object), SubscriptionId::parse("sub_1").map(PaymentSubject::Subscription));
    }

    #[test]
    fn subscription_is_the_subject_of_its_invoices() {
        let subscription = SubscriptionId::parse("sub_1").map(PaymentSubject::Subscription);
        let details =
            |subscription: Value| json!({ "subscription_details": { "subscription": subscription } });
        for object in [
            json!({ "object": "subscription", "id": "sub_1" }),
            json!({ "object": "invoice", "id": "in_1", "parent": details(json!("sub_1")) }),
            json!({ "object": "invoice", "id": "in_1", "parent": details(json!({ "id": "sub_1" })) }),
            json!({ "object": "invoice", "id": "in_1", "parent": null, "subscription": "sub_1" }),
        ] {
            assert_eq!(subject_of(object.clone()), subscription, "{object}");
        }
    }

    #[test]
    fn other_objects_are_no_subject() {
        for object in [
            json!({ "object": "customer", "id": "cus_1" }),
            json!({ "object": "setup_intent", "id": "seti_1" }),
            json!({ "object": "payment_method", "id": "pm_1" }),
            json!({ "object": "charge", "id": "ch_1", "payment_intent": null }),
            json!({ "object": "refund", "id": "re_1" }),
            json!({ "object": "invoice", "id": "in_1", "parent": null }),
            json!({ "object": "payment_intent", "id": "ch_1" }),
            json!({ "object": "payment_intent", "id": 1 }),
            json!({ "object": 1 }),
            json!({}),
            json!(null),
        ] {
            assert_eq!(subject_of(object.clone()), None, "{object}");
        }
    }

    #[test]
    fn event_has_its_region_mode_and_account() {
        let mut event = event(json!({ "object": "charge", "metadata": { "region": "ap" } }));
        let read = |event: &Value| {
            serde_json::from_value::<EventEnvelope>(event.clone()).ok().and_then(EventEnvelope::event)
        };
        let expected = StripeEvent {
            id: StripeEventId::parse("evt_1").unwrap(),
            r#type: "charge.refunded".to_owned(),
            created: Timestamp::from_second(1_800_000_000).unwrap(),
            subject: None,
            live: false,
            account: None,
            region: Some(Region::Ap),
        };
        assert_eq!(read(&event), Some(expected.clone()));
        event["livemode"] = json!(true);
        event["account"] = json!("acct_1");
        for metadata in [json!({ "region": "mars" }), json!({ "region": 1 }), json!({}), json!(null)] {
            event["data"]["object"]["metadata"] = metadata;
            let account = Some("acct_1".to_owned());
            let expected = StripeEvent { live: true, account, region: None, ..expected.clone() };
            assert_eq!(read(&event), Some(expected));
        }
    }

    #[test]
    fn invoice_is_of_the_region_of_its_subscription() {
        let details = json!({ "subscription": "sub_1", "metadata": { "region": "ap" } });
        let parent = json!({ "type": "subscription_details", "subscription_details": details });
        for metadata in [json!({}), json!(null)] {
            let object = json!({ "object": "invoice", "metadata": metadata, "parent": parent });
            let read = serde_json::from_value::<EventEnvelope>(event(object)).unwrap().event().unwrap();
            assert_eq!(read.region, Some(Region::Ap));
        }
    }

    #[test]
    fn incomplete_event_is_no_event() {
        for name in ["id", "type", "created", "livemode", "data"] {
            let mut event = event(json!({}));
            event.as_object_mut().unwrap().remove(name);
            assert!(serde_json::from_value::<EventEnvelope>(event).is_err(), "{name}");
        }
    }

    #[tokio::test]
    async fn page_of_events_has_every_type() {
        let script = Script::of([list(json!([event(json!({ "object": "customer" }))]), true)]);
        let at = |second| Timestamp::from_second(second).unwrap();
        let after = StripeEventId::parse("evt_2").unwrap();
        let page = done(script.api().events(at(10), at(20), Some(&after)).await);
        assert!(page.more);
        assert_eq!(page.items.len(), 1);
        let expected = "GET /v1/events limit=100 created[gte]=10 created[lt]=20 starting_after=evt_2";
        assert_eq!(script.asked(), [expected]);
    }

    #[tokio::test]
    async fn event_without_a_valid_time_spoils_the_page() {
        let mut event = event(json!({}));
        event["created"] = json!(i64::MAX);
        let script = Script::of([list(json!([event]), false)]);
        let at = Timestamp::from_second(10).unwrap();
        let refused = PaymentError::Refused("answer".to_owned());
        assert_eq!(why(script.api().events(at, at, None).await), refused);
        assert_eq!(script.asked(), ["GET /v1/events limit=100 created[gte]=10 created[lt]=10"]);
    }
}
