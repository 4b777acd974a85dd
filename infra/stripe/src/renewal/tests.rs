use serde_json::{Value, json};

use crate::{
    deliveries::{AfterLastFailure, Settings},
    subscriptions::testing::{
        BAD_CARD, DAY, FIRST_END, GOOD_CARD, add_card, current, latest_invoice, pass_until, replace_card,
        subscribed,
    },
    testing::{TestBench, id},
};

#[test]
fn renewal_charges_the_next_period() {
    let mut bench = TestBench::new();
    let (_, subscription) = subscribed(&mut bench, 1);
    pass_until(&mut bench, FIRST_END - 1);
    assert_eq!(bench.state.all("invoice").len(), 1);
    pass_until(&mut bench, FIRST_END);
    let invoice = latest_invoice(&mut bench, &subscription);
    assert_eq!(
        (&invoice["billing_reason"], &invoice["status"]),
        (&json!("subscription_cycle"), &json!("paid"))
    );
    assert_eq!(
        invoice["lines"]["data"][0]["period"],
        json!({ "start": FIRST_END, "end": FIRST_END + 28 * DAY })
    );
    let renewed = current(&mut bench, &subscription);
    assert_eq!(renewed["items"]["data"][0]["current_period_start"], FIRST_END);
}

#[test]
fn missed_periods_are_invoiced_at_their_own_times() {
    let mut bench = TestBench::new();
    subscribed(&mut bench, 1);
    let now = FIRST_END + (28 + 31) * DAY;
    bench.now = now;
    let mut work = bench.work();
    super::tick(&mut work);
    assert_eq!(work.now, now);
    let created: Vec<Value> =
        bench.state.all("invoice").into_iter().rev().skip(1).map(|it| it["created"].clone()).collect();
    assert_eq!(created, [FIRST_END, FIRST_END + 28 * DAY, now]);
}

#[test]
fn declined_renewal_is_retried_after_3_5_and_7_days() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    replace_card(&mut bench, &customer, BAD_CARD);
    for (at, next) in [(0, Some(3)), (3, Some(8)), (8, Some(15)), (15, None)] {
        pass_until(&mut bench, FIRST_END + at * DAY);
        let invoice = latest_invoice(&mut bench, &subscription);
        let expected = next.map(|days| FIRST_END + days * DAY);
        assert_eq!(
            (&invoice["status"], &invoice["next_payment_attempt"]),
            (&json!("open"), &json!(expected)),
            "{at}"
        );
        let status = if next.is_some() { "past_due" } else { "canceled" };
        assert_eq!(current(&mut bench, &subscription)["status"], status, "{at}");
    }
    assert_eq!(latest_invoice(&mut bench, &subscription)["attempt_count"], 4);
    let reason = current(&mut bench, &subscription)["cancellation_details"]["reason"].clone();
    assert_eq!(reason, "payment_failed");
    assert_eq!(bench.state.all("payment_intent").len(), 2);
}

#[test]
fn retry_with_a_new_card_makes_the_subscription_active() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    replace_card(&mut bench, &customer, BAD_CARD);
    pass_until(&mut bench, FIRST_END);
    replace_card(&mut bench, &customer, GOOD_CARD);
    pass_until(&mut bench, FIRST_END + 3 * DAY);
    assert_eq!(current(&mut bench, &subscription)["status"], "active");
    assert_eq!(latest_invoice(&mut bench, &subscription)["status"], "paid");
}

#[test]
fn payment_by_request_ends_past_due() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    replace_card(&mut bench, &customer, BAD_CARD);
    pass_until(&mut bench, FIRST_END);
    let path = format!("/v1/invoices/{}/pay", id(&latest_invoice(&mut bench, &subscription)));
    assert_eq!(bench.call("POST", &path, "").unwrap_err().status, 402);
    let unpaid = latest_invoice(&mut bench, &subscription);
    assert_eq!(unpaid["attempt_count"], 1);
    assert_eq!(unpaid["next_payment_attempt"], FIRST_END + 3 * DAY);
    let method = add_card(&mut bench, &customer, GOOD_CARD);
    bench.post(&path, &format!("payment_method={method}"));
    assert_eq!(current(&mut bench, &subscription)["status"], "active");
    pass_until(&mut bench, FIRST_END + 15 * DAY);
    assert_eq!(bench.state.all("invoice").len(), 2);
}

#[test]
fn unpaid_subscription_gets_drafts() {
    let mut bench = TestBench::new();
    let (customer, subscription) = subscribed(&mut bench, 1);
    let settings = Settings { after_last_failure: AfterLastFailure::MarkUnpaid, ..Settings::default() };
    bench.state.set_settings(settings);
    replace_card(&mut bench, &customer, BAD_CARD);
    pass_until(&mut bench, FIRST_END + 28 * DAY);
    assert_eq!(current(&mut bench, &subscription)["status"], "unpaid");
    let draft = latest_invoice(&mut bench, &subscription);
    assert_eq!((&draft["status"], &draft["attempt_count"]), (&json!("draft"), &json!(0)));
    let method = add_card(&mut bench, &customer, GOOD_CARD);
    bench.post(&format!("/v1/invoices/{}/pay", id(&draft)), &format!("payment_method={method}"));
    assert_eq!(current(&mut bench, &subscription)["status"], "active");
}
