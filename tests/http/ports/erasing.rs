//! Erasing a closed account: part by part, and nothing else.

use domain::{
    deletion::{Deletion, DeletionScope, Part, STEPS, Step},
    id::OfWorkspace,
    job::Status,
    permissions::may_delete_team,
    ports::{Closed, Closing, Deletions, Founded, Saved, TransactionExtras, Workspaces},
    role::Role,
    workspace::{Workspace, WorkspaceKind},
};
use store::Store;
use tests::App;

use super::{
    Item, account_of, at, event, everything, id,
    inventory::let_in,
    items, key_of,
    planted::{Planted, deletion_of},
    profile,
    stock::Stock,
    with_all, workspace_of,
};

/// Erases a part, a few records at a time and each batch by two at once; how many there were.
pub async fn erase(store: &Store, deletion: &Deletion, part: Part) -> usize {
    let mut erased = 0;
    loop {
        let page = store.left(deletion, part, 3).await.unwrap();
        assert!(page.items.len() == 3 || !page.more);
        assert!(page.items.is_sorted());
        if page.items.is_empty() {
            return erased;
        }
        erased += page.items.len();
        let erase = || store.erase(deletion, part, &page.items);
        let (one, two) = tokio::join!(erase(), erase());
        one.and(two).unwrap();
        store.erase(deletion, part, &page.items).await.unwrap();
    }
}

pub fn parts(scope: DeletionScope) -> impl Iterator<Item = Part> {
    STEPS.into_iter().filter(move |step| step.is_of(scope)).filter_map(|step| match step {
        Step::Records(part) => Some(part),
        Step::Bundles | Step::Files | Step::Names => None,
    })
}

/// All that is stored, but for what goes by itself: counters of requests and attempts with an address, and receipts. And but for
/// numbers of followers and amounts of postings, which stay.
async fn lasting(app: &App) -> Vec<Vec<Item>> {
    let mut tables = everything(app).await;
    let by_itself = |item: &Item| {
        let (pk, _) = key_of(item);
        ["RESETS#", "RECEIPT#", "THROTTLE#", "ERASED#", "FOLLOWED#", "CLOSED#"]
            .iter()
            .any(|kind| pk.starts_with(kind))
    };
    // The set of owned teams stays as an item without teams.
    let owns_none = |item: &Item| key_of(item).1 == "OWNED" && !item.contains_key("teams");
    tables.iter_mut().for_each(|items| items.retain(|item| !by_itself(item) && !owns_none(item)));
    tables
}

/// The numbers of followers of all accounts, in order.
async fn numbers_of_followers(app: &App) -> Vec<i64> {
    let items = items(app, "workspaces").await;
    let numbers = items.iter().filter(|item| key_of(item).0.starts_with("FOLLOWED#"));
    let mut numbers: Vec<i64> =
        numbers.map(|item| item["followers"].as_n().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn erasing_an_account_touches_nobody_else() {
    let app = App::start().await;
    Planted::full(&app, "bob", "bob-the-builder").await;
    let before = lasting(&app).await;
    let ada = Planted::full(&app, "ada", "ada-lovelace").await;
    let deletion = ada.close().await;
    ada.write_late("ada-byron").await;
    for part in parts(DeletionScope::Account) {
        assert!(erase(ada.store(), &deletion, part).await > 0, "nothing was planted of {part:?}");
    }
    for part in parts(DeletionScope::Account) {
        assert!(ada.store().left(&deletion, part, 3).await.unwrap().items.is_empty(), "{part:?}");
    }
    // Bob follows four accounts, and each of ada's had no other follower.
    assert_eq!(numbers_of_followers(&app).await, [0, 0, 0, 0, 1, 1, 1, 1]);
    for _ in 0..2 {
        Deletions::forget(ada.store(), &deletion).await.unwrap();
    }
    let after = lasting(&app).await;
    for (before, after) in before.iter().zip(&after) {
        let keys = |items: &[Item]| items.iter().map(key_of).collect::<Vec<_>>();
        assert_eq!(keys(before), keys(after));
    }
    assert_eq!(before, after);
}

#[tokio::test]
async fn nothing_tells_of_a_team_whose_deletion_ends_after_that_of_its_owner() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let team = Workspace {
        id: id::<OfWorkspace>(),
        kind: WorkspaceKind::Team,
        ..workspace_of(ada.user(), "the-analysts")
    };
    let store = ada.store();
    store.open(&team, &profile("somebody"), None, None, with_all(&event(team.id, 1), "team")).await.unwrap();
    let of_team = deletion_of(&ada.account, &team, DeletionScope::Team);
    let proof = may_delete_team(ada.user(), true, &team).unwrap();
    let closing = Closing { deletion: &of_team, user: None, workspace: Some(&team) };
    assert_eq!(store.close(&proof, &closing, TransactionExtras::default()).await.unwrap(), Closed::Yes);
    let own = ada.close().await;
    for part in parts(DeletionScope::Account) {
        erase(store, &own, part).await;
    }
    Deletions::forget(store, &own).await.unwrap();
    let ended = Deletion { status: Status::Completed, ended_at: Some(at(9)), ..of_team.clone() };
    for _ in 0..2 {
        Deletions::forget(store, &ended).await.unwrap();
        assert!(Deletions::find(store, ada.user(), of_team.id).await.unwrap().is_none());
        assert_eq!(Deletions::due(store, at(99_999), 9).await.unwrap(), []);
        assert_eq!(store.running(ada.user(), team.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_team_is_emptied_and_its_owner_stays() {
    let app = App::start().await;
    let ada = Planted::full(&app, "ada", "ada-lovelace").await;
    let before = lasting(&app).await;
    let team = Workspace {
        id: id::<OfWorkspace>(),
        kind: WorkspaceKind::Team,
        ..workspace_of(ada.user(), "the-analysts")
    };
    let store = ada.store();
    assert_eq!(
        store
            .open(&team, &profile("somebody"), None, None, with_all(&event(team.id, 1), "team"))
            .await
            .unwrap(),
        Founded::Yes
    );
    let of_team = Planted {
        stock: Stock::of(&app, &team),
        account: account_of(&ada.account.sign_up),
        workspace: team.clone(),
        name: "team",
    };
    of_team.fill_workspace(&app).await;
    let_in(&app, team.id, ada.user(), Role::Owner).await;
    let deletion = deletion_of(&ada.account, &team, DeletionScope::Team);
    let proof = may_delete_team(ada.user(), true, &team).unwrap();
    let closing = Closing { deletion: &deletion, user: None, workspace: Some(&team) };
    assert_eq!(store.close(&proof, &closing, TransactionExtras::default()).await.unwrap(), Closed::Yes);
    assert_eq!(Workspaces::find(store, team.id).await.unwrap().map(|found| found.id), None);
    assert_eq!(store.by_handle(&team.handle).await.unwrap(), None);
    for part in parts(DeletionScope::Team).filter(|part| !matches!(part, Part::Workspace)) {
        assert!(erase(store, &deletion, part).await > 0, "nothing was planted of {part:?}");
    }
    let done = Deletion { status: Status::Completed, ended_at: Some(at(9)), ..deletion.next() };
    let saved = Deletions::replace(store, &deletion, &done, TransactionExtras::default()).await.unwrap();
    assert_eq!(saved, Saved::Yes);
    assert_eq!(Deletions::due(store, at(99_999), 9).await.unwrap(), [(ada.user(), deletion.id)]);
    for _ in 0..2 {
        Deletions::forget(store, &done).await.unwrap();
    }
    // That it was deleted is known for a while, and nothing else.
    let kept = Deletions::find(store, ada.user(), deletion.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.ended_at, kept.handle), (Status::Completed, Some(at(9)), None));
    assert_eq!(Deletions::due(store, at(99_999), 9).await.unwrap(), []);
    assert_eq!(store.running(ada.user(), team.id).await.unwrap(), None);
    let mut after = lasting(&app).await;
    let is_kept = |item: &Item| key_of(item).1 == format!("DELETION#{}", deletion.id);
    let record = after[4].iter().find(|item| is_kept(item)).unwrap();
    assert_eq!(record["ttl"].as_n().unwrap(), &at(9 + 7 * 86_400).as_second().to_string());
    after[4].retain(|item| !is_kept(item));
    assert_eq!(before, after);
    // It goes with the account.
    let own = ada.close().await;
    Deletions::forget(store, &own).await.unwrap();
    let operations = items(&app, "operations").await;
    assert!(!operations.iter().any(|item| key_of(item).1.starts_with("DELETION#")));
}
