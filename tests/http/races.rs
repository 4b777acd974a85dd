//! Many at once: one effect.

use std::collections::BTreeSet;

use futures::future::join_all;
use tests::{App, PASSWORD, Person, json};

const MANY: usize = 50;

async fn at_once<T>(work: impl Fn(usize) -> T) -> Vec<T::Output>
where
    T: Future,
{
    join_all((0..MANY).map(work)).await
}

fn count(answers: &[String], wanted: &str) -> usize {
    answers.iter().filter(|answer| *answer == wanted).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_sign_ups_with_one_address_make_one_account() {
    tests::needs_every_region!();
    let app = App::alone().await;
    let email = "fifty@people.example";
    let answers: Vec<String> = at_once(|_| async { app.sign_up(email).await.brief() }).await;
    assert_eq!(count(&answers, "202"), 1, "{answers:?}");
    assert_eq!(
        count(&answers, "429 RATE_LIMITED") + count(&answers, "503 UNAVAILABLE"),
        MANY - 1,
        "{answers:?}"
    );
    let code = app.code(email).await;
    assert_eq!(app.mail(email).await.len(), 1);
    let form = json!({ "email": email, "code": code, "password": PASSWORD });
    let answers: Vec<String> =
        at_once(|_| async { app.post("/api/auth/verify", form.clone()).await.brief() }).await;
    assert_eq!(count(&answers, "200"), 1, "{answers:?}");
    app.sign_in(email, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_refreshes_leave_one_live_session() {
    let app = App::alone().await;
    let ada = app.user("ada8").await;
    let form = json!({ "refreshToken": ada.refresh });
    let answers = at_once(|_| app.post("/api/auth/refresh", form.clone())).await;
    let good = answers.iter().filter(|answer| answer.status == 200);
    let successors: BTreeSet<String> = good.map(|answer| answer.text_at("/refreshToken")).collect();
    assert_eq!(successors.len(), 1);
    assert!(answers.iter().filter(|answer| answer.status == 200).count() >= MANY / 2);
    let next = successors.into_iter().next().unwrap();
    app.post("/api/auth/refresh", json!({ "refreshToken": next })).await.expect(200);
    app.advance(11).await;
    assert_eq!(app.post("/api/auth/refresh", form).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_creates_with_one_idempotency_key_make_one_key() {
    let app = App::alone().await;
    let bob = app.user("bob8").await;
    let answers = at_once(|_| bob.post_once("/api/api-keys", json!({ "name": "ci" }), "one")).await;
    let keys: BTreeSet<String> =
        answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.text_at("/key")).collect();
    assert_eq!(keys.len(), 1, "{:?}", answers.iter().map(tests::Answer::brief).collect::<Vec<_>>());
    assert_eq!(bob.get("/api/api-keys").await.expect(200).at("/keys").as_array().unwrap().len(), 1);
    assert_eq!(bob.activity().await, ["created api_key ci", "completed onboarding bob8"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_handle_goes_to_one_of_many() {
    tests::needs_every_region!();
    let app = App::alone().await;
    let mut people = Vec::new();
    for n in 0..10 {
        people.push(app.newcomer(&format!("rival{n}")).await);
    }
    let claim = |person: &Person| {
        let person = person.clone();
        async move {
            person.post("/api/onboarding", json!({ "username": "the-one", "displayName": "R" })).await.brief()
        }
    };
    let answers: Vec<String> = join_all(people.iter().map(claim)).await;
    assert_eq!(count(&answers, "201"), 1, "{answers:?}");
    assert_eq!(count(&answers, "409 USERNAME_TAKEN"), 9, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_is_revoked_by_one_of_many() {
    let app = App::alone().await;
    let carol = app.user("carol8").await;
    let (id, _) = carol.make_key("ci").await;
    let path = format!("/api/api-keys?keyId={id}");
    let answers: Vec<String> = at_once(|_| async { carol.delete(&path).await.brief() }).await;
    assert_eq!(count(&answers, "200"), 1, "{answers:?}");
    assert_eq!(count(&answers, "404 NOT_FOUND"), MANY - 1, "{answers:?}");
    assert_eq!(carol.activity().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_a_hundred_is_never_exceeded_by_many_at_once() {
    let app = App::alone().await;
    // Or the minute may end in the middle.
    app.stop_clock().await;
    let ci = app.user("dave8").await.with_api_key("ci").await;
    let rounds =
        join_all((0..3).map(|_| at_once(|_| async { ci.get("/api/account/summary").await.brief() }))).await;
    let answers: Vec<String> = rounds.into_iter().flatten().collect();
    let passed = count(&answers, "200");
    // A process leases ten requests of the minute at a time. No other process can use the rest of a lease.
    let least = if tests::binaries().is_some() { 10 } else { 100 };
    assert!((least..=100).contains(&passed), "{passed}");
}
