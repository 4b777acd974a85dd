//! Each wallet is recomputed from its postings after the day in which it changed, and a run fails if one differs.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ports::{WalletVerification, WalletWork};

use super::{super::growth::fill, *};

/// Lets the day pass in which somebody's wallet changed.
async fn pass_the_day(who: &Person) {
    let due = due(who, WalletTask::Verify).await.unwrap();
    who.app.set_clock(due).await;
}

/// The number of the last posting that was recomputed.
async fn checkpoint(who: &Person) -> Option<u64> {
    let stored: Option<WalletVerification> = store(&who.app).verified(who.workspace()).await.unwrap();
    stored.map(|verification| verification.sums.number())
}

async fn verify(app: &App) {
    surely(|| app.try_worker(VERIFY)).await.expect(200);
}

#[tokio::test]
async fn wallet_is_recomputed_after_its_day_and_again_when_it_changes() {
    let app = App::in_process().await;
    app.stop_clock().await;
    let who = app.user("verified-ada").await;
    charges(&who, "job-1", 1_000).await.expect(200);
    let midnight = due(&who, WalletTask::Verify).await.unwrap();
    assert_eq!(midnight, end_of_day(app.now().await));
    app.set_clock(midnight - MILLISECOND).await;
    charges(&who, "job-2", 1_000).await.expect(200);
    verify(&app).await;
    assert_eq!((checkpoint(&who).await, due(&who, WalletTask::Verify).await), (None, Some(midnight)));
    app.set_clock(midnight).await;
    for _ in 0..2 {
        verify(&app).await;
        assert_eq!((checkpoint(&who).await, due(&who, WalletTask::Verify).await), (Some(3), None));
        assert_eq!(notes(&app, WalletTask::Verify).await, 0);
    }
    // A hold is no posting.
    holds(&who, "held", 1_000).await.expect(200);
    assert_eq!(due(&who, WalletTask::Verify).await, None);
    charges(&who, "job-3", 1_000).await.expect(200);
    assert_eq!(due(&who, WalletTask::Verify).await, Some(end_of_day(midnight)));
    pass_the_day(&who).await;
    verify(&app).await;
    assert_eq!((checkpoint(&who).await, due(&who, WalletTask::Verify).await), (Some(4), None));
}

/// A change of a stored item, or its removal, that no function makes.
struct Damage {
    name: &'static str,
    kind: ItemKind,
    nth: usize,
    change: fn(Value) -> Option<Value>,
    /// What the run says.
    says: &'static str,
}

fn damage(
    name: &'static str,
    (kind, nth): (ItemKind, usize),
    change: fn(Value) -> Option<Value>,
    says: &'static str,
) -> Damage {
    Damage { name, kind, nth, change, says }
}

fn damages() -> [Damage; 6] {
    let (second, third, wallet) = ((ItemKind::Postings, 1), (ItemKind::Postings, 2), (ItemKind::Wallets, 0));
    [
        damage("amount", second, |item| Some(with(item, "/amount", json!(-777_123))), "2: balance"),
        damage("gap", second, |_| None, "2: number"),
        damage("end", third, |_| None, "3: number"),
        damage(
            "lot",
            third,
            |item| Some(with(item, "/lots/0/amount", json!(-777_123))),
            "3: sum of the lots",
        ),
        damage("balance", wallet, |item| Some(with(item, "/lots/0/amount", json!(777_123))), "4: balance"),
        damage("kind", wallet, |item| Some(with(item, "/lots/0/kind", json!("paid"))), "4: lots"),
    ]
}

fn with(mut item: Value, place: &str, value: Value) -> Value {
    *item.pointer_mut(place).unwrap() = value;
    item
}

async fn delete(app: &App, item: &Value) {
    let key = |name: &str| AttributeValue::S(item[name].as_str().unwrap().to_owned());
    let delete = app.tables().delete_item().table_name(app.table("billing"));
    delete.key("pk", key("pk")).key("sk", key("sk")).send().await.unwrap();
}

#[tokio::test]
async fn damaged_wallet_fails_the_run_by_its_id_and_the_others_are_verified() {
    let app = App::in_process().await;
    // All of them change on the same day.
    app.stop_clock().await;
    let other = app.user("verified-other").await;
    for (n, Damage { name, kind, nth, change, says }) in (2..).zip(damages()) {
        let who = app.user(&format!("verified-{name}")).await;
        for job in ["job-1", "job-2"] {
            charges(&who, job, 1_000).await.expect(200);
        }
        charges(&other, &format!("job-{n}"), 1_000).await.expect(200);
        let whole = items::<Value>(&who, kind).await.swap_remove(nth);
        match change(whole.clone()) {
            Some(damaged) => put_all(&app, "billing", std::iter::once(damaged)).await,
            None => delete(&app, &whole).await,
        }
        pass_the_day(&who).await;
        let failed = app.try_worker(VERIFY).await.expect(502).text_at("/errorMessage");
        let expected =
            format!("broken: the wallet of {} differs from its postings at {says}", who.workspace());
        assert_eq!(failed, expected, "{name}");
        assert_eq!((checkpoint(&who).await, checkpoint(&other).await), (None, Some(n)), "{name}");
        assert!(
            due(&who, WalletTask::Verify).await.is_some() && due(&other, WalletTask::Verify).await.is_none()
        );
        // It stays due until somebody has corrected it.
        app.try_worker(VERIFY).await.expect(502);
        put_all(&app, "billing", std::iter::once(whole)).await;
        verify(&app).await;
        assert_eq!((checkpoint(&who).await, due(&who, WalletTask::Verify).await), (Some(3), None), "{name}");
    }
}

/// The read units of verifying somebody's wallet after its day.
async fn units(who: &Person) -> f64 {
    let before = who.app.last_call().await;
    pass_the_day(who).await;
    verify(&who.app).await;
    let mut calls = who.app.calls_of(VERIFY, before).await;
    // The schedule runs the worker in every region when the clock passes an hour.
    let home = format!("account-{}-billing", who.app.home());
    calls.retain(|call| call["table"] == home.as_str());
    calls.iter().map(|call| call["capacity"]["read"].as_f64().unwrap_or(0.0)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_postings_after_the_checkpoint_are_read() {
    let app = App::start().await;
    let who = app.user("verified-many").await;
    // More than are read at a time, and fewer than a run reads.
    let count = u64::try_from(number("ACCOUNT_TEST_POSTINGS", 2_100).min(10_000)).unwrap();
    fill(&who, count).await;
    let all = units(&who).await;
    assert_eq!(checkpoint(&who).await, Some(count));
    charges(&who, "one-more", 1).await.expect(200);
    let one = units(&who).await;
    assert_eq!(checkpoint(&who).await, Some(count + 1));
    assert!(one < all / 4.0, "{one} and {all} read units");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posting_beside_a_verification_is_verified_the_next_day() {
    let app = App::start().await;
    for round in 0..number("ACCOUNT_TEST_ROUNDS", 3) {
        let who = app.user(&format!("verified-beside-{round}")).await;
        charges(&who, "first", 1_000).await.expect(200);
        pass_the_day(&who).await;
        let jobs: Vec<String> = (0..5).map(|n| format!("job-{n}")).collect();
        let charged = join_all(jobs.iter().map(|job| surely(|| charges(&who, job, 1_000))));
        let (charged, ()) = join(charged, verify(&app)).await;
        charged.into_iter().for_each(|answer| drop(answer.expect(200)));
        let (last, done) = (recomputed(&who).await.len(), checkpoint(&who).await.unwrap());
        assert_eq!(last, 7);
        let is_due = due(&who, WalletTask::Verify).await.is_some();
        assert!(is_due || done == 7, "{done} of 7 postings are recomputed, and no run is to come");
        if is_due {
            pass_the_day(&who).await;
            verify(&app).await;
            assert_eq!((checkpoint(&who).await, due(&who, WalletTask::Verify).await), (Some(7), None));
        }
    }
}

#[tokio::test]
async fn checkpoint_of_more_postings_than_there_are_is_not_used() {
    let app = App::start().await;
    let (who, other) = (app.user("verified-less").await, app.user("verified-more").await);
    charges(&who, "job", 1_000).await.expect(200);
    for n in 0..3 {
        charges(&other, &format!("job-{n}"), 1_000).await.expect(200);
    }
    let mut sums = Recomputation::new();
    for posting in recomputed(&other).await {
        sums.add(&posting).unwrap();
    }
    // As after a restore of an older copy.
    let later = WalletVerification { workspace: who.workspace(), sums, at: app.now().await };
    store(&app).save_verified(&later).await.unwrap();
    assert_eq!(checkpoint(&who).await, Some(4));
    pass_the_day(&who).await;
    verify(&app).await;
    assert_eq!((checkpoint(&who).await, due(&who, WalletTask::Verify).await), (Some(2), None));
}
