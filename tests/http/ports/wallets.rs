//! Wallets: each change is whole, numbered, and made over the wallet that was read.

use domain::{
    deletion::Part,
    id::{KeyId, WorkspaceId},
    money::MicroUsd,
    permissions::{ChangesWallets, service_may_change_wallets},
    ports::{Founded, Page, Promotions, Redeemed, Saved, TransactionExtras, Wallets, Workspaces},
    promotion::{PromoCode, Promotion},
    reference::Reference,
    secret::Digest256,
    wallet::{
        Booked, Booking, Cause, JobCategory, JobRecord, JobStart, Lot, LotId, LotKind, MOST_LOTS, Posting,
        PostingType, Recomputation, Refusal, Settlement, Wallet,
    },
    workspace::Workspace,
};
use futures::future::join_all;
use store::Store;
use tests::{App, Value, json};

use super::{
    asked, at, erasing::erase, event, everything, items, planted::Planted, profile, store, with_all,
    with_event, workspace,
};

fn proof() -> ChangesWallets {
    service_may_change_wallets("training-service")
}

fn named(name: &str) -> Reference {
    Reference::parse(name).unwrap()
}

fn job(name: &str) -> Cause {
    Cause::Job(named(name))
}

/// A workspace with an opening credit.
fn with_credit(handle: &str, micros: i64) -> Workspace {
    Workspace { opening_credit: MicroUsd::new(micros), ..workspace(handle) }
}

async fn open(store: &Store, workspace: &Workspace) {
    let opened =
        store.open(workspace, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    assert_eq!(opened, Founded::Yes);
}

async fn wallet_of(store: &Store, workspace: &Workspace) -> Option<Wallet> {
    Wallets::find(store, workspace.id).await.unwrap()
}

/// A change of a workspace's wallet in the making, in this second.
pub async fn booking(store: &Store, workspace: &Workspace, second: i64) -> Booking {
    let (wallet, opening) = match wallet_of(store, workspace).await {
        Some(wallet) => (wallet, None),
        None => Wallet::unopened(workspace),
    };
    Booking::begin(wallet, opening, at(second))
}

/// A job that costs this much. Nothing needs to be held for it.
pub fn settlement(name: &str, cost: i64) -> Settlement {
    let (cost, run) = (MicroUsd::new(cost), Some(named(&format!("run-of-{name}"))));
    let record = JobRecord {
        category: JobCategory::Training,
        gpu_type: None,
        user: None,
        api_key: None,
        dataset: None,
        model: None,
        run,
    };
    Settlement { job: named(name), cost, overage: cost, record }
}

/// A job before its start, which no key starts and no plan limits.
fn start(category: JobCategory, amount: i64) -> JobStart {
    JobStart { category, amount: MicroUsd::new(amount), key: None, slots: None }
}

/// Adds credit that expires in this second.
fn credit(booking: &mut Booking, micros: i64, expires: i64) {
    let id = LotId { kind: LotKind::Promo, expires: Some(at(expires)) };
    let cause = Cause::Adjustment(named(&format!("until-{expires}")));
    let lot = Lot { id, amount: MicroUsd::new(micros) };
    booking.credit(PostingType::Adjustment, lot, cause, Some("A promotion".to_owned())).unwrap();
}

pub async fn save(store: &Store, booking: Booking) -> Saved {
    save_with(store, booking, TransactionExtras::default()).await
}

async fn save_with(store: &Store, booking: Booking, extras: TransactionExtras) -> Saved {
    store.book(&proof(), &booking.finish().unwrap(), extras).await.unwrap()
}

/// Charges jobs of a workspace, each in a change of its own.
async fn charge(store: &Store, workspace: &Workspace, jobs: impl IntoIterator<Item = i64>) {
    for n in jobs {
        let mut booking = booking(store, workspace, n).await;
        booking.settle(settlement(&format!("job-{n}"), n)).unwrap();
        assert_eq!(save(store, booking).await, Saved::Yes);
    }
}

async fn all_postings(store: &Store, workspace: WorkspaceId) -> Vec<Posting> {
    let page = store.postings_after(workspace, 0, 1_000).await.unwrap();
    assert!(!page.more);
    page.items
}

/// Checks a stored wallet against its postings, and returns these.
async fn verified(store: &Store, workspace: &Workspace) -> Vec<Posting> {
    let (mut sums, postings) = (Recomputation::new(), all_postings(store, workspace.id).await);
    for posting in &postings {
        assert_eq!(sums.add(posting), Ok(()), "{posting:?}");
    }
    assert_eq!(sums.end(&wallet_of(store, workspace).await.unwrap()), Ok(()));
    postings
}

fn numbers(page: &Page<Posting>) -> (Vec<u64>, bool) {
    (page.items.iter().map(|posting| posting.number).collect(), page.more)
}

#[tokio::test]
async fn first_change_needs_the_workspace_and_writes_the_opening_credit() {
    let app = App::start().await;
    let store = store(&app);
    for (handle, holds) in [("ada-lovelace", false), ("grace-hopper", true)] {
        let ada = with_credit(handle, 1_000);
        let mut first = booking(&store, &ada, 1).await;
        if holds {
            first.hold(&named("job-1"), start(JobCategory::Training, 10), at(99)).unwrap();
        } else {
            first.settle(settlement("job-1", 10)).unwrap();
        }
        let before = everything(&app).await;
        assert_eq!(save(&store, first.clone()).await, Saved::Stale);
        assert_eq!(everything(&app).await, before);
        assert_eq!(wallet_of(&store, &ada).await, None);
        open(&store, &ada).await;
        assert_eq!(save(&store, first.clone()).await, Saved::Yes);
        let expected = first.clone().finish().unwrap();
        assert_eq!(wallet_of(&store, &ada).await, Some(expected.wallet));
        assert_eq!(verified(&store, &ada).await, expected.postings);
        assert_eq!(expected.postings[0].r#type, PostingType::Signup);
        // It is opened once.
        assert_eq!(save(&store, first).await, Saved::Stale);
    }
}

#[tokio::test]
async fn change_over_another_version_is_stale_and_writes_nothing() {
    let app = App::start().await;
    let store = store(&app);
    let ada = with_credit("ada-lovelace", 1_000);
    open(&store, &ada).await;
    charge(&store, &ada, [1]).await;
    let (mut one, mut other) = (booking(&store, &ada, 2).await, booking(&store, &ada, 2).await);
    one.settle(settlement("job-2", 20)).unwrap();
    other.settle(settlement("job-3", 30)).unwrap();
    let mut held = booking(&store, &ada, 2).await;
    held.hold(&named("job-4"), start(JobCategory::Inference, 4), at(99)).unwrap();
    assert_eq!(save(&store, one).await, Saved::Yes);
    let before = everything(&app).await;
    for stale in [other, held] {
        assert_eq!(save_with(&store, stale.clone(), with_event(&event(ada.id, 3))).await, Saved::Stale);
        assert_eq!(save(&store, stale).await, Saved::Stale);
    }
    assert_eq!(everything(&app).await, before);
    assert_eq!(verified(&store, &ada).await.len(), 3);
}

#[tokio::test]
async fn cause_is_booked_once() {
    let app = App::start().await;
    let store = store(&app);
    let ada = with_credit("ada-lovelace", 1_000);
    open(&store, &ada).await;
    let mut first = booking(&store, &ada, 1).await;
    first.settle(settlement("job-1", 10)).unwrap();
    // It costs nothing, and is remembered all the same.
    assert_eq!(first.settle(settlement("free", 0)).unwrap(), None);
    credit(&mut first, 50, 900);
    assert_eq!(save(&store, first).await, Saved::Yes);
    let charged = store.posting(ada.id, 2).await.unwrap().unwrap();
    assert_eq!(charged.cause, job("job-1"));
    let mut refund = booking(&store, &ada, 2).await;
    refund.refund(&charged, MicroUsd::new(4)).unwrap();
    assert_eq!(save(&store, refund).await, Saved::Yes);
    let before = everything(&app).await;
    for again in ["job-1", "free", "refund", "credit"] {
        let mut booking = booking(&store, &ada, 3).await;
        booking.settle(settlement("new", 1)).unwrap();
        match again {
            "refund" => drop(booking.refund(&charged, MicroUsd::new(4)).unwrap()),
            "credit" => credit(&mut booking, 50, 900),
            job => drop(booking.settle(settlement(job, 10)).unwrap()),
        }
        assert_eq!(save(&store, booking).await, Saved::Stale, "{again}");
    }
    assert_eq!(everything(&app).await, before);
    let causes = [
        job("job-1"),
        job("unknown"),
        job("free"),
        Cause::Refund(named("job-1")),
        Cause::Adjustment(named("job-1")),
    ];
    let (wallet, known) = store.with_causes(ada.id, &causes).await.unwrap();
    assert_eq!(wallet, wallet_of(&store, &ada).await);
    let booked = |posting, amount| Some(Booked { posting, amount: MicroUsd::new(amount), released: false });
    assert_eq!(known, [booked(Some(2), -10), None, booked(None, 0), booked(Some(4), 4), None]);
    let (nobodys, known) = store.with_causes(workspace("grace-hopper").id, &causes[..1]).await.unwrap();
    assert_eq!((nobodys, known), (None, vec![None]));
}

#[tokio::test]
async fn postings_are_read_in_both_orders_page_by_page() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, other) = (with_credit("ada-lovelace", 1_000), with_credit("grace-hopper", 1_000));
    for workspace in [&ada, &other] {
        open(&store, workspace).await;
    }
    assert_eq!(numbers(&store.postings(ada.id, None, 10).await.unwrap()), (vec![], false));
    assert_eq!(numbers(&store.postings_after(ada.id, 0, 10).await.unwrap()), (vec![], false));
    charge(&store, &ada, 1..=11).await;
    charge(&store, &other, 1..=2).await;
    let up_to = |first: u64, last: u64| (first..=last).collect::<Vec<u64>>();
    let down_from = |last: u64, first: u64| (first..=last).rev().collect::<Vec<u64>>();
    let newest = async |from, limit| numbers(&store.postings(ada.id, from, limit).await.unwrap());
    assert_eq!(newest(None, 100).await, (down_from(12, 1), false));
    assert_eq!(newest(None, 12).await, (down_from(12, 1), false));
    assert_eq!(newest(None, 11).await, (down_from(12, 2), true));
    // From a number on, with ten before eleven.
    assert_eq!(newest(Some(10), 3).await, (vec![10, 9, 8], true));
    assert_eq!(newest(Some(1), 3).await, (vec![1], false));
    assert_eq!(newest(Some(0), 3).await, (vec![], false));
    let oldest = async |after, limit| numbers(&store.postings_after(ada.id, after, limit).await.unwrap());
    assert_eq!(oldest(0, 12).await, (up_to(1, 12), false));
    assert_eq!(oldest(0, 2).await, (vec![1, 2], true));
    assert_eq!(oldest(8, 3).await, (vec![9, 10, 11], true));
    assert_eq!(oldest(9, 3).await, (vec![10, 11, 12], false));
    assert_eq!(oldest(12, 3).await, (vec![], false));
    let one = store.posting(ada.id, 7).await.unwrap().unwrap();
    assert_eq!((one.number, one.amount, one.at), (7, MicroUsd::new(-6), at(6)));
    assert_eq!(one, verified(&store, &ada).await[6]);
    assert_eq!(store.posting(ada.id, 13).await.unwrap(), None);
}

#[tokio::test]
async fn change_without_a_posting_writes_the_wallet_alone() {
    let app = App::start().await;
    let store = store(&app);
    let ada = with_credit("ada-lovelace", 1_000);
    open(&store, &ada).await;
    charge(&store, &ada, [1]).await;
    let mut hold = booking(&store, &ada, 2).await;
    hold.hold(&named("job-2"), start(JobCategory::Training, 400), at(99)).unwrap();
    let since = app.last_call().await;
    assert_eq!(save(&store, hold.clone()).await, Saved::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["PutItem"]);
    let stored = wallet_of(&store, &ada).await.unwrap();
    assert_eq!(stored, hold.finish().unwrap().wallet);
    assert_eq!((stored.version, stored.postings, stored.holds.len()), (2, 2, 1));
    let mut release = booking(&store, &ada, 3).await;
    assert_eq!(release.release(&named("job-2")), Ok(()));
    // With an event it is a transaction.
    let since = app.last_call().await;
    assert_eq!(save_with(&store, release, with_all(&event(ada.id, 3), "release")).await, Saved::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"]);
    assert_eq!(wallet_of(&store, &ada).await.unwrap().holds, []);
    assert_eq!(verified(&store, &ada).await.len(), 2);
    // What changes nothing is no change.
    assert!(booking(&store, &ada, 4).await.finish().is_none());
}

#[tokio::test]
async fn budget_is_stored_with_its_event_and_over_the_wallet_that_was_read() {
    let app = App::start().await;
    let store = store(&app);
    let ada = with_credit("ada-lovelace", 1_000);
    open(&store, &ada).await;
    let key = KeyId::floor(at(1));
    // The first change of a wallet writes its opening credit, too.
    let mut first = booking(&store, &ada, 1).await;
    first.set_budget(key, Some(MicroUsd::new(100)), &[]).unwrap();
    assert_eq!(save_with(&store, first, with_event(&event(ada.id, 1))).await, Saved::Yes);
    assert_eq!(verified(&store, &ada).await.len(), 1);
    let job = |name: &str, amount| {
        let start = JobStart { key: Some(key), ..start(JobCategory::Inference, amount) };
        (named(name), start, at(99))
    };
    let (mut one, mut other) = (booking(&store, &ada, 2).await, booking(&store, &ada, 2).await);
    for (booking, name) in [(&mut one, "job-1"), (&mut other, "job-2")] {
        let (job, start, expires) = job(name, 60);
        booking.hold(&job, start, expires).unwrap();
    }
    let mut lowered = booking(&store, &ada, 2).await;
    lowered.set_budget(key, Some(MicroUsd::new(1)), &[]).unwrap();
    assert_eq!(save(&store, one).await, Saved::Yes);
    let before = everything(&app).await;
    assert_eq!(save(&store, other).await, Saved::Stale);
    assert_eq!(save_with(&store, lowered, with_event(&event(ada.id, 2))).await, Saved::Stale);
    assert_eq!(everything(&app).await, before);
    let mut again = booking(&store, &ada, 3).await;
    let (job, start, expires) = job("job-2", 60);
    assert_eq!(again.hold(&job, start, expires), Err(Refusal::OverBudget { left: MicroUsd::new(40) }));
    again.set_budget(key, None, &[]).unwrap();
    let since = app.last_call().await;
    assert_eq!(save_with(&store, again, with_event(&event(ada.id, 3))).await, Saved::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"]);
    assert_eq!(wallet_of(&store, &ada).await.unwrap().budgets, []);
}

#[tokio::test]
async fn jobs_of_a_request_and_what_expired_are_one_transaction() {
    let app = App::start().await;
    let store = store(&app);
    let ada = with_credit("ada-lovelace", 1_000);
    open(&store, &ada).await;
    let mut credits = booking(&store, &ada, 1).await;
    // The opening credit is a lot, too.
    for n in 1..i64::try_from(MOST_LOTS).unwrap() {
        credit(&mut credits, n, 100 + n);
    }
    assert_eq!(credits.wallet().lots.len(), MOST_LOTS);
    assert_eq!(save(&store, credits).await, Saved::Yes);
    // All lots but one have expired, and many jobs end at once.
    let mut settled = booking(&store, &ada, 200).await;
    for n in 1..=25 {
        settled.settle(settlement(&format!("job-{n}"), n)).unwrap();
    }
    let since = app.last_call().await;
    assert_eq!(save(&store, settled).await, Saved::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"]);
    let postings = verified(&store, &ada).await;
    assert_eq!(postings.len(), 2 * MOST_LOTS - 1 + 25);
    assert_eq!(postings.last().unwrap().balance, MicroUsd::new(1_000 - 25 * 13));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_changes_of_one_version_have_one_winner() {
    let app = App::start().await;
    let store = store(&app);
    for (round, opened) in [true, false].into_iter().enumerate() {
        let ada = with_credit(&format!("ada-lovelace-{round}"), 1_000);
        open(&store, &ada).await;
        if opened {
            charge(&store, &ada, [1]).await;
        }
        let mut all = Vec::new();
        for n in 2..14 {
            let mut booking = booking(&store, &ada, 2).await;
            booking.settle(settlement(&format!("job-{n}"), n)).unwrap();
            all.push(booking.finish().unwrap());
        }
        let proof = proof();
        let book = |change| store.book(&proof, change, TransactionExtras::default());
        // Those that lose too many races are told so.
        let came = join_all(all.iter().map(book)).await;
        let winners = came.iter().filter(|came| matches!(came, Ok(Saved::Yes))).count();
        assert_eq!(winners, 1, "{came:?}");
        assert_eq!(verified(&store, &ada).await.len(), if opened { 3 } else { 2 });
    }
}

#[tokio::test]
async fn promo_code_is_redeemed_by_the_most_and_once_by_each() {
    let app = App::start().await;
    let store = store(&app);
    let promotion = Promotion {
        code: PromoCode::parse("LAUNCH").unwrap(),
        amount: MicroUsd::new(70),
        ends_at: None,
        credit_days: Some(1),
        most: 2,
        redeemed: 0,
    };
    let find = async || Promotions::find(&store, &promotion.code).await.unwrap();
    assert_eq!(find().await, None);
    assert_eq!(store.create(&promotion).await.unwrap(), Saved::Yes);
    assert_eq!(store.create(&Promotion { most: 9, ..promotion.clone() }).await.unwrap(), Saved::Stale);
    let all = ["ada-lovelace", "grace-hopper", "mary-somerville"].map(|handle| with_credit(handle, 1_000));
    let redeem = async |workspace: &Workspace| {
        let mut booking = booking(&store, workspace, 1).await;
        let cause = Cause::Promo(promotion.code.clone());
        booking.credit(PostingType::Promo, promotion.credit(at(1)), cause, None).unwrap();
        let (proof, change) = (proof(), booking.finish().unwrap());
        store.redeem(&proof, &change, &promotion, TransactionExtras::default()).await.unwrap()
    };
    assert_eq!(redeem(&all[0]).await, Redeemed::Stale, "there is no such workspace");
    for workspace in &all {
        open(&store, workspace).await;
    }
    assert_eq!(redeem(&all[0]).await, Redeemed::Yes);
    assert_eq!(redeem(&all[0]).await, Redeemed::Stale, "it was redeemed for this wallet");
    assert_eq!(find().await.unwrap().redeemed, 1);
    assert_eq!(redeem(&all[1]).await, Redeemed::Yes);
    let before = everything(&app).await;
    assert_eq!(redeem(&all[2]).await, Redeemed::UsedUp);
    assert_eq!(everything(&app).await, before);
    assert_eq!(find().await, Some(Promotion { redeemed: 2, ..promotion.clone() }));
    for workspace in &all[..2] {
        assert_eq!(verified(&store, workspace).await.len(), 2);
    }
}

#[tokio::test]
async fn workspace_opens_with_the_last_redemption_or_not_at_all() {
    let app = App::start().await;
    let store = store(&app);
    let promotion = Promotion {
        code: PromoCode::parse("OPENING").unwrap(),
        amount: MicroUsd::new(70),
        ends_at: None,
        credit_days: Some(1),
        most: 1,
        redeemed: 0,
    };
    assert_eq!(store.create(&promotion).await.unwrap(), Saved::Yes);
    let all =
        [("ada-lovelace", 1_000), ("grace-hopper", 0)].map(|(handle, micros)| with_credit(handle, micros));
    let opens = async |workspace: &Workspace| {
        let mut booking = booking(&store, workspace, 1).await;
        let cause = Cause::Promo(promotion.code.clone());
        booking.credit(PostingType::Promo, promotion.credit(at(1)), cause, None).unwrap();
        let change = booking.finish().unwrap();
        let (opening, extras) = (Some(&change), TransactionExtras::default());
        store.open(workspace, &profile("somebody"), opening, Some(&promotion), extras).await.unwrap()
    };
    assert_eq!(opens(&all[0]).await, Founded::Yes);
    assert_eq!(verified(&store, &all[0]).await.len(), 2);
    let before = everything(&app).await;
    assert_eq!(opens(&all[1]).await, Founded::PromoUsedUp);
    assert_eq!(everything(&app).await, before);
    assert_eq!(opens(&with_credit("ada-lovelace", 1)).await, Founded::HandleTaken, "the first reason");
    // The other goes on without the code.
    open(&store, &all[1]).await;
    assert_eq!(wallet_of(&store, &all[1]).await, None);
}

#[tokio::test]
async fn wallet_of_a_deleted_workspace_is_not_opened() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let bob = Planted::new(&app, "bob", "bob-the-builder").await;
    let store = ada.store();
    let mut never_opened = booking(store, &ada.workspace, 1).await;
    never_opened.settle(settlement("job-1", 10)).unwrap();
    charge(store, &bob.workspace, [1, 2]).await;
    let mut late = booking(store, &bob.workspace, 3).await;
    late.settle(settlement("job-3", 10)).unwrap();
    let mut again = Booking::begin(Wallet::unopened(&bob.workspace).0, None, at(3));
    again.settle(settlement("job-1", 10)).unwrap();
    ada.close().await;
    let deletion = bob.close().await;
    for part in [Part::Wallet, Part::Postings] {
        assert!(erase(store, &deletion, part).await > 0, "{part:?}");
    }
    let before = everything(&app).await;
    for change in [never_opened, late, again] {
        assert_eq!(save(store, change).await, Saved::Stale);
    }
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn erased_postings_leave_amounts_of_nobody() {
    let app = App::start().await;
    let ada = Planted::full(&app, "ada", "ada-lovelace").await;
    let store = ada.store();
    let postings = verified(store, &ada.workspace).await;
    assert!(postings.len() > 3);
    let deletion = ada.close().await;
    // Charges that arrive before the wallet is erased are kept as well.
    let mut late = booking(store, &ada.workspace, 50).await;
    let late_charge = late.settle(settlement("late", 10)).unwrap().unwrap();
    assert_eq!(save(store, late).await, Saved::Yes);
    for part in [Part::Payments, Part::Wallet, Part::Postings] {
        assert!(erase(store, &deletion, part).await > 0, "{part:?}");
    }
    let pk = format!("CLOSED#{}", Digest256::of(deletion.id.bare()).to_hex().as_str());
    let closed = |Posting { number, r#type, amount, balance, at, .. }: &Posting| {
        json!({
            "pk": pk, "sk": format!("{number:012}#{}", at.as_millisecond()), "type": r#type, "amount": amount, "balance": balance, "at": at,
        })
    };
    let expected: Vec<Value> = postings.iter().chain([&late_charge]).map(closed).collect();
    let left = items(&app, "billing").await.into_iter();
    let left: Vec<Value> = left.map(|item| serde_dynamo::from_item(item).unwrap()).collect();
    assert_eq!(left, expected);
}
