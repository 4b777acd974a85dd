//! Deletions.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    activity::Watermark,
    deletion::{Deletion, Part, STEPS, Scope, Step},
    id::{JobId, OfWorkspace, ResetId, UserId},
    job::Status,
    outbox::{Message, Notice},
    password_reset::{Asked, LastReset},
    policy::{DeletesForGood, may_delete_account, may_delete_team, may_keep_inbox, may_manage_keys},
    ports::{
        Accounts, All, Alongside, ApiKeys, Closed, Closing, Deletions, Exports, Founded, History, Inventory,
        Marking, NewAccount, NewPassword, Opened, PasswordProof, PasswordResets, Saved, Sessions, SignUps,
        Started, Workspaces,
    },
    region::Region,
    resource::ResourceId,
    role::Role,
    user::personal_workspace,
    workspace::{Workspace, WorkspaceKind},
};
use futures::future::join_all;
use lambda::OsEntropy;
use store::Store;
use tests::App;

use super::{
    Item, account_of, at, event, everything,
    exports::{ended, export_of},
    hash_of, id,
    inventory::let_in,
    items, key_of, password, session_of, sign_up,
    stock::Stock,
    store, why, with_all, with_event, workspace_of,
    workspaces::key_in,
};

/// An account with a workspace.
pub struct Planted {
    pub stock: Stock,
    pub account: NewAccount,
    workspace: Workspace,
    name: &'static str,
}

fn message(notice: Notice) -> Alongside {
    Alongside { message: Some(Message { id: id(), at: at(0), notice }), ..Alongside::default() }
}

/// The deletion of a workspace that a user asks for.
fn deletion_of(account: &NewAccount, workspace: &Workspace, scope: Scope) -> Deletion {
    let of_account = scope == Scope::Account;
    Deletion {
        id: JobId::new(at(0), &OsEntropy),
        scope,
        user: account.user.id,
        workspace: workspace.id,
        region: Region::Us,
        handle: Some(workspace.handle.clone()),
        address: of_account.then_some(account.sign_up.email_hash),
        receipt_to: account.user.primary_email.clone(),
        status: Status::Queued,
        created_at: at(0),
        ended_at: None,
        looks_again: false,
        done: 0,
        counted: None,
        counts: BTreeMap::new(),
        version: 1,
    }
}

impl Planted {
    pub async fn new(app: &App, name: &'static str, handle: &str) -> Self {
        let (store, waiting) = (store(app), sign_up(name));
        let notice = Notice::SignUpStarted { address: hash_of(name), attempt: waiting.attempts[0].id };
        SignUps::save(&store, &waiting, message(notice)).await.unwrap();
        let account = account_of(&waiting);
        let notice = Notice::AccountOpened { user: account.user.id, address: hash_of(name) };
        assert_eq!(store.open_account(&account, message(notice)).await.unwrap(), Opened::Yes);
        let workspace = workspace_of(account.user.id, handle);
        let line = event(workspace.id, 1);
        assert_eq!(store.open(&workspace, with_all(&line, handle)).await.unwrap(), Founded::Yes);
        Self { stock: Stock::of(app, &workspace), account, workspace, name }
    }

    /// The same with some of everything in it.
    async fn full(app: &App, name: &'static str, handle: &str) -> Self {
        let planted = Self::new(app, name, handle).await;
        planted.fill_account(app).await;
        planted.fill_workspace(app).await;
        planted
    }

    fn store(&self) -> &Store {
        &self.stock.store
    }

    fn user(&self) -> UserId {
        self.account.user.id
    }

    fn proof(&self) -> DeletesForGood {
        may_delete_account(&self.account.session, at(0)).unwrap()
    }

    fn deletion(&self) -> Deletion {
        deletion_of(&self.account, &self.workspace, Scope::Account)
    }

    async fn close_as(&self, deletion: &Deletion) -> Closed {
        let (user, workspace) = (Some(&self.account.user), Some(&self.workspace));
        let closing = Closing { deletion, user, workspace };
        self.store().close(&self.proof(), &closing, Alongside::default()).await.unwrap()
    }

    pub async fn close(&self) -> Deletion {
        let deletion = self.deletion();
        assert_eq!(self.close_as(&deletion).await, Closed::Yes);
        deletion
    }

    /// Sessions, exports, what was asked for, and what the person belongs to.
    async fn fill_account(&self, app: &App) {
        let (store, user, address) = (self.store(), self.user(), hash_of(self.name));
        for _ in 0..4 {
            let notice = message(Notice::PasswordChanged { user });
            store.begin(&session_of(user), None, notice).await.unwrap();
        }
        let reset = ResetId::new(at(0), &OsEntropy);
        let asked = Asked::never(address).again(at(0)).unwrap();
        store.ask(&asked, message(Notice::PasswordForgotten { address, reset })).await.unwrap();
        let new = NewPassword {
            user,
            password: password("first"),
            by: LastReset { id: reset, at: at(1) },
            before: None,
            sessions: Vec::new(),
            throttle: self.name.to_owned(),
        };
        assert_eq!(store.set(&new, Alongside::default()).await.unwrap(), Saved::Yes);
        for second in 0..2 {
            let export = export_of(user, second);
            assert_eq!(store.start(&export, Alongside::default()).await.unwrap(), Started::Yes);
            if second == 0 {
                Exports::replace(store, &export, &ended(&export, 5), Alongside::default()).await.unwrap();
            }
        }
        for _ in 0..4 {
            let_in(app, id(), user, Role::Editor).await;
        }
    }

    /// Keys, things live and in the trash and being removed, files, marks and members.
    async fn fill_workspace(&self, app: &App) {
        let (store, stock) = (self.store(), &self.stock);
        let member = super::member(&self.workspace, Role::Owner);
        let mut lines = Vec::new();
        for second in 0..4 {
            let (key, holder) = key_in(&self.workspace, second);
            let line = event(self.workspace.id, second);
            let proof = may_manage_keys(&member).unwrap();
            store.create(&proof, &key, &holder, with_event(&line)).await.unwrap();
            lines.push(line.id);
        }
        let (project, gone) = (stock.project(1, "p").await, stock.project(2, "gone").await);
        for (n, parent) in [None, Some(&project), Some(&gone)].into_iter().enumerate() {
            let model = stock.model(3, &format!("m{n}"), parent).await;
            stock.file(model.id, 7, 4).await;
        }
        let mut datasets: Vec<ResourceId> = Vec::new();
        for n in 0..3 {
            let dataset = stock.dataset(5, &format!("d{n}")).await;
            stock.file(dataset.id, 7, 6).await;
            stock.file(dataset.id, 8, 7).await;
            datasets.push(dataset.id);
        }
        stock.begun(datasets[0], 9, 8).await;
        stock.put(gone.id, 10).await;
        stock.put(datasets[1], 11).await;
        let removed = stock.put(datasets[2], 12).await;
        assert_eq!(stock.remove(&stock.removes(&removed).await, &removed, 13).await, Saved::Yes);
        let proof = may_keep_inbox(&member);
        store.mark(&proof, &[(lines[0], Marking::Seen)]).await.unwrap();
        store.mark_all(&proof, All::Seen, Watermark { up_to: lines[3], at: at(20) }).await.unwrap();
        for _ in 0..4 {
            let_in(app, self.workspace.id, id(), Role::Viewer).await;
        }
    }

    /// What a request that was let in before may write after the end: the person, and a workspace with another handle.
    async fn write_late(&self, handle: &str) {
        SignUps::save(self.store(), &self.account.sign_up, Alongside::default()).await.unwrap();
        let none = Alongside::default;
        let again = NewAccount { user: self.account.user.clone(), ..account_of(&self.account.sign_up) };
        let again = NewAccount { session: session_of(self.user()), ..again };
        assert_eq!(self.store().open_account(&again, none()).await.unwrap(), Opened::Yes);
        let late = workspace_of(self.user(), handle);
        assert_eq!(self.store().open(&late, none()).await.unwrap(), Founded::Yes);
    }
}

/// Erases a part, a few records at a time and each batch by two at once; how many there were.
async fn erase(store: &Store, deletion: &Deletion, part: Part) -> usize {
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

fn parts(scope: Scope) -> impl Iterator<Item = Part> {
    STEPS.into_iter().filter(move |step| step.is_of(scope)).filter_map(|step| match step {
        Step::Records(part) => Some(part),
        Step::Bundles | Step::Files | Step::Names => None,
    })
}

/// All that is stored, but for what goes by itself: counters of what was asked for with an address, receipts, which messages
/// were acted on, and what is due in the trash.
async fn lasting(app: &App) -> Vec<Vec<Item>> {
    let mut tables = everything(app).await;
    let by_itself = |item: &Item| {
        let (pk, _) = key_of(item);
        ["RESETS#", "RECEIPT#", "DONE#", "DUE#"].iter().any(|kind| pk.starts_with(kind))
    };
    tables.iter_mut().for_each(|items| items.retain(|item| !by_itself(item)));
    tables
}

#[tokio::test]
async fn every_part_of_an_account_is_emptied_and_nothing_of_anybody_else_is_touched() {
    let app = App::start().await;
    Planted::full(&app, "bob", "bob-the-builder").await;
    let before = lasting(&app).await;
    let ada = Planted::full(&app, "ada", "ada-lovelace").await;
    let deletion = ada.close().await;
    ada.write_late("ada-byron").await;
    for part in parts(Scope::Account) {
        assert!(erase(ada.store(), &deletion, part).await > 0, "nothing was planted of {part:?}");
    }
    for part in parts(Scope::Account) {
        assert!(ada.store().left(&deletion, part, 3).await.unwrap().items.is_empty(), "{part:?}");
    }
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
    assert_eq!(store.open(&team, with_all(&event(team.id, 1), "team")).await.unwrap(), Founded::Yes);
    let of_team = Planted {
        stock: Stock::of(&app, &team),
        account: account_of(&ada.account.sign_up),
        workspace: team.clone(),
        name: "team",
    };
    of_team.fill_workspace(&app).await;
    let_in(&app, team.id, ada.user(), Role::Owner).await;
    let deletion = deletion_of(&ada.account, &team, Scope::Team);
    let proof = may_delete_team(&ada.account.session, &team, at(0)).unwrap();
    let closing = Closing { deletion: &deletion, user: None, workspace: Some(&team) };
    assert_eq!(store.close(&proof, &closing, Alongside::default()).await.unwrap(), Closed::Yes);
    assert_eq!(Workspaces::find(store, team.id).await.unwrap().map(|found| found.id), None);
    assert_eq!(store.by_handle(&team.handle).await.unwrap(), None);
    for part in parts(Scope::Team).filter(|part| !matches!(part, Part::Workspace)) {
        assert!(erase(store, &deletion, part).await > 0, "nothing was planted of {part:?}");
    }
    let done = Deletion { status: Status::Completed, ended_at: Some(at(9)), ..deletion.next() };
    let saved = Deletions::replace(store, &deletion, &done, Alongside::default()).await.unwrap();
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

#[tokio::test]
async fn nobody_gets_in_once_an_account_is_closed() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user, none) = (ada.store(), ada.user(), Alongside::default);
    let deletion = ada.deletion();
    let line = event(ada.workspace.id, 9);
    let closing =
        Closing { deletion: &deletion, user: Some(&ada.account.user), workspace: Some(&ada.workspace) };
    let alongside = with_all(&line, "close");
    let sent = alongside.message.clone().unwrap();
    assert_eq!(store.close(&ada.proof(), &closing, alongside).await.unwrap(), Closed::Yes);
    assert!(store.credentials(user).await.unwrap().is_none());
    assert!(store.user(user).await.unwrap().is_none());
    assert!(store.password(user).await.unwrap().is_none());
    assert_eq!(store.by_address(hash_of("ada")).await.unwrap(), None);
    assert_eq!(store.by_handle(&ada.workspace.handle).await.unwrap(), None);
    assert!(Workspaces::find(store, ada.workspace.id).await.unwrap().is_none());
    assert_eq!(store.existing(ada.workspace.id, &[line.id]).await.unwrap(), [line.id]);
    let messages = items(&app, "operations").await;
    assert!(messages.iter().any(|item| key_of(item).1 == sent.id.to_string()));
    // Whoever read the password before gets in no more,
    let proof = Some(PasswordProof { seen: password("first"), rehashed: None });
    assert_eq!(why(store.begin(&session_of(user), proof, none()).await), "lost too many races");
    let proof = Some(PasswordProof { seen: password("first"), rehashed: Some(password("second")) });
    assert_eq!(why(store.begin(&session_of(user), proof, none()).await), "lost too many races");
    // nor does whoever has a token that was mailed,
    let new = NewPassword {
        user,
        password: password("third"),
        by: LastReset { id: id(), at: at(1) },
        before: None,
        sessions: Vec::new(),
        throttle: "ada".to_owned(),
    };
    assert_eq!(store.set(&new, none()).await.unwrap(), Saved::Stale);
    // and no key comes to be.
    let (key, holder) = key_in(&ada.workspace, 0);
    let proof = may_manage_keys(&super::member(&ada.workspace, Role::Owner)).unwrap();
    assert_eq!(why(store.create(&proof, &key, &holder, none()).await), "lost too many races");
    assert!(items(&app, "workspaces").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_close_an_account_one_does_and_the_others_are_told_which_is_under_way() {
    let app = App::alone().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let all: Vec<Deletion> = (0..12).map(|_| ada.deletion()).collect();
    let came = join_all(all.iter().map(|deletion| ada.close_as(deletion))).await;
    let winner = &all[came.iter().position(|came| *came == Closed::Yes).unwrap()];
    assert_eq!(came.iter().filter(|came| **came == Closed::Running(winner.id)).count(), 11, "{came:?}");
    assert_eq!(Deletions::due(ada.store(), at(0), 9).await.unwrap(), [(ada.user(), winner.id)]);
    let running = ada.store().running(ada.user(), ada.workspace.id).await.unwrap();
    assert_eq!(running, Some(winner.id));
    for deletion in &all {
        let found = Deletions::find(ada.store(), ada.user(), deletion.id).await.unwrap();
        assert_eq!(found.is_some(), deletion.id == winner.id);
    }
    Deletions::forget(ada.store(), winner).await.unwrap();
    assert_eq!(ada.close_as(&ada.deletion()).await, Closed::Stale, "there is nothing to close");
    assert!(items(&app, "operations").await.iter().all(|item| !key_of(item).0.starts_with("JOBS#")));
}

#[tokio::test]
async fn what_is_not_what_was_read_is_not_closed() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let bob = Planted::new(&app, "bob", "bob-the-builder").await;
    let none = Alongside::default;
    let before = everything(&app).await;
    let deletion = ada.deletion();
    let close = async |closing: Closing<'_>| {
        ada.store().close(&ada.proof(), &closing, with_event(&event(id(), 0))).await
    };
    let (user, workspace) = (Some(&ada.account.user), Some(&ada.workspace));
    // It has a workspace by now.
    let came = close(Closing { deletion: &deletion, user, workspace: None }).await.unwrap();
    assert_eq!(came, Closed::Stale);
    // The person has another address by now.
    let mut other = ada.account.user.clone();
    other.primary_email = bob.account.user.primary_email.clone();
    let came = close(Closing { deletion: &deletion, user: Some(&other), workspace }).await.unwrap();
    assert_eq!(came, Closed::Stale);
    // The address, or the handle, is another's.
    let address = Some(hash_of("bob"));
    let of_bobs_address = Deletion { address, ..deletion.clone() };
    let came = close(Closing { deletion: &of_bobs_address, user, workspace }).await.unwrap();
    assert_eq!(came, Closed::Stale);
    let renamed = Workspace { handle: bob.workspace.handle.clone(), ..ada.workspace.clone() };
    let came = close(Closing { deletion: &deletion, user, workspace: Some(&renamed) }).await.unwrap();
    assert_eq!(came, Closed::Stale);
    // The team is another's by now.
    let owned = Workspace { owner: ada.user(), ..bob.workspace.clone() };
    let of_team = deletion_of(&ada.account, &owned, Scope::Team);
    let proof = may_delete_team(&ada.account.session, &owned, at(0)).unwrap();
    let closing = Closing { deletion: &of_team, user: None, workspace: Some(&owned) };
    assert_eq!(ada.store().close(&proof, &closing, none()).await.unwrap(), Closed::Stale);
    // A proof for another workspace is none.
    let closing = Closing { deletion: &bob.deletion(), user: Some(&bob.account.user), workspace: None };
    let wanted = format!("broken: a proof for {} is none for {}", ada.workspace.id, bob.workspace.id);
    assert_eq!(why(close(closing).await), wanted);
    let closing = Closing { deletion: &deletion, user: None, workspace };
    assert_eq!(why(close(closing).await), "broken: an account without its person");
    assert_eq!(everything(&app).await, before);
    // An account that was never onboarded is closed without a workspace.
    let eve = sign_up("eve");
    SignUps::save(ada.store(), &eve, none()).await.unwrap();
    let account = account_of(&eve);
    ada.store().open_account(&account, none()).await.unwrap();
    let deletion = Deletion {
        handle: None,
        ..deletion_of(&account, &workspace_of(account.user.id, "nope"), Scope::Account)
    };
    let closing = Closing { deletion: &deletion, user: Some(&account.user), workspace: None };
    let proof = may_delete_account(&account.session, at(0)).unwrap();
    assert_eq!(proof.workspace(), personal_workspace(account.user.id));
    assert_eq!(ada.store().close(&proof, &closing, none()).await.unwrap(), Closed::Yes);
    assert_eq!(ada.store().by_address(hash_of("eve")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_made_while_its_account_is_closed_is_found_by_the_deletion_or_is_none() {
    let app = App::start().await;
    let handles: Vec<String> = (0..12).map(|n| format!("handle-{n}")).collect();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    for (name, handle) in names.into_iter().zip(&handles) {
        let ada = Planted::new(&app, name, handle).await;
        let (key, holder) = key_in(&ada.workspace, 0);
        let proof = may_manage_keys(&super::member(&ada.workspace, Role::Owner)).unwrap();
        let made = ada.store().create(&proof, &key, &holder, Alongside::default());
        let (deletion, made) = tokio::join!(ada.close(), made);
        let left = ada.store().left(&deletion, Part::ApiKeys, 9).await.unwrap().items;
        match made {
            Ok(()) => assert_eq!(left.len(), 1),
            Err(failure) => {
                assert_eq!((failure.to_string().as_str(), left.len()), ("lost too many races", 0))
            }
        }
        erase(ada.store(), &deletion, Part::ApiKeys).await;
        assert!(ada.store().holder(key.hash).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_new_account_with_the_same_address_is_another() {
    let app = App::start().await;
    let ada = Planted::full(&app, "ada", "ada-lovelace").await;
    let deletion = ada.close().await;
    let again = Planted::new(&app, "ada", "ada-byron").await;
    let (store, user) = (ada.store(), again.user());
    assert_ne!(user, ada.user());
    assert!(Inventory::sessions(store, user, None, 9).await.unwrap().items.len() == 1);
    assert_eq!(store.of(user, 9).await.unwrap(), []);
    // The second look finds the address in other hands.
    ada.store().open(&workspace_of(ada.user(), "ada-again"), Alongside::default()).await.unwrap();
    for part in parts(Scope::Account) {
        erase(store, &deletion, part).await;
    }
    assert_eq!(store.by_address(hash_of("ada")).await.unwrap(), Some(user));
    assert!(store.credentials(user).await.unwrap().is_some_and(|found| found.onboarded));
    assert_eq!(store.by_handle(&again.workspace.handle).await.unwrap(), Some(again.workspace.id));
}

#[tokio::test]
async fn a_deletion_is_replaced_only_as_it_was_read_and_is_due_once() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, mut now) = (ada.store(), ada.close().await);
    let due = async |at: Timestamp| Deletions::due(store, at, 9).await.unwrap();
    let expected = [(now.user, now.id)];
    assert_eq!(due(at(0)).await, expected);
    let counts = BTreeMap::from([("datasets".to_owned(), 3)]);
    let counting = Deletion { counted: Some("a name".to_owned()), counts, ..now.next() };
    let first_look = Deletion { done: STEPS.len(), counted: None, version: 3, ..counting.clone() };
    let second_look = Deletion { done: 4, looks_again: true, ..first_look.next() };
    for next in [counting, first_look, second_look] {
        let save = async || Deletions::replace(store, &now, &next, Alongside::default()).await.unwrap();
        assert_eq!(save().await, Saved::Yes);
        let before = everything(&app).await;
        let line = with_all(&event(id(), 0), "stale");
        assert_eq!(Deletions::replace(store, &now, &next, line).await.unwrap(), Saved::Stale);
        assert_eq!(everything(&app).await, before);
        let found = Deletions::find(store, now.user, now.id).await.unwrap().unwrap();
        let of = |it: &Deletion| (it.done, it.counted.clone(), it.counts.clone(), it.looks_again, it.version);
        assert_eq!(of(&found), of(&next));
        assert_eq!((found.handle, found.address), (next.handle.clone(), next.address));
        assert_eq!(due(next.due_at()).await, expected);
        let millisecond = jiff::SignedDuration::from_millis(1);
        assert!(due(next.due_at() - millisecond).await.is_empty());
        now = next;
    }
    let stale = Deletion { version: 1, ..now.clone() };
    assert_eq!(why(Deletions::forget(store, &stale).await), "lost too many races");
    assert_eq!(due(at(99_999)).await, expected);
    Deletions::forget(store, &now).await.unwrap();
    assert!(due(at(99_999)).await.is_empty());
}
