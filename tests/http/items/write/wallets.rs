//! Wallets, what remains of one that is deleted, and promo codes.

use domain::{
    deletion::{Deletion, Part},
    id,
    money::MicroUsd,
    permissions::service_may_change_wallets,
    plan::CreditPeriod,
    ports::{Deletions, Promotions, Redeemed, Saved, WalletVerification, WalletWork, Wallets, Workspaces},
    promotion::Promotion,
    reference::Reference,
    wallet::{
        Booking, Cause, JobCategory, JobRecord, JobStart, Lot, LotId, LotKind, Posting, PostingType,
        Recomputation, Settlement, Wallet, WalletTask,
    },
    workspace::Workspace,
};
use serde_json::from_value;
use tests::{Value, json};

use super::{super::Tables, at, none, nth, user, workspace};

fn named(name: &str) -> Reference {
    Reference::parse(name).unwrap()
}

/// Begins a change of a wallet.
async fn begin(tables: &Tables, of: &Workspace, second: i64) -> Booking {
    let (wallet, opening) = match Wallets::find(&tables.store, of.id).await.unwrap() {
        Some(wallet) => (wallet, None),
        None => Wallet::unopened(of),
    };
    Booking::begin(wallet, opening, at(second))
}

async fn save(tables: &Tables, booking: Booking) {
    let proof = service_may_change_wallets("training-service");
    let saved = tables.store.book(&proof, &booking.finish().unwrap(), none()).await.unwrap();
    assert_eq!(saved, Saved::Yes);
}

/// Settles a job that held nothing.
fn settle(booking: &mut Booking, job: &str, cost: i64, record: Value) -> Option<Posting> {
    let (job, cost) = (named(job), MicroUsd::new(cost));
    let record: JobRecord = from_value(record).unwrap();
    booking.settle(Settlement { job, cost, overage: cost, record }).unwrap()
}

fn adjust(booking: &mut Booking, name: &str, micros: i64, expires: Option<i64>, reason: Option<&str>) {
    let kind = if expires.is_some() { LotKind::Promo } else { LotKind::Adjustment };
    let lot = Lot { id: LotId { kind, expires: expires.map(at) }, amount: MicroUsd::new(micros) };
    let (cause, reason) = (Cause::Adjustment(named(name)), reason.map(str::to_owned));
    booking.credit(PostingType::Adjustment, lot, cause, reason).unwrap();
}

/// A wallet with every type of posting, several lots and holds, and one with a debt.
pub async fn wallets(tables: &Tables) {
    let ada = workspace(1, "ada-lovelace", "personal", "free");
    let mut booking = begin(tables, &ada, 130).await;
    adjust(&mut booking, "promotion", 1_001, Some(135), Some("A promotion"));
    adjust(&mut booking, "gift", 2_002, None, None);
    let lot = Lot { id: LotId { kind: LotKind::SignUp, expires: None }, amount: MicroUsd::new(4_009) };
    booking.credit(PostingType::Signup, lot, Cause::Company, None).unwrap();
    let full = json!({
        "category": "training", "gpuType": "h100", "user": user(1), "apiKey": nth::<id::OfKey>(1),
        "dataset": nth::<id::OfDataset>(1), "model": nth::<id::OfModel>(1), "run": "run-1",
    });
    let charged = settle(&mut booking, "job-1", 303, full).unwrap();
    booking.refund(&charged, MicroUsd::new(103)).unwrap();
    assert_eq!(settle(&mut booking, "free", 0, json!({ "category": "inference" })), None);
    save(tables, booking).await;
    // The promotion has expired.
    let mut booking = begin(tables, &ada, 136).await;
    adjust(&mut booking, "later", 3_003, Some(10_000), None);
    booking.set_budget(nth(1), Some(MicroUsd::new(20_000)), &[]).unwrap();
    let by_key = json!({ "category": "inference", "apiKey": nth::<id::OfKey>(1) });
    settle(&mut booking, "by-key", 707, by_key).unwrap();
    for (job, category, key) in
        [("job-2", JobCategory::Training, None), ("job-3", JobCategory::Deployment, Some(nth(1)))]
    {
        let start = JobStart { category, amount: MicroUsd::new(4_004), key, slots: None };
        booking.hold(&named(job), start, at(900)).unwrap();
    }
    save(tables, booking).await;
    let bob = workspace(2, "bob-babbage", "personal", "enterprise");
    let mut booking = begin(tables, &bob, 137).await;
    settle(&mut booking, "too-much", 6_000_000, json!({ "category": "deployment" }));
    save(tables, booking).await;
    redeem(tables, &bob).await;
    let cyd = workspace(7, "cyd-clark", "personal", "pro");
    tables.store.open(&cyd, &super::bare("cyd-clark"), None, None, none()).await.unwrap();
    grant(tables, &cyd).await;
}

/// Grants the credit of a month to a workspace, and recomputes its wallet.
async fn grant(tables: &Tables, to: &Workspace) {
    let mut booking = begin(tables, to, 139).await;
    let amount = MicroUsd::new(8_008);
    booking.grant(&CreditPeriod { starts: at(139), ends: at(900), amount }).unwrap();
    booking.schedule(WalletTask::Grant, Some(at(900)));
    let change = booking.clone().finish().unwrap();
    save(tables, booking).await;
    let mut sums = Recomputation::new();
    for posting in &change.postings {
        sums.add(posting).unwrap();
    }
    let verification = WalletVerification { workspace: to.id, sums, at: at(140) };
    tables.store.save_verified(&verification).await.unwrap();
}

/// Promo codes, of which one is redeemed.
async fn redeem(tables: &Tables, by: &Workspace) {
    let store = &tables.store;
    let bare = json!({ "code": "BARE-CODE", "amount": 6_006, "most": 7, "redeemed": 0 });
    let mut full = json!({ "code": "FULL-CODE", "amount": 7_007, "most": 8, "redeemed": 0 });
    (full["endsAt"], full["creditDays"]) = (json!(at(900)), json!(9));
    let [bare, full] = [bare, full].map(|promotion| from_value::<Promotion>(promotion).unwrap());
    for promotion in [&bare, &full] {
        assert_eq!(store.create(promotion).await.unwrap(), Saved::Yes);
    }
    let mut booking = begin(tables, by, 138).await;
    let cause = Cause::Promo(full.code.clone());
    booking.credit(PostingType::Promo, full.credit(at(138)), cause, None).unwrap();
    let proof = service_may_change_wallets("training-service");
    let change = booking.finish().unwrap();
    assert_eq!(store.redeem(&proof, &change, &full, none()).await.unwrap(), Redeemed::Yes);
}

/// Charges a job of a workspace that is going to be deleted.
pub async fn charge(tables: &Tables, of: &Workspace) {
    let mut booking = begin(tables, of, 99).await;
    settle(&mut booking, "last", 5_005, json!({ "category": "training" }));
    save(tables, booking).await;
}

/// Erases the wallet of a workspace that is being deleted, which leaves its amounts.
pub async fn close(tables: &Tables, deletion: &Deletion) {
    for part in [Part::Wallet, Part::Postings] {
        let left = Deletions::left(&tables.store, deletion, part, 10).await.unwrap();
        assert_eq!((left.items.len(), left.more), (2, false));
        Deletions::erase(&tables.store, deletion, part, &left.items).await.unwrap();
    }
}
