//! One change, one transaction: whole or not at all, and what its refusal means.

use domain::{
    policy::may_manage_keys,
    ports::{
        Accounts, Alongside, ApiKeys, Founded, History, Opened, Receipts, Saved, Sessions, SignUps,
        Workspaces,
    },
    role::Role,
};
use tests::App;

use super::{
    account_of, asked, event, everything, fail, hash_of, id, items, member, password, receipt, session_of,
    sign_up, store, why, with_all, with_receipt, workspace, workspace_of, workspaces::key_in,
};

#[tokio::test]
async fn a_change_whose_receipt_exists_is_already_done_whatever_else_fails() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    assert_eq!(store.open(&ada, with_receipt("once")).await.unwrap(), Founded::Yes);
    let waiting = sign_up("ada");
    assert_eq!(store.save(&waiting, Alongside::default()).await.unwrap(), Saved::Yes);
    let account = account_of(&waiting);
    assert_eq!(store.open_account(&account, Alongside::default()).await.unwrap(), Opened::Yes);
    let proof = may_manage_keys(&member(&ada, Role::Owner)).unwrap();
    let (key, holder) = key_in(&ada, 0);
    store.create(&proof, &key, &holder, Alongside::default()).await.unwrap();
    let before = everything(&app).await;

    let again = || with_receipt("once");
    // Nothing else fails;
    assert_eq!(why(store.open(&workspace("grace-hopper"), again()).await), "already done");
    assert_eq!(why(store.begin(&session_of(id()), None, again()).await), "already done");
    assert_eq!(why(store.revoke(&proof, &key, again()).await), "already done");
    // one thing does;
    assert_eq!(why(store.open(&workspace("ada-lovelace"), again()).await), "already done");
    assert_eq!(why(store.end(id(), id(), again()).await), "already done");
    assert_eq!(why(SignUps::save(&store, &sign_up_of_version(9), again()).await), "already done");
    // all of it does.
    assert_eq!(why(store.open(&ada, again()).await), "already done");
    assert_eq!(why(store.open_account(&account, again()).await), "already done");
    assert_eq!(why(store.create(&proof, &key, &holder, again()).await), "already done");
    assert_eq!(everything(&app).await, before);
}

fn sign_up_of_version(version: u64) -> domain::sign_up::SignUp {
    domain::sign_up::SignUp { version, ..sign_up("nobody") }
}

#[tokio::test]
async fn of_several_refusals_the_one_that_explains_most_is_told() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    store.open(&ada, Alongside::default()).await.unwrap();
    // Workspace and handle are both there: it is this user's second try, not somebody else's handle.
    assert_eq!(store.open(&ada, Alongside::default()).await.unwrap(), Founded::AlreadyThere);
    let waiting = sign_up("ada");
    SignUps::save(&store, &waiting, Alongside::default()).await.unwrap();
    let account = account_of(&waiting);
    assert_eq!(store.open_account(&account, Alongside::default()).await.unwrap(), Opened::Yes);
    // The address is taken, and the sign-up gone, and the user there: the address counts.
    assert_eq!(store.open_account(&account, Alongside::default()).await.unwrap(), Opened::AddressTaken);
}

#[tokio::test]
async fn event_message_and_receipt_are_written_with_the_change_and_never_without() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let opened = event(ada.id, 0);
    assert_eq!(store.open(&ada, with_all(&opened, "first")).await.unwrap(), Founded::Yes);
    assert_eq!(store.existing(ada.id, &[opened.id]).await.unwrap(), [opened.id]);
    let found = Receipts::find(&store, receipt("first").scope).await.unwrap().unwrap();
    assert_eq!(found.reference, "made by first");
    let written = items(&app, "operations").await;
    assert_eq!(written.iter().filter(|item| super::key_of(item).0.starts_with("OUT#")).count(), 1);
    let before = everything(&app).await;

    let rival = workspace("ada-lovelace");
    let refused = store.open(&rival, with_all(&event(rival.id, 1), "second")).await.unwrap();
    assert_eq!(refused, Founded::HandleTaken);
    assert_eq!(everything(&app).await, before);
    assert!(Receipts::find(&store, receipt("second").scope).await.unwrap().is_none());
    // An event is never written over, and takes its change down with it.
    let mut changed = event(ada.id, 2);
    changed.id = opened.id;
    assert!(!store.end(id(), id(), super::with_event(&changed)).await.unwrap());
    let other = workspace("grace-hopper");
    assert_ne!(store.open(&other, super::with_event(&changed)).await.unwrap(), Founded::Yes);
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn a_transaction_that_meets_others_is_tried_again() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, since) = (workspace("ada-lovelace"), app.last_call().await);
    fail(&app, "TransactWriteItems", "conflict", 2).await;
    assert_eq!(store.open(&ada, with_all(&event(ada.id, 0), "r")).await.unwrap(), Founded::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"; 3]);
    assert!(Workspaces::find(&store, ada.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_transaction_that_meets_others_forever_gives_up_and_leaves_nothing() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, since, before) = (workspace("ada-lovelace"), app.last_call().await, everything(&app).await);
    fail(&app, "TransactWriteItems", "conflict", 0).await;
    assert_eq!(why(store.open(&ada, with_all(&event(ada.id, 0), "r")).await), "lost too many races");
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
    assert_eq!(store.open(&ada, with_all(&opened, "c")).await.unwrap(), Founded::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"; 6]);
    assert_eq!(items(&app, "activity").await.len(), 1);
    assert_eq!(items(&app, "workspaces").await.len(), 2);
    assert_eq!(store.by_address(hash_of("ada")).await.unwrap(), Some(account.user.id));
    fail(&app, "TransactWriteItems", "lost-response", 1).await;
    assert!(store.end(account.user.id, account.session.id, Alongside::default()).await.unwrap());
}

#[tokio::test]
async fn a_service_that_refuses_is_unavailable_and_never_a_decision() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let refused = "dynamodb is unavailable: AccessDeniedException";
    for operation in
        ["TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem", "GetItem", "BatchGetItem", "Query"]
    {
        fail(&app, operation, "refused", 0).await;
        let said = match operation {
            "TransactWriteItems" => why(store.open(&ada, Alongside::default()).await),
            "PutItem" => why(store.replace(&session_of(id()), &session_of(id())).await),
            "UpdateItem" => why(domain::ports::RateWindows::take(&store, "n", super::at(60), 1, 9).await),
            "DeleteItem" => why(domain::ports::Throttles::clear(&store, "n").await),
            "GetItem" => why(store.by_address(hash_of("ada")).await),
            "BatchGetItem" => why(store.credentials(id()).await),
            _ => why(store.list(ada.id, None, 10).await),
        };
        assert_eq!(said, refused, "{operation}");
    }
    fail(&app, "TransactWriteItems", "throttled", 0).await;
    let since = app.last_call().await;
    let said = why(store.open(&ada, Alongside::default()).await);
    assert_eq!(said, "dynamodb is unavailable: ThrottlingException");
    assert_eq!(asked(&app, "dynamodb", since).await.len(), 3);
    fail(&app, "TransactWriteItems", "throttled", 2).await;
    assert_eq!(store.open(&ada, Alongside::default()).await.unwrap(), Founded::Yes);
}

#[tokio::test]
async fn keys_left_unprocessed_are_asked_for_again() {
    let app = App::start().await;
    let store = store(&app);
    let account = account_of(&sign_up("ada"));
    SignUps::save(&store, &account.sign_up, Alongside::default()).await.unwrap();
    store.open_account(&account, Alongside::default()).await.unwrap();
    store.open(&workspace_of(account.user.id, "ada-lovelace"), Alongside::default()).await.unwrap();
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
    assert_eq!(why(store.standing(id(), id(), id()).await), gave_up);
    assert_eq!(why(store.people(&[id()]).await), gave_up);
    assert_eq!(why(store.existing(id(), &[id()]).await), gave_up);
    app.no_faults().await;
    assert!(store.credentials(id()).await.unwrap().is_none());
}
