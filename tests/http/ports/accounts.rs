//! Sign-ups, accounts and sessions.

use domain::{
    ports::{
        Accounts, Opened, PasswordProof, Saved, Sessions, SignInProof, SignUps, TransactionExtras, Workspaces,
    },
    role::Role,
    secret::Digest256,
    session::Session,
    sign_up::SignUp,
    user::personal_workspace,
};
use futures::future::join_all;
use tests::App;

use super::{
    account_of, address, asked, at, event, hash_of, id, items, password, profile, session_of, sign_up, store,
    team_member, why, with_event, with_receipt, workspace, workspace_of,
};

/// The same sign-up, changed.
fn changed(sign_up: &SignUp, version: u64) -> SignUp {
    SignUp { version, ..spelled(sign_up, &format!("version-{version}")) }
}

/// The same sign-up with another spelling of the address.
fn spelled(sign_up: &SignUp, name: &str) -> SignUp {
    let mut other = sign_up.clone();
    other.attempts[0].email = address(name);
    other
}

fn spelling(sign_up: &SignUp) -> &str {
    sign_up.attempts[0].email.as_str()
}

#[tokio::test]
async fn a_sign_up_is_saved_only_over_the_version_that_was_read() {
    let app = App::start().await;
    let store = store(&app);
    let first = sign_up("ada");
    let save =
        async |sign_up: &SignUp| SignUps::save(&store, sign_up, TransactionExtras::default()).await.unwrap();
    let read = async || SignUps::find(&store, hash_of("ada")).await.unwrap();
    assert!(read().await.is_none());
    assert_eq!(save(&changed(&first, 2)).await, Saved::Stale, "there is no version 1 yet");
    assert!(read().await.is_none());
    assert_eq!(save(&first).await, Saved::Yes);
    assert_eq!(save(&spelled(&first, "other")).await, Saved::Stale);
    assert_eq!(spelling(&read().await.unwrap()), spelling(&first));
    assert_eq!(save(&changed(&first, 3)).await, Saved::Stale, "it would skip version 2");
    assert_eq!(save(&changed(&first, 2)).await, Saved::Yes);
    assert_eq!(save(&changed(&first, 2)).await, Saved::Stale, "it is version 2 already");
    let found = read().await.unwrap();
    assert_eq!((found.version, spelling(&found)), (2, "version-2@people.example"));
    assert_eq!(found.attempts[0].id, first.attempts[0].id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_sign_up_saves_have_one_winner() {
    let app = App::start().await;
    let store = store(&app);
    for version in 1..3 {
        let save = |_| async {
            SignUps::save(&store, &changed(&sign_up("ada"), version), TransactionExtras::default())
                .await
                .unwrap()
        };
        let saved = join_all((0..20).map(save)).await;
        assert_eq!(saved.iter().filter(|saved| **saved == Saved::Yes).count(), 1, "{saved:?}");
    }
}

#[tokio::test]
async fn opening_an_account_replaces_the_sign_up() {
    let app = App::start().await;
    let store = store(&app);
    let account = account_of(&sign_up("ada"));
    SignUps::save(&store, &account.sign_up, TransactionExtras::default()).await.unwrap();
    assert!(store.by_address(hash_of("ada")).await.unwrap().is_none());
    assert_eq!(store.open_account(&account, TransactionExtras::default()).await.unwrap(), Opened::Yes);
    let user = account.user.id;
    assert_eq!(store.by_address(hash_of("ada")).await.unwrap(), Some(user));
    assert!(store.by_address(hash_of("bob")).await.unwrap().is_none());
    assert_eq!(store.user(user).await.unwrap().unwrap().primary_email.as_str(), "ada@people.example");
    let credentials = store.credentials(user).await.unwrap().unwrap();
    assert!(credentials.password == password("first") && !credentials.onboarded);
    let context = store.context(user, account.session.id, personal_workspace(user)).await.unwrap().unwrap();
    assert_eq!(context.session.current, account.session.current);
    assert!(SignUps::find(&store, hash_of("ada")).await.unwrap().is_none());
    assert_eq!(items(&app, "identity").await.len(), 4);
}

#[tokio::test]
async fn an_account_that_is_not_opened_leaves_nothing_half_written() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, bob) = (account_of(&sign_up("ada")), account_of(&sign_up("bob")));
    SignUps::save(&store, &ada.sign_up, TransactionExtras::default()).await.unwrap();
    SignUps::save(&store, &bob.sign_up, TransactionExtras::default()).await.unwrap();
    assert_eq!(store.open_account(&ada, TransactionExtras::default()).await.unwrap(), Opened::Yes);
    // Somebody signs up with the address again, and comes too late.
    SignUps::save(&store, &ada.sign_up, TransactionExtras::default()).await.unwrap();
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
    assert_eq!(store.open_account(&bob, TransactionExtras::default()).await.unwrap(), Opened::Yes);
}

#[tokio::test]
async fn credentials_of_nobody_cost_the_same_read() {
    let app = App::start().await;
    let store = store(&app);
    let account = account_of(&sign_up("ada"));
    SignUps::save(&store, &account.sign_up, TransactionExtras::default()).await.unwrap();
    store.open_account(&account, TransactionExtras::default()).await.unwrap();
    let since = app.last_call().await;
    assert!(store.credentials(account.user.id).await.unwrap().is_some_and(|found| !found.onboarded));
    assert!(store.credentials(id()).await.unwrap().is_none());
    let calls = app.calls_of("tests", since).await;
    let what: Vec<_> = calls.iter().map(|call| (&call["operation"], &call["table"])).collect();
    assert_eq!(what.len(), 2);
    assert_eq!(what[0], what[1]);
    assert_eq!(calls[0]["capacity"], calls[1]["capacity"]);
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
    assert!(store.credentials(account.user.id).await.unwrap().unwrap().onboarded);
}

#[tokio::test]
async fn people_are_read_in_order_without_missing_ones() {
    let app = App::start().await;
    let store = store(&app);
    let mut users = Vec::new();
    for name in ["ada", "bob", "carol"] {
        let account = account_of(&sign_up(name));
        SignUps::save(&store, &account.sign_up, TransactionExtras::default()).await.unwrap();
        store.open_account(&account, TransactionExtras::default()).await.unwrap();
        users.push(account.user.id);
    }
    store
        .open(
            &workspace_of(users[1], "bobs-place"),
            &profile("Bob"),
            None,
            None,
            TransactionExtras::default(),
        )
        .await
        .unwrap();
    let since = app.last_call().await;
    let people = store.people(&[users[2], id(), users[1], users[0]]).await.unwrap();
    let names: Vec<_> = people
        .iter()
        .map(|(user, profile)| (user.id, profile.as_ref().map(|profile| profile.display_name.to_string())))
        .collect();
    assert_eq!(names, [(users[2], None), (users[1], Some("Bob".to_owned())), (users[0], None)]);
    // A missing profile may still be in the workspace's record, or on the way from there.
    assert_eq!(asked(&app, "dynamodb", since).await, ["BatchGetItem"; 3]);
    let since = app.last_call().await;
    assert_eq!(store.people(&[users[1]]).await.unwrap().len(), 1);
    assert_eq!(asked(&app, "dynamodb", since).await, ["BatchGetItem"]);
    assert!(store.people(&[]).await.unwrap().is_empty());
    assert_eq!(store.people(&[users[0]]).await.unwrap().len(), 1);
}

/// A sign-in that found this hash and replaces it.
fn proof(seen: &str) -> Option<SignInProof> {
    Some(SignInProof::Password(PasswordProof { seen: password(seen), rehashed: Some(password("second")) }))
}

#[tokio::test]
async fn session_begins_once_with_the_proven_password_only() {
    let app = App::start().await;
    let store = store(&app);
    let account = account_of(&sign_up("ada"));
    SignUps::save(&store, &account.sign_up, TransactionExtras::default()).await.unwrap();
    store.open_account(&account, TransactionExtras::default()).await.unwrap();
    let user = account.user.id;
    let session = session_of(user);
    store.begin(&session, proof("first"), TransactionExtras::default()).await.unwrap();
    assert!(store.credentials(user).await.unwrap().unwrap().password == password("second"));
    assert_eq!(why(store.begin(&session, None, TransactionExtras::default()).await), "lost too many races");
    store.begin(&session_of(user), None, TransactionExtras::default()).await.unwrap();
    assert!(store.credentials(user).await.unwrap().unwrap().password == password("second"));
    let unchanged = Some(SignInProof::Password(PasswordProof { seen: password("second"), rehashed: None }));
    store.begin(&session_of(user), unchanged, TransactionExtras::default()).await.unwrap();
    let before = items(&app, "identity").await;
    let changed = Some(SignInProof::Password(PasswordProof { seen: password("first"), rehashed: None }));
    for (who, proof) in [(user, changed), (user, proof("first")), (id(), proof("second"))] {
        let refused = store.begin(&session_of(who), proof, TransactionExtras::default()).await;
        assert_eq!(why(refused), "lost too many races");
    }
    assert_eq!(items(&app, "identity").await, before);
}

fn with_token(session: &Session, token: &str) -> Session {
    Session { current: Digest256::of(token), previous: Some(session.current), ..session.clone() }
}

#[tokio::test]
async fn stale_refresh_does_not_undo_a_step_up() {
    let app = App::start().await;
    let store = store(&app);
    let before = session_of(id());
    store.begin(&before, None, TransactionExtras::default()).await.unwrap();
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
    let read = async || store.context(first.user, first.id, id()).await.unwrap().map(|s| s.session.current);
    assert_eq!(store.replace(&first, &with_token(&first, "b")).await.unwrap(), Saved::Stale);
    assert_eq!(read().await, None, "a session that never was does not come to be");
    store.begin(&first, None, TransactionExtras::default()).await.unwrap();
    let second = with_token(&first, "b");
    assert_eq!(store.replace(&first, &second).await.unwrap(), Saved::Yes);
    assert_eq!(read().await, Some(second.current));
    assert_eq!(store.replace(&first, &with_token(&first, "c")).await.unwrap(), Saved::Stale);
    assert_eq!(read().await, Some(second.current));
    assert_eq!(store.replace(&second, &with_token(&second, "d")).await.unwrap(), Saved::Yes);
    assert!(store.end(first.user, first.id, TransactionExtras::default()).await.unwrap());
    let ended = with_token(&second, "d");
    assert_eq!(store.replace(&ended, &with_token(&ended, "e")).await.unwrap(), Saved::Stale);
    assert_eq!(read().await, None, "a session that ended does not come back");
}

#[tokio::test]
async fn a_session_ends_once_and_its_line_is_written_once() {
    let app = App::start().await;
    let store = store(&app);
    let (one, other) = (session_of(id()), session_of(id()));
    store.begin(&one, None, TransactionExtras::default()).await.unwrap();
    store.begin(&other, None, TransactionExtras::default()).await.unwrap();
    let end = async |user, second| {
        store.end(user, one.id, with_event(&event(personal_workspace(one.user), second))).await.unwrap()
    };
    assert!(!end(other.user, 0).await, "it is another user's");
    assert!(end(one.user, 1).await);
    assert!(!end(one.user, 2).await);
    assert_eq!(items(&app, "activity").await.len(), 1);
    assert!(store.context(one.user, one.id, id()).await.unwrap().is_none());
    assert!(store.context(other.user, other.id, id()).await.unwrap().is_some());
}

#[tokio::test]
async fn live_sessions_of_a_user_are_read_newest_first() {
    let app = App::start().await;
    let store = store(&app);
    let user = id();
    let mut sessions: Vec<Session> = (0..3).map(|_| session_of(user)).collect();
    sessions.sort_by_key(|session| std::cmp::Reverse(session.id));
    for session in sessions.iter().chain([&session_of(id())]) {
        store.begin(session, None, TransactionExtras::default()).await.unwrap();
    }
    let read = async |now| -> Vec<_> {
        let live = Sessions::live(&store, user, now).await.unwrap().into_iter();
        live.map(|session| (session.id, session.current)).collect()
    };
    let expected: Vec<_> = sessions.iter().map(|session| (session.id, session.current)).collect();
    assert_eq!(read(at(0)).await, expected);
    let last = sessions[0].expires_at();
    assert_eq!(read(last - jiff::SignedDuration::from_secs(1)).await, expected);
    assert_eq!(read(last).await, [], "an expired session that DynamoDB has not deleted yet");
}

#[tokio::test]
async fn one_read_tells_own_foreign_and_missing_workspaces_apart() {
    let app = App::start().await;
    let store = store(&app);
    let session = session_of(id());
    let user = session.user;
    store.begin(&session, None, TransactionExtras::default()).await.unwrap();
    let (own, foreign) = (workspace_of(user, "ada-lovelace"), workspace("grace-hopper"));
    let look = async |workspace| {
        let since = app.last_call().await;
        let context = store.context(user, session.id, workspace).await.unwrap().unwrap();
        assert_eq!(asked(&app, "dynamodb", since).await, ["BatchGetItem"]);
        (context.workspace.map(|workspace| workspace.id), context.role)
    };
    assert_eq!(look(own.id).await, (None, None), "before onboarding");
    store.open(&own, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    store.open(&foreign, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    assert_eq!(look(own.id).await, (Some(own.id), Some(Role::Owner)));
    assert_eq!(look(foreign.id).await, (Some(foreign.id), None));
    assert_eq!(look(id()).await, (None, None));
    for role in [Role::Viewer, Role::Editor, Role::Admin] {
        let item = store::member_item(foreign.id, &team_member(user, role)).unwrap();
        let put = app.tables().put_item().table_name(app.table("workspaces")).set_item(Some(item));
        put.send().await.unwrap();
        assert_eq!(look(foreign.id).await, (Some(foreign.id), Some(role)));
    }
    // The membership is this user's alone, and nobody stands anywhere without a session of their own.
    let stranger = session_of(id());
    store.begin(&stranger, None, TransactionExtras::default()).await.unwrap();
    let context = store.context(stranger.user, stranger.id, foreign.id).await.unwrap().unwrap();
    assert_eq!(context.role, None);
    assert!(store.context(user, id(), own.id).await.unwrap().is_none());
    assert!(store.context(user, stranger.id, own.id).await.unwrap().is_none());
    assert!(store.context(stranger.user, session.id, own.id).await.unwrap().is_none());
}
