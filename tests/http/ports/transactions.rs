//! One change, one transaction: whole or not at all, and what its refusal means.

use domain::{
    permissions::{may_make_keys, may_manage_keys},
    ports::{
        Accounts, ApiKeys, Founded, History, IdempotencyRecords, Opened, Saved, Sessions, SignUps,
        TransactionExtras, Workspaces,
    },
    role::Role,
};
use tests::App;

use super::{
    account_of, asked, event, everything, fail, hash_of, id, items, member, password, profile, receipt,
    session_of, sign_up, store, why, with_all, with_receipt, workspace, workspace_of, workspaces::key_in,
};

#[tokio::test]
async fn change_with_existing_receipt_is_already_done() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    assert_eq!(
        store.open(&ada, &profile("somebody"), None, None, with_receipt("once")).await.unwrap(),
        Founded::Yes
    );
    let waiting = sign_up("ada");
    assert_eq!(store.save(&waiting, TransactionExtras::default()).await.unwrap(), Saved::Yes);
    let account = account_of(&waiting);
    assert_eq!(store.open_account(&account, TransactionExtras::default()).await.unwrap(), Opened::Yes);
    let owner = member(&ada, Role::Owner);
    let (makes, proof) = (may_make_keys(&owner).unwrap(), may_manage_keys(&owner).unwrap());
    let (key, holder) = key_in(&ada, 0);
    store.create(&makes, &key, &holder, TransactionExtras::default()).await.unwrap();
    let before = everything(&app).await;

    let again = || with_receipt("once");
    // Nothing else fails;
    assert_eq!(
        why(store.open(&workspace("grace-hopper"), &profile("somebody"), None, None, again()).await),
        "already done"
    );
    assert_eq!(why(store.begin(&session_of(id()), None, again()).await), "already done");
    assert_eq!(why(store.revoke(&proof, &key, again()).await), "already done");
    // one thing does;
    assert_eq!(
        why(store.open(&workspace("ada-lovelace"), &profile("somebody"), None, None, again()).await),
        "already done"
    );
    assert_eq!(why(store.end(id(), id(), again()).await), "already done");
    assert_eq!(why(SignUps::save(&store, &sign_up_of_version(9), again()).await), "already done");
    // all of it does.
    assert_eq!(why(store.open(&ada, &profile("somebody"), None, None, again()).await), "already done");
    assert_eq!(why(store.open_account(&account, again()).await), "already done");
    assert_eq!(why(store.create(&makes, &key, &holder, again()).await), "already done");
    assert_eq!(everything(&app).await, before);
}

fn sign_up_of_version(version: u64) -> domain::sign_up::SignUp {
    domain::sign_up::SignUp { version, ..sign_up("nobody") }
}

#[tokio::test]
async fn most_specific_refusal_is_reported() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    // Workspace and handle are both there: it is this user's second try, not somebody else's handle.
    assert_eq!(
        store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap(),
        Founded::AlreadyThere
    );
    let waiting = sign_up("ada");
    SignUps::save(&store, &waiting, TransactionExtras::default()).await.unwrap();
    let account = account_of(&waiting);
    assert_eq!(store.open_account(&account, TransactionExtras::default()).await.unwrap(), Opened::Yes);
    // The address is taken, and the sign-up gone, and the user there: the address counts.
    assert_eq!(
        store.open_account(&account, TransactionExtras::default()).await.unwrap(),
        Opened::AddressTaken
    );
}

#[tokio::test]
async fn event_message_and_receipt_are_written_atomically() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let opened = event(ada.id, 0);
    assert_eq!(
        store.open(&ada, &profile("somebody"), None, None, with_all(&opened, "first")).await.unwrap(),
        Founded::Yes
    );
    assert_eq!(store.existing(ada.id, &[opened.id]).await.unwrap(), [opened.id]);
    let found = IdempotencyRecords::find(&store, receipt("first").scope).await.unwrap().unwrap();
    assert_eq!(found.reference, "made by first");
    let written = items(&app, "operations").await;
    assert_eq!(written.iter().filter(|item| super::key_of(item).0.starts_with("OUT#")).count(), 1);
    let before = everything(&app).await;

    let rival = workspace("ada-lovelace");
    let refused = store
        .open(&rival, &profile("somebody"), None, None, with_all(&event(rival.id, 1), "second"))
        .await
        .unwrap();
    assert_eq!(refused, Founded::HandleTaken);
    assert_eq!(everything(&app).await, before);
    assert!(IdempotencyRecords::find(&store, receipt("second").scope).await.unwrap().is_none());
    // An event is never written over, and takes its change down with it.
    let mut changed = event(ada.id, 2);
    changed.id = opened.id;
    assert!(!store.end(id(), id(), super::with_event(&changed)).await.unwrap());
    let other = workspace("grace-hopper");
    assert_ne!(
        store.open(&other, &profile("somebody"), None, None, super::with_event(&changed)).await.unwrap(),
        Founded::Yes
    );
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn a_transaction_that_meets_others_is_tried_again() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, since) = (workspace("ada-lovelace"), app.last_call().await);
    fail(&app, "TransactWriteItems", "conflict", 2).await;
    assert_eq!(
        store.open(&ada, &profile("somebody"), None, None, with_all(&event(ada.id, 0), "r")).await.unwrap(),
        Founded::Yes
    );
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"; 3]);
    assert!(Workspaces::find(&store, ada.id).await.unwrap().is_some());
}

#[tokio::test]
async fn endless_conflict_ends_in_failure_without_writes() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, since, before) = (workspace("ada-lovelace"), app.last_call().await, everything(&app).await);
    fail(&app, "TransactWriteItems", "conflict", 0).await;
    assert_eq!(
        why(store.open(&ada, &profile("somebody"), None, None, with_all(&event(ada.id, 0), "r")).await),
        "lost too many races"
    );
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"; 8]);
    app.no_faults().await;
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_made_once_and_succeeds() {
    let app = App::start().await;
    let store = store(&app);
    let waiting = sign_up("ada");
    let account = account_of(&waiting);
    let ada = workspace_of(account.user.id, "ada-lovelace");
    let opened = event(ada.id, 0);
    let since = app.last_call().await;
    fail(&app, "TransactWriteItems", "lost-response", 1).await;
    assert_eq!(SignUps::save(&store, &waiting, with_receipt("a")).await.unwrap(), Saved::Yes);
    fail(&app, "TransactWriteItems", "lost-response", 1).await;
    assert_eq!(store.open_account(&account, with_receipt("b")).await.unwrap(), Opened::Yes);
    fail(&app, "TransactWriteItems", "lost-response", 1).await;
    assert_eq!(
        store.open(&ada, &profile("somebody"), None, None, with_all(&opened, "c")).await.unwrap(),
        Founded::Yes
    );
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"; 6]);
    assert_eq!(items(&app, "activity").await.len(), 1);
    assert_eq!(items(&app, "workspaces").await.len(), 3);
    assert_eq!(store.by_address(hash_of("ada")).await.unwrap(), Some(account.user.id));
    fail(&app, "TransactWriteItems", "lost-response", 1).await;
    assert!(store.end(account.user.id, account.session.id, TransactionExtras::default()).await.unwrap());
}

#[tokio::test]
async fn failed_calls_are_failures_and_never_decisions() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let operations =
        ["TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem", "GetItem", "BatchGetItem", "Query"];
    let kinds = [
        ("refused", "dynamodb is unavailable: ExpiredTokenException"),
        ("denied", "dynamodb rejects the request: AccessDeniedException"),
        ("validation", "dynamodb rejects the request: ValidationException"),
    ];
    for (operation, (kind, expected)) in
        operations.iter().flat_map(|operation| kinds.map(|kind| (*operation, kind)))
    {
        fail(&app, operation, kind, 0).await;
        let said = match operation {
            "TransactWriteItems" => {
                why(store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await)
            }
            "PutItem" => why(store.replace(&session_of(id()), &session_of(id())).await),
            "UpdateItem" => why(domain::ports::RateWindows::take(&store, "n", super::at(60), 1, 9).await),
            "DeleteItem" => why(domain::ports::Consumed::release(&store, "mail", id()).await),
            "GetItem" => why(store.by_address(hash_of("ada")).await),
            "BatchGetItem" => why(store.credentials(id()).await),
            _ => why(store.list(ada.id, None, 10).await),
        };
        assert_eq!(said, expected, "{operation}");
    }
    fail(&app, "TransactWriteItems", "throttled", 0).await;
    let since = app.last_call().await;
    let said = why(store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await);
    assert_eq!(said, "dynamodb is unavailable: ThrottlingException");
    assert_eq!(asked(&app, "dynamodb", since).await.len(), 3);
    fail(&app, "TransactWriteItems", "throttled", 2).await;
    assert_eq!(
        store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap(),
        Founded::Yes
    );
}

#[tokio::test]
async fn keys_left_unprocessed_are_asked_for_again() {
    let app = App::start().await;
    let store = store(&app);
    let account = account_of(&sign_up("ada"));
    SignUps::save(&store, &account.sign_up, TransactionExtras::default()).await.unwrap();
    store.open_account(&account, TransactionExtras::default()).await.unwrap();
    store
        .open(
            &workspace_of(account.user.id, "ada-lovelace"),
            &profile("somebody"),
            None,
            None,
            TransactionExtras::default(),
        )
        .await
        .unwrap();
    for times in 1..4 {
        fail(&app, "BatchGetItem", "unprocessed", times).await;
        let since = app.last_call().await;
        let found = store.credentials(account.user.id).await.unwrap().unwrap();
        assert!(found.onboarded && found.password == password("first") && found.user.id == account.user.id);
        let calls = asked(&app, "dynamodb", since).await;
        assert_eq!(calls.len(), usize::try_from(times).unwrap() + 1, "{calls:?}");
    }
}

#[tokio::test]
async fn keys_left_unprocessed_forever_are_no_answer() {
    let app = App::start().await;
    let store = store(&app);
    fail(&app, "BatchGetItem", "unprocessed", 0).await;
    let since = app.last_call().await;
    let gave_up = "dynamodb is unavailable: unprocessed keys";
    assert_eq!(why(store.credentials(id()).await), gave_up);
    assert_eq!(asked(&app, "dynamodb", since).await, ["BatchGetItem"; 4]);
    assert_eq!(why(store.context(id(), id(), id()).await), gave_up);
    assert_eq!(why(store.people(&[id()]).await), gave_up);
    assert_eq!(why(store.existing(id(), &[id()]).await), gave_up);
    app.no_faults().await;
    assert!(store.credentials(id()).await.unwrap().is_none());
}
