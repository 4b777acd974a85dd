//! Wallets: what services charge is booked once, in order, and never more than what is there, unless a job cost more than was held.

mod capacity;
mod driver;
mod due;
mod growth;
mod races;

use domain::{
    id::WorkspaceId,
    wallet::{Posting, Recomputation, Wallet},
};
use kit::ItemKind;
use reqwest::Method;
use serde_json::Value;
use tests::{Answer, App, Person, json};

use crate::fixtures::billing::{adjusts, balance, charges, checks, holds, postings, settled, tells};

/// All items of a partition at home, in order.
async fn items<T: serde::de::DeserializeOwned>(who: &Person, kind: ItemKind) -> Vec<T> {
    items_of(&who.app, who.workspace(), kind).await
}

/// The same of any workspace at home.
async fn items_of<T: serde::de::DeserializeOwned>(app: &App, of: WorkspaceId, kind: ItemKind) -> Vec<T> {
    let query = app.tables().query().table_name(app.table("billing")).consistent_read(true);
    let query = query
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", aws_sdk_dynamodb::types::AttributeValue::S(kind.partition(of)));
    let pages = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    pages.into_iter().map(|item| serde_dynamo::from_item(item).unwrap()).collect()
}

/// Repeats a request until it is known to have happened or not, as a service does. On a busy machine many of them take too long.
pub async fn surely<F: Future<Output = Answer>>(call: impl Fn() -> F) -> Answer {
    for _ in 0..20 {
        let answer = call().await;
        if answer.status < 500 {
            return answer;
        }
    }
    panic!("the service does not answer")
}

/// Recomputes somebody's wallet from its postings.
pub async fn recomputed(who: &Person) -> Vec<Posting> {
    recomputed_of(&who.app, who.workspace()).await
}

/// The same of any workspace at home.
async fn recomputed_of(app: &App, of: WorkspaceId) -> Vec<Posting> {
    let postings: Vec<Posting> = items_of(app, of, ItemKind::Postings).await;
    let mut sums = Recomputation::new();
    for posting in &postings {
        assert_eq!(sums.add(posting), Ok(()), "{posting:?}");
    }
    let wallet: Wallet = items_of(app, of, ItemKind::Wallets).await.pop().unwrap();
    assert_eq!(sums.end(&wallet), Ok(()));
    postings
}

fn micros(value: &Value) -> [i64; 3] {
    ["balanceMicroUsd", "availableMicroUsd", "heldMicroUsd"].map(|part| value[part].as_i64().unwrap())
}

fn result(answer: &Answer, n: usize) -> String {
    let result = answer.at(&format!("/results/{n}"));
    let parts = ["outcome", "code", "transaction"].map(|part| match &result[part] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    parts.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn hold_pays_for_its_job_and_returns_the_rest() {
    let app = App::start().await;
    let ada = app.user("wallet-ada").await;
    assert_eq!(micros(&balance(&ada).await), [25_000_000, 25_000_000, 0]);
    let held = holds(&ada, "run-1", 2_000_000).await.expect(200);
    assert_eq!(held.at("/availableMicroUsd"), 23_000_000);
    assert_eq!(micros(&balance(&ada).await), [25_000_000, 23_000_000, 2_000_000]);
    // The same hold again, and another amount for the job.
    assert_eq!(holds(&ada, "run-1", 2_000_000).await.expect(200).body, held.body);
    assert_eq!(holds(&ada, "run-1", 2_000_001).await.brief(), "409 CONFLICT");
    assert_eq!(holds(&ada, "run-2", 23_000_001).await.brief(), "402 INSUFFICIENT_CREDIT");
    let told = tells(&ada, json!([settled("run-1", 1_500_000, 0)])).await.expect(200);
    assert_eq!(result(&told, 0), "settled 2");
    assert_eq!(micros(&balance(&ada).await), [23_500_000, 23_500_000, 0]);
    // Told again: nothing changes. Another cost is refused.
    let again = tells(&ada, json!([settled("run-1", 1_500_000, 0)])).await.expect(200);
    assert_eq!(again.body, told.body);
    let other = tells(&ada, json!([settled("run-1", 1_500_001, 0)])).await.expect(200);
    assert_eq!(result(&other, 0), "refused CONFLICT");
    assert_eq!(holds(&ada, "run-1", 1).await.brief(), "409 JOB_ENDED");
    assert_eq!(recomputed(&ada).await.len(), 2);
}

#[tokio::test]
async fn overage_may_take_the_balance_below_zero_and_then_nothing_starts() {
    let app = App::start().await;
    let bea = app.user("wallet-bea").await;
    holds(&bea, "small", 1_000_000).await.expect(200);
    let above = tells(&bea, json!([settled("small", 1_000_001, 0)])).await.expect(200);
    assert_eq!(result(&above, 0), "refused HOLD_EXCEEDED");
    assert_eq!(result(&charges_without_overage(&bea).await, 0), "refused HOLD_EXCEEDED");
    holds(&bea, "other", 3_000_000).await.expect(200);
    let told = tells(&bea, json!([settled("small", 27_000_000, 26_000_000)])).await.expect(200);
    assert_eq!((result(&told, 0), told.at("/balanceMicroUsd")), ("settled 2".to_owned(), &json!(-2_000_000)));
    let checked = checks(&bea, 0).await.expect(200);
    assert_eq!((checked.at("/allowed"), checked.at("/code")), (&json!(false), &json!("INSUFFICIENT_CREDIT")));
    assert_eq!(holds(&bea, "third", 0).await.brief(), "402 INSUFFICIENT_CREDIT");
    // The job that still runs is charged, too.
    let other = tells(&bea, json!([settled("other", 3_000_000, 0)])).await.expect(200);
    assert_eq!(other.at("/balanceMicroUsd"), -5_000_000);
    // Credit pays the debt first.
    adjusts(&bea, "gift", 5_000_001).await.expect(200);
    assert_eq!(micros(&balance(&bea).await), [1, 1, 0]);
    assert_eq!(checks(&bea, 0).await.expect(200).at("/allowed"), true);
    assert_eq!(recomputed(&bea).await.len(), 4);
}

async fn charges_without_overage(who: &Person) -> Answer {
    tells(who, json!([settled("unknown", 1, 0)])).await.expect(200)
}

#[tokio::test]
async fn jobs_of_a_request_are_booked_together_and_a_refused_one_leaves_the_others() {
    let app = App::start().await;
    let cyd = app.user("wallet-cyd").await;
    holds(&cyd, "held", 1_000).await.expect(200);
    charges(&cyd, "earlier", 500).await.expect(200);
    let jobs = json!([
        settled("held", 900, 0),
        settled("too-dear", 900, 0),
        { "job": "earlier", "outcome": "refunded", "amountMicroUsd": 200 },
        { "job": "never-held", "outcome": "released" },
        settled("free", 0, 0),
        { "job": "never-charged", "outcome": "refunded", "amountMicroUsd": 1 },
    ]);
    let told = tells(&cyd, jobs.clone()).await.expect(200);
    let expected =
        ["settled 3", "refused HOLD_EXCEEDED", "refunded 4", "released", "settled", "refused CONFLICT"];
    for (n, expected) in expected.into_iter().enumerate() {
        assert_eq!(result(&told, n), expected);
    }
    assert_eq!(tells(&cyd, jobs).await.expect(200).body, told.body);
    let refund = |amount| json!([{ "job": "earlier", "outcome": "refunded", "amountMicroUsd": amount }]);
    assert_eq!(result(&tells(&cyd, refund(201)).await.expect(200), 0), "refused CONFLICT");
    assert_eq!(
        result(&tells(&cyd, json!([{ "job": "held", "outcome": "released" }])).await, 0),
        "refused JOB_ENDED"
    );
    assert_eq!(micros(&balance(&cyd).await), [24_998_800, 24_998_800, 0]);
    assert_eq!(recomputed(&cyd).await.len(), 4);
}

#[tokio::test]
async fn held_credit_outlasts_its_expiry_and_returns_to_its_own() {
    let app = App::start().await;
    let dan = app.user("wallet-dan").await;
    app.stop_clock().await;
    let expires = app.now().await.saturating_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let gift = |reference: &str| {
        json!({
            "workspace": dan.workspace(), "reference": reference, "amountMicroUsd": 10_000_000,
            "expiresAt": expires.to_string(), "reason": "For a trial",
        })
    };
    app.as_service(Method::POST, "/internal/wallets/adjustments", gift("trial")).await.expect(200);
    // What expires first is spent first.
    holds(&dan, "long", 6_000_000).await.expect(200);
    holds(&dan, "stops", 1_000_000).await.expect(200);
    app.advance(3_599).await;
    assert_eq!(checks(&dan, 28_000_000).await.expect(200).at("/allowed"), true);
    app.advance(1).await;
    let checked = checks(&dan, 28_000_000).await.expect(200);
    assert_eq!(
        (checked.at("/allowed"), checked.at("/availableMicroUsd")),
        (&json!(false), &json!(25_000_000))
    );
    assert_eq!(holds(&dan, "late", 25_000_001).await.brief(), "402 INSUFFICIENT_CREDIT");
    let late = gift("too-late");
    assert_eq!(
        app.as_service(Method::POST, "/internal/wallets/adjustments", late).await.brief(),
        "400 VALIDATION_ERROR"
    );
    let jobs = json!([settled("long", 5_000_000, 0), { "job": "stops", "outcome": "released" }]);
    let told = tells(&dan, jobs).await.expect(200);
    assert_eq!(told.at("/balanceMicroUsd"), 25_000_000);
    let types: Vec<String> = recomputed(&dan).await.iter().map(|it| json!(it.r#type).to_string()).collect();
    let expired = "\"pro_credit_expiry\"";
    assert_eq!(types, ["\"signup\"", "\"adjustment\"", expired, "\"training\"", expired, expired]);
    assert_eq!(micros(&balance(&again(&dan).await).await), [25_000_000, 25_000_000, 0]);
}

/// The same person with a new session, for a clock that was moved.
async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, tests::PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

#[tokio::test]
async fn abandoned_hold_is_free_after_its_time() {
    let app = App::start().await;
    let eve = app.user("wallet-eve").await;
    app.stop_clock().await;
    let hold = json!({
        "workspace": eve.workspace(), "job": "lost", "category": "training", "amountMicroUsd": 25_000_000,
        "expiresInSeconds": 60,
    });
    app.as_service(Method::POST, "/internal/usage/holds", hold).await.expect(200);
    app.advance(59).await;
    assert_eq!(checks(&eve, 1).await.expect(200).at("/allowed"), false);
    app.advance(1).await;
    assert_eq!(checks(&eve, 25_000_000).await.expect(200).at("/allowed"), true);
    // The job ends after all: nothing is held for it any more.
    let told = tells(&eve, json!([settled("lost", 1_000, 0)])).await.expect(200);
    assert_eq!(result(&told, 0), "refused HOLD_EXCEEDED");
    assert_eq!(result(&charges(&eve, "lost", 1_000).await.expect(200), 0), "settled 2");
    recomputed(&eve).await;
}

#[tokio::test]
async fn plan_limits_how_many_jobs_run_at_a_time() {
    let app = App::start().await;
    let fay = app.user("wallet-fay").await;
    for n in 0..3 {
        holds(&fay, &format!("run-{n}"), 1).await.expect(200);
    }
    assert_eq!(holds(&fay, "run-3", 1).await.brief(), "403 PLAN_LIMIT_REACHED");
    let checked = checks(&fay, 1).await.expect(200);
    let parts = ["/allowed", "/code", "/running", "/limit"].map(|part| checked.at(part).clone());
    assert_eq!(parts, [json!(false), json!("PLAN_LIMIT_REACHED"), json!(3), json!(3)]);
    let deployment = json!({
        "workspace": fay.workspace(), "job": "served", "category": "deployment", "amountMicroUsd": 0,
    });
    app.as_service(Method::POST, "/internal/usage/holds", deployment).await.expect(200);
    tells(&fay, json!([{ "job": "run-0", "outcome": "released" }])).await.expect(200);
    holds(&fay, "run-3", 1).await.expect(200);
}

#[tokio::test]
async fn invalid_amounts_jobs_and_workspaces_are_refused_and_change_nothing() {
    let app = App::start().await;
    let gil = app.user("wallet-gil").await;
    let hold = |amount: Value| json!({ "workspace": gil.workspace(), "job": "run", "category": "training", "amountMicroUsd": amount });
    for wrong in
        [json!(-1), json!(1_000_000_000_000_001_i64), json!(0.5), json!("1"), json!(null), json!(1e300)]
    {
        let answer = app.as_service(Method::POST, "/internal/usage/holds", hold(wrong.clone())).await;
        assert_eq!(answer.brief(), "400 VALIDATION_ERROR", "{wrong}");
    }
    for wrong in ["", "a b", "a#b", &"x".repeat(65)] {
        assert_eq!(holds(&gil, wrong, 1).await.brief(), "400 VALIDATION_ERROR", "{wrong}");
    }
    let twice = json!([settled("run", 1, 1), settled("run", 1, 1)]);
    let many: Vec<Value> = (0..26).map(|n| settled(&format!("run-{n}"), 1, 1)).collect();
    for wrong in [twice, json!([]), json!(many), json!([{ "job": "run", "outcome": "paid" }])] {
        assert_eq!(tells(&gil, wrong.clone()).await.brief(), "400 VALIDATION_ERROR", "{wrong}");
    }
    for wrong in [0, 1_000_000_000_000_001, -1_000_000_000_000_001] {
        assert_eq!(adjusts(&gil, "adjustment", wrong).await.brief(), "400 VALIDATION_ERROR", "{wrong}");
    }
    assert_eq!(adjusts(&gil, "adjustment", -25_000_001).await.brief(), "402 INSUFFICIENT_CREDIT");
    assert_eq!(adjusts(&gil, "adjustment", 1_000_000_000_000_000).await.brief(), "409 CONFLICT");
    let huge = 1_000_000_000_000_000;
    assert_eq!(result(&charges(&gil, "first", huge).await.expect(200), 0), "settled 2");
    assert_eq!(result(&charges(&gil, "second", huge).await.expect(200), 0), "refused CONFLICT");
    for workspace in ["ws_01m858qy4a1ar9by88nhafn40x", "gil", "", &"x".repeat(10_000)] {
        let body = json!({ "workspace": workspace, "jobs": [settled("run", 1, 1)] });
        let answer = app.as_service(Method::POST, "/internal/usage/settlements", body).await;
        assert_eq!(answer.brief(), "404 NOT_FOUND", "{workspace}");
    }
    recomputed(&gil).await;
    assert_eq!(postings(&gil).await, 2);
}

#[tokio::test]
async fn wallet_of_a_deleted_workspace_is_opened_by_nobody() {
    // The deletion frees names in the directory.
    tests::needs_every_region!();
    let app = App::start().await;
    let hal = app.user("wallet-hal").await;
    charges(&hal, "first", 1).await.expect(200);
    let form = json!({ "action": "delete", "confirmationWord": "DELETE" });
    hal.post("/api/gdpr", form).await.expect(202);
    crate::privacy::looked_once(&hal).await;
    for answer in
        [charges(&hal, "second", 1).await, adjusts(&hal, "second", 1).await, holds(&hal, "third", 1).await]
    {
        assert_eq!(answer.brief(), "404 NOT_FOUND");
    }
    assert_eq!(postings(&hal).await, 0);
}

#[tokio::test]
async fn expiries_within_one_millisecond_are_one_lot_and_late_ones_are_refused() {
    let app = App::start().await;
    let ida = app.user("wallet-ida").await;
    let hour = app.now().await.as_second() + 3_600;
    let at = |second: i64| domain::Timestamp::from_second(second).unwrap().to_string();
    let gift = |reference: &str, expires: String| {
        let body = json!({
            "workspace": ida.workspace(), "reference": reference, "amountMicroUsd": 5_000_000,
            "expiresAt": expires, "reason": "Soon gone",
        });
        ida.app.as_service(Method::POST, "/internal/wallets/adjustments", body)
    };
    for (n, fraction) in [".123456Z", ".123Z", ".123456789Z"].into_iter().enumerate() {
        gift(&format!("gift-{n}"), at(hour).replace('Z', fraction)).await.expect(200);
    }
    let lots = balance(&ida).await["lots"].clone();
    assert_eq!((&lots[0]["amountMicroUsd"], lots.as_array().unwrap().len()), (&json!(15_000_000), 2));
    charges(&ida, "job", 12_000_000).await.expect(200);
    assert_eq!(balance(&ida).await["lots"][0]["amountMicroUsd"], 3_000_000);
    for late in [at(hour + 10 * 365 * 86_400), "9999-12-30T22:00:00.999Z".to_owned(), at(hour - 3_601)] {
        assert_eq!(gift("late", late.clone()).await.brief(), "400 VALIDATION_ERROR", "{late}");
    }
    recomputed(&ida).await;
}

#[tokio::test]
async fn released_job_is_over() {
    let app = App::start().await;
    let jon = app.user("wallet-jon").await;
    let released = json!([{ "job": "run", "outcome": "released" }]);
    holds(&jon, "run", 1_000_000).await.expect(200);
    for _ in 0..2 {
        assert_eq!(result(&tells(&jon, released.clone()).await.expect(200), 0), "released");
    }
    // Requests of the service that arrive late.
    assert_eq!(holds(&jon, "run", 1_000_000).await.brief(), "409 JOB_ENDED");
    assert_eq!(result(&charges(&jon, "run", 1).await.expect(200), 0), "refused JOB_ENDED");
    assert_eq!(micros(&balance(&jon).await), [25_000_000, 25_000_000, 0]);
}

#[tokio::test]
async fn refund_finds_room_among_the_most_lots() {
    let app = App::start().await;
    let kim = app.user("wallet-kim").await;
    let hour = app.now().await.as_second() + 3_600;
    let gift = |n: i64| {
        let expires = domain::Timestamp::from_second(hour + n).unwrap().to_string();
        let body = json!({
            "workspace": kim.workspace(), "reference": format!("gift-{n}"), "amountMicroUsd": 1_000,
            "expiresAt": expires, "reason": "One of many",
        });
        kim.app.as_service(Method::POST, "/internal/wallets/adjustments", body)
    };
    gift(0).await.expect(200);
    charges(&kim, "job", 1_000).await.expect(200);
    for n in 1..20 {
        gift(n).await.expect(200);
    }
    assert_eq!(gift(20).await.brief(), "403 PLAN_LIMIT_REACHED");
    let refund = json!([{ "job": "job", "outcome": "refunded", "amountMicroUsd": 1_000 }]);
    assert_eq!(result(&tells(&kim, refund).await.expect(200), 0), "refunded 23");
    recomputed(&kim).await;
}

#[tokio::test]
async fn correction_is_made_once_for_its_reference() {
    let app = App::start().await;
    let lea = app.user("wallet-lea").await;
    let made = adjusts(&lea, "adjustment", 1_000).await.expect(200);
    assert_eq!(adjusts(&lea, "adjustment", 1_000).await.expect(200).body, made.body);
    assert_eq!(adjusts(&lea, "adjustment", 1_001).await.brief(), "409 CONFLICT");
    assert_eq!(postings(&lea).await, 2);
}

#[tokio::test]
async fn hold_that_meets_a_transaction_is_made_again() {
    let app = App::start().await;
    let mia = app.user("wallet-mia").await;
    charges(&mia, "first", 1).await.expect(200);
    let conflict = json!([{
        "service": "dynamodb", "function": "usage-hold", "operation": "PutItem", "kind": "conflict", "times": 1,
    }]);
    app.faults(conflict).await;
    holds(&mia, "run", 1_000_000).await.expect(200);
    assert_eq!(micros(&balance(&mia).await), [24_999_999, 23_999_999, 1_000_000]);
}
