//! Budgets of API keys: jobs of a key start only within its budget of the calendar month, and every cost counts.

use domain::role::Role;
use futures::future::join_all;
use jiff::{Span, tz::Offset};
use reqwest::Method;
use tests::{Answer, App, PASSWORD, Person, Value, json};

use crate::{
    fixtures::{
        SOME_ULID,
        api_keys::set_budget,
        billing::{adjusts, checks, holds, holds_by, settled, tells},
    },
    wallets::surely,
};

const OVER: &str = "402 KEY_BUDGET_EXCEEDED";

/// The seconds until the next month begins in UTC, rounded up.
async fn left_of_month(app: &App) -> i64 {
    let now = app.now().await;
    let first = Offset::UTC.to_datetime(now).date().first_of_month();
    let next = first.checked_add(Span::new().months(1)).unwrap().at(0, 0, 0, 0);
    let next = Offset::UTC.to_timestamp(next).unwrap();
    (next.as_millisecond() - now.as_millisecond() + 999) / 1_000
}

/// A platform whose clock stands still, at least an hour before the end of a month.
async fn start() -> App {
    let app = App::start().await;
    app.stop_clock().await;
    if left_of_month(&app).await < 3_600 {
        app.advance(3_600).await;
    }
    app
}

/// The same person with a new session, for a clock that was moved.
async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// The budget that the list shows with a key.
async fn budget(who: &Person, id: &str) -> Value {
    let listed = who.get("/api/api-keys?expand=budgets").await.expect(200);
    let keys = listed.at("/keys").as_array().unwrap();
    keys.iter().find(|key| key["keyId"] == id).unwrap()["budget"].clone()
}

fn status(monthly: i64, spent: i64, left: i64) -> Value {
    json!({ "monthlyCents": monthly, "spentCents": spent, "leftCents": left })
}

/// Tells of the end of a job that a key started.
async fn ends(who: &Person, id: &str, mut job: Value) -> Answer {
    job["apiKey"] = json!(id);
    told(who, job).await
}

async fn told(who: &Person, job: Value) -> Answer {
    let told = tells(who, json!([job])).await.expect(200);
    assert_ne!(told.at("/results/0/outcome"), "refused", "{}", told.text);
    told
}

fn refunded(job: &str, amount: i64) -> Value {
    json!({ "job": job, "outcome": "refunded", "amountMicroUsd": amount })
}

/// Asks whether a job of a key may start.
async fn checks_by(who: &Person, id: &str, amount: i64) -> Value {
    let job = json!({
        "workspace": who.workspace(), "category": "inference", "amountMicroUsd": amount, "apiKey": id,
    });
    who.app.as_service(Method::POST, "/internal/usage/check", job).await.expect(200).body
}

#[tokio::test]
async fn job_beyond_the_budget_is_refused_before_its_start() {
    let app = start().await;
    let ada = app.user("budget-ada").await;
    let (id, _) = ada.make_key("ci").await;
    let set = set_budget(&ada, &id, json!(100)).await.expect(200);
    assert_eq!(set.body, json!({ "keyId": id, "budget": status(100, 0, 100) }));
    holds_by(&ada, &id, "first", 600_000).await.expect(200);
    let refused = holds_by(&ada, &id, "second", 400_001).await;
    assert_eq!(refused.brief(), OVER);
    assert!(refused.text_at("/detail").contains("$0.400000"), "{}", refused.text);
    assert_eq!(checks_by(&ada, &id, 400_000).await["allowed"], true);
    // Exactly what is left.
    let held = holds_by(&ada, &id, "second", 400_000).await.expect(200);
    for amount in [0, 1] {
        assert_eq!(holds_by(&ada, &id, "third", amount).await.brief(), OVER);
        let checked = checks_by(&ada, &id, amount).await;
        assert_eq!((&checked["allowed"], &checked["code"]), (&json!(false), &json!("KEY_BUDGET_EXCEEDED")));
    }
    assert_eq!(budget(&ada, &id).await, status(100, 0, 0));
    // The same hold again is answered as before, although nothing is left.
    assert_eq!(holds_by(&ada, &id, "second", 400_000).await.expect(200).body, held.body);
    let (other, _) = ada.make_key("cd").await;
    assert_eq!(holds_by(&ada, &other, "second", 400_000).await.brief(), "409 CONFLICT");
    // Jobs of other keys and of people are not limited.
    holds_by(&ada, &other, "of-another", 2_000_000).await.expect(200);
    holds(&ada, "of-a-person", 2_000_000).await.expect(200);
    assert_eq!(checks(&ada, 2_000_000).await.expect(200).at("/allowed"), true);
    assert_eq!(budget(&ada, &other).await, Value::Null);
    told(&ada, json!({ "job": "second", "outcome": "released" })).await;
    holds_by(&ada, &id, "fourth", 400_000).await.expect(200);
}

#[tokio::test]
async fn cost_is_counted_beyond_the_budget_and_wherever_the_key_is_named() {
    let app = start().await;
    let bea = app.user("budget-bea").await;
    let (id, _) = bea.make_key("ci").await;
    set_budget(&bea, &id, json!(100)).await.expect(200);
    holds_by(&bea, &id, "held", 1_000_000).await.expect(200);
    ends(&bea, &id, settled("held", 1_500_000, 500_000)).await;
    assert_eq!(budget(&bea, &id).await, status(100, 150, 0));
    assert_eq!(holds_by(&bea, &id, "next", 0).await.brief(), OVER);
    // A larger budget keeps what was spent.
    let raised = set_budget(&bea, &id, json!(1_000)).await.expect(200);
    assert_eq!(raised.at("/budget"), &status(1_000, 150, 850));
    // Only the settlement names the key, only the hold does, or there is no hold.
    holds(&bea, "settlement", 100_000).await.expect(200);
    ends(&bea, &id, settled("settlement", 100_000, 0)).await;
    assert_eq!(budget(&bea, &id).await, status(1_000, 160, 840));
    holds_by(&bea, &id, "hold", 200_000).await.expect(200);
    told(&bea, settled("hold", 200_000, 0)).await;
    assert_eq!(budget(&bea, &id).await, status(1_000, 180, 820));
    for _ in 0..2 {
        // Told twice, it is counted once.
        ends(&bea, &id, settled("never-held", 40_000, 40_000)).await;
        assert_eq!(budget(&bea, &id).await, status(1_000, 184, 816));
    }
    ends(&bea, &id, settled("free", 0, 0)).await;
    // Below what is spent: nothing new starts.
    let lowered = set_budget(&bea, &id, json!(100)).await.expect(200);
    assert_eq!(lowered.at("/budget"), &status(100, 184, 0));
    assert_eq!(holds_by(&bea, &id, "next", 0).await.brief(), OVER);
}

#[tokio::test]
async fn next_month_begins_with_the_whole_budget() {
    let app = start().await;
    let cyd = app.user("budget-cyd").await;
    let (id, _) = cyd.make_key("ci").await;
    set_budget(&cyd, &id, json!(100)).await.expect(200);
    ends(&cyd, &id, settled("first", 1_000_000, 1_000_000)).await;
    app.advance(left_of_month(&app).await - 1).await;
    assert_eq!(holds_by(&cyd, &id, "late", 1).await.brief(), OVER);
    app.advance(1).await;
    let cyd = again(&cyd).await;
    assert_eq!(budget(&cyd, &id).await, status(100, 0, 100));
    holds_by(&cyd, &id, "late", 1_000_000).await.expect(200);
    assert_eq!(budget(&cyd, &id).await, status(100, 0, 0));
    ends(&cyd, &id, settled("late", 250_000, 0)).await;
    assert_eq!(budget(&cyd, &id).await, status(100, 25, 75));
}

#[tokio::test]
async fn refund_gives_back_what_was_counted_in_the_same_month() {
    let app = start().await;
    let dan = app.user("budget-dan").await;
    let (id, _) = dan.make_key("ci").await;
    ends(&dan, &id, settled("early", 300_000, 300_000)).await;
    set_budget(&dan, &id, json!(100)).await.expect(200);
    assert_eq!(budget(&dan, &id).await, status(100, 0, 100), "earlier costs are unknown");
    ends(&dan, &id, settled("counted", 500_000, 500_000)).await;
    ends(&dan, &id, settled("last", 100_000, 100_000)).await;
    told(&dan, refunded("early", 300_000)).await;
    assert_eq!(budget(&dan, &id).await, status(100, 60, 40));
    for _ in 0..2 {
        told(&dan, refunded("counted", 200_000)).await;
        assert_eq!(budget(&dan, &id).await, status(100, 40, 60));
    }
    app.advance(left_of_month(&app).await).await;
    let dan = again(&dan).await;
    ends(&dan, &id, settled("next", 100_000, 100_000)).await;
    told(&dan, refunded("last", 100_000)).await;
    assert_eq!(budget(&dan, &id).await, status(100, 10, 90));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_holds_at_once_of_the_last_dollar_of_a_budget_reserve_it_once() {
    let app = start().await;
    let eve = app.user("budget-eve").await;
    let (id, _) = eve.make_key("ci").await;
    set_budget(&eve, &id, json!(200)).await.expect(200);
    ends(&eve, &id, settled("first", 1_000_000, 1_000_000)).await;
    let jobs: Vec<String> = (0..20).map(|n| format!("job-{n}")).collect();
    let answers = join_all(jobs.iter().map(|job| surely(|| holds_by(&eve, &id, job, 1_000_000)))).await;
    let (held, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(held.len(), 1);
    assert!(refused.iter().all(|answer| answer.brief() == OVER));
    assert_eq!(budget(&eve, &id).await, status(200, 100, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_that_are_set_at_once_are_all_kept() {
    let app = start().await;
    let fay = app.user("budget-fay").await;
    let mut keys = Vec::new();
    for n in 1..=5 {
        keys.push((fay.make_key(&format!("key {n}")).await.0, n));
    }
    let set = keys.iter().map(|(id, n)| surely(|| set_budget(&fay, id, json!(*n))));
    for answer in join_all(set).await {
        answer.expect(200);
    }
    for (id, n) in &keys {
        assert_eq!(budget(&fay, id).await, status(*n, 0, *n));
    }
}

#[tokio::test]
async fn removed_budget_limits_nothing_and_counts_anew() {
    let app = start().await;
    let gil = app.user("budget-gil").await;
    let (id, _) = gil.make_key("ci").await;
    // Lines of one moment have no order.
    app.advance(1).await;
    set_budget(&gil, &id, json!(100)).await.expect(200);
    app.advance(1).await;
    ends(&gil, &id, settled("first", 1_000_000, 1_000_000)).await;
    assert_eq!(holds_by(&gil, &id, "second", 1).await.brief(), OVER);
    for _ in 0..2 {
        let removed = set_budget(&gil, &id, json!(null)).await.expect(200);
        assert_eq!(removed.body, json!({ "keyId": id, "budget": null }));
    }
    assert_eq!(budget(&gil, &id).await, Value::Null);
    holds_by(&gil, &id, "second", 5_000_000).await.expect(200);
    ends(&gil, &id, settled("second", 4_000_000, 0)).await;
    app.advance(1).await;
    let set = set_budget(&gil, &id, json!(150)).await.expect(200);
    assert_eq!(set.at("/budget"), &status(150, 0, 150));
    let lines = gil.activity().await;
    assert_eq!((&lines[..3], lines.len()), (&["updated api_key ci"; 3].map(str::to_owned)[..], 5));
    let history = gil.get("/api/activity?limit=3").await.expect(200);
    let changes =
        [0, 1, 2].map(|n| history.at(&format!("/events/{n}/metadata/changes/monthlyBudgetCents")).clone());
    let change = |from: Value, to: Value| json!({ "from": from, "to": to });
    let expected =
        [change(Value::Null, json!(150)), change(json!(100), Value::Null), change(Value::Null, json!(100))];
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn same_budget_again_answers_the_same_and_writes_nothing() {
    let app = start().await;
    let hal = app.user("budget-hal").await;
    let (id, _) = hal.make_key("ci").await;
    let first = set_budget(&hal, &id, json!(100)).await.expect(200);
    let before = app.last_call().await;
    assert_eq!(set_budget(&hal, &id, json!(100.0)).await.expect(200).body, first.body);
    let calls = app.calls_of("api-keys-budget", before).await;
    let reads = ["BatchGetItem", "GetItem", "Query"];
    assert!(calls.iter().all(|call| reads.contains(&call["operation"].as_str().unwrap())), "{calls:?}");
    assert_eq!(hal.activity().await.len(), 3);
}

#[tokio::test]
async fn revoked_keys_make_room_among_the_most_budgets() {
    let app = start().await;
    let ida = app.user("budget-ida").await;
    let mut keys = Vec::new();
    for n in 0..=20 {
        keys.push(ida.make_key(&format!("key {n}")).await.0);
    }
    for id in &keys[..20] {
        set_budget(&ida, id, json!(100)).await.expect(200);
    }
    assert_eq!(set_budget(&ida, &keys[20], json!(100)).await.brief(), "403 PLAN_LIMIT_REACHED");
    // A budget that is there can be changed.
    set_budget(&ida, &keys[0], json!(200)).await.expect(200);
    ida.delete(&format!("/api/api-keys?keyId={}", keys[3])).await.expect(200);
    assert_eq!(set_budget(&ida, &keys[3], json!(100)).await.brief(), "404 NOT_FOUND");
    set_budget(&ida, &keys[20], json!(100)).await.expect(200);
    for (n, cents) in [(0, 200), (1, 100), (19, 100), (20, 100)] {
        assert_eq!(budget(&ida, &keys[n]).await, status(cents, 0, cents), "{n}");
    }
    // Jobs of a revoked key that still run are charged.
    ends(&ida, &keys[3], settled("late", 10_000, 10_000)).await;
}

#[tokio::test]
async fn only_the_owner_sets_budgets_of_own_keys() {
    let app = start().await;
    let (jon, eve) = (app.user("budget-jon").await, app.user("budget-stranger").await);
    let (viewer, admin) = (app.user("budget-viewer").await, app.user("budget-admin").await);
    let (id, key) = jon.make_key("ci").await;
    let without_id = |answer: Answer| {
        let mut body = answer.body;
        body["requestId"] = Value::Null;
        (answer.status, body)
    };
    let hidden = without_id(set_budget(&eve, &id, json!(100)).await);
    assert_eq!(hidden.0, 404);
    for other in ["key_", "", "\u{0}", &format!("key_{SOME_ULID}"), &id.to_uppercase()] {
        assert_eq!(without_id(set_budget(&eve, other, json!(100)).await), hidden, "{other}");
    }
    jon.let_in(&viewer, Role::Viewer).await;
    jon.let_in(&admin, Role::Admin).await;
    let form = json!({ "id": id, "monthlyBudgetCents": 100 });
    let path = "/api/api-keys?owner=budget-jon";
    for (who, refusal) in [(&viewer, "403 FORBIDDEN"), (&admin, "403 FORBIDDEN"), (&eve, "404 NOT_FOUND")] {
        assert_eq!(who.patch(path, form.clone()).await.brief(), refusal);
        assert_eq!(who.get(&format!("{path}&expand=budgets")).await.brief(), refusal);
    }
    let ci = Person { token: key, ..jon.clone() };
    assert_eq!(ci.patch("/api/api-keys", form.clone()).await.brief(), "401 UNAUTHORIZED");
    let nobody = app.request(Method::PATCH, "/api/api-keys").json(&form);
    assert_eq!(app.send(nobody).await.brief(), "401 UNAUTHORIZED");
    assert_eq!((budget(&jon, &id).await, jon.activity().await.len()), (Value::Null, 2));
    // The key may see what it may spend, and the owner needs no recent sign-in.
    set_budget(&jon, &id, json!(100)).await.expect(200);
    assert_eq!(budget(&ci, &id).await, status(100, 0, 100));
    app.advance(599).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": jon.refresh })).await.expect(200);
    let jon = Person::new(app.clone(), "budget-jon", &jon.email, &tokens);
    app.advance(302).await;
    assert_eq!(jon.post("/api/api-keys", json!({ "name": "x" })).await.brief(), "403 STEP_UP_REQUIRED");
    set_budget(&jon, &id, json!(200)).await.expect(200);
}

#[tokio::test]
async fn budget_of_a_teams_key_limits_jobs_of_the_team_only() {
    let app = start().await;
    let kim = app.user("budget-kim").await;
    let team = kim.found_team("budget-team").await;
    let path = "/api/api-keys?owner=budget-team";
    let id = kim.post(path, json!({ "name": "ci" })).await.expect(201).text_at("/keyId");
    // It is no key of the personal workspace.
    assert_eq!(set_budget(&kim, &id, json!(1)).await.brief(), "404 NOT_FOUND");
    kim.patch(path, json!({ "id": id, "monthlyBudgetCents": 1 })).await.expect(200);
    let gift =
        json!({ "workspace": team, "reference": "gift", "amountMicroUsd": 5_000_000, "reason": "A test" });
    app.as_service(Method::POST, "/internal/wallets/adjustments", gift).await.expect(200);
    let hold = |amount: i64| {
        let hold = json!({
            "workspace": team, "job": "job", "category": "inference", "amountMicroUsd": amount, "apiKey": id,
        });
        app.as_service(Method::POST, "/internal/usage/holds", hold)
    };
    assert_eq!(hold(10_001).await.brief(), OVER);
    hold(10_000).await.expect(200);
    holds_by(&kim, &id, "job", 10_001).await.expect(200);
    assert!(kim.activity_of("budget-team").await.contains(&"updated api_key ci".to_owned()));
}

#[tokio::test]
async fn invalid_budgets_are_refused_and_change_nothing() {
    let app = start().await;
    let lea = app.user("budget-lea").await;
    let (id, _) = lea.make_key("ci").await;
    for wrong in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("5"),
        json!(100_000_001),
        json!(1_000_000_000),
        json!(1e300),
        json!(true),
        json!([5]),
        json!({}),
    ] {
        let refused = set_budget(&lea, &id, wrong.clone()).await;
        assert_eq!(refused.brief(), "400 VALIDATION_ERROR", "{wrong}");
        assert_eq!(refused.complaints(), "monthlyBudgetCents INVALID", "{wrong}");
    }
    for (form, complaint) in [
        (json!({ "id": id }), "monthlyBudgetCents REQUIRED"),
        (json!({ "monthlyBudgetCents": 5 }), "id REQUIRED"),
        (json!({ "id": 7, "monthlyBudgetCents": 5 }), "id INVALID"),
        (json!({ "id": id, "monthlyBudgetCents": 5, "name": "x" }), "name UNKNOWN"),
    ] {
        assert_eq!(lea.patch("/api/api-keys", form).await.complaints(), complaint);
    }
    for wrong in [json!("ci"), json!(7), json!("")] {
        let hold = json!({
            "workspace": lea.workspace(), "job": "job", "category": "inference", "amountMicroUsd": 1, "apiKey": wrong,
        });
        let refused = app.as_service(Method::POST, "/internal/usage/holds", hold).await;
        assert_eq!(refused.brief(), "400 VALIDATION_ERROR", "{wrong}");
    }
    assert_eq!((budget(&lea, &id).await, lea.activity().await.len()), (Value::Null, 2));
    for (cents, monthly) in [(json!(1), 1), (json!(100_000_000), 100_000_000), (json!(7.0), 7)] {
        set_budget(&lea, &id, cents).await.expect(200);
        assert_eq!(budget(&lea, &id).await, status(monthly, 0, monthly));
    }
}

#[tokio::test]
async fn credit_and_budget_must_both_be_enough() {
    let app = start().await;
    let mia = app.user("budget-mia").await;
    let (id, _) = mia.make_key("ci").await;
    set_budget(&mia, &id, json!(100_000_000)).await.expect(200);
    let checked = checks_by(&mia, &id, 1_000_000_000_000).await;
    assert_eq!((&checked["allowed"], &checked["code"]), (&json!(false), &json!("INSUFFICIENT_CREDIT")));
    adjusts(&mia, "gift", 2_000_000_000_000).await.expect(200);
    holds_by(&mia, &id, "all", 1_000_000_000_000).await.expect(200);
    assert_eq!(holds_by(&mia, &id, "more", 1).await.brief(), OVER);
}

#[tokio::test]
async fn plain_list_of_keys_reads_no_wallet() {
    let app = start().await;
    let ned = app.user("budget-ned").await;
    let (id, _) = ned.make_key("ci").await;
    // Without a stored wallet, and with one.
    for shown in [Value::Null, status(100, 0, 100)] {
        for (query, gets) in [("", 0), ("?expand=value", 0), ("?expand=budgets", 1)] {
            let before = app.last_call().await;
            let listed = ned.get(&format!("/api/api-keys{query}")).await.expect(200);
            let calls = app.calls_of("api-keys-list", before).await;
            let reads = calls.iter().filter(|call| call["operation"] == "GetItem");
            assert_eq!(reads.count(), gets, "{query}: {calls:?}");
            let row = listed.at("/keys/0").as_object().unwrap();
            assert_eq!(row.get("budget"), (gets == 1).then_some(&shown), "{query}");
        }
        set_budget(&ned, &id, json!(100)).await.expect(200);
    }
}
