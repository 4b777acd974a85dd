//! Sign-ups, accounts and sessions.

use domain::{
    ports::{Accounts, Alongside, Opened, PasswordProof, Saved, Sessions, SignUps, Workspaces},
    role::Role,
    secret::Digest256,
    session::Session,
    sign_up::SignUp,
    user::personal_workspace,
};
use futures::future::join_all;
use tests::App;

use super::{
    account_of, address, asked, at, event, hash_of, id, items, password, session_of, sign_up, store, why,
    with_event, with_receipt, workspace, workspace_of,
};

/// The same sign-up, changed.
fn changed(sign_up: &SignUp, version: u64) -> SignUp {
    SignUp { version, email: address(&format!("version-{version}")), ..sign_up.clone() }
}

#[tokio::test]
async fn a_sign_up_is_saved_only_over_the_version_that_was_read() {
    let app = App::start().await;
    let store = store(&app);
    let first = sign_up("ada");
    let save = async |sign_up: &SignUp| SignUps::save(&store, sign_up, Alongside::default()).await.unwrap();
    let read = async || SignUps::find(&store, hash_of("ada")).await.unwrap();
    assert!(read().await.is_none());
    assert_eq!(save(&changed(&first, 2)).await, Saved::Stale, "there is no version 1 yet");
    assert!(read().await.is_none());
    assert_eq!(save(&first).await, Saved::Yes);
    assert_eq!(save(&SignUp { email: address("other"), ..first.clone() }).await, Saved::Stale);
    assert_eq!(read().await.unwrap().email.as_str(), first.email.as_str());
    assert_eq!(save(&changed(&first, 3)).await, Saved::Stale, "it would skip version 2");
    assert_eq!(save(&changed(&first, 2)).await, Saved::Yes);
    assert_eq!(save(&changed(&first, 2)).await, Saved::Stale, "it is version 2 already");
    let found = read().await.unwrap();
    assert_eq!((found.version, found.email.as_str()), (2, "version-2@people.example"));
    assert_eq!(found.attempts[0].id, first.attempts[0].id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_save_a_sign_up_at_once_one_does() {
    let app = App::start().await;
    let store = store(&app);
    for version in 1..3 {
        let save = |_| async {
            SignUps::save(&store, &changed(&sign_up("ada"), version), Alongside::default()).await.unwrap()
        };
        let saved = join_all((0..20).map(save)).await;
        assert_eq!(saved.iter().filter(|saved| **saved == Saved::Yes).count(), 1, "{saved:?}");
    }
}

#[tokio::test]
async fn an_account_is_opened_in_all_its_parts_and_the_sign_up_is_gone() {
    let app = App::start().await;
    let store = store(&app);
    let account = account_of(&sign_up("ada"));
    SignUps::save(&store, &account.sign_up, Alongside::default()).await.unwrap();
    assert!(store.by_address(hash_of("ada")).await.unwrap().is_none());
    assert_eq!(store.open_account(&account, Alongside::default()).await.unwrap(), Opened::Yes);
    let user = account.user.id;
    assert_eq!(store.by_address(hash_of("ada")).await.unwrap(), Some(user));
    assert!(store.by_address(hash_of("bob")).await.unwrap().is_none());
    assert_eq!(store.user(user).await.unwrap().unwrap().primary_email.as_str(), "ada@people.example");
    let credentials = store.credentials(user).await.unwrap().unwrap();
    assert!(credentials.password == password("first") && !credentials.onboarded);
    let standing = store.standing(user, account.session.id, personal_workspace(user)).await.unwrap().unwrap();
    assert_eq!(standing.session.current, account.session.current);
    assert!(SignUps::find(&store, hash_of("ada")).await.unwrap().is_none());
    assert_eq!(items(&app, "identity").await.len(), 4);
}

#[tokio::test]
async fn an_account_that_is_not_opened_leaves_nothing_half_written() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, bob) = (account_of(&sign_up("ada")), account_of(&sign_up("bob")));
    SignUps::save(&store, &ada.sign_up, Alongside::default()).await.unwrap();
    SignUps::save(&store, &bob.sign_up, Alongside::default()).await.unwrap();
    assert_eq!(store.open_account(&ada, Alongside::default()).await.unwrap(), Opened::Yes);
    // Somebody signs up with the address again, and comes too late.
    SignUps::save(&store, &ada.sign_up, Alongside::default()).await.unwrap();
    let before = super::everything(&app).await;
    let late = account_of(&ada.sign_up);
    assert_eq!(store.open_account(&late, with_receipt("late")).await.unwrap(), Opened::AddressTaken);
    // The sign-up was tried once more meanwhile, or is gone.
    let tried = changed(&bob.sign_up, 2);
    let stale = account_of(&tried);
    assert_eq!(store.open_account(&stale, with_receipt("stale")).await.unwrap(), Opened::Stale);
    let never = account_of(&sign_up("carol"));
    assert_eq!(store.open_account(&never, with_receipt("never")).await.unwrap(), Opened::Stale);
    assert_eq!(super::everything(&app).await, before);
    assert_eq!(store.open_account(&bob, Alongside::default()).await.unwrap(), Opened::Yes);
}

#[tokio::test]
async fn credentials_of_nobody_cost_the_same_read() {
    let app = App::start().await;
    let store = store(&app);
    let account = account_of(&sign_up("ada"));
    SignUps::save(&store, &account.sign_up, Alongside::default()).await.unwrap();
    store.open_account(&account, Alongside::default()).await.unwrap();
    let since = app.last_call().await;
    assert!(store.credentials(account.user.id).await.unwrap().is_some_and(|found| !found.onboarded));
    assert!(store.credentials(id()).await.unwrap().is_none());
    let calls = app.calls_of("tests", since).await;
    let what: Vec<_> = calls.iter().map(|call| (&call["operation"], &call["table"])).collect();
    assert_eq!(what.len(), 2);
    assert_eq!(what[0], what[1]);
    assert_eq!(calls[0]["capacity"], calls[1]["capacity"]);
    store.open(&workspace_of(account.user.id, "ada-lovelace"), Alongside::default()).await.unwrap();
    assert!(store.credentials(account.user.id).await.unwrap().unwrap().onboarded);
}

#[tokio::test]
async fn people_come_in_order_with_their_workspaces_and_without_those_who_are_gone() {
    let app = App::start().await;
    let store = store(&app);
    let mut users = Vec::new();
    for name in ["ada", "bob", "carol"] {
        let account = account_of(&sign_up(name));
        SignUps::save(&store, &account.sign_up, Alongside::default()).await.unwrap();
        store.open_account(&account, Alongside::default()).await.unwrap();
        users.push(account.user.id);
    }
    store.open(&workspace_of(users[1], "bobs-place"), Alongside::default()).await.unwrap();
    let since = app.last_call().await;
    let people = store.people(&[users[2], id(), users[1], users[0]]).await.unwrap();
    let names: Vec<_> = people
        .iter()
        .map(|(user, home)| (user.id, home.as_ref().map(|home| home.handle.as_str().to_owned())))
        .collect();
    assert_eq!(names, [(users[2], None), (users[1], Some("bobs-place".to_owned())), (users[0], None)]);
    assert_eq!(asked(&app, "dynamodb", since).await, ["BatchGetItem"]);
    assert!(store.people(&[]).await.unwrap().is_empty());
    assert_eq!(store.people(&[users[0]]).await.unwrap().len(), 1);
}

/// A sign-in that found this hash and makes it anew.
fn proof(seen: &str) -> Option<PasswordProof> {
    Some(PasswordProof { seen: password(seen), rehashed: Some(password("second")) })
}

#[tokio::test]
async fn a_session_begins_once_and_only_while_the_password_is_what_it_was_proved_with() {
    let app = App::start().await;
    let store = store(&app);
    let account = account_of(&sign_up("ada"));
    SignUps::save(&store, &account.sign_up, Alongside::default()).await.unwrap();
    store.open_account(&account, Alongside::default()).await.unwrap();
    let user = account.user.id;
    let session = session_of(user);
    store.begin(&session, proof("first"), Alongside::default()).await.unwrap();
    assert!(store.credentials(user).await.unwrap().unwrap().password == password("second"));
    assert_eq!(why(store.begin(&session, None, Alongside::default()).await), "lost too many races");
    store.begin(&session_of(user), None, Alongside::default()).await.unwrap();
    assert!(store.credentials(user).await.unwrap().unwrap().password == password("second"));
    let unchanged = Some(PasswordProof { seen: password("second"), rehashed: None });
    store.begin(&session_of(user), unchanged, Alongside::default()).await.unwrap();
    let before = items(&app, "identity").await;
    let changed = Some(PasswordProof { seen: password("first"), rehashed: None });
    for (who, proof) in [(user, changed), (user, proof("first")), (id(), proof("second"))] {
        let refused = store.begin(&session_of(who), proof, Alongside::default()).await;
        assert_eq!(why(refused), "lost too many races");
    }
    assert_eq!(items(&app, "identity").await, before);
}

fn with_token(session: &Session, token: &str) -> Session {
    Session { current: Digest256::of(token), previous: Some(session.current), ..session.clone() }
}

#[tokio::test]
async fn a_refresh_that_read_the_session_before_a_step_up_does_not_undo_it() {
    let app = App::start().await;
    let store = store(&app);
    let before = session_of(id());
    store.begin(&before, None, Alongside::default()).await.unwrap();
    let stepped_up = Session { authenticated_at: at(60), ..before.clone() };
    assert_eq!(store.replace(&before, &stepped_up).await.unwrap(), Saved::Yes);
    assert_eq!(store.replace(&before, &with_token(&before, "next")).await.unwrap(), Saved::Stale);
    assert_eq!(store.replace(&stepped_up, &with_token(&stepped_up, "next")).await.unwrap(), Saved::Yes);
}

#[tokio::test]
async fn a_session_is_replaced_only_from_its_current_token() {
    let app = App::start().await;
    let store = store(&app);
    let first = session_of(id());
    let read = async || store.standing(first.user, first.id, id()).await.unwrap().map(|s| s.session.current);
    assert_eq!(store.replace(&first, &with_token(&first, "b")).await.unwrap(), Saved::Stale);
    assert_eq!(read().await, None, "a session that never was does not come to be");
    store.begin(&first, None, Alongside::default()).await.unwrap();
    let second = with_token(&first, "b");
    assert_eq!(store.replace(&first, &second).await.unwrap(), Saved::Yes);
    assert_eq!(read().await, Some(second.current));
    assert_eq!(store.replace(&first, &with_token(&first, "c")).await.unwrap(), Saved::Stale);
    assert_eq!(read().await, Some(second.current));
    assert_eq!(store.replace(&second, &with_token(&second, "d")).await.unwrap(), Saved::Yes);
    assert!(store.end(first.user, first.id, Alongside::default()).await.unwrap());
    let ended = with_token(&second, "d");
    assert_eq!(store.replace(&ended, &with_token(&ended, "e")).await.unwrap(), Saved::Stale);
    assert_eq!(read().await, None, "a session that ended does not come back");
}

#[tokio::test]
async fn a_session_ends_once_and_its_line_is_written_once() {
    let app = App::start().await;
    let store = store(&app);
    let (one, other) = (session_of(id()), session_of(id()));
    store.begin(&one, None, Alongside::default()).await.unwrap();
    store.begin(&other, None, Alongside::default()).await.unwrap();
    let end = async |user, second| {
        store.end(user, one.id, with_event(&event(personal_workspace(one.user), second))).await.unwrap()
    };
    assert!(!end(other.user, 0).await, "it is another user's");
    assert!(end(one.user, 1).await);
    assert!(!end(one.user, 2).await);
    assert_eq!(items(&app, "activity").await.len(), 1);
    assert!(store.standing(one.user, one.id, id()).await.unwrap().is_none());
    assert!(store.standing(other.user, other.id, id()).await.unwrap().is_some());
}

#[tokio::test]
async fn standing_tells_own_foreign_and_missing_workspaces_apart_in_one_read() {
    let app = App::start().await;
    let store = store(&app);
    let session = session_of(id());
    let user = session.user;
    store.begin(&session, None, Alongside::default()).await.unwrap();
    let (own, foreign) = (workspace_of(user, "ada-lovelace"), workspace("grace-hopper"));
    let look = async |workspace| {
        let since = app.last_call().await;
        let standing = store.standing(user, session.id, workspace).await.unwrap().unwrap();
        assert_eq!(asked(&app, "dynamodb", since).await, ["BatchGetItem"]);
        (standing.workspace.map(|workspace| workspace.id), standing.role)
    };
    assert_eq!(look(own.id).await, (None, None), "before onboarding");
    store.open(&own, Alongside::default()).await.unwrap();
    store.open(&foreign, Alongside::default()).await.unwrap();
    assert_eq!(look(own.id).await, (Some(own.id), Some(Role::Owner)));
    assert_eq!(look(foreign.id).await, (Some(foreign.id), None));
    assert_eq!(look(id()).await, (None, None));
    for role in [Role::Viewer, Role::Editor, Role::Admin] {
        let item = store::member_item(foreign.id, user, role).unwrap();
        let put = app.tables().put_item().table_name(app.table("workspaces")).set_item(Some(item));
        put.send().await.unwrap();
        assert_eq!(look(foreign.id).await, (Some(foreign.id), Some(role)));
    }
    // The membership is this user's alone, and nobody stands anywhere without a session of their own.
    let stranger = session_of(id());
    store.begin(&stranger, None, Alongside::default()).await.unwrap();
    let standing = store.standing(stranger.user, stranger.id, foreign.id).await.unwrap().unwrap();
    assert_eq!(standing.role, None);
    assert!(store.standing(user, id(), own.id).await.unwrap().is_none());
    assert!(store.standing(user, stranger.id, own.id).await.unwrap().is_none());
    assert!(store.standing(stranger.user, session.id, own.id).await.unwrap().is_none());
}
