//! Customers and payments of Stripe, automatic top-ups, referrals, events, and how far they were compared.

use domain::{
    payment::{Cents, Payment},
    permissions::{may_manage_billing, worker_may_book_payments},
    ports::{PaymentRecords, Saved, Wallets, Workspaces},
    referral::{FriendHash, ReferralKey},
    wallet::{Booking, RewardStep, Wallet},
    workspace::Workspace,
};
use serde_json::from_value;
use tests::{Value, json};

use super::{super::Tables, at, bare, none, owner_of, user, workspace};

/// All of them.
pub async fn payments(tables: &Tables) {
    customers(tables).await;
    let dee = workspace(11, "dee-dodgson", "personal", "free");
    tables.store.open(&dee, &bare("dee-dodgson"), None, None, none()).await.unwrap();
    paid(tables, &dee).await;
    let eli = workspace(12, "eli-euler", "personal", "free");
    tables.store.open(&eli, &bare("eli-euler"), None, None, none()).await.unwrap();
    top_ups(tables, [&dee, &eli]).await;
    referrals(tables, [&dee, &eli]).await;
    former_referral(tables, [&dee, &eli]).await;
    events(tables).await;
    let position = json!({ "eventsUntil": at(160), "paymentsUntil": at(161), "version": 1 });
    let saved = tables.store.save_reconciled(&from_value(position).unwrap()).await.unwrap();
    assert_eq!(saved, Saved::Yes);
}

/// A customer without a subscription, one with everything, and one whose subscription lacks what it may lack.
async fn customers(tables: &Tables) {
    let store = &tables.store;
    let full = json!({
        "id": "sub_1", "status": "past_due", "cycle": "yearly", "seats": 2, "paidSeats": 3, "startedAt": at(151),
        "periodEnd": at(152), "paidUntil": at(153), "cancelAtPeriodEnd": true, "paymentFailedAt": at(154),
    });
    let bare = json!({
        "id": "sub_2", "status": "active", "seats": 4, "paidSeats": 5, "startedAt": at(155), "periodEnd": at(156),
        "paidUntil": at(157), "cancelAtPeriodEnd": false,
    });
    let of = [
        (workspace(1, "ada-lovelace", "personal", "free"), None),
        (workspace(2, "bob-babbage", "personal", "enterprise"), Some(full)),
        (workspace(3, "the-team", "team", "pro"), Some(bare)),
    ];
    for (n, (workspace, subscription)) in (1..).zip(of) {
        let mut account = json!({
            "workspace": workspace.id, "customer": format!("cus_{n}"), "createdAt": at(150), "version": 1,
        });
        let proof = may_manage_billing(&owner_of(&workspace)).unwrap();
        let opened = store.open_account(&proof, &from_value(account.clone()).unwrap()).await.unwrap();
        assert_eq!(opened, Saved::Yes);
        let Some(subscription) = subscription else { continue };
        (account["subscription"], account["version"]) = (subscription, json!(2));
        if n == 2 {
            account["subscribePage"] = json!("cs_test_1");
        }
        let replaced = store.replace_account(&proof, &from_value(account).unwrap()).await.unwrap();
        assert_eq!(replaced, Saved::Yes);
    }
}

/// Begins a change of a wallet.
async fn begin(tables: &Tables, of: &Workspace, second: i64) -> Booking {
    let (wallet, opening) = match Wallets::find(&tables.store, of.id).await.unwrap() {
        Some(wallet) => (wallet, None),
        None => Wallet::unopened(of),
    };
    Booking::begin(wallet, opening, at(second))
}

/// The record of a payment: what was paid, refunded, disputed and counted, in cents.
fn payment(
    of: &Workspace,
    intent: &str,
    purpose: &str,
    [received, refunded, disputed, counted]: [u32; 4],
) -> Value {
    json!({
        "workspace": of.id, "intent": intent, "purpose": purpose, "received": received, "refunded": refunded,
        "disputed": disputed, "counted": counted, "changes": 1, "version": 1, "seenAt": at(141),
        "changedAt": at(142),
    })
}

/// Stores a payment, with what it changes in the wallet.
async fn book(tables: &Tables, of: &Workspace, payment: Value, before: u32) {
    let payment: Payment = from_value(payment).unwrap();
    let mut booking = begin(tables, of, 143).await;
    booking.count_payment(&payment, Cents::new(before)).unwrap();
    let (proof, change) = (worker_may_book_payments(), booking.finish());
    let saved = PaymentRecords::book(&tables.store, &proof, &payment, change.as_ref(), none()).await;
    assert_eq!(saved.unwrap(), Saved::Yes);
}

/// A top-up, a part of which is given back, an automatic one, and a payment that failed.
async fn paid(tables: &Tables, of: &Workspace) {
    book(tables, of, payment(of, "pi_1", "top-up", [2_001, 0, 0, 2_001]), 0).await;
    let mut refunded = payment(of, "pi_1", "top-up", [2_001, 502, 0, 1_499]);
    (refunded["changes"], refunded["version"]) = (json!(2), json!(2));
    book(tables, of, refunded, 2_001).await;
    book(tables, of, payment(of, "pi_2", "auto-top-up", [1_003, 0, 204, 799]), 0).await;
    let mut failed = payment(of, "pi_3", "top-up", [0, 0, 0, 0]);
    failed["changes"] = json!(0);
    book(tables, of, failed, 0).await;
}

/// Settings of automatic top-ups with everything, and without what they may lack.
async fn top_ups(tables: &Tables, [full, bare]: [&Workspace; 2]) {
    let settings = json!({
        "enabled": true, "threshold": 3_001, "amount": 4_002, "monthlyCap": 5_003, "agreedBy": user(11), "agreedAt": at(144),
        "month": "2030-03-01", "spent": 1_003, "attempts": 6, "declines": 2,
    });
    let mut more = settings.clone();
    (more["waitsUntil"], more["paused"]) = (json!(at(900)), json!("no-payment-method"));
    more["attempt"] = json!({ "number": 6, "amount": 4_002, "method": "pm_1", "begunAt": at(145) });
    for (of, settings) in [(full, more), (bare, settings)] {
        let mut booking = begin(tables, of, 146).await;
        booking.set_auto_top_up(from_value(settings).unwrap());
        let (proof, change) = (worker_may_book_payments(), booking.finish().unwrap());
        let saved = Wallets::book(&tables.store, &proof, &change, none()).await.unwrap();
        assert_eq!(saved, Saved::Yes);
    }
}

/// A friend with a referral, and a referrer with a reward, after one that was taken back and one that was left out.
async fn referrals(tables: &Tables, [friend, referrer]: [&Workspace; 2]) {
    let mut referred = begin(tables, friend, 147).await;
    let referral = json!({ "referrer": referrer.id, "region": "us", "toppedUp": 10_000_008, "changes": 5 });
    referred.refer(from_value(referral).unwrap()).unwrap();
    let mut rewarded = begin(tables, referrer, 148).await;
    let key = ReferralKey::of(referrer.id, friend.id);
    for step in [RewardStep::Add(1), RewardStep::TakeBack(2), RewardStep::LeaveOut(3), RewardStep::Add(5)] {
        rewarded.book_reward(key, step).unwrap();
    }
    for booking in [referred, rewarded] {
        let (proof, change) = (worker_may_book_payments(), booking.finish().unwrap());
        let saved = Wallets::book(&tables.store, &proof, &change, none()).await.unwrap();
        assert_eq!(saved, Saved::Yes);
    }
}

/// The record of a referral whose friend deleted the account.
async fn former_referral(tables: &Tables, [friend, referrer]: [&Workspace; 2]) {
    let referral = json!({ "referrer": referrer.id, "region": "eu", "toppedUp": 15_000_009, "changes": 3 });
    let payments = json!([
        { "intent": "pi_4", "most": 1_005, "counted": 1_005 }, { "intent": "pi_5", "most": 506, "counted": 307 },
    ]);
    let record = json!({
        "friend": FriendHash::of(friend.id), "key": ReferralKey::of(referrer.id, friend.id), "referral": referral,
        "payments": payments, "version": 1, "keptUntil": at(9_000_000),
    });
    let saved = tables.store.save_former_referral(&from_value(record).unwrap(), none()).await;
    assert_eq!(saved.unwrap(), Saved::Yes);
}

/// Events about each sort of object, one with everything and one without what it may lack.
async fn events(tables: &Tables) {
    let subjects = [
        Some(json!({ "payment": "pi_1" })),
        Some(json!({ "checkout": "cs_test_2" })),
        Some(json!({ "subscription": "sub_1" })),
        None,
    ];
    for (n, subject) in (1..).zip(subjects) {
        let mut event = json!({
            "id": format!("evt_{n}"), "type": format!("object.changed_{n}"), "created": at(158), "live": n == 2,
        });
        if let Some(subject) = subject {
            event["subject"] = subject;
        }
        if n == 1 {
            (event["account"], event["region"]) = (json!("acct_1"), json!("us"));
        }
        let event = from_value(event).unwrap();
        assert_eq!(tables.store.keep_event(&event, at(159), none()).await.unwrap(), Saved::Yes);
    }
}
