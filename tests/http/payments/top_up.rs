//! Buying credit on a page of Stripe: credit for each page that is paid, and for nothing else.

use domain::role::Role;
use tests::{Answer, App, Person, cards, json, needs_every_region};

use super::{CENT, OPENING, again, booked};
use crate::{
    fixtures::billing::{balance, charges},
    wallets::recomputed,
};

const CHECKOUT: &str = "/api/billing/checkout-session";
const TWENTY: i64 = 2_000 * CENT;

/// The address of an open page.
async fn page(who: &Person, cents: u32) -> String {
    who.checkout(cents).await.expect(200).text_at("/url")
}

/// A session as Stripe has it.
async fn session(who: &Person, opened: &Answer) -> tests::Value {
    who.app.stripe().get(&format!("/v1/checkout/sessions/{}", opened.text_at("/sessionId"))).await
}

/// Nothing was bought, and nothing is on its way.
async fn nothing_was_bought(who: &Person) {
    who.app.stripe().settle().await;
    assert_eq!(balance(who).await["balanceMicroUsd"], OPENING);
}

#[tokio::test]
async fn paid_page_is_credit_with_transaction_receipt_and_history() {
    let app = App::start().await;
    let who = app.user("buyer").await;
    let opened = who.checkout(2_000).await.expect(200);
    let paid = app.stripe().pay(&opened.text_at("/url"), cards::VISA).await.expect(303);
    let back = paid.header("location").unwrap().to_owned();
    assert!(
        back.ends_with(&format!("/settings/billing?checkout={}", opened.text_at("/sessionId"))),
        "{back}"
    );
    who.until_balance(OPENING + TWENTY).await;
    let lots = json!([
        { "kind": "sign-up", "amountMicroUsd": OPENING }, { "kind": "paid", "amountMicroUsd": TWENTY },
    ]);
    assert_eq!(balance(&who).await["lots"], lots);

    let page = who.get("/api/billing/transactions").await.expect(200);
    assert_eq!(
        (page.at("/transactions/0/type"), page.at("/transactions/0/amountCents")),
        (&json!("purchase"), &json!(2_000))
    );
    let receipt =
        async |transaction: &str| who.get(&format!("/api/billing/receipt?transaction={transaction}")).await;
    let url = receipt(&page.text_at("/transactions/0/id")).await.expect(200).text_at("/url");
    let shown = app.get(url.strip_prefix(app.url()).unwrap()).await.expect(200);
    assert!(shown.text.contains("20.00"), "{}", shown.text);
    // The opening credit, no transaction, no number.
    for other in ["1", "3", "0", "x", "-2"] {
        assert_eq!(receipt(other).await.brief(), "404 NOT_FOUND", "{other}");
    }
    assert_eq!(who.activity().await[0], "updated billing buyer");
    let event = who.get("/api/activity?limit=1").await.expect(200).at("/events/0/metadata").clone();
    // Neither the amount nor the card: more members read this than the transactions.
    assert_eq!(event, json!({ "by": "stripe", "transaction": 2 }));
    assert_eq!(recomputed(&who).await.len(), 2);
}

#[tokio::test]
async fn declined_card_buys_nothing_and_the_next_one_buys_once() {
    needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("declined").await, app.stripe());
    let url = page(&who, 2_000).await;
    for card in [cards::DECLINED, "4000000000009995"] {
        let shown = stripe.pay(&url, card).await.expect(200);
        assert!(shown.text.contains("role=\"alert\""), "{}", shown.text);
    }
    nothing_was_bought(&who).await;
    stripe.pay(&url, cards::MASTERCARD).await.expect(303);
    who.until_balance(OPENING + TWENTY).await;
    stripe.settle().await;
    assert_eq!(recomputed(&who).await.len(), 2);
}

#[tokio::test]
async fn canceled_page_buys_nothing() {
    needs_every_region!();
    let app = App::start().await;
    let who = app.user("undecided").await;
    let back = app.stripe().cancel(&page(&who, 2_000).await).await.expect(303);
    assert!(back.header("location").unwrap().ends_with("/settings/billing"), "{:?}", back.headers);
    nothing_was_bought(&who).await;
}

#[tokio::test]
async fn expired_page_can_not_be_paid() {
    needs_every_region!();
    let app = App::start().await;
    let who = app.user("late-buyer").await;
    let opened = who.checkout(2_000).await.expect(200);
    app.advance(24 * 3_600 + 1).await;
    let who = again(&who).await;
    let shown = app.stripe().pay(&opened.text_at("/url"), cards::VISA).await.expect(200);
    assert!(shown.text.contains("has expired"), "{}", shown.text);
    assert_eq!(session(&who, &opened).await["status"], "expired");
    nothing_was_bought(&who).await;
}

#[tokio::test]
async fn bank_debit_is_credit_when_it_arrives_and_nothing_if_it_fails() {
    needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("debited").await, app.stripe());
    for (succeeds, expected) in [(false, OPENING), (true, OPENING + TWENTY)] {
        let opened = who.checkout(2_000).await.expect(200);
        stripe.pay(&opened.text_at("/url"), cards::BANK_DEBIT).await.expect(303);
        let begun = session(&who, &opened).await;
        assert_eq!((&begun["status"], &begun["payment_status"]), (&json!("complete"), &json!("unpaid")));
        nothing_was_bought(&who).await;
        let settled = json!({ "payment_intent": begun["payment_intent"], "succeeds": succeeds });
        stripe.control("settle", settled).await;
        stripe.settle().await;
        assert_eq!(balance(&who).await["balanceMicroUsd"], expected, "succeeds: {succeeds}");
    }
    assert_eq!(recomputed(&who).await.len(), 2);
}

#[tokio::test]
async fn other_amounts_open_no_page() {
    let app = App::start().await;
    let who = app.user("haggler").await;
    let before = app.stripe().last_call().await;
    let amounts = [
        json!(499),
        json!(100_001),
        json!(0),
        json!(-2_000),
        json!(5.5),
        json!("500"),
        json!(null),
        json!(1e300),
        json!([500]),
    ];
    for amount in amounts {
        let answer = who.post(CHECKOUT, json!({ "amountCents": amount })).await;
        assert_eq!(answer.brief(), "400 VALIDATION_ERROR", "{amount}");
        assert!(answer.complaints().starts_with("amountCents "), "{amount}: {}", answer.text);
    }
    assert_eq!(who.post(CHECKOUT, json!({})).await.complaints(), "amountCents REQUIRED");
    let other = json!({ "amountCents": 500, "currency": "eur" });
    assert_eq!(who.post(CHECKOUT, other).await.complaints(), "currency UNKNOWN");
    assert!(app.stripe().calls(before).await.is_empty());
    for amount in [500, 100_000] {
        who.checkout(amount).await.expect(200);
    }
}

#[tokio::test]
async fn each_paid_page_is_one_credit_and_a_page_can_be_paid_once() {
    needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("keen").await, app.stripe());
    let pages = [page(&who, 2_000).await, page(&who, 700).await];
    for url in &pages {
        stripe.pay(url, cards::VISA).await.expect(303);
        let shown = stripe.pay(url, cards::VISA).await.expect(200);
        assert!(shown.text.contains("is complete"), "{}", shown.text);
    }
    stripe.settle().await;
    assert_eq!(balance(&who).await["balanceMicroUsd"], OPENING + 2_700 * CENT);
    assert_eq!(recomputed(&who).await.len(), 3);
    // Both pages are of one customer.
    let customers = stripe.get("/v1/customers?limit=100").await;
    assert_eq!(customers["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn only_admins_buy_for_a_workspace() {
    let app = App::start().await;
    let (owner, stranger) = (app.user("pay-owner").await, app.user("pay-stranger").await);
    let (viewer, editor) = (app.user("pay-viewer").await, app.user("pay-editor").await);
    let admin = app.user("pay-admin").await;
    for (who, role) in [(&viewer, Role::Viewer), (&editor, Role::Editor), (&admin, Role::Admin)] {
        owner.let_in(who, role).await;
    }
    let path = format!("{CHECKOUT}?owner=pay-owner");
    let asks = async |who: &Person| who.post(&path, json!({ "amountCents": 2_000 })).await;
    for who in [&viewer, &editor] {
        assert_eq!(asks(who).await.brief(), "403 FORBIDDEN");
    }
    assert_eq!(asks(&stranger).await.brief(), "404 NOT_FOUND");
    assert_eq!(asks(&owner.with_api_key("ci").await).await.brief(), "401 UNAUTHORIZED");
    let url = asks(&admin).await.expect(200).text_at("/url");
    app.stripe().pay(&url, cards::VISA).await.expect(303);
    owner.until_balance(OPENING + TWENTY).await;
    assert_eq!(balance(&admin).await["balanceMicroUsd"], OPENING);
    let receipt = "/api/billing/receipt?transaction=2&owner=pay-owner";
    assert_eq!(editor.get(receipt).await.brief(), "403 FORBIDDEN");
    admin.get(receipt).await.expect(200);
}

#[tokio::test]
async fn bought_credit_pays_a_debt_first() {
    let app = App::start().await;
    let who = app.user("debtor").await;
    charges(&who, "job", OPENING + 5_000_000).await.expect(200);
    assert_eq!(balance(&who).await["balanceMicroUsd"], -5_000_000);
    let payment = who.top_up(2_000, cards::VISA).await;
    who.until_balance(15_000_000).await;
    assert_eq!(balance(&who).await["lots"], json!([{ "kind": "paid", "amountMicroUsd": 15_000_000 }]));
    assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY)]);
}

#[tokio::test]
async fn wallet_with_as_many_lots_as_fit_takes_what_was_bought() {
    let app = App::start().await;
    let who = app.user("hoarder").await;
    let now = app.now().await;
    let adjusts = async |n: i64| {
        let expires = now.saturating_add(jiff::SignedDuration::from_hours(24 * (n + 1))).unwrap();
        let gift = json!({
            "workspace": who.workspace(), "reference": format!("gift-{n}"), "amountMicroUsd": 1_000_000,
            "expiresAt": expires.to_string(), "reason": "A test",
        });
        app.as_service(reqwest::Method::POST, "/internal/wallets/adjustments", gift).await
    };
    for n in 1..20 {
        adjusts(n).await.expect(200);
    }
    assert_ne!(adjusts(20).await.status, 200);
    let payment = who.top_up(2_000, cards::VISA).await;
    who.until_balance(OPENING + 19_000_000 + TWENTY).await;
    assert_eq!(booked(&recomputed(&who).await, &payment), [("purchase", TWENTY)]);
}
