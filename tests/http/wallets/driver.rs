//! Random operations of services on the wallets of several accounts, and payments, with faults and a clock
//! that moves: nothing is booked twice, nothing is lost, nothing is spent after its expiry, and each payment
//! counts as much as Stripe has of it. `ACCOUNT_TEST_LEDGER` is `<first seed>..<end>,<operations of each>`.

mod payments;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::*;
use domain::{
    Timestamp,
    wallet::{Cause, KeyBudget, Posting, PostingType},
};

use crate::{
    fixtures::{api_keys::set_budget, billing::holds_by},
    payments::random::Random,
};

/// One operation of so many is about a payment: those take several requests.
const PAYMENTS: u64 = 12;

/// An account, and what the services know of it.
struct Account {
    who: Person,
    /// An API key with a budget.
    key: String,
    /// The number of names that were given.
    names: u64,
    /// Jobs with a hold, and when it was made.
    held: BTreeMap<String, i64>,
    /// Costs of settled jobs.
    costs: BTreeMap<String, i64>,
    /// Refunds of jobs.
    refunds: BTreeMap<String, i64>,
    /// Corrections.
    adjustments: BTreeMap<String, i64>,
    /// Payments, for which there is credit.
    payments: payments::Payments,
}

impl Account {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("it-{}", self.names)
    }

    /// A job of a set, if there is any.
    fn pick(random: &mut Random, jobs: &BTreeMap<String, i64>) -> Option<String> {
        let at = usize::try_from(random.below(jobs.len().max(1) as u64)).unwrap();
        jobs.keys().nth(at).cloned()
    }
}

/// One call in twenty fails: once, so that the SDK's retry succeeds, or four times, so that the request fails.
async fn perhaps_fails(app: &App, random: &mut Random) {
    let kinds = ["refused", "lost-response", "throttled"];
    if random.below(20) == 0 {
        let kind = kinds[usize::try_from(random.below(3)).unwrap()];
        let times = [1, 4][usize::try_from(random.below(2)).unwrap()];
        let operation =
            ["TransactWriteItems", "BatchGetItem", "PutItem"][usize::try_from(random.below(3)).unwrap()];
        app.faults(json!([{ "service": "dynamodb", "operation": operation, "kind": kind, "times": times }]))
            .await;
    }
}

async fn step(app: &App, random: &mut Random, account: &mut Account) {
    match random.below(58) {
        0..12 => corrects(random, account).await,
        12..24 => {
            let (job, amount, by_key) = (account.name(), random.amount(3_000_000), random.below(2) == 0);
            let held = if by_key {
                surely(|| holds_by(&account.who, &account.key, &job, amount)).await
            } else {
                surely(|| holds(&account.who, &job, amount)).await
            };
            if held.status == 200 {
                if by_key {
                    is_within_budget(account).await;
                }
                account.held.insert(job, app.now().await.as_millisecond());
            }
        }
        24..45 => ends_jobs(random, account).await,
        45..51 => {
            let Some(job) = Account::pick(random, &account.held) else { return };
            let jobs = json!([{ "job": job, "outcome": "released" }]);
            surely(|| tells(&account.who, jobs.clone())).await.expect(200);
        }
        51..57 => {
            let Some(job) = Account::pick(random, &account.costs) else { return };
            let amount = random.amount(1_000_000);
            let jobs = json!([{ "job": job, "outcome": "refunded", "amountMicroUsd": amount }]);
            let told = surely(|| tells(&account.who, jobs.clone())).await.expect(200);
            if result(&told, 0).starts_with("refunded") {
                account.refunds.insert(job, amount);
            }
        }
        // Rarely and far: whatever is due then runs in all regions, which costs more than anything else here.
        _ => app.advance(i64::try_from(random.below(1_800)).unwrap()).await,
    }
}

/// Checks that jobs of the key spent and hold no more than its budget, as is so whenever one was let in.
async fn is_within_budget(account: &Account) {
    let wallet: Wallet = items(&account.who, ItemKind::Wallets).await.pop().unwrap();
    let budget = &wallet.budgets[0];
    let held = wallet.holds.iter().filter(|hold| hold.key == Some(budget.key));
    let held: i64 = held.map(|hold| hold.amount.micros()).sum();
    let spent = budget.spent_at(wallet.changed_at).micros();
    assert!(held + spent <= budget.monthly.micros(), "{held} and {spent} of {:?}", budget.monthly);
}

/// The spending of a budget in its last month, as postings say.
fn spent_of(budget: &KeyBudget, postings: &[Posting]) -> i64 {
    let in_month = |posting: &&Posting| posting.at.to_string()[..7] == budget.month.to_string()[..7];
    let by_key = |posting: &&Posting| {
        posting.record.as_ref().and_then(|record| record.api_key) == Some(budget.key)
            && posting.r#type == PostingType::Training
            && posting.number > budget.after
    };
    let mut spent = BTreeMap::<String, i64>::new();
    for charge in postings.iter().filter(in_month).filter(by_key) {
        if let Cause::Job(job) = &charge.cause {
            spent.insert(job.to_string(), -charge.amount.micros());
        }
    }
    for refund in postings.iter().filter(in_month) {
        if let Cause::Refund(job) = &refund.cause
            && let Some(spent) = spent.get_mut(&job.to_string())
        {
            *spent -= refund.amount.micros();
        }
    }
    spent.values().sum()
}

async fn corrects(random: &mut Random, account: &mut Account) {
    let sign = if random.below(4) == 0 { -1 } else { 1 };
    let (name, amount) = (account.name(), sign * random.amount(5_000_000));
    let seconds = i64::try_from(random.below(1_800)).unwrap() + 60;
    let now = account.who.app.now().await;
    let mut body = json!({
        "workspace": account.who.workspace(), "reference": name, "amountMicroUsd": amount, "reason": "By chance",
    });
    if random.below(2) == 0 {
        // Few different times, so that the wallet has few lots.
        let end = (now.as_second() + seconds) / 300 * 300 + 300;
        body["expiresAt"] = json!(Timestamp::from_second(end).unwrap().to_string());
    }
    let made =
        surely(|| account.who.app.as_service(Method::POST, "/internal/wallets/adjustments", body.clone()))
            .await;
    if made.status == 200 {
        account.adjustments.insert(name, amount);
    }
}

/// Settles some jobs at once: with holds, without, and settled before.
async fn ends_jobs(random: &mut Random, account: &mut Account) {
    let mut jobs = BTreeMap::new();
    for _ in 0..=random.below(4) {
        let job = match random.below(4) {
            0 => account.name(),
            1 => Account::pick(random, &account.costs).unwrap_or_else(|| account.name()),
            _ => Account::pick(random, &account.held).unwrap_or_else(|| account.name()),
        };
        let cost = if random.below(9) == 0 { 0 } else { random.amount(2_000_000) };
        let overage = if random.below(2) == 0 { cost } else { 0 };
        jobs.insert(job, (cost, overage));
    }
    let end = |(job, (cost, overage)): (&String, &(i64, i64))| {
        let mut end = settled(job, *cost, *overage);
        if cost % 2 == 0 {
            end["apiKey"] = json!(account.key);
        }
        end
    };
    let body: Value = jobs.iter().map(end).collect();
    let told = surely(|| tells(&account.who, body.clone())).await.expect(200);
    for (n, (job, (cost, _))) in jobs.into_iter().enumerate() {
        if result(&told, n).starts_with("settled") {
            let before = account.costs.insert(job, cost);
            assert!(before.is_none_or(|before| before == cost), "settled again with another cost");
        }
    }
}

/// Compares the postings of an account with what the services were told.
async fn compare(account: &Account, seed: u64) {
    let postings = recomputed(&account.who).await;
    payments::compare(&account.who.app, account, &postings, seed).await;
    let by_services = || postings.iter().filter(|posting| !matches!(posting.cause, Cause::Payment { .. }));
    let of = |kind: PostingType| by_services().filter(move |posting| posting.r#type == kind);
    let amounts = |kind: PostingType| -> BTreeMap<String, i64> {
        let named = |posting: &Posting| match &posting.cause {
            Cause::Job(name) | Cause::Refund(name) | Cause::Adjustment(name) => {
                (name.to_string(), posting.amount.micros())
            }
            other => panic!("seed {seed}: {other:?}"),
        };
        let named: Vec<(String, i64)> = of(kind).map(named).collect();
        let names: BTreeSet<&String> = named.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), named.len(), "seed {seed}: a cause has two postings");
        named.into_iter().collect()
    };
    let wallet: Wallet = items(&account.who, ItemKind::Wallets).await.pop().unwrap();
    for budget in &wallet.budgets {
        assert_eq!(budget.spent.micros(), spent_of(budget, &postings), "seed {seed}");
    }
    let costs = account.costs.iter().filter(|(_, cost)| **cost != 0).map(|(job, cost)| (job.clone(), -cost));
    assert_eq!(amounts(PostingType::Training), costs.collect(), "seed {seed}");
    assert_eq!(amounts(PostingType::Refund), account.refunds, "seed {seed}");
    assert_eq!(amounts(PostingType::Adjustment), account.adjustments, "seed {seed}");
    for posting in of(PostingType::Training).chain(of(PostingType::Adjustment)) {
        let late =
            posting.lots.iter().filter(|lot| lot.amount.micros() < 0 && lot.id.has_expired(posting.at));
        for lot in late {
            // Only what was held before, by this job or by another one.
            let end = lot.id.expires.unwrap().as_millisecond();
            let held = account.held.values().any(|made| *made < end);
            assert!(held, "seed {seed}: {posting:?} spends credit that has expired");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_with_faults_keep_every_wallet_right() {
    let setting = std::env::var("ACCOUNT_TEST_LEDGER").unwrap_or_else(|_| "0..1,250".to_owned());
    let (seeds, operations) = setting.split_once(',').unwrap();
    let (first, end) = seeds.split_once("..").unwrap();
    let (seeds, operations): (Range<u64>, u64) =
        (first.parse().unwrap()..end.parse().unwrap(), operations.parse().unwrap());
    let accounts = if operations >= 5_000 { 50 } else { 5 };
    for seed in seeds {
        let app = App::alone().await;
        let mut random = Random::new(seed);
        let mut events = payments::Events::of(&app).await;
        let mut all = Vec::new();
        for n in 0..accounts {
            let who = app.user(&format!("driven-{seed}-{n}")).await;
            let (key, _) = who.make_key("driven").await;
            set_budget(&who, &key, json!(1_500)).await.expect(200);
            let (held, costs, refunds, adjustments) = Default::default();
            let payments = payments::Payments::none(&who).await;
            all.push(Account { who, key, names: 0, held, costs, refunds, adjustments, payments });
        }
        for _ in 0..operations {
            let at = usize::try_from(random.below(accounts)).unwrap();
            perhaps_fails(&app, &mut random).await;
            if random.below(PAYMENTS) == 0 {
                payments::step(&app, &mut random, &mut events, &mut all[at]).await;
            } else {
                step(&app, &mut random, &mut all[at]).await;
            }
        }
        app.no_faults().await;
        payments::end(&app, seed).await;
        for account in &all {
            if postings(&account.who).await > 0 {
                compare(account, seed).await;
            } else {
                payments::compare(&app, account, &[], seed).await;
            }
        }
    }
}
