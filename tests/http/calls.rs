//! What each function costs, measured: AWS calls, sequential round trips, read and write units, and what they come to in
//! dollars. `docs/aws-calls.md` is what this prints; `UPDATE_DOCS=1 cargo test --workspace --test http what_each` writes it.

mod least;
mod prices;
mod resources;
mod workers;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use domain::region::Region;
use futures::future::BoxFuture;
use tests::{Answer, App, PASSWORD, Person, Value, json};

use crate::password;

/// Trips are the least of so many runs: a busy machine can only make calls look less parallel than they are.
const RUNS: usize = 5;
/// So many runs before more trips than documented are believed.
const MOST_RUNS: usize = 60;

const HEAD: &str = "# AWS calls by function

Measured on the local platform, whose stand-in for DynamoDB reports the units that DynamoDB would charge. Written by
`UPDATE_DOCS=1 cargo test --workspace --test http what_each`; the same test fails when the figures are no longer these.

*Home* is the region `eu`, so that calls to the directory's authority in `us` show (*in `us`*). *Warm* is a container that has
answered before. *Cold* adds what the first request reads once and keeps: secrets, public signing keys, and a workspace's data
key. Trips are calls that wait for one another. A transactional write counts two units for each item of up to 1 KB. API-key
requests also take ten requests at a time out of their minute's counter, with one `UpdateItem` (1 write unit) in ten requests;
it is in the cold column, as the first of ten.

What could be less, why it is not, and what all this comes to in dollars, stands below.

*Sent on* is the same request by way of `ap`, both containers warm: all calls and trips in both regions, and which of them are
made in `ap`. To these trips comes the one between the regions. A dash: the region that is asked answers itself.

| function | calls | trips | read units | write units | KMS | calls when warm | in `us` | added when cold | sent on: calls | trips | in `ap` |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

type Make = fn(Person, usize) -> BoxFuture<'static, Answer>;

/// Every function that is called by somebody, in the way that is measured.
fn ways() -> Vec<(&'static str, &'static str, Make)> {
    vec![
        ("auth-sign-up", "", |who, n| {
            Box::pin(async move { who.app.sign_up(&format!("new{n}@people.example")).await })
        }),
        ("auth-verify", "", |who, n| Box::pin(verify(who, n))),
        ("auth-sign-in", "", |who, _| Box::pin(async move { who.app.sign_in(&who.email, PASSWORD).await })),
        ("auth-refresh", "", |who, _| Box::pin(refresh(who))),
        ("auth-sign-out", "", |who, _| {
            Box::pin(async move { again(&who).await.post("/api/auth/sign-out", json!({})).await })
        }),
        ("auth-step-up", "", |who, _| {
            Box::pin(async move { who.post("/api/auth/step-up", json!({ "password": PASSWORD })).await })
        }),
        ("auth-password-forgot", "", |who, n| Box::pin(forget(who, n))),
        ("auth-password-reset", "", |who, n| Box::pin(reset(who, n))),
        ("jwks", "", |who, _| Box::pin(async move { who.app.get("/.well-known/jwks.json").await })),
        ("onboarding", "", |who, n| Box::pin(onboard(who, n))),
        ("username-check", "free", |who, _| {
            Box::pin(async move { who.app.get("/api/username/check?username=free").await })
        }),
        ("users-public-profile", "", |who, _| {
            Box::pin(async move { who.app.get(&format!("/api/users?username={}", who.handle)).await })
        }),
        ("settings-read", "", |who, _| Box::pin(async move { who.get("/api/settings").await })),
        ("settings-update", "", |who, n| {
            Box::pin(async move { who.patch("/api/settings", json!({ "company": format!("C{n}") })).await })
        }),
        ("account-summary", "session", |who, _| {
            Box::pin(async move { who.get("/api/account/summary").await })
        }),
        ("account-summary", "API key", |who, _| Box::pin(with_key(who, "/api/account/summary"))),
        ("api-keys-list", "", |who, _| Box::pin(async move { who.get("/api/api-keys").await })),
        ("api-keys-list", "API key", |who, _| Box::pin(with_key(who, "/api/api-keys"))),
        ("api-keys-list", "with values", |who, _| {
            Box::pin(async move { who.get("/api/api-keys?expand=value").await })
        }),
        ("api-keys-create", "", |who, _| {
            Box::pin(async move { who.post("/api/api-keys", json!({ "name": "ci" })).await })
        }),
        ("api-keys-create", "with Idempotency-Key", |who, n| {
            Box::pin(async move {
                who.post_once("/api/api-keys", json!({ "name": "ci" }), &format!("k{n}")).await
            })
        }),
        ("api-keys-revoke", "", |who, _| {
            Box::pin(async move {
                let (id, _) = who.make_key("gone").await;
                who.delete(&format!("/api/api-keys?keyId={id}")).await
            })
        }),
        ("activity-list", "", |who, _| Box::pin(async move { who.get("/api/activity").await })),
        ("activity-mark-seen", "all", |who, _| {
            Box::pin(async move { who.post("/api/activity/mark-seen", json!({ "all": true })).await })
        }),
        ("activity-mark-seen", "one", |who, _| Box::pin(mark(who, "/api/activity/mark-seen", json!({})))),
        ("activity-archive", "one", |who, _| {
            Box::pin(mark(who, "/api/activity/archive", json!({ "archive": false })))
        }),
        ("gdpr-request", "an export", |who, _| {
            Box::pin(async move {
                let answer = who.ask_for_export("zip").await.expect(202);
                who.done(&answer.text_at("/jobId")).await;
                answer
            })
        }),
        ("gdpr-request", "a deletion", |who, n| Box::pin(leave(who, n))),
        ("gdpr-status", "an export", |who, _| Box::pin(last_export(who))),
        ("authorizer", "API key", |who, _| Box::pin(authorize(who.refresh.clone(), who))),
        ("authorizer", "session", |who, _| Box::pin(authorize(who.token.clone(), who))),
    ]
}

async fn authorize(token: String, who: Person) -> Answer {
    let question = json!({ "headers": { "authorization": format!("Bearer {token}") } });
    who.app.post("/_local/run/authorizer?region=eu", question).await
}

async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

async fn verify(who: Person, n: usize) -> Answer {
    let email = format!("verified{n}@people.example");
    who.app.sign_up(&email).await.expect(202);
    let code = who.app.code(&email).await;
    who.app.post("/api/auth/verify", json!({ "email": email, "code": code })).await
}

async fn onboard(who: Person, n: usize) -> Answer {
    let new = who.app.newcomer(&format!("onboarded{n}")).await;
    new.post("/api/onboarding", json!({ "username": new.handle, "displayName": "O" })).await
}

async fn refresh(who: Person) -> Answer {
    let fresh = again(&who).await;
    who.app.post("/api/auth/refresh", json!({ "refreshToken": fresh.refresh })).await
}

async fn forget(who: Person, n: usize) -> Answer {
    let forgetful = who.app.newcomer(&format!("forgetful{n}")).await;
    forgetful.app.first_sign_in(&forgetful.email).await;
    password::forgot(&who.app, &forgetful.email).await
}

async fn reset(who: Person, n: usize) -> Answer {
    let forgetful = who.app.user(&format!("reset{n}")).await;
    forgetful.app.first_sign_in(&forgetful.email).await;
    let token = password::token(&who.app, &forgetful.email).await;
    password::reset(&who.app, &token, password::NEW).await
}

/// The key is in `refresh`: the person's refresh token is of no use here.
async fn with_key(who: Person, path: &str) -> Answer {
    Person { token: who.refresh.clone(), ..who }.get(path).await
}

async fn mark(who: Person, path: &str, mut form: Value) -> Answer {
    let id = who.get("/api/activity").await.expect(200).text_at("/events/0/_id");
    form["eventIds"] = json!([id]);
    who.post(path, form).await
}

/// Somebody new asks to be deleted: with a key and a session. The worker is held back: it takes the same steps.
async fn leave(who: Person, n: usize) -> Answer {
    let new = who.app.user(&format!("leaving{n}")).await;
    new.app.first_sign_in(&new.email).await;
    new.make_key("left").await;
    let fault = json!({ "service": "dynamodb", "function": "run-deletion", "kind": "refused", "times": 0 });
    who.app.faults(json!([fault])).await;
    let answer = new.ask_to_be_deleted().await;
    who.app.no_faults().await;
    answer
}

/// How far the last export is.
async fn last_export(who: Person) -> Answer {
    let mut jobs = who.jobs().await;
    jobs.retain(|job| job["parts"].is_array());
    if jobs.is_empty() {
        let asked = who.ask_for_export("zip").await.expect(202);
        return who.done(&asked.text_at("/jobId")).await;
    }
    who.job(jobs[0]["id"].as_str().unwrap()).await
}

type Operations = BTreeMap<String, usize>;

#[derive(Debug, Default, Clone, PartialEq)]
struct Cost {
    operations: Operations,
    /// The same by the AWS region that was called.
    by_region: BTreeMap<String, Operations>,
    /// Those of functions where the request arrived, if that was not its home.
    on_the_way: Operations,
    trips: usize,
    read: f64,
    write: f64,
    kms: usize,
    /// Of the write units, those of the directory.
    directory: f64,
    /// Messages written to the outbox.
    messages: usize,
}

fn cost(calls: &[Value]) -> Cost {
    let mut cost = Cost::default();
    let mut depths: Vec<(f64, usize)> = Vec::new();
    let mut calls = calls.to_vec();
    calls.sort_by(|a, b| a["began"].as_f64().partial_cmp(&b["began"].as_f64()).unwrap());
    for call in &calls {
        let text = |name: &str| call[name].as_str().unwrap().to_owned();
        let count = |operations: &mut Operations| *operations.entry(text("operation")).or_default() += 1;
        count(&mut cost.operations);
        count(cost.by_region.entry(text("region")).or_default());
        if text("home") != Region::Eu.aws() {
            count(&mut cost.on_the_way);
        }
        cost.read += call["capacity"]["read"].as_f64().unwrap_or(0.0);
        cost.write += call["capacity"]["write"].as_f64().unwrap_or(0.0);
        cost.kms += usize::from(text("service") == "kms");
        if call["table"] == "account-directory" {
            cost.directory += call["capacity"]["write"].as_f64().unwrap_or(0.0);
        }
        cost.messages += call["needs"].as_array().unwrap().iter().filter(|need| is_message(need)).count();
        let (began, millis) = (call["began"].as_f64().unwrap(), call["millis"].as_f64().unwrap());
        let before = depths.iter().filter(|(ended, _)| *ended <= began).map(|(_, depth)| *depth).max();
        depths.push((began + millis, before.unwrap_or(0) + 1));
    }
    cost.trips = depths.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    cost
}

impl Cost {
    fn calls(&self) -> usize {
        self.operations.values().sum()
    }

    fn of(&self, operation: &str) -> usize {
        self.operations.get(operation).copied().unwrap_or(0)
    }
}

fn is_message(need: &Value) -> bool {
    let key = need["context"]["dynamodb:LeadingKeys"][0].as_str().unwrap_or_default();
    need["action"] == "dynamodb:PutItem" && key.starts_with(kit::Items::Outbox.prefix())
}

/// The calls of the last request to `function`.
async fn measure(app: &App, function: &str, who: &Person, make: Make, n: usize) -> Cost {
    let before = app.last_call().await;
    let answer = make(who.clone(), n).await;
    assert!(answer.status < 300, "{function}: {}", answer.text);
    let calls = app.calls_of(function, before).await;
    let last = calls.last().map(|call| call["request"].clone()).unwrap_or_default();
    cost(&calls.into_iter().filter(|call| call["request"] == last).collect::<Vec<_>>())
}

/// A warm container's cost, with the fewest trips that were seen.
async fn warm(
    (app, who): (&App, &Person),
    (function, make): (&str, Make),
    first: usize,
    documented: Option<usize>,
) -> Cost {
    let mut least = measure(app, function, who, make, first).await;
    for run in 1..MOST_RUNS {
        if run >= RUNS && documented.is_none_or(|documented| least.trips <= documented) {
            break;
        }
        let next = measure(app, function, who, make, first + run).await;
        // An attempt that took too long was made again.
        match next.calls().cmp(&least.calls()) {
            Ordering::Less => least = next,
            Ordering::Greater => {}
            Ordering::Equal => {
                assert_eq!(next.operations, least.operations, "{function}");
                least.trips = least.trips.min(next.trips);
            }
        }
        if run % 20 == 0 {
            // Sessions and limits: a new minute.
            app.advance(61).await;
        }
    }
    least
}

fn list(operations: &Operations) -> String {
    let some = operations.iter().filter(|(_, count)| **count > 0);
    let name = |(name, count): (&String, &usize)| {
        if *count > 1 { format!("{count} {name}") } else { name.clone() }
    };
    some.map(name).collect::<Vec<_>>().join(", ")
}

/// What `one` has beyond `other`.
fn beyond(one: &Operations, other: &Operations) -> Operations {
    let left = |(name, count): (&String, &usize)| {
        (name.clone(), count.saturating_sub(other.get(name).copied().unwrap_or(0)))
    };
    one.iter().map(left).collect()
}

/// The trips that the document has in a column of a row.
fn documented(table: &str, name: &str, column: usize) -> Option<usize> {
    let row = table.lines().find(|line| line.starts_with(&format!("| {name} |")))?;
    row.split('|').nth(column)?.trim().parse().ok()
}

fn named(function: &str, way: &str) -> String {
    if way.is_empty() { function.to_owned() } else { format!("{function} ({way})") }
}

/// A function, in one of its ways, and what it costs at home in a warm container.
struct Row {
    function: &'static str,
    name: String,
    cost: Cost,
}

async fn row((function, way, make): (&'static str, &str, Make), table: &str) -> (Row, String) {
    let app = App::alone().await.living_in(Region::Eu);
    let name = named(function, way);
    let mut who = app.user("measured").await;
    let key = if function == "api-keys-create" { None } else { Some(who.make_key("measured").await.1) };
    if way == "API key" {
        who.refresh = key.unwrap();
    }
    let cold = measure(&app, function, &who, make, 0).await;
    let home = warm((&app, &who), (function, make), 1, documented(table, &name, 3)).await;
    let of = |region: Region| home.by_region.get(region.aws()).map(list).unwrap_or_default();
    let sent_on = match function {
        "jwks" | "username-check" | "authorizer" => "– | – | –".to_owned(),
        _ => {
            let sent = who.by_way_of(Region::Ap);
            app.advance(61).await;
            make(sent.clone(), 100).await.expect(cold_status(function));
            let way = (function, make);
            let cost = warm((&app, &sent), way, 101, documented(table, &name, 11)).await;
            format!("{} | {} | {}", cost.calls(), cost.trips, list(&cost.on_the_way))
        }
    };
    let line = format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {sent_on} |\n",
        home.calls(),
        home.trips,
        home.read,
        home.write,
        home.kms,
        list(&home.operations),
        of(Region::Us),
        list(&beyond(&cold.operations, &home.operations)),
    );
    (Row { function, name, cost: home }, line)
}

fn cold_status(function: &str) -> u16 {
    match function {
        "auth-sign-up" | "auth-password-forgot" | "gdpr-request" => 202,
        "onboarding" | "api-keys-create" | "resources-create" => 201,
        _ => 200,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_endpoint_costs_is_as_documented() {
    if std::env::var_os("ACCOUNT_TEST_AWS").is_some() {
        return; // The external emulator is not asked for capacity units.
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/aws-calls.md");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let mut table = HEAD.to_owned();
    let mut rows = Vec::new();
    for way in ways().into_iter().chain(resources::ways()) {
        let (row, line) = row(way, &before).await;
        table.push_str(&line);
        rows.push(row);
    }
    let followers = workers::rows().await;
    table.push_str(&workers::table(&followers));
    rows.extend(followers);
    table.push_str(&least::table(&rows));
    table.push_str(&prices::table(&rows));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let documented = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(documented, table, "docs/aws-calls.md is not what was measured");
    let verify = table.lines().find(|line| line.starts_with("| authorizer (API key)")).unwrap();
    assert!(verify.starts_with("| authorizer (API key) | 1 | 1 | 1 | 0 | 0 |"), "{verify}");
    let measured: BTreeSet<&str> = rows.iter().map(|row| row.function).collect();
    let all: BTreeSet<&str> = infra::grants().into_iter().map(|(function, _)| function).collect();
    assert_eq!(measured, all, "every function is measured");
    let wrong = least::wrong(&rows);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let unpriced = prices::wrong(&rows);
    assert!(unpriced.is_empty(), "{unpriced:#?}");
}
