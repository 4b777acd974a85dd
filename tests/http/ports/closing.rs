//! Closing an account or a team: nobody gets in any more, and its deletion is under way.

use domain::{
    deletion::{Deletion, DeletionScope, Part},
    password_reset::LastReset,
    permissions::{may_delete_account, may_delete_team, may_make_keys},
    ports::{
        Accounts, ApiKeys, Closed, Closing, Deletions, Exports, History, Inventory, NewPassword,
        PasswordProof, PasswordResets, Replaces, Saved, Sessions, SignInProof, SignUps, TransactionExtras,
        Workspaces,
    },
    role::Role,
    user::personal_workspace,
    workspace::Workspace,
};
use futures::future::join_all;
use tests::App;

use super::{
    account_of, at,
    erasing::{erase, parts},
    event, everything, hash_of, id, items, key_of, password,
    planted::{Planted, deletion_of},
    profile, session_of, sign_up, why, with_all, with_event, workspace_of,
    workspaces::key_in,
};

#[tokio::test]
async fn nobody_gets_in_once_an_account_is_closed() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user, none) = (ada.store(), ada.user(), TransactionExtras::default);
    let deletion = ada.deletion();
    let line = event(ada.workspace.id, 9);
    let closing =
        Closing { deletion: &deletion, user: Some(&ada.account.user), workspace: Some(&ada.workspace) };
    let extras = with_all(&line, "close");
    let [sent] = <[_; 1]>::try_from(extras.messages.clone()).unwrap();
    assert_eq!(store.close(&ada.proof(), &closing, extras).await.unwrap(), Closed::Yes);
    assert!(store.credentials(user).await.unwrap().is_none());
    assert!(store.user(user).await.unwrap().is_none());
    assert!(store.password(user).await.unwrap().is_none());
    assert_eq!(store.by_address(hash_of("ada")).await.unwrap(), None);
    assert_eq!(store.by_handle(&ada.workspace.handle).await.unwrap(), None);
    assert!(Workspaces::find(store, ada.workspace.id).await.unwrap().is_none());
    assert_eq!(store.existing(ada.workspace.id, &[line.id]).await.unwrap(), [line.id]);
    let messages = items(&app, "operations").await;
    assert!(messages.iter().any(|item| key_of(item).1 == sent.id.to_string()));
    // A sign-in that read the password before is refused,
    let proof = Some(SignInProof::Password(PasswordProof { seen: password("first"), rehashed: None }));
    assert_eq!(why(store.begin(&session_of(user), proof, none()).await), "lost too many races");
    let proof = Some(SignInProof::Password(PasswordProof {
        seen: password("first"),
        rehashed: Some(password("second")),
    }));
    assert_eq!(why(store.begin(&session_of(user), proof, none()).await), "lost too many races");
    // and so is a mailed reset token,
    let new = NewPassword {
        user,
        password: password("third"),
        by: LastReset { id: id(), at: at(1) },
        replaces: Replaces::AfterToken(None),
        sessions: Vec::new(),
        throttles: vec!["ada".to_owned()],
    };
    assert_eq!(store.set(&new, none()).await.unwrap(), Saved::Stale);
    // and no key comes to be.
    let (key, holder) = key_in(&ada.workspace, 0);
    let proof = may_make_keys(&super::member(&ada.workspace, Role::Owner)).unwrap();
    assert_eq!(why(store.create(&proof, &key, &holder, none()).await), "lost too many races");
    assert!(items(&app, "workspaces").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_account_closings_have_one_winner() {
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
async fn changed_account_is_not_closed() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let bob = Planted::new(&app, "bob", "bob-the-builder").await;
    let none = TransactionExtras::default;
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
    let of_team = deletion_of(&ada.account, &owned, DeletionScope::Team);
    let proof = may_delete_team(ada.user(), true, &owned).unwrap();
    let closing = Closing { deletion: &of_team, user: None, workspace: Some(&owned) };
    assert_eq!(ada.store().close(&proof, &closing, none()).await.unwrap(), Closed::Stale);
    // A proof for another workspace is invalid.
    let closing = Closing { deletion: &bob.deletion(), user: Some(&bob.account.user), workspace: None };
    let wanted = format!("broken: a proof for {} is not valid for {}", ada.workspace.id, bob.workspace.id);
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
        ..deletion_of(&account, &workspace_of(account.user.id, "nope"), DeletionScope::Account)
    };
    let closing = Closing { deletion: &deletion, user: Some(&account.user), workspace: None };
    let proof = may_delete_account(&account.session, at(0)).unwrap();
    assert_eq!(proof.workspace(), personal_workspace(account.user.id));
    assert_eq!(ada.store().close(&proof, &closing, none()).await.unwrap(), Closed::Yes);
    assert_eq!(ada.store().by_address(hash_of("eve")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_made_during_closing_is_deleted_or_refused() {
    let app = App::start().await;
    let handles: Vec<String> = (0..12).map(|n| format!("handle-{n}")).collect();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    for (name, handle) in names.into_iter().zip(&handles) {
        let ada = Planted::new(&app, name, handle).await;
        let (key, holder) = key_in(&ada.workspace, 0);
        let proof = may_make_keys(&super::member(&ada.workspace, Role::Owner)).unwrap();
        let made = ada.store().create(&proof, &key, &holder, TransactionExtras::default());
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
    ada.store()
        .open(
            &workspace_of(ada.user(), "ada-again"),
            &profile("somebody"),
            None,
            None,
            TransactionExtras::default(),
        )
        .await
        .unwrap();
    for part in parts(DeletionScope::Account) {
        erase(store, &deletion, part).await;
    }
    assert_eq!(store.by_address(hash_of("ada")).await.unwrap(), Some(user));
    assert!(store.credentials(user).await.unwrap().is_some_and(|found| found.onboarded));
    assert_eq!(store.by_handle(&again.workspace.handle).await.unwrap(), Some(again.workspace.id));
}
