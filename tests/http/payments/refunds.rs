//! Refunds and disputes: the wallet has of a payment what Stripe left of it, and the sum of the transactions is the balance.

use tests::{App, Person, Stripe, Value, cards, json, needs_every_region};

use super::{CENT, OPENING, booked, worth};
use crate::{
    fixtures::billing::{balance, charges},
    wallets::recomputed,
};

const TWENTY: i64 = 2_000 * CENT;
const FIVE: i64 = 500 * CENT;

/// Gives back a part of a payment, or the rest; the refund.
async fn refund(stripe: &Stripe, payment: &str, cents: Option<u32>) -> Value {
    let amount = cents.map(|cents| cents.to_string());
    let mut form = vec![("payment_intent", payment)];
    form.extend(amount.as_deref().map(|amount| ("amount", amount)));
    let (status, refund) = stripe.post("/v1/refunds", &form).await;
    assert_eq!(status, 200, "{refund}");
    refund
}

/// Opens a dispute; its id.
async fn dispute(stripe: &Stripe, payment: &str, more: Value) -> String {
    let mut form = json!({ "payment_intent": payment });
    form.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    stripe.control("disputes", form).await["id"].as_str().unwrap().to_owned()
}

/// Ends a dispute.
async fn ends(stripe: &Stripe, dispute: &str, status: &str) {
    stripe.control(&format!("disputes/{dispute}"), json!({ "status": status })).await;
}

/// A person who bought credit for $20, and the payment.
async fn buyer(app: &App, handle: &str) -> (Person, String) {
    let who = app.user(handle).await;
    let payment = who.top_up(2_000, cards::VISA).await;
    who.until_balance(OPENING + TWENTY).await;
    (who, payment)
}

/// Waits until everything is applied. The bookings of the payment then add up to the amount that Stripe left.
async fn is_as_at_stripe(who: &Person, payment: &str, expected: &[(&str, i64)]) {
    let stripe = who.app.stripe();
    stripe.settle().await;
    let of_payment = booked(&recomputed(who).await, payment);
    assert_eq!(of_payment, expected);
    let sum: i64 = of_payment.iter().map(|(_, amount)| amount).sum();
    assert_eq!(sum, worth(&stripe, payment).await);
}

#[tokio::test]
async fn refunds_in_parts_take_back_credit_and_change_no_usage() {
    needs_every_region!();
    let app = App::start().await;
    let ((who, payment), stripe) = (buyer(&app, "refunded").await, app.stripe());
    charges(&who, "job", 1_000_000).await.expect(200);
    let used = async || {
        let usage = who.get("/api/billing/usage").await.expect(200);
        ["/amountMicroUsd", "/jobs"].map(|at| usage.at(at).clone())
    };
    assert_eq!(used().await, [json!(1_000_000), json!(1)]);

    refund(&stripe, &payment, Some(500)).await;
    let mut expected = vec![("purchase", TWENTY), ("refund", -FIVE)];
    is_as_at_stripe(&who, &payment, &expected).await;
    assert_eq!(balance(&who).await["balanceMicroUsd"], OPENING + TWENTY - FIVE - 1_000_000);

    refund(&stripe, &payment, None).await;
    expected.push(("refund", FIVE - TWENTY));
    is_as_at_stripe(&who, &payment, &expected).await;
    let now = balance(&who).await;
    assert_eq!(now["balanceMicroUsd"], OPENING - 1_000_000);
    assert_eq!(now["lots"], json!([{ "kind": "sign-up", "amountMicroUsd": OPENING - 1_000_000 }]));

    assert_eq!(used().await, [json!(1_000_000), json!(1)]);
    let page = who.get("/api/billing/transactions").await.expect(200);
    let types = ["/transactions/0/type", "/transactions/1/type"].map(|at| page.text_at(at));
    assert_eq!(types, ["refund", "refund"]);
}

#[tokio::test]
async fn refund_of_spent_credit_is_a_debt_that_the_next_payment_pays() {
    needs_every_region!();
    let app = App::start().await;
    let ((who, payment), stripe) = (buyer(&app, "spender").await, app.stripe());
    charges(&who, "job", OPENING + 15_000_000).await.expect(200);
    refund(&stripe, &payment, None).await;
    is_as_at_stripe(&who, &payment, &[("purchase", TWENTY), ("refund", -TWENTY)]).await;
    let now = balance(&who).await;
    assert_eq!((&now["balanceMicroUsd"], &now["availableMicroUsd"]), (&json!(-15_000_000), &json!(0)));
    let next = who.top_up(2_000, cards::MASTERCARD).await;
    is_as_at_stripe(&who, &next, &[("purchase", TWENTY)]).await;
    assert_eq!(balance(&who).await["balanceMicroUsd"], 5_000_000);
}

#[tokio::test]
async fn refund_that_fails_later_gives_the_credit_back() {
    needs_every_region!();
    let app = App::start().await;
    let ((who, payment), stripe) = (buyer(&app, "bounced").await, app.stripe());
    let (first, second) = (refund(&stripe, &payment, Some(500)).await, refund(&stripe, &payment, None).await);
    stripe.settle().await;
    assert_eq!(balance(&who).await["balanceMicroUsd"], OPENING);
    let before = recomputed(&who).await.len();
    for (failed, expected) in [(second, OPENING + TWENTY - FIVE), (first, OPENING + TWENTY)] {
        let path = format!("refunds/{}", failed["id"].as_str().unwrap());
        stripe.control(&path, json!({ "status": "failed" })).await;
        stripe.settle().await;
        assert_eq!(balance(&who).await["balanceMicroUsd"], expected);
    }
    let postings = recomputed(&who).await;
    let back = &booked(&postings, &payment)[before - 1..];
    assert_eq!(back, [("adjustment", TWENTY - FIVE), ("adjustment", FIVE)]);
    assert!(postings.last().unwrap().reason.is_some());
    assert_eq!(worth(&stripe, &payment).await, TWENTY);
}

#[tokio::test]
async fn dispute_takes_the_credit_until_it_is_won() {
    needs_every_region!();
    let app = App::start().await;
    for (status, is_back) in [("won", true), ("lost", false)] {
        let (who, payment) = buyer(&app, &format!("dispute-{status}")).await;
        let stripe = app.stripe();
        let opened = dispute(&stripe, &payment, json!({})).await;
        let mut expected = vec![("purchase", TWENTY), ("refund", -TWENTY)];
        is_as_at_stripe(&who, &payment, &expected).await;
        assert_eq!(balance(&who).await["balanceMicroUsd"], OPENING, "{status}");
        ends(&stripe, &opened, status).await;
        if is_back {
            expected.push(("adjustment", TWENTY));
        }
        is_as_at_stripe(&who, &payment, &expected).await;
    }
}

#[tokio::test]
async fn dispute_of_spent_credit_is_a_debt_until_it_is_won() {
    needs_every_region!();
    let app = App::start().await;
    let ((who, payment), stripe) = (buyer(&app, "dispute-debt").await, app.stripe());
    charges(&who, "job", OPENING + TWENTY).await.expect(200);
    let opened = dispute(&stripe, &payment, json!({})).await;
    is_as_at_stripe(&who, &payment, &[("purchase", TWENTY), ("refund", -TWENTY)]).await;
    assert_eq!(balance(&who).await["balanceMicroUsd"], -TWENTY);
    ends(&stripe, &opened, "won").await;
    let expected = [("purchase", TWENTY), ("refund", -TWENTY), ("adjustment", TWENTY)];
    is_as_at_stripe(&who, &payment, &expected).await;
    assert_eq!(balance(&who).await["balanceMicroUsd"], 0);
}

#[tokio::test]
async fn inquiry_takes_nothing() {
    needs_every_region!();
    let app = App::start().await;
    let ((who, payment), stripe) = (buyer(&app, "inquiry").await, app.stripe());
    let opened = dispute(&stripe, &payment, json!({ "status": "warning_needs_response" })).await;
    is_as_at_stripe(&who, &payment, &[("purchase", TWENTY)]).await;
    ends(&stripe, &opened, "warning_closed").await;
    is_as_at_stripe(&who, &payment, &[("purchase", TWENTY)]).await;
    assert_eq!(balance(&who).await["balanceMicroUsd"], OPENING + TWENTY);
}

#[tokio::test]
async fn refund_and_dispute_together_take_no_more_than_was_paid() {
    needs_every_region!();
    let app = App::start().await;
    // The rest after the refund, and more than that: banks dispute the whole payment.
    for (handle, disputed) in [("rest", 1_500), ("whole", 2_000)] {
        let ((who, payment), stripe) = (buyer(&app, &format!("dispute-{handle}")).await, app.stripe());
        refund(&stripe, &payment, Some(500)).await;
        stripe.settle().await;
        let opened = dispute(&stripe, &payment, json!({ "amount": disputed })).await;
        let mut expected = vec![("purchase", TWENTY), ("refund", -FIVE), ("refund", FIVE - TWENTY)];
        is_as_at_stripe(&who, &payment, &expected).await;
        assert_eq!(balance(&who).await["balanceMicroUsd"], OPENING, "{handle}");
        ends(&stripe, &opened, "won").await;
        expected.push(("adjustment", TWENTY - FIVE));
        is_as_at_stripe(&who, &payment, &expected).await;
    }
}
