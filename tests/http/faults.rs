//! Every changing endpoint × every AWS call it makes × every way that the call can fail: after the client's retry there is
//! exactly one effect and exactly one line in the history.

mod privacy;
mod resources;

use futures::future::{BoxFuture, join_all};
use kit::Items;
use tests::{Answer, App, PASSWORD, Person, Value, json};

use crate::password::{self, NEW};

const KINDS: [&str; 4] = ["refused", "lost-response", "throttled", "stall"];

/// One changing endpoint: how it is called, and how its effects are counted.
struct Case {
    function: &'static str,
    /// Prepares a person (with a handle of its own) that the call can be made as.
    prepare: fn(App, String) -> BoxFuture<'static, Person>,
    /// Makes the call; the second argument is the idempotency key.
    call: fn(Person, String) -> BoxFuture<'static, Answer>,
    /// Statuses that a successful retry may have: an effect that needs no key (a deletion) is found done.
    retried: &'static [u16],
    /// Counts effects, and lines in the history.
    effects: fn(Person) -> BoxFuture<'static, (usize, usize)>,
    /// How many lines one effect writes.
    lines: usize,
}

fn once(person: &Person, path: &str, body: &Value, key: &str) -> reqwest::RequestBuilder {
    person.request(reqwest::Method::POST, path).header("idempotency-key", key).json(body)
}

fn lines(history: &[String], start: &str) -> usize {
    history.iter().filter(|line| line.starts_with(start)).count()
}

/// Signs in again if the session is over, so that the history can be read.
async fn reader(person: &Person) -> Person {
    let tokens = person.app.sign_in(&person.email, PASSWORD).await.expect(200);
    Person::new(person.app.clone(), &person.handle, &person.email, &tokens)
}

/// A person without account: only the handle and the address count.
fn nobody(app: App, handle: String) -> Person {
    let email = format!("{handle}@people.example");
    Person { app, handle, email, token: String::new(), refresh: String::new() }
}

fn cases() -> Vec<Case> {
    let marks = [marking("activity-mark-seen", mark_seen), marking("activity-archive", archive)];
    let people = opening_cases().into_iter().chain(session_cases()).chain(password_cases());
    let things =
        resources::cases().into_iter().chain(resources::upload_cases()).chain(resources::trash_cases());
    people.chain(workspace_cases()).chain(marks).chain(things).chain(privacy::cases()).collect()
}

fn mark_seen(who: Person, _: String) -> BoxFuture<'static, Answer> {
    Box::pin(async move { who.post("/api/activity/mark-seen", json!({ "eventIds": [who.refresh] })).await })
}

fn archive(who: Person, _: String) -> BoxFuture<'static, Answer> {
    Box::pin(async move { who.post("/api/activity/archive", json!({ "eventIds": [who.refresh] })).await })
}

/// From signing up to a workspace.
fn opening_cases() -> [Case; 3] {
    [
        Case {
            function: "auth-sign-up",
            prepare: |app, handle| Box::pin(async move { nobody(app, handle) }),
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({ "email": who.email, "password": PASSWORD, "region": who.app.home() });
                    who.app.send(once(&who, "/api/auth/sign-up", &form, &key)).await
                })
            },
            retried: &[202],
            effects: |who| Box::pin(async move { (who.app.codes(&who.email, 1).await.len(), 0) }),
            lines: 0,
        },
        Case {
            function: "auth-verify",
            prepare: |app, handle| {
                Box::pin(async move {
                    let mut who = nobody(app, handle);
                    who.app.sign_up(&who.email).await.expect(202);
                    who.refresh = who.app.code(&who.email).await;
                    who
                })
            },
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({ "email": who.email, "code": who.refresh });
                    who.app.send(once(&who, "/api/auth/verify", &form, &key)).await
                })
            },
            retried: &[200],
            effects: |who| {
                Box::pin(async move {
                    (usize::from(who.app.sign_in(&who.email, PASSWORD).await.status == 200), 0)
                })
            },
            lines: 0,
        },
        Case {
            function: "onboarding",
            prepare: |app, handle| Box::pin(async move { app.newcomer(&handle).await }),
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({ "username": who.handle, "displayName": "X" });
                    who.app.send(once(&who, "/api/onboarding", &form, &key)).await
                })
            },
            retried: &[201],
            effects: |who| {
                Box::pin(async move {
                    let found =
                        who.app.get(&format!("/api/users?username={}", who.handle)).await.status == 200;
                    (usize::from(found), lines(&reader(&who).await.activity().await, "completed onboarding"))
                })
            },
            lines: 1,
        },
    ]
}

/// Sessions, from their beginning to their end.
fn session_cases() -> [Case; 4] {
    [
        Case {
            function: "auth-step-up",
            prepare: |app, handle| {
                Box::pin(async move {
                    let who = app.user(&handle).await;
                    who.make_key("ci").await;
                    who
                })
            },
            call: |who, _| {
                Box::pin(async move { who.post("/api/auth/step-up", json!({ "password": PASSWORD })).await })
            },
            retried: &[200],
            effects: |who| {
                Box::pin(async move {
                    let shown = who.get("/api/api-keys?expand=value").await;
                    (usize::from(shown.status == 200), 0)
                })
            },
            lines: 0,
        },
        Case {
            function: "auth-sign-in",
            prepare: |app, handle| Box::pin(async move { app.user(&handle).await }),
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({ "email": who.email, "password": PASSWORD });
                    who.app.send(once(&who, "/api/auth/sign-in", &form, &key)).await
                })
            },
            retried: &[200],
            // The session of signing up and the one of signing in.
            effects: |who| Box::pin(async move { (sessions(&who).await - 1, 0) }),
            lines: 0,
        },
        Case {
            function: "auth-refresh",
            prepare: |app, handle| Box::pin(async move { app.user(&handle).await }),
            call: |who, _| {
                Box::pin(async move {
                    who.app.post("/api/auth/refresh", json!({ "refreshToken": who.refresh })).await
                })
            },
            retried: &[200],
            effects: |who| Box::pin(async move { (sessions(&who).await, 0) }),
            lines: 0,
        },
        Case {
            function: "auth-sign-out",
            prepare: |app, handle| Box::pin(async move { app.user(&handle).await }),
            call: |who, _| Box::pin(async move { who.post("/api/auth/sign-out", json!({})).await }),
            retried: &[200, 401],
            effects: |who| Box::pin(async move { (1 - sessions(&who).await, 0) }),
            lines: 0,
        },
    ]
}

/// A forgotten password.
fn password_cases() -> [Case; 2] {
    [
        Case {
            function: "auth-password-forgot",
            prepare: |app, handle| Box::pin(async move { app.newcomer(&handle).await }),
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({ "email": who.email });
                    who.app.send(once(&who, "/api/auth/password/forgot", &form, &key)).await
                })
            },
            retried: &[202],
            effects: |who| {
                Box::pin(async move { (password::tokens(&who.app, &who.email, 1).await.len(), 0) })
            },
            lines: 0,
        },
        Case {
            function: "auth-password-reset",
            prepare: |app, handle| {
                Box::pin(async move {
                    let who = app.user(&handle).await;
                    Person { refresh: password::token(&app, &who.email).await, ..who }
                })
            },
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({ "token": who.refresh, "password": NEW });
                    who.app.send(once(&who, "/api/auth/password/reset", &form, &key)).await
                })
            },
            retried: &[200],
            effects: |who| {
                Box::pin(async move {
                    let left = sessions(&who).await;
                    let tokens = who.app.sign_in(&who.email, NEW).await.expect(200);
                    let reader = Person::new(who.app.clone(), &who.handle, &who.email, &tokens);
                    (1 - left, lines(&reader.activity().await, "updated security"))
                })
            },
            lines: 1,
        },
    ]
}

/// What changes a workspace.
fn workspace_cases() -> [Case; 3] {
    [
        Case {
            function: "settings-update",
            prepare: |app, handle| Box::pin(async move { app.user(&handle).await }),
            call: |who, _| {
                Box::pin(async move { who.patch("/api/settings", json!({ "company": "New" })).await })
            },
            retried: &[200],
            effects: |who| {
                Box::pin(async move {
                    let reader = reader(&who).await;
                    let company = reader.get("/api/settings").await.expect(200);
                    let changed = company.at("/company") == "New";
                    (usize::from(changed), lines(&reader.activity().await, "updated settings"))
                })
            },
            lines: 1,
        },
        Case {
            function: "api-keys-create",
            prepare: |app, handle| Box::pin(async move { app.user(&handle).await }),
            call: |who, key| {
                Box::pin(async move {
                    who.app.send(once(&who, "/api/api-keys", &json!({ "name": "ci" }), &key)).await
                })
            },
            retried: &[201],
            effects: |who| Box::pin(keys_and_lines(who, "created api_key")),
            lines: 1,
        },
        Case {
            function: "api-keys-revoke",
            prepare: |app, handle| {
                Box::pin(async move {
                    let mut who = app.user(&handle).await;
                    who.refresh = who.make_key("ci").await.0;
                    who
                })
            },
            call: |who, _| {
                Box::pin(async move { who.delete(&format!("/api/api-keys?keyId={}", who.refresh)).await })
            },
            retried: &[200, 404],
            effects: |who| {
                Box::pin(async move {
                    let (keys, lines) = keys_and_lines(who, "deleted api_key").await;
                    (1 - keys, lines)
                })
            },
            lines: 1,
        },
    ]
}

/// Marks are kept without a line in the history: what the person does with the inbox is no change of the workspace.
fn marking(function: &'static str, call: fn(Person, String) -> BoxFuture<'static, Answer>) -> Case {
    Case {
        function,
        prepare: |app, handle| {
            Box::pin(async move {
                let mut who = app.user(&handle).await;
                who.refresh = who.get("/api/activity").await.expect(200).text_at("/events/0/_id");
                who
            })
        },
        call,
        retried: &[200],
        effects: |who| {
            Box::pin(async move {
                let inbox = who.get("/api/activity").await.expect(200);
                let unmarked = inbox.at("/events/0/seen") == false;
                (usize::from(!unmarked), inbox.at("/events").as_array().unwrap().len().saturating_sub(1))
            })
        },
        lines: 0,
    }
}

async fn keys_and_lines(who: Person, line: &str) -> (usize, usize) {
    let keys = who.get("/api/api-keys").await.expect(200).at("/keys").as_array().unwrap().len();
    (keys, lines(&who.activity().await, line))
}

/// How many sessions a person has, from the table: no endpoint lists them yet.
async fn sessions(who: &Person) -> usize {
    let query = who.app.tables().query().table_name(who.app.table("identity"));
    let answer = query
        .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
        .expression_attribute_values(
            ":pk",
            aws_sdk_dynamodb::types::AttributeValue::S(Items::Sessions.partition(who.id())),
        )
        .expression_attribute_values(":sk", aws_sdk_dynamodb::types::AttributeValue::S("SESSION#".into()))
        .send()
        .await
        .unwrap();
    usize::try_from(answer.count()).unwrap()
}

async fn sweep(case: &Case) -> usize {
    let app = App::start().await;
    if ["auth-verify", "onboarding"].contains(&case.function) && !app.can_claim() {
        return 0;
    }
    let who = (case.prepare)(app.clone(), format!("{}-0", short(case))).await;
    let before = app.last_call().await;
    let clean = (case.call)(who, "clean".to_owned()).await;
    assert!(clean.status < 300, "{}: {}", case.function, clean.text);
    let calls = app.calls_of(case.function, before).await;
    let mut cells = 0;
    for (nth, call) in calls.iter().enumerate() {
        let same =
            |other: &&Value| other["service"] == call["service"] && other["operation"] == call["operation"];
        let place = calls.iter().take(nth + 1).filter(same).count();
        for kind in KINDS {
            cell(&app, case, nth, (call, place), kind).await;
            cells += 1;
        }
    }
    cells
}

fn short(case: &Case) -> String {
    case.function.replace("activity", "act").replace("api-keys", "key").replace("settings", "set")
}

/// One cell: from the `place`th call of this operation on, every attempt fails.
async fn cell(app: &App, case: &Case, nth: usize, (call, place): (&Value, usize), kind: &str) {
    let name = format!("{} call {nth} ({} {}) {kind}", case.function, call["service"], call["operation"]);
    let handle = format!("{}-{nth}{}", short(case), &kind[..2]);
    let who = (case.prepare)(app.clone(), handle).await;
    // Every attempt of the SDK from the nth call on fails, so the request as a whole does; a retry finds all well again.
    app.faults(json!([{
        "service": call["service"], "operation": call["operation"], "function": case.function, "kind": kind, "times": 0,
        "nth": place,
    }]))
    .await;
    let failed = (case.call)(who.clone(), "the-key".to_owned()).await;
    app.no_faults().await;
    assert!(failed.status == 503 || failed.status < 300, "{name}: {}", failed.text);
    if failed.status == 503 {
        assert!(failed.header("retry-after").is_some(), "{name}: no Retry-After");
    }
    let retried = (case.call)(who.clone(), "the-key".to_owned()).await;
    assert!(case.retried.contains(&retried.status), "{name}: the retry got {}", retried.text);
    let (effects, lines) = (case.effects)(who).await;
    assert_eq!((effects, lines), (1, case.lines), "{name}: effects and lines in the history");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the number of cells is worth seeing: run with --nocapture")]
async fn whatever_fails_a_retry_leaves_one_effect_and_one_event() {
    let cases = cases();
    let cells: Vec<usize> = join_all(cases.iter().map(sweep)).await;
    for (case, cells) in cases.iter().zip(&cells) {
        println!("{:20} {cells} cells", case.function);
    }
    println!("{} cells in all", cells.iter().sum::<usize>());
}
