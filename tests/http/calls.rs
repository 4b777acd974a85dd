//! What each endpoint costs, measured: AWS calls, sequential round trips, read and write units. The table in
//! `docs/aws-calls.md` is what this prints; `UPDATE_DOCS=1 cargo test -p tests --test http what_each` writes it.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use futures::future::BoxFuture;
use tests::{Answer, App, PASSWORD, Person, Value, json};

/// Trips are the least of so many runs: a busy machine can only make calls look less parallel than they are.
const RUNS: usize = 5;

const HEAD: &str = "# AWS calls by endpoint

Measured on the local platform, whose stand-in for DynamoDB reports the units that DynamoDB would charge. Written by
`UPDATE_DOCS=1 cargo test -p tests --test http what_each`; the same test fails when the figures are no longer these.

*Warm* is a container that has answered before. *Cold* adds what the first request reads once and keeps: secrets, public
signing keys, and a workspace's data key. Trips are calls that wait for one another. A transactional write counts two
units for each item of up to 1 KB. API-key requests also take ten requests at a time out of their minute's counter, with
one `UpdateItem` (1 write unit) in ten requests; it is in the cold column, as the first of ten.

| function | calls | trips | read units | write units | KMS | calls when warm | added when cold |
|---|---|---|---|---|---|---|---|
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
        ("authorizer", "API key", |who, _| {
            Box::pin(async move {
                let question = json!({ "headers": { "authorization": format!("Bearer {}", who.refresh) } });
                who.app.post("/_local/run/authorizer", question).await
            })
        }),
        ("authorizer", "session", |who, _| {
            Box::pin(async move {
                let question = json!({ "headers": { "authorization": format!("Bearer {}", who.token) } });
                who.app.post("/_local/run/authorizer", question).await
            })
        }),
    ]
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

/// The key is in `refresh`: the person's refresh token is of no use here.
async fn with_key(who: Person, path: &str) -> Answer {
    Person { token: who.refresh.clone(), ..who }.get(path).await
}

async fn mark(who: Person, path: &str, mut form: Value) -> Answer {
    let id = who.get("/api/activity").await.expect(200).text_at("/events/0/_id");
    form["eventIds"] = json!([id]);
    who.post(path, form).await
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Cost {
    operations: BTreeMap<String, usize>,
    trips: usize,
    read: f64,
    write: f64,
    kms: usize,
}

fn cost(calls: &[Value]) -> Cost {
    let mut cost = Cost::default();
    let mut depths: Vec<(f64, usize)> = Vec::new();
    let mut calls = calls.to_vec();
    calls.sort_by(|a, b| a["began"].as_f64().partial_cmp(&b["began"].as_f64()).unwrap());
    for call in &calls {
        let (service, operation) = (call["service"].as_str().unwrap(), call["operation"].as_str().unwrap());
        *cost.operations.entry(operation.to_owned()).or_default() += 1;
        cost.read += call["capacity"]["read"].as_f64().unwrap_or(0.0);
        cost.write += call["capacity"]["write"].as_f64().unwrap_or(0.0);
        cost.kms += usize::from(service == "kms");
        let (began, millis) = (call["began"].as_f64().unwrap(), call["millis"].as_f64().unwrap());
        let before = depths.iter().filter(|(ended, _)| *ended <= began).map(|(_, depth)| *depth).max();
        depths.push((began + millis, before.unwrap_or(0) + 1));
    }
    cost.trips = depths.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    cost
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

async fn row(function: &str, way: &str, make: Make) -> String {
    let app = App::start().await;
    let mut who = app.user("measured").await;
    let key = if function == "api-keys-create" { None } else { Some(who.make_key("measured").await.1) };
    if way == "API key" {
        who.refresh = key.unwrap();
    }
    let cold = measure(&app, function, &who, make, 0).await;
    let mut warm = measure(&app, function, &who, make, 1).await;
    for n in 2..RUNS {
        let next = measure(&app, function, &who, make, n).await;
        assert_eq!(next.operations, warm.operations, "{function} {way}");
        warm.trips = warm.trips.min(next.trips);
    }
    let name = if way.is_empty() { function.to_owned() } else { format!("{function} ({way})") };
    let mut added = cold.operations.clone();
    for (operation, count) in &warm.operations {
        *added.entry(operation.clone()).or_default() -=
            count.min(&cold.operations.get(operation).copied().unwrap_or(0));
    }
    let list = |operations: &BTreeMap<String, usize>| {
        let some = operations.iter().filter(|(_, count)| **count > 0);
        let names: Vec<String> = some
            .map(|(name, count)| if *count > 1 { format!("{count} {name}") } else { name.clone() })
            .collect();
        names.join(", ")
    };
    let calls: usize = warm.operations.values().sum();
    format!(
        "| {name} | {calls} | {} | {} | {} | {} | {} | {} |\n",
        warm.trips,
        warm.read,
        warm.write,
        warm.kms,
        list(&warm.operations),
        list(&added)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_endpoint_costs_is_as_documented() {
    if std::env::var_os("ACCOUNT_TEST_AWS").is_some() {
        return; // The external emulator is not asked for capacity units.
    }
    let mut table = HEAD.to_owned();
    for (function, way, make) in ways() {
        let _ = write!(table, "{}", row(function, way, make).await);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/aws-calls.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let documented = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(documented, table, "docs/aws-calls.md is not what was measured");
    let verify = table.lines().find(|line| line.starts_with("| authorizer (API key)")).unwrap();
    assert!(verify.starts_with("| authorizer (API key) | 1 | 1 | 1 | 0 | 0 |"), "{verify}");
}
