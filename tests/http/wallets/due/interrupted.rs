//! The workers on wallets, killed wherever they can be: the next run completes the work, and nothing is done twice.

use domain::{
    payment::Cents,
    permissions::worker_may_book_payments,
    ports::{Saved, TransactionExtras, Wallets},
    wallet::{AutoTopUp, Booking},
};
use tests::every;

use super::{
    monthly::{gets_pro, is_told},
    *,
};
use crate::{
    deaths::{deaths, is_of, numbered, struck},
    fixtures::payers::{saves_card, sets_default},
};

/// So many wallets have work at the same time.
const PEOPLE: usize = 3;

/// People whose wallets have due work, again and again.
struct Scene {
    app: App,
    people: Vec<Person>,
    worker: &'static str,
    task: WalletTask,
    /// How often it was made to do something.
    rounds: usize,
}

impl Scene {
    async fn new((worker, task): (&'static str, WalletTask)) -> Self {
        let app = App::in_process().await;
        app.stop_clock().await;
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            let who = app.user(&format!("killed-{n}")).await;
            if task == WalletTask::Grant {
                gets_pro(&who).await;
            }
            if task == WalletTask::TopUp {
                let card = saves_card(&who, "pm_card_visa").await;
                sets_default(&who, &card).await.expect(200);
                charges(&who, "first", 1).await.expect(200);
            }
            people.push(who);
        }
        // What the worker does, no event of Stripe does for it.
        app.stripe().hold(true).await;
        Self { app, people, worker, task, rounds: 0 }
    }

    /// Makes work for each of the people, and lets its time come.
    async fn comes_due(&mut self) {
        self.rounds += 1;
        let mut latest = self.app.now().await;
        for who in &self.people {
            match self.task {
                WalletTask::Expire => {
                    let end = after(&self.app, 60).await;
                    gives(who, &format!("gift-{}", self.rounds), 1_000, end).await;
                }
                // The plan goes on.
                WalletTask::Grant => {}
                WalletTask::Verify => {
                    charges(who, &format!("job-{}", self.rounds), 1_000).await.expect(200);
                }
                WalletTask::TopUp => self.needs_one_top_up(who).await,
            }
            latest = latest.max(due(who, self.task).await.unwrap());
        }
        self.app.set_clock(latest).await;
    }

    /// Has somebody agree to automatic top-ups, of which one is due. The charge of a micro-USD leaves the balance just below the
    /// threshold.
    async fn needs_one_top_up(&self, who: &Person) {
        let (store, threshold) = (store(&self.app), 2_000 + 500 * u32::try_from(self.rounds).unwrap());
        loop {
            let (wallet, now) = (wallet(who).await, self.app.now().await);
            let mut settings = AutoTopUp::agreed(who.id(), now);
            if let Some(before) = &wallet.auto_top_up {
                settings.goes_on_from(before);
            }
            let [threshold, amount, monthly_cap] = [threshold, 500, 1_000_000].map(Cents::new);
            let mut booking = Booking::begin(wallet, None, now);
            booking.set_auto_top_up(AutoTopUp { threshold, amount, monthly_cap, ..settings });
            let (proof, change) = (worker_may_book_payments(), booking.finish().unwrap());
            let saved = Wallets::book(&store, &proof, &change, TransactionExtras::default()).await.unwrap();
            // A run of another schedule may change the wallet meanwhile.
            if saved == Saved::Yes {
                return;
            }
        }
    }

    /// Runs the worker again, and checks that all is done, once.
    async fn completes(&self, how: &str) {
        surely(|| self.app.try_worker(self.worker)).await.expect(200);
        if self.task == WalletTask::TopUp {
            // A payment that was begun is asked for again after two minutes, and its note goes with the run after that.
            self.app.advance(121).await;
            for _ in 0..2 {
                surely(|| self.app.try_worker(self.worker)).await.expect(200);
            }
        }
        let now = self.app.now().await;
        for who in &self.people {
            let (postings, due) = (recomputed(who).await, due(who, self.task).await);
            let count =
                |r#type: &str| postings.iter().filter(|posting| posting.r#type.as_str() == r#type).count();
            match self.task {
                WalletTask::Expire => {
                    assert_eq!((count("pro_credit_expiry"), due), (self.rounds, None), "{how}");
                }
                WalletTask::Grant => {
                    let counts = (count("monthly_grant"), count("pro_credit_expiry"));
                    assert_eq!(counts, (self.rounds + 1, self.rounds), "{how}");
                    assert!(due.is_some_and(|due| due > now), "{how}");
                }
                WalletTask::Verify => {
                    let stored =
                        domain::ports::WalletWork::verified(&store(&self.app), who.workspace()).await;
                    let number = stored.unwrap().map(|verification| verification.sums.number());
                    assert_eq!(number, u64::try_from(postings.len()).ok(), "{how}");
                    assert_eq!(due, None, "{how}");
                }
                WalletTask::TopUp => {
                    assert_eq!((count("auto_topup"), due), (self.rounds, None), "{how}");
                }
            }
        }
    }
}

/// Kills a worker before and after its calls, one after another.
async fn killed_anywhere(subject: (&'static str, WalletTask)) {
    let mut scene = Scene::new(subject).await;
    let (app, home) = (scene.app.clone(), scene.app.home());
    scene.comes_due().await;
    let before = app.last_call().await;
    scene.completes("a clean run").await;
    let mut calls = app.calls(before).await;
    calls.retain(|call| is_of(scene.worker, home, call));
    let deaths = deaths(&numbered(&calls));
    assert!(deaths.len() > 15, "{deaths:?}");
    let mut failed = 0;
    // All of them take minutes: every day, another one of each few will do.
    for (call, kind) in deaths.into_iter().step_by(every(5)) {
        scene.comes_due().await;
        app.faults(json!([struck(scene.worker, home, &call, kind)])).await;
        let end = app.try_worker(scene.worker).await.status;
        assert!([200, 502].contains(&end), "{call:?} {kind}: {end}");
        failed += usize::from(end == 502);
        app.no_faults().await;
        scene.completes(&format!("{call:?} {kind}")).await;
    }
    assert!(failed > 0, "no fault was met");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_expiry_is_completed_by_the_next_run() {
    killed_anywhere(WORKERS[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_grant_is_completed_by_the_next_run() {
    killed_anywhere(WORKERS[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_verification_is_completed_by_the_next_run() {
    killed_anywhere(WORKERS[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_top_up_is_completed_by_the_next_runs() {
    killed_anywhere(WORKERS[3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_of_a_plan_that_fails_anywhere_is_repeated_without_a_second_grant() {
    let app = App::start().await;
    // The calls of a message: workspace, wallet and cause, and the transaction.
    for (n, operation) in ["GetItem", "BatchGetItem", "TransactWriteItems"].into_iter().enumerate() {
        for kind in ["refused", "lost-response", "throttled", "stall"] {
            let handle = format!("killed-{n}-{}", &kind[..2]);
            let who = app.user(&handle).await;
            let fault = json!({ "service": "dynamodb", "function": GRANT, "operation": operation, "kind": kind, "times": 0 });
            app.faults(json!([fault])).await;
            let form = json!({ "username": handle, "plan": "pro" });
            app.as_service(Method::POST, crate::provision::PATH, form).await.expect(200);
            app.try_worker(GRANT).await;
            app.no_faults().await;
            for _ in 0..2 {
                is_told(&app, who.workspace()).await;
                let expected = [("signup", 25_000_000), ("monthly_grant", 30_000_000)];
                assert_eq!(story(&recomputed(&who).await), expected, "{operation} {kind}");
            }
        }
    }
}
