//! What workers cost, each for one event that comes alone.

use std::time::Duration;

use domain::resource::Kind;

use super::*;
use crate::privacy;

/// What sets a worker off.
type Act = fn(Person, usize) -> BoxFuture<'static, ()>;

/// The look that somebody has to be deleted for before.
const SECOND: &str = "a small account, the second look";

/// The workers, what sets them off, and the call that they end with.
fn ways() -> Vec<(&'static str, &'static str, Act, &'static str)> {
    vec![
        ("publish-events", "a message", |who, n| Box::pin(change(who, n)), "PutEvents"),
        ("send-mail", "a code", |who, n| Box::pin(sign_up(who, n)), "UpdateItem"),
        ("send-mail", "a token", |who, n| Box::pin(forget_the_password(who, n)), "UpdateItem"),
        ("send-mail", "a notice", |who, n| Box::pin(make_key(who, n)), "UpdateItem"),
        ("confirm-claims", "a name", |who, n| Box::pin(open_account(who, n)), "TransactWriteItems"),
        ("reap-claims", "nothing due", |who, _| Box::pin(reap(who)), "Query"),
        ("reap-claims", "one due", |who, n| Box::pin(leave_a_claim(who, n)), "TransactWriteItems"),
        ("rotate-secrets", "four steps", |who, _| Box::pin(rotate(who)), "UpdateSecretVersionStage"),
        ("purge-trash", "nothing due", |who, _| Box::pin(purge(who)), "Query"),
        ("purge-trash", "the files of one thing", |who, n| Box::pin(remove(who, n)), "DeleteObjects"),
        ("send-mail", "a bundle that is ready", |who, _| Box::pin(export(who)), "UpdateItem"),
        ("run-export", "nothing due", |who, _| Box::pin(run(who, "run-export")), "Query"),
        ("run-export", "a small account", |who, _| Box::pin(export(who)), "CompleteMultipartUpload"),
        ("run-deletion", "nothing due", |who, _| Box::pin(run(who, "run-deletion")), "Query"),
        (
            "run-deletion",
            "a small account, the first look",
            |who, n| Box::pin(leave_once(who, n)),
            "TransactWriteItems",
        ),
        ("run-deletion", SECOND, |who, _| Box::pin(look_again(who)), "TransactWriteItems"),
    ]
}

async fn change(who: Person, n: usize) {
    who.patch("/api/settings", json!({ "company": format!("W{n}") })).await.expect(200);
}

async fn sign_up(who: Person, n: usize) {
    who.app.sign_up(&format!("mailed{n}@people.example")).await.expect(202);
}

async fn forget_the_password(who: Person, n: usize) {
    // The next mail waits for a minute; what was read of secrets is kept for five.
    who.app.advance(61 * i64::from(n > 0)).await;
    password::forgot(&who.app, &who.email).await.expect(202);
}

async fn make_key(who: Person, n: usize) {
    who.make_key(&format!("key {n}")).await;
}

async fn open_account(who: Person, n: usize) {
    verify(who, n).await.expect(200);
}

async fn reap(who: Person) {
    who.app.post("/_local/run/reap-claims?region=eu", json!({})).await.expect(200);
}

async fn leave_a_claim(who: Person, n: usize) {
    let new = who.app.newcomer(&format!("leaving{n}")).await;
    let fault = json!({ "service": "dynamodb", "operation": "TransactWriteItems", "function": "onboarding",
        "region": "eu", "kind": "refused", "times": 0 });
    who.app.faults(json!([fault])).await;
    let form = json!({ "username": new.handle, "displayName": "L" });
    assert_eq!(new.post("/api/onboarding", form).await.status, 503);
    who.app.no_faults().await;
    // Overdue by then, and the schedule's next run is due too.
    who.app.advance(601).await;
}

async fn rotate(who: Person) {
    who.app.rotate("codes").await.expect(200);
}

async fn purge(who: Person) {
    run(who, "purge-trash").await;
}

async fn run(who: Person, worker: &str) {
    who.app.run_worker(worker).await;
}

async fn export(who: Person) {
    who.export("zip").await;
    settle(&who.app).await;
}

async fn trash(who: &Person, n: usize) -> String {
    let dataset = who.make(Kind::Dataset, &format!("removed-{n}")).await;
    who.upload(&dataset, "12345").await;
    who.trash(&dataset).await.expect(200);
    dataset
}

async fn remove(who: Person, n: usize) {
    let dataset = trash(&who, n).await;
    who.purge(&dataset).await.expect(200);
    settle(&who.app).await;
}

/// Somebody with a file, a key and a session is deleted, as far as the first look goes.
async fn leave_once(who: Person, n: usize) {
    let new = departing(&who, n).await;
    // The request has taken its steps before the worker begins.
    let held = json!({ "service": "dynamodb", "function": "run-deletion", "kind": "refused", "times": 0 });
    who.app.faults(json!([held])).await;
    new.ask_to_be_deleted().await.expect(202);
    who.app.no_faults().await;
    privacy::looked_once(&new).await;
    settle(&who.app).await;
}

/// The time of the second look comes.
async fn look_again(who: Person) {
    who.app.advance(privacy::SECOND_LOOK).await;
    settle(&who.app).await;
}

async fn departing(who: &Person, n: usize) -> Person {
    let new = who.app.user(&format!("departing{n}")).await;
    let dataset = new.make(Kind::Dataset, "left").await;
    new.upload(&dataset, "12345").await;
    new.make_key("left").await;
    new
}

/// Returns once nothing has been called for a while.
async fn settle(app: &App) {
    let mut last = 0;
    loop {
        let now = app.last_call().await;
        if now == last {
            return;
        }
        last = now;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The worker's calls for one event.
async fn measure(who: &Person, (worker, way, act, end): (&str, &str, Act, &str), n: usize) -> Cost {
    if way == SECOND {
        leave_once(who.clone(), n).await;
    }
    settle(&who.app).await;
    let before = who.app.last_call().await;
    act(who.clone(), n).await;
    for _ in 0..3_000 {
        let mut calls = who.app.calls_of(worker, before).await;
        calls.retain(|call| call["home"] == Region::Eu.aws());
        if calls.iter().any(|call| call["operation"] == end) {
            return cost(&calls);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{worker} never came to {end}");
}

/// Every worker that something sets off, with the fewest calls and trips that were seen.
pub async fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (function, way, act, end) in ways() {
        let app = App::alone().await.living_in(Region::Eu);
        let who = app.user("measured").await;
        let mut least = measure(&who, (function, way, act, end), 0).await;
        for n in 1..RUNS {
            let next = measure(&who, (function, way, act, end), n).await;
            if (next.calls(), next.trips) < (least.calls(), least.trips) {
                least = next;
            }
        }
        rows.push(Row { function, name: named(function, way), cost: least });
    }
    rows
}

/// The document's part on them.
pub fn table(rows: &[Row]) -> String {
    let mut text = "
## Without a route

For one event that comes alone; several at once share what comes before and after them. The authorizer is above.

| function | calls | trips | read units | write units | calls when warm |
|---|---|---|---|---|---|
"
    .to_owned();
    for Row { name, cost, .. } in rows {
        let (calls, trips, operations) = (cost.calls(), cost.trips, list(&cost.operations));
        let _ =
            writeln!(text, "| {name} | {calls} | {trips} | {} | {} | {operations} |", cost.read, cost.write);
    }
    text
}
