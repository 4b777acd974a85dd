//! Due work on wallets: credit that expired is posted, a plan brings its credit each month, and each wallet that changed is
//! recomputed the day after.

mod interrupted;
mod monthly;
mod verified;

use domain::{
    Timestamp,
    throttle::end_of_day,
    wallet::{WALLET_DUE_PARTS, WalletTask},
};
use futures::future::{join, join_all};
use jiff::SignedDuration;
use store::Store;

use super::*;
use crate::many::{items_in, number, put_all};

const EXPIRE: &str = "expire-credits";
const GRANT: &str = "grant-monthly-credits";
const VERIFY: &str = "verify-wallets";
const TOP_UP: &str = "top-up-wallets";
/// The worker of each task.
const WORKERS: [(&str, WalletTask); 4] = [
    (EXPIRE, WalletTask::Expire),
    (GRANT, WalletTask::Grant),
    (VERIFY, WalletTask::Verify),
    (TOP_UP, WalletTask::TopUp),
];

const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

/// The tables at home.
fn store(app: &App) -> Store {
    Store::new(app.tables(), app.table(""))
}

/// The stored wallet of a workspace, if there is one.
async fn wallet_of(app: &App, workspace: WorkspaceId) -> Option<Wallet> {
    items_of(app, workspace, ItemKind::Wallets).await.pop()
}

/// The stored wallet of somebody.
async fn wallet(who: &Person) -> Wallet {
    wallet_of(&who.app, who.workspace()).await.unwrap()
}

/// When a task is due for somebody's wallet.
async fn due(who: &Person, task: WalletTask) -> Option<Timestamp> {
    wallet(who).await.due.of(task)
}

/// How many notes of a task there are at home.
async fn notes(app: &App, task: WalletTask) -> usize {
    let partitions = (0..WALLET_DUE_PARTS).map(|part| partition(task, part));
    let counts = partitions.map(|partition| async move { items_in(app, "billing", &partition).await });
    join_all(counts).await.into_iter().sum()
}

fn partition(task: WalletTask, part: u8) -> String {
    ItemKind::WalletsDue.partition(format!("{}#{part}", task.as_str()))
}

/// Types and amounts of postings.
fn story(postings: &[Posting]) -> Vec<(&'static str, i64)> {
    postings.iter().map(|posting| (posting.r#type.as_str(), posting.amount.micros())).collect()
}

/// Gives somebody credit for a time.
async fn gives(who: &Person, reference: &str, amount: i64, expires: Timestamp) {
    let gift = json!({
        "workspace": who.workspace(), "reference": reference, "amountMicroUsd": amount,
        "expiresAt": expires.to_string(), "reason": "For a while",
    });
    who.app.as_service(Method::POST, "/internal/wallets/adjustments", gift).await.expect(200);
}

/// So many seconds from now.
async fn after(app: &App, seconds: i64) -> Timestamp {
    app.now().await.saturating_add(SignedDuration::from_secs(seconds)).unwrap()
}

#[tokio::test]
async fn expired_credit_of_a_code_is_posted_once_and_the_balance_agrees() {
    tests::needs_every_region!();
    let app = App::in_process().await;
    app.stop_clock().await;
    let who = app.user("due-code").await;
    let code = json!({ "code": "DUE-CODE", "amountMicroUsd": 4_000_000, "most": 9, "creditDays": 1 });
    app.as_service(Method::POST, "/internal/promotions", code).await.expect(200);
    who.post("/api/billing/promo", json!({ "code": "due-code" })).await.expect(200);
    charges(&who, "job", 1_000_000).await.expect(200);
    let end = wallet(&who).await.next_expiry().unwrap();
    app.set_clock(end - MILLISECOND).await;
    app.run_worker(EXPIRE).await;
    assert_eq!((due(&who, WalletTask::Expire).await, postings(&who).await), (Some(end), 3));
    app.set_clock(end).await;
    let expected = [
        ("signup", 25_000_000),
        ("promo", 4_000_000),
        ("training", -1_000_000),
        ("pro_credit_expiry", -3_000_000),
    ];
    for _ in 0..2 {
        app.run_worker(EXPIRE).await;
        assert_eq!(story(&recomputed(&who).await), expected);
        assert_eq!((due(&who, WalletTask::Expire).await, notes(&app, WalletTask::Expire).await), (None, 0));
    }
    let who = again(&who).await;
    assert_eq!(micros(&balance(&who).await), [25_000_000, 25_000_000, 0]);
    let listed = who.get("/api/billing/transactions?limit=1").await.expect(200);
    assert_eq!(listed.at("/transactions/0/type"), "pro_credit_expiry");
    assert_eq!(listed.at("/transactions/0/balanceAfter"), 2_500);
}

#[tokio::test]
async fn held_credit_is_posted_when_its_hold_ends() {
    let app = App::in_process().await;
    app.stop_clock().await;
    let who = app.user("due-held").await;
    let end = after(&app, 3_600).await;
    gives(&who, "gift", 10_000_000, end).await;
    let hold = json!({
        "workspace": who.workspace(), "job": "long", "category": "training", "amountMicroUsd": 6_000_000,
        "expiresInSeconds": 7_200,
    });
    app.as_service(Method::POST, "/internal/usage/holds", hold).await.expect(200);
    let held = wallet(&who).await;
    let (free, hold_end) = (held.lots.iter().find_map(|lot| lot.id.expires).unwrap(), held.holds[0].expires);
    let part = ("pro_credit_expiry", -4_000_000);
    let before = [("signup", 25_000_000), ("adjustment", 10_000_000), part];
    for now in [free, hold_end - MILLISECOND] {
        app.set_clock(now).await;
        app.run_worker(EXPIRE).await;
        assert_eq!(story(&recomputed(&who).await), before);
        assert_eq!(due(&who, WalletTask::Expire).await, Some(hold_end));
    }
    app.set_clock(hold_end).await;
    app.run_worker(EXPIRE).await;
    let rest = ("pro_credit_expiry", -6_000_000);
    assert_eq!(story(&recomputed(&who).await), [before[0], before[1], part, rest]);
    assert_eq!((due(&who, WalletTask::Expire).await, wallet(&who).await.holds), (None, Vec::new()));
}

#[tokio::test]
async fn credit_expires_after_a_year_without_any_event() {
    let app = App::start().await;
    let who = app.user("due-year").await;
    gives(&who, "gift", 5_000_000, after(&app, 365 * 86_400).await).await;
    app.advance(364 * 86_400).await;
    app.run_worker(EXPIRE).await;
    assert_eq!(postings(&who).await, 2);
    app.advance(2 * 86_400).await;
    app.run_worker(EXPIRE).await;
    let expected = [("signup", 25_000_000), ("adjustment", 5_000_000), ("pro_credit_expiry", -5_000_000)];
    assert_eq!(story(&recomputed(&who).await), expected);
    assert_eq!(notes(&app, WalletTask::Expire).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_and_a_charge_at_once_post_an_expiry_once() {
    let app = App::start().await;
    let rounds = number("ACCOUNT_TEST_ROUNDS", 3);
    for round in 0..rounds {
        let who = app.user(&format!("due-twice-{round}")).await;
        gives(&who, "gift", 3_000_000, after(&app, 60).await).await;
        app.advance(61).await;
        let run = || surely(|| app.try_worker(EXPIRE));
        let charge = surely(|| charges(&who, "job", 1_000_000));
        let ((one, other), charged) = join(join(run(), run()), charge).await;
        for answer in [one, other, charged] {
            answer.expect(200);
        }
        let mut posted = story(&recomputed(&who).await);
        posted.sort_unstable();
        let expected = [
            ("adjustment", 3_000_000),
            ("pro_credit_expiry", -3_000_000),
            ("signup", 25_000_000),
            ("training", -1_000_000),
        ];
        assert_eq!(posted, expected);
        assert_eq!(notes(&app, WalletTask::Expire).await, 0);
    }
}

#[tokio::test]
async fn note_of_a_wallet_that_is_gone_is_deleted() {
    let app = App::start().await;
    let at = after(&app, -1).await;
    let id = WorkspaceId::floor(at);
    // The partition derives from the id.
    let part = id.to_string().bytes().fold(0, u8::wrapping_add) % WALLET_DUE_PARTS;
    for (worker, task) in WORKERS {
        let note = json!({
            "pk": partition(task, part), "sk": format!("{:013}#{id}", at.as_millisecond()), "workspace": id, "task": task,
            "at": Timestamp::from_millisecond(at.as_millisecond()).unwrap(),
        });
        put_all(&app, "billing", std::iter::once(note)).await;
        assert_eq!(notes(&app, task).await, 1);
        for unchanged in [1, 0] {
            let report = app.run_worker(worker).await;
            assert_eq!(report, json!({ "changed": 0, "unchanged": unchanged }), "{worker}");
        }
        assert_eq!(notes(&app, task).await, 0);
        assert!(wallet_of(&app, id).await.is_none(), "{worker}");
    }
}

/// Wallets of nobody, with something to do for each task tomorrow.
async fn idle(like: &Person, count: usize) {
    let tomorrow = after(&like.app, 86_400).await.as_millisecond();
    let mould = serde_json::to_value(wallet(like).await).unwrap();
    let items = (0..count).flat_map(|n| {
        let nth = i64::try_from(n).unwrap();
        let (id, at) = (WorkspaceId::floor(Timestamp::from_second(nth).unwrap()), tomorrow + nth);
        let mut record = mould.clone();
        (record["pk"], record["sk"]) = (json!(ItemKind::Wallets.partition(id)), json!("WALLET"));
        record["workspace"] = json!(id);
        let part = u8::try_from(n % usize::from(WALLET_DUE_PARTS)).unwrap();
        let note = move |task: WalletTask| {
            json!({
                "pk": partition(task, part), "sk": format!("{at:013}#{id}"), "workspace": id, "task": task,
                "at": Timestamp::from_millisecond(at).unwrap(),
            })
        };
        WalletTask::ALL.map(note).into_iter().chain([record])
    });
    put_all(&like.app, "billing", items).await;
}

/// Calls, read units and write units of a run.
async fn cost(app: &App, worker: &str) -> (usize, f64, f64) {
    let before = app.last_call().await;
    app.run_worker(worker).await;
    let calls = app.calls_of(worker, before).await;
    let units =
        |part: &str| calls.iter().map(|call| call["capacity"][part].as_f64().unwrap_or(0.0)).sum::<f64>();
    (calls.len(), units("read"), units("write"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the figures are the point: run with --nocapture")]
async fn work_depends_on_what_is_due_and_not_on_the_number_of_wallets() {
    let many = number("ACCOUNT_TEST_MANY", 1_000);
    let mut all = Vec::new();
    for count in [10, many] {
        let app = App::in_process().await;
        app.stop_clock().await;
        // Nothing is verified before midnight, and no schedule comes within the hour.
        let now = app.now().await;
        if end_of_day(now).duration_since(now) < SignedDuration::from_mins(2) {
            app.advance(120).await;
        }
        let mut people = Vec::new();
        for n in 0..3 {
            people.push(app.user(&format!("due-few-{n}")).await);
        }
        for who in &people {
            gives(who, "gift", 1_000_000, after(&app, 60).await).await;
        }
        idle(&people[0], count).await;
        app.advance(60).await;
        let mut costs = Vec::new();
        for (worker, _) in WORKERS {
            costs.push(cost(&app, worker).await);
        }
        println!("{count} wallets, 3 of them due: {costs:?} calls, read and write units");
        for who in &people {
            assert_eq!(recomputed(who).await.len(), 3);
        }
        all.push(costs);
        app.stop().await;
    }
    for ((few, read, write), (more, reads, writes)) in all[0].iter().zip(&all[1]) {
        assert!(more == few && *reads <= read * 1.1 && *writes <= write * 1.1, "{all:?}");
    }
}
