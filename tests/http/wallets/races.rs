//! Many at once: one effect for each cause, and never more than what is there.

use futures::future::join_all;

use super::*;
use crate::many::number;

const MANY: usize = 50;

fn rounds() -> usize {
    number("ACCOUNT_TEST_ROUNDS", 3)
}

fn ok(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_settlements_of_one_job_charge_it_once() {
    let app = App::start().await;
    for round in 0..rounds() {
        let who = app.user(&format!("race-settle-{round}")).await;
        let answers = join_all((0..MANY).map(|_| surely(|| charges(&who, "job", 1_000)))).await;
        for answer in answers {
            assert_eq!(result(&answer.expect(200), 0), "settled 2");
        }
        assert_eq!(recomputed(&who).await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_holds_of_the_last_dollar_reserve_it_once() {
    let app = App::start().await;
    for round in 0..rounds() {
        let who = app.user(&format!("race-hold-{round}")).await;
        charges(&who, "first", 24_000_000).await.expect(200);
        let jobs: Vec<String> = (0..MANY).map(|n| format!("job-{n}")).collect();
        let answers = join_all(jobs.iter().map(|job| surely(|| holds(&who, job, 1_000_000)))).await;
        assert_eq!(ok(&answers), 1);
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 402));
        assert_eq!(micros(&balance(&who).await), [1_000_000, 0, 1_000_000]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_jobs_at_once_are_all_charged() {
    let app = App::start().await;
    for round in 0..rounds() {
        let who = app.user(&format!("race-jobs-{round}")).await;
        let jobs: Vec<String> = (0..MANY).map(|n| format!("job-{n}")).collect();
        for answer in join_all(jobs.iter().map(|job| surely(|| charges(&who, job, 100_001)))).await {
            answer.expect(200);
        }
        let postings = recomputed(&who).await;
        assert_eq!(postings.len(), MANY + 1);
        assert_eq!(postings.last().unwrap().balance.micros(), 25_000_000 - 50 * 100_001);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debit_beside_the_expiry_spends_nothing_that_expired() {
    let app = App::start().await;
    for round in 0..rounds() {
        let who = app.user(&format!("race-expiry-{round}")).await;
        let expires = app.now().await.saturating_add(jiff::SignedDuration::from_millis(300)).unwrap();
        let gift = json!({
            "workspace": who.workspace(), "reference": "gift", "amountMicroUsd": 1_000_000,
            "expiresAt": expires.to_string(), "reason": "For a moment",
        });
        let given = app.as_service(Method::POST, "/internal/wallets/adjustments", gift).await;
        let jobs: Vec<String> = (0..MANY).map(|n| format!("job-{n}")).collect();
        join_all(jobs.iter().map(|job| surely(|| charges(&who, job, 30_000)))).await;
        if given.status != 200 {
            continue;
        }
        let spent = recomputed(&who).await.into_iter().filter(|posting| {
            let after = posting.lots.iter().any(|lot| lot.id.has_expired(posting.at));
            after && json!(posting.r#type) != "pro_credit_expiry"
        });
        assert_eq!(spent.count(), 0);
    }
}
