use domain::{payment::SubscriptionTag, region::Region};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Answered, Script, WORKSPACE_ID, done, error, list, ok, unreachable, why};

const READ: &str = "GET /v1/subscriptions/sub_1 expand[]=latest_invoice";
const CANCELED: &str = "DELETE /v1/subscriptions/sub_1 invoice_now=false prorate=false";

fn id() -> SubscriptionId {
    SubscriptionId::parse("sub_1").unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn item(price: &Value) -> Value {
    json!({
        "id": "si_1", "object": "subscription_item", "quantity": 3, "price": price,
        "current_period_start": 1_800_000_000, "current_period_end": 1_802_592_000,
    })
}

fn items(data: &Value) -> Value {
    json!({ "object": "list", "data": data, "has_more": false, "url": "/v1/subscription_items" })
}

fn answer() -> Value {
    let price = json!({ "id": "price_month", "lookup_key": null, "recurring": null });
    json!({
        "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active",
        "metadata": { "workspace": WORKSPACE_ID, "region": "eu", "purpose": "subscription" },
        "items": items(&json!([item(&price)])), "start_date": 1_790_000_000,
        "cancel_at_period_end": false, "cancel_at": null, "default_payment_method": "pm_1",
        "latest_invoice": {
            "id": "in_1", "status": "paid", "attempt_count": 1, "created": 1_800_000_000,
        },
    })
}

fn answer_with(member: &str, value: Value) -> Value {
    let mut answer = answer();
    answer[member] = value;
    answer
}

fn active() -> Subscription {
    let tag = SubscriptionTag { workspace: WORKSPACE_ID.parse().unwrap(), region: Region::Eu };
    Subscription {
        id: id(),
        customer: CustomerId::parse("cus_1").unwrap(),
        status: SubscriptionStatus::Active,
        tag: Some(tag),
        item: "si_1".to_owned(),
        cycle: Some(BillingCycle::Monthly),
        seats: 3,
        started_at: at(1_790_000_000),
        period_start: at(1_800_000_000),
        period_end: at(1_802_592_000),
        cancel_at_period_end: false,
        method: PaymentMethodId::parse("pm_1"),
        open_invoice: None,
        payment_failed_at: None,
        paid_after_end: None,
    }
}

async fn read(answer: Value) -> Subscription {
    let script = Script::of([ok(answer)]);
    let read = done(script.api().subscription(&id()).await);
    assert_eq!(script.asked(), [READ]);
    read
}

async fn refusal(answer: Value) -> PaymentError {
    why(Script::of([ok(answer)]).api().subscription(&id()).await)
}

#[tokio::test]
async fn subscription_has_seats_and_period_of_its_item() {
    assert_eq!(read(answer()).await, active());
    let customer = json!({ "id": "cus_1", "object": "customer" });
    assert_eq!(read(answer_with("customer", customer)).await, active());
    let with_default_of_customer = Subscription { method: None, ..active() };
    let answer = answer_with("default_payment_method", json!(null));
    assert_eq!(read(answer).await, with_default_of_customer);
}

#[tokio::test]
async fn status_is_that_of_stripe() {
    use SubscriptionStatus::{
        Active, Canceled, Incomplete, IncompleteExpired, PastDue, Paused, Trialing, Unpaid,
    };
    for (status, expected) in [
        ("incomplete", Incomplete),
        ("incomplete_expired", IncompleteExpired),
        ("trialing", Trialing),
        ("active", Active),
        ("past_due", PastDue),
        ("unpaid", Unpaid),
        ("paused", Paused),
        ("canceled", Canceled),
    ] {
        assert_eq!(read(answer_with("status", json!(status))).await.status, expected);
    }
    let refused = PaymentError::Refused("answer".to_owned());
    assert_eq!(refusal(answer_with("status", json!("new"))).await, refused);
}

#[tokio::test]
async fn subscription_without_metadata_is_not_the_platforms() {
    for metadata in [
        json!(null),
        json!({}),
        json!({ "workspace": WORKSPACE_ID, "region": "eu" }),
        json!({ "workspace": WORKSPACE_ID, "region": "eu", "purpose": "top-up" }),
        json!({ "workspace": WORKSPACE_ID, "region": "mars", "purpose": "subscription" }),
    ] {
        assert_eq!(read(answer_with("metadata", metadata)).await.tag, None);
    }
}

fn price(id: &str, lookup_key: Value, interval: &str, interval_count: u32) -> Value {
    let recurring = json!({ "interval": interval, "interval_count": interval_count });
    json!({ "id": id, "object": "price", "lookup_key": lookup_key, "recurring": recurring })
}

#[tokio::test]
async fn cycle_is_that_of_the_price_or_its_lookup_key() {
    use BillingCycle::{Monthly, Yearly};
    let (month, year) = (json!("pro_monthly"), json!("pro_yearly"));
    for (price, expected) in [
        (price("price_month", json!(null), "month", 1), Some(Monthly)),
        (price("price_year", json!(null), "year", 1), Some(Yearly)),
        (price("price_new", month.clone(), "month", 1), Some(Monthly)),
        (price("price_new", year.clone(), "year", 1), Some(Yearly)),
        (price("price_new", month.clone(), "year", 1), None),
        (price("price_new", month, "month", 3), None),
        (price("price_new", year, "month", 12), None),
        (price("price_new", json!("other"), "month", 1), None),
        (price("price_new", json!(null), "month", 1), None),
        (json!({ "id": "price_new", "lookup_key": "pro_monthly", "recurring": null }), None),
    ] {
        let answer = answer_with("items", items(&json!([item(&price)])));
        assert_eq!(read(answer).await.cycle, expected, "{price}");
    }
}

#[tokio::test]
async fn lookup_key_is_read_without_configured_prices() {
    for (price, expected) in [
        (price("price_new", json!("pro_yearly"), "year", 1), Some(BillingCycle::Yearly)),
        (price("price_year", json!(null), "year", 1), None),
    ] {
        let answer = answer_with("items", items(&json!([item(&price)])));
        let script = Script::with_prices([ok(answer)], json!({}));
        assert_eq!(done(script.api().subscription(&id()).await).cycle, expected, "{price}");
    }
}

#[tokio::test]
async fn other_number_of_items_than_one_is_refused() {
    let one = item(&price("price_month", json!(null), "month", 1));
    let mut long = items(&json!([one]));
    long["has_more"] = json!(true);
    for items in [items(&json!([])), items(&json!([one, one])), long] {
        let refused = PaymentError::Refused("items".to_owned());
        assert_eq!(refusal(answer_with("items", items)).await, refused);
    }
}

#[tokio::test]
async fn unreadable_customer_or_time_is_refused() {
    let refused = PaymentError::Refused("answer".to_owned());
    for (member, value) in [("customer", json!("acct_1")), ("start_date", json!(i64::MAX))] {
        assert_eq!(refusal(answer_with(member, value)).await, refused, "{member}");
    }
}

#[tokio::test]
async fn failed_payment_is_that_of_an_open_invoice() {
    let invoice = |status: &str, attempts: u32, transitions: Value| {
        json!({
            "id": "in_1", "status": status, "attempt_count": attempts, "created": 1_800_000_000,
            "status_transitions": transitions,
        })
    };
    let finalized = || json!({ "finalized_at": 1_800_003_600, "paid_at": null });
    for (latest_invoice, expected) in [
        (invoice("open", 1, finalized()), Some(at(1_800_003_600))),
        (invoice("open", 2, json!({ "finalized_at": null })), Some(at(1_800_000_000))),
        (invoice("open", 3, json!(null)), Some(at(1_800_000_000))),
        (invoice("open", 0, finalized()), None),
        (invoice("draft", 0, json!({ "finalized_at": null })), None),
        (invoice("paid", 2, finalized()), None),
        (invoice("void", 1, finalized()), None),
        (invoice("uncollectible", 4, finalized()), None),
        (json!("in_1"), None),
        (json!(null), None),
    ] {
        let answer = answer_with("latest_invoice", latest_invoice.clone());
        assert_eq!(read(answer).await.payment_failed_at, expected, "{latest_invoice}");
    }
}

#[tokio::test]
async fn open_invoice_is_the_latest_one_if_that_is_open() {
    let invoice = |status: &str| json!({ "id": "in_1", "status": status, "created": 1_800_000_000 });
    for (latest_invoice, expected) in [
        (invoice("open"), InvoiceId::parse("in_1")),
        (invoice("draft"), None),
        (invoice("paid"), None),
        (invoice("void"), None),
        (json!({ "status": "open", "created": 1_800_000_000 }), None),
        (json!("in_1"), None),
        (json!(null), None),
    ] {
        let answer = answer_with("latest_invoice", latest_invoice.clone());
        assert_eq!(read(answer).await.open_invoice, expected, "{latest_invoice}");
    }
}

#[tokio::test]
async fn invoice_paid_after_the_end_is_found() {
    let (begun, ended, late) = (1_800_000_000, 1_800_003_600, 1_800_007_200);
    for (created, paid, end, expected) in [
        (begun, json!(late), json!(ended), InvoiceId::parse("in_1")),
        (begun, json!(begun), json!(ended), None),
        (begun, json!(ended), json!(ended), None),
        // It was made at the end.
        (ended, json!(late), json!(ended), None),
        (begun, json!(null), json!(ended), None),
        (begun, json!(late), json!(null), None),
    ] {
        let transitions = json!({ "finalized_at": begun, "paid_at": paid });
        let invoice =
            json!({ "id": "in_1", "status": "paid", "created": created, "status_transitions": transitions });
        let mut answer = answer_with("latest_invoice", invoice);
        answer["ended_at"] = end.clone();
        assert_eq!(read(answer).await.paid_after_end, expected, "{created} {paid} {end}");
    }
}

#[tokio::test]
async fn scheduled_end_is_a_flag_or_a_time() {
    for (flag, time, expected) in [
        (true, json!(1_802_592_000), true),
        (true, json!(null), true),
        (false, json!(1_802_592_000), true),
        (false, json!(1_802_592_001), false),
        (false, json!(null), false),
    ] {
        let mut answer = answer_with("cancel_at_period_end", json!(flag));
        answer["cancel_at"] = time;
        assert_eq!(read(answer).await.cancel_at_period_end, expected);
    }
}

#[tokio::test]
async fn unknown_subscription_is_not_found() {
    let script = Script::of([error(404, json!({ "code": "resource_missing", "param": "id" }))]);
    assert_eq!(why(script.api().subscription(&id()).await), PaymentError::NotFound);
}

#[tokio::test]
async fn list_is_without_subscriptions_that_are_over() {
    let with_status = |id: &str, status: &str| {
        let mut answer = answer_with("status", json!(status));
        answer["id"] = json!(id);
        answer
    };
    // A subscription that is over may also have a form that is refused.
    let mut over = with_status("sub_4", "canceled");
    over["items"] = items(&json!([]));
    let script = Script::of([list(
        json!([
            with_status("sub_6", "incomplete"),
            with_status("sub_5", "incomplete_expired"),
            over,
            with_status("sub_3", "past_due"),
            with_status("sub_2", "unpaid"),
            answer(),
        ]),
        false,
    )]);
    let found = done(script.api().subscriptions(&active().customer).await);
    let ids: Vec<_> = found.iter().map(|found| found.id.as_str()).collect();
    assert_eq!(ids, ["sub_6", "sub_3", "sub_2", "sub_1"]);
    assert_eq!(found.last(), Some(&active()));
    let expected = "GET /v1/subscriptions limit=100 customer=cus_1 status=all expand[]=data.latest_invoice";
    assert_eq!(script.asked(), [expected]);
}

#[tokio::test]
async fn end_with_the_period_is_set_and_taken_back() {
    let script = Script::of([ok(answer()), ok(answer())]);
    done(script.api().set_cancel_at_period_end(&id(), true).await);
    done(script.api().set_cancel_at_period_end(&id(), false).await);
    assert_eq!(
        script.asked(),
        [
            "POST /v1/subscriptions/sub_1 cancel_at_period_end=true",
            "POST /v1/subscriptions/sub_1 cancel_at_period_end=false",
        ]
    );
}

#[tokio::test]
async fn subscription_can_be_canceled_twice() {
    let missing = json!({ "type": "invalid_request_error", "code": "resource_missing", "param": "id" });
    let script = Script::of([ok(answer_with("status", json!("canceled"))), error(404, missing)]);
    done(script.api().cancel_now(&id()).await);
    done(script.api().cancel_now(&id()).await);
    assert_eq!(script.asked(), [CANCELED, CANCELED]);
}

fn refused_end() -> Answered {
    error(400, json!({ "type": "invalid_request_error", "code": "other" }))
}

#[tokio::test]
async fn refused_end_of_a_canceled_subscription_succeeds() {
    for status in ["canceled", "incomplete_expired"] {
        let script = Script::of([refused_end(), ok(answer_with("status", json!(status)))]);
        done(script.api().cancel_now(&id()).await);
        assert_eq!(script.asked(), [CANCELED, "GET /v1/subscriptions/sub_1"]);
    }
}

#[tokio::test]
async fn refused_end_of_an_active_subscription_is_an_error() {
    let script = Script::of([refused_end(), ok(answer())]);
    let refused = PaymentError::Refused("other".to_owned());
    assert_eq!(why(script.api().cancel_now(&id()).await), refused);
}

async fn set_seats(script: &Script, change: SeatChange) -> ApiAnswer<()> {
    script.api().set_seats(&active(), 5, change, &StepKey("seats-1".to_owned())).await
}

const AT_RENEWAL: &str = "POST /v1/subscriptions/sub_1 items[0][id]=si_1 items[0][quantity]=5 \
    proration_behavior=none [seats-1]";
const PAID_NOW: &str = "POST /v1/subscriptions/sub_1 items[0][id]=si_1 items[0][quantity]=5 \
    proration_behavior=always_invoice payment_behavior=error_if_incomplete [seats-1]";

#[tokio::test]
async fn seats_are_paid_now_or_at_renewal() {
    for (change, asked) in [(SeatChange::AtRenewal, AT_RENEWAL), (SeatChange::PayNow, PAID_NOW)] {
        let script = Script::of([ok(answer())]);
        done(set_seats(&script, change).await);
        assert_eq!(script.asked(), [asked]);
    }
}

#[tokio::test]
async fn seats_without_answer_are_set_again_with_the_key() {
    let script = Script::of([unreachable(), ok(answer())]);
    done(set_seats(&script, SeatChange::PayNow).await);
    assert_eq!(script.asked(), [PAID_NOW, PAID_NOW]);
}

#[tokio::test]
async fn payment_of_seats_that_fails_has_the_reason() {
    let card_error = |code: &str| error(402, json!({ "type": "card_error", "code": code }));
    let declined = |code: &str| PaymentError::Declined(code.to_owned());
    let no_method = error(400, json!({ "type": "invalid_request_error", "code": "resource_missing" }));
    for (answer, expected) in [
        (card_error("card_declined"), declined("card_declined")),
        (card_error("subscription_payment_intent_requires_action"), PaymentError::AuthenticationRequired),
        (no_method, declined("no_payment_method")),
    ] {
        let script = Script::of([answer]);
        assert_eq!(why(set_seats(&script, SeatChange::PayNow).await), expected);
        assert_eq!(script.asked(), [PAID_NOW]);
    }
}
