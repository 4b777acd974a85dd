//! Asked for many times at once, an export or a deletion is one.

use std::collections::BTreeSet;

use futures::future::join_all;
use tests::{Answer, App, Person, Value};

/// The one job that all answers name which name one.
fn job_of(answers: &[Answer]) -> String {
    let accepted = answers.iter().filter(|answer| answer.status == 202);
    let jobs: BTreeSet<String> = accepted.map(|answer| answer.text_at("/jobId")).collect();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.into_iter().next().unwrap()
}

/// The records of jobs, without those that say which one is under way.
async fn records(who: &Person) -> Vec<Value> {
    let mut jobs = who.jobs().await;
    jobs.retain(|job| job["created_at"].is_number());
    jobs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_who_ask_for_an_export_at_once_get_one() {
    let app = App::alone().await;
    let ada = app.user("ada65").await;
    let answers = join_all((0..20).map(|_| ada.ask_for_export("zip"))).await;
    assert!(answers.iter().all(|answer| [202, 503].contains(&answer.status)), "{answers:?}");
    let job = job_of(&answers);
    assert_eq!(records(&ada).await.len(), 1);
    assert_eq!(ada.ask_for_export("json").await.status, 202);
    ada.done(&job).await;
    let events = ada.activity().await;
    assert!(events.iter().filter(|line| line.starts_with("started export")).count() <= 2, "{events:?}");
    let bundles = app.file_keys().await.into_iter().filter(|key| key.contains(&ada.id().to_string()));
    assert!(bundles.count() <= 2);
    // Once it is over, another is another.
    assert_ne!(ada.ask_for_export("zip").await.expect(202).text_at("/jobId"), job);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_deletion_requests_begin_one_deletion() {
    let app = App::alone().await;
    for round in 0..5 {
        let ada = app.user(&format!("ada66-{round}")).await;
        let answers = join_all((0..5).map(|_| ada.ask_to_be_deleted())).await;
        assert!(answers.iter().all(|answer| [202, 503].contains(&answer.status)), "{answers:?}");
        job_of(&answers);
        let jobs = records(&ada).await;
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        assert_eq!(ada.ask_to_be_deleted().await.expect(202).at("/jobId"), &jobs[0]["id"]);
    }
}

#[tokio::test]
async fn user_gets_twenty_exports_a_day_and_no_more() {
    let app = App::start().await;
    let ada = app.user("ada67").await;
    let began = app.now().await;
    for _ in 0..20 {
        let job = ada.ask_for_export("json").await.expect(202).text_at("/jobId");
        ada.done(&job).await;
    }
    let refused = ada.ask_for_export("json").await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    let passed = app.now().await.duration_since(began).as_secs();
    assert!((86_400 - passed - 1..=86_400).contains(&wait), "{wait}");
    assert_eq!(records(&ada).await.len(), 20);
    app.advance(wait).await;
    let ada = Person::new(app.clone(), "ada67", &ada.email, &app.first_sign_in(&ada.email).await);
    ada.ask_for_export("json").await.expect(202);
}
