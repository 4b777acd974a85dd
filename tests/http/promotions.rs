//! Promo codes: once for an account, never more often than the operator allows, and not after their end.

use futures::future::join_all;
use reqwest::Method;
use tests::{Answer, App, Person, Value, json};

use crate::{
    fixtures::billing::balance,
    many::number,
    wallets::{recomputed, surely},
};

async fn makes(app: &App, promotion: Value) -> Answer {
    app.as_service(Method::POST, "/internal/promotions", promotion).await
}

async fn redeems(who: &Person, code: &str) -> Answer {
    who.app.claiming(who.post("/api/billing/promo", json!({ "code": code }))).await
}

fn ten_dollars(code: &str, most: u64) -> Value {
    json!({ "code": code, "amountMicroUsd": 10_000_000, "most": most })
}

#[tokio::test]
async fn code_is_redeemed_once_in_any_case_and_shown_as_a_transaction() {
    let app = App::start().await;
    let ada = app.user("promo-ada").await;
    makes(&app, ten_dollars("LAUNCH-26", 5)).await.expect(200);
    let first = redeems(&ada, " launch-26 ").await.expect(200);
    let parts =
        ["/code", "/amountCents", "/alreadyRedeemed", "/creditsCents"].map(|part| first.at(part).clone());
    assert_eq!(parts, [json!("LAUNCH-26"), json!(1_000), json!(false), json!(3_500)]);
    let again = redeems(&ada, "LAUNCH-26").await.expect(200);
    assert_eq!((again.at("/alreadyRedeemed"), again.at("/creditsCents")), (&json!(true), &json!(3_500)));
    assert_eq!(recomputed(&ada).await.len(), 2);
    let rows = ada.get("/api/billing/transactions").await.expect(200);
    assert_eq!(
        (rows.at("/transactions/0/type"), rows.at("/transactions/1/type")),
        (&json!("promo"), &json!("signup"))
    );
}

#[tokio::test]
async fn unknown_ended_and_used_up_codes_look_alike() {
    let app = App::start().await;
    let (ada, bea) = (app.user("promo-first").await, app.user("promo-second").await);
    app.stop_clock().await;
    let ends = app.now().await.saturating_add(jiff::SignedDuration::from_mins(5)).unwrap();
    let mut ended = ten_dollars("ENDS-SOON", 5);
    ended["endsAt"] = json!(ends.to_string());
    makes(&app, ended.clone()).await.expect(200);
    makes(&app, ten_dollars("FOR-ONE", 1)).await.expect(200);
    redeems(&ada, "FOR-ONE").await.expect(200);
    app.advance(299).await;
    redeems(&ada, "ENDS-SOON").await.expect(200);
    app.advance(1).await;
    // The same request of the operator changes nothing, also now. Another one would have ended already.
    makes(&app, ended.clone()).await.expect(200);
    ended["most"] = json!(6);
    assert_eq!(makes(&app, ended).await.brief(), "400 VALIDATION_ERROR");
    let refused =
        [redeems(&bea, "NO-SUCH").await, redeems(&bea, "FOR-ONE").await, redeems(&bea, "ENDS-SOON").await];
    for answer in &refused {
        assert_eq!(answer.brief(), "409 PROMO_UNAVAILABLE");
        assert_eq!(answer.at("/detail"), refused[0].at("/detail"));
    }
    for wrong in ["", "abc", "a b c d", &"x".repeat(33)] {
        assert_eq!(redeems(&bea, wrong).await.brief(), "400 VALIDATION_ERROR", "{wrong}");
    }
    assert_eq!(balance(&bea).await["creditsCents"], 2_500);
}

#[tokio::test]
async fn promotion_is_made_once_and_within_its_limits() {
    let app = App::start().await;
    let promotion = ten_dollars("MADE-ONCE", 2);
    let made = makes(&app, promotion.clone()).await.expect(200);
    assert_eq!(makes(&app, promotion.clone()).await.expect(200).body, made.body);
    assert_eq!(makes(&app, ten_dollars("made-once", 3)).await.brief(), "409 CONFLICT");
    for (field, wrong) in [
        ("amountMicroUsd", json!(0)),
        ("amountMicroUsd", json!(1_000_000_001)),
        ("amountMicroUsd", json!(-1)),
        ("most", json!(0)),
        ("most", json!(1_000_001)),
        ("creditDays", json!(0)),
        ("endsAt", json!("2020-01-01T00:00:00Z")),
        ("code", json!("a")),
    ] {
        let mut form = ten_dollars("WRONG-ONE", 2);
        form[field] = wrong.clone();
        assert_eq!(makes(&app, form).await.brief(), "400 VALIDATION_ERROR", "{field}: {wrong}");
    }
}

#[tokio::test]
async fn user_may_try_twenty_codes_a_day() {
    let app = App::start().await;
    let ada = app.user("promo-guesses").await;
    app.stop_clock().await;
    let now = app.now().await;
    // The next midnight, so that the day does not end in between.
    app.advance(86_400 - now.as_second().rem_euclid(86_400)).await;
    let tokens = app.sign_in(&ada.email, tests::PASSWORD).await.expect(200);
    let ada = Person::new(app.clone(), &ada.handle, &ada.email, &tokens);
    makes(&app, ten_dollars("ALREADY-MINE", 1)).await.expect(200);
    redeems(&ada, "ALREADY-MINE").await.expect(200);
    for n in 0..19 {
        assert_eq!(redeems(&ada, &format!("GUESS-{n}")).await.brief(), "409 PROMO_UNAVAILABLE");
    }
    let refused = redeems(&ada, "GUESS-20").await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    // A code that was redeemed is no further try.
    assert_eq!(redeems(&ada, "ALREADY-MINE").await.expect(200).at("/alreadyRedeemed"), true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_redemptions_at_once_give_the_credit_once_or_as_often_as_allowed() {
    let app = App::start().await;
    for round in 0..number("ACCOUNT_TEST_ROUNDS", 2) {
        let (code, most) = (format!("RACE-{round}"), 5);
        makes(&app, ten_dollars(&code, most)).await.expect(200);
        let alone = app.user(&format!("promo-alone-{round}")).await;
        let answers = join_all((0..15).map(|_| surely(|| redeems(&alone, &code)))).await;
        let good = answers.iter().filter(|answer| answer.status == 200);
        assert!(good.clone().count() > 0, "{:?}", answers.iter().map(Answer::brief).collect::<Vec<_>>());
        // None, if the answer of the request that redeemed it was lost.
        assert!(good.filter(|answer| answer.at("/alreadyRedeemed") == false).count() <= 1);
        assert_eq!(recomputed(&alone).await.len(), 2);
        let mut others = Vec::new();
        for n in 0..8 {
            others.push(app.user(&format!("promo-other-{round}-{n}")).await);
        }
        let mut redeemed = 1;
        for answer in join_all(others.iter().map(|who| surely(|| redeems(who, &code)))).await {
            assert!(["200", "409 PROMO_UNAVAILABLE"].contains(&answer.brief().as_str()), "{}", answer.text);
            redeemed += u64::from(answer.status == 200);
        }
        assert_eq!(redeemed, most);
        assert_eq!(makes(&app, ten_dollars(&code, most)).await.expect(200).at("/redeemed"), most);
    }
}
