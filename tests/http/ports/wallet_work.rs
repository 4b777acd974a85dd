//! Work on wallets: it is due at its time, moves with the wallet, and depends on the plan where it must.

use domain::{
    Timestamp,
    deletion::Part,
    entitlements::{EntitlementOverrides, Quota},
    id::WorkspaceId,
    money::MicroUsd,
    permissions::{service_may_set_plans, worker_may_post_what_is_due},
    plan::Plan,
    ports::{Founded, Saved, TransactionExtras, WalletVerification, WalletWork, Wallets, Workspaces},
    reference::Reference,
    wallet::{
        Booking, Cause, Lot, LotId, LotKind, PostingType, Recomputation, WALLET_DUE_PARTS, WalletDue,
        WalletTask,
    },
    workspace::{PlanTerms, Workspace},
};
use store::Store;
use tests::App;

use super::{
    asked, at,
    erasing::erase,
    everything, items, key_of,
    planted::Planted,
    profile, store,
    wallets::{booking, save, settlement},
    workspace,
};

/// The due work of a task until then, of all parts, in the order of each.
async fn due(store: &Store, task: WalletTask, now: Timestamp) -> Vec<Vec<WalletDue>> {
    let mut parts = Vec::new();
    for part in 0..WALLET_DUE_PARTS {
        let page = store.due(task, part, now, None, 100).await.unwrap();
        assert!(!page.more);
        parts.push(page.items);
    }
    parts
}

async fn opened(store: &Store, workspace: Workspace) -> Workspace {
    let opened =
        store.open(&workspace, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    assert_eq!(opened, Founded::Yes);
    workspace
}

/// Adds credit that expires in this second.
fn credit(booking: &mut Booking, expires: i64) {
    let id = LotId { kind: LotKind::Promo, expires: Some(at(expires)) };
    let cause = Cause::Adjustment(Reference::parse(&format!("until-{expires}")).unwrap());
    let lot = Lot { id, amount: MicroUsd::new(7) };
    booking.credit(PostingType::Adjustment, lot, cause, None).unwrap();
}

/// Gives a wallet credit that expires in this second, and returns when that is due.
async fn gives(store: &Store, workspace: &Workspace, expires: i64) -> WalletDue {
    let mut change = booking(store, workspace, 1).await;
    credit(&mut change, expires);
    assert_eq!(save(store, change).await, Saved::Yes);
    WalletDue { workspace: workspace.id, task: WalletTask::Expire, at: at(expires) }
}

/// The keys of all notes of work.
async fn notes(app: &App) -> Vec<(String, String)> {
    let keys = items(app, "billing").await.iter().map(key_of).collect::<Vec<_>>();
    keys.into_iter().filter(|(pk, _)| pk.starts_with("WALLETSDUE#")).collect()
}

/// The sort keys of the notes of a task.
async fn notes_of(app: &App, task: WalletTask) -> Vec<String> {
    let start = format!("WALLETSDUE#{}#", task.as_str());
    let all = notes(app).await.into_iter();
    all.filter(|(pk, _)| pk.starts_with(&start)).map(|(_, sk)| sk).collect()
}

fn note(due: &WalletDue) -> String {
    format!("{:013}#{}", due.at.as_millisecond(), due.workspace)
}

#[tokio::test]
async fn due_wallets_come_in_order_and_not_before_their_time() {
    let app = App::start().await;
    let store = store(&app);
    let mut expected = Vec::new();
    for n in 0..40 {
        let ada = opened(&store, workspace(&format!("ada-{n}-lovelace"))).await;
        expected.push(gives(&store, &ada, 100 + (n * 7) % 40).await);
    }
    expected.sort_by_key(|due| due.at);
    let before = at(100).saturating_sub(jiff::SignedDuration::from_millis(1)).unwrap();
    assert!(due(&store, WalletTask::Expire, before).await.concat().is_empty());
    assert_eq!(due(&store, WalletTask::Expire, at(100)).await.concat(), expected[..1]);
    assert_eq!(due(&store, WalletTask::Expire, at(109)).await.concat().len(), 10);
    let parts = due(&store, WalletTask::Expire, at(900)).await;
    assert!(parts.iter().all(|part| part.is_sorted_by_key(|due| due.at)));
    let mut found = parts.concat();
    found.sort_by_key(|due| due.at);
    assert_eq!(found, expected);
    let filled = parts.iter().filter(|part| !part.is_empty()).count();
    assert!(filled > 3, "forty wallets lie in {filled} parts");
    // Page by page it is the same.
    let (number, longest) = parts.iter().enumerate().max_by_key(|(_, part)| part.len()).unwrap();
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let part = u8::try_from(number).unwrap();
        let page = store.due(WalletTask::Expire, part, at(900), after, 2).await.unwrap();
        after = page.items.last().copied();
        paged.extend(page.items);
        if !page.more {
            break;
        }
    }
    assert_eq!(paged, *longest);
    // Other work on the same wallets has its own time.
    assert!(due(&store, WalletTask::Grant, at(900)).await.concat().is_empty());
    let verified = due(&store, WalletTask::Verify, at(90_000)).await.concat();
    assert_eq!(verified.len(), 40);
}

#[tokio::test]
async fn change_moves_the_note_of_what_is_due() {
    let app = App::start().await;
    let store = store(&app);
    let ada = opened(&store, workspace("ada-lovelace")).await;
    let first = gives(&store, &ada, 500).await;
    assert_eq!(notes_of(&app, WalletTask::Expire).await, [note(&first)]);
    let earlier = gives(&store, &ada, 300).await;
    assert_eq!(notes_of(&app, WalletTask::Expire).await, [note(&earlier)]);
    // A later expiry waits for the worker.
    gives(&store, &ada, 700).await;
    assert_eq!(notes_of(&app, WalletTask::Expire).await, [note(&earlier)]);
    let mut worker = booking(&store, &ada, 300).await;
    let next = worker.wallet().next_expiry();
    worker.schedule(WalletTask::Expire, next);
    worker.schedule(WalletTask::Verify, None);
    let since = app.last_call().await;
    assert_eq!(save(&store, worker.clone()).await, Saved::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"]);
    assert_eq!(notes_of(&app, WalletTask::Expire).await, [note(&first)]);
    // What expired was posted, so that the wallet is verified after all.
    assert_eq!(notes_of(&app, WalletTask::Verify).await.len(), 1);
    // A run that read the wallet before moves nothing.
    let before = everything(&app).await;
    assert_eq!(save(&store, worker).await, Saved::Stale);
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn settled_note_is_gone_and_the_others_stay() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, bob) = (workspace("ada-lovelace"), workspace("bob-babbage"));
    let (ada, bob) = (opened(&store, ada).await, opened(&store, bob).await);
    let (gone, stays) = (gives(&store, &ada, 300).await, gives(&store, &bob, 300).await);
    for _ in 0..2 {
        store.settle(&gone).await.unwrap();
        assert_eq!(due(&store, WalletTask::Expire, at(300)).await.concat(), [stays]);
    }
    assert_eq!(notes_of(&app, WalletTask::Verify).await.len(), 2);
}

/// Sets other terms of the plan, as the service that bills does.
async fn set_terms(store: &Store, workspace: &Workspace, terms: PlanTerms, second: i64) -> Workspace {
    let after = workspace.clone().with_plan_terms(terms, at(second));
    let (proof, none) = (service_may_set_plans("billing-service"), TransactionExtras::default());
    assert_eq!(store.set_plan(&proof, workspace, &after, none).await.unwrap(), Saved::Yes);
    after
}

/// Books the credit of the month of `read`, whose plan was read before.
async fn grants(store: &Store, read: &Workspace) -> Saved {
    let mut change = booking(store, read, 20).await;
    let period = read.credit_period(at(20)).unwrap();
    change.grant(&period).unwrap();
    change.schedule(WalletTask::Grant, Some(period.ends));
    let (proof, change) = (worker_may_post_what_is_due(), change.finish().unwrap());
    store.grant(&proof, &change, read, TransactionExtras::default()).await.unwrap()
}

#[tokio::test]
async fn credit_of_a_plan_is_granted_only_under_the_terms_that_were_read() {
    let app = App::start().await;
    let store = store(&app);
    let terms = PlanTerms { plan: Plan::Pro, ends_at: Some(at(90_000)), seats: Some(Quota::AtMost(3)) };
    let free = opened(&store, workspace("ada-lovelace")).await;
    let former = set_terms(&store, &free, terms, 10).await;
    let other = set_terms(&store, &former, PlanTerms { plan: Plan::Enterprise, ..terms }, 12).await;
    let before = everything(&app).await;
    let as_pro = Workspace { plan: Plan::Pro, ..other.clone() };
    for read in [&former, &as_pro] {
        assert_eq!(grants(&store, read).await, Saved::Stale);
    }
    assert_eq!(everything(&app).await, before);
    // The plan begins again, and so do its months.
    let pro = set_terms(&store, &other, terms, 14).await;
    assert_ne!(pro.plan_since, former.plan_since);
    let before = everything(&app).await;
    // The workspace as somebody read it before one of the terms changed.
    let overrides = |seats| EntitlementOverrides { seats, ..EntitlementOverrides::default() };
    for read in [
        Workspace { plan_ends_at: None, ..pro.clone() },
        Workspace { plan_ends_at: Some(at(90_001)), ..pro.clone() },
        Workspace { plan_since: None, ..pro.clone() },
        Workspace { plan_paid_until: Some(at(90_000)), ..pro.clone() },
        Workspace { plan_since: former.plan_since, ..pro.clone() },
        Workspace { entitlement_overrides: overrides(None), ..pro.clone() },
        Workspace { entitlement_overrides: overrides(Some(Quota::AtMost(4))), ..pro.clone() },
        Workspace { entitlement_overrides: overrides(Some(Quota::Unlimited)), ..pro.clone() },
        // A workspace that is not there.
        Workspace { plan: Plan::Pro, plan_since: Some(at(14)), ..workspace("grace-hopper") },
    ] {
        assert_eq!(grants(&store, &read).await, Saved::Stale);
    }
    assert_eq!(everything(&app).await, before);
    assert_eq!(grants(&store, &pro).await, Saved::Yes);
    let period = pro.credit_period(at(20)).unwrap();
    let next = WalletDue { workspace: pro.id, task: WalletTask::Grant, at: period.ends };
    assert_eq!(due(&store, WalletTask::Grant, period.ends).await.concat(), [next]);
    // The same month again.
    let before = everything(&app).await;
    assert_eq!(grants(&store, &pro).await, Saved::Stale);
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn checkpoint_of_a_verification_is_read_as_it_was_stored() {
    let app = App::start().await;
    let store = store(&app);
    let ada =
        opened(&store, Workspace { opening_credit: MicroUsd::new(90), ..workspace("ada-lovelace") }).await;
    assert_eq!(store.verified(ada.id).await.unwrap(), None);
    gives(&store, &ada, 500).await;
    let mut owes = booking(&store, &ada, 2).await;
    owes.settle(settlement("job", 200)).unwrap();
    assert_eq!(save(&store, owes).await, Saved::Yes);
    let mut sums = Recomputation::new();
    let empty = WalletVerification { workspace: ada.id, sums: sums.clone(), at: at(3) };
    let postings = store.postings_after(ada.id, 0, 100).await.unwrap().items;
    let mut all = vec![empty];
    for posting in &postings {
        sums.add(posting).unwrap();
        all.push(WalletVerification { workspace: ada.id, sums: sums.clone(), at: at(4) });
    }
    for verification in &all {
        store.save_verified(verification).await.unwrap();
        assert_eq!(store.verified(ada.id).await.unwrap().as_ref(), Some(verification));
    }
    // One that was read goes on where it ended.
    let wallet = Wallets::find(&store, ada.id).await.unwrap().unwrap();
    let read = store.verified(ada.id).await.unwrap().unwrap();
    assert_eq!((read.sums.number(), read.sums.end(&wallet)), (wallet.postings, Ok(())));
    let nobody: WorkspaceId = workspace("grace-hopper").id;
    assert_eq!(store.verified(nobody).await.unwrap(), None);
}

#[tokio::test]
async fn deletion_of_a_wallet_deletes_its_notes_and_its_checkpoint() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let bob = Planted::new(&app, "bob", "bob-the-builder").await;
    let store = ada.store();
    for planted in [&ada, &bob] {
        gives(store, &planted.workspace, 500).await;
        let mut change = booking(store, &planted.workspace, 2).await;
        change.schedule(WalletTask::Grant, Some(at(600)));
        assert_eq!(save(store, change).await, Saved::Yes);
        let verification =
            WalletVerification { workspace: planted.workspace.id, sums: Recomputation::new(), at: at(3) };
        store.save_verified(&verification).await.unwrap();
    }
    let deletion = ada.close().await;
    for part in [Part::Wallet, Part::Postings] {
        assert!(erase(store, &deletion, part).await > 0, "{part:?}");
    }
    assert_eq!(store.verified(ada.workspace.id).await.unwrap(), None);
    assert!(store.verified(bob.workspace.id).await.unwrap().is_some());
    let left = notes(&app).await;
    let of_bob = bob.workspace.id.to_string();
    assert!(left.len() == 3 && left.iter().all(|(_, sk)| sk.ends_with(&of_bob)), "{left:?}");
    // A note that a late change left behind leads to no wallet.
    let late = WalletDue { workspace: ada.workspace.id, task: WalletTask::Expire, at: at(500) };
    store.settle(&late).await.unwrap();
    assert_eq!(Wallets::find(store, late.workspace).await.unwrap(), None);
}
