//! Workspaces and API keys.

use domain::{
    api_key::{ApiKey, KeyHolder, KeySecret, Sealed},
    id::KeyId,
    plan::Plan,
    policy::{ManagesKeys, may_edit_profile, may_manage_keys},
    ports::{Alongside, ApiKeys, Founded, Page, Saved, Workspaces},
    profile::{DisplayName, KeyName},
    region::Region,
    role::Role,
    workspace::Workspace,
};
use futures::future::join_all;
use lambda::OsEntropy;
use store::Store;
use tests::App;

use super::{at, event, everything, id, items, member, store, why, with_event, workspace};

/// A key made in this second.
pub fn key_in(workspace: &Workspace, second: i64) -> (ApiKey, KeyHolder) {
    let (secret, key) = (KeySecret::generate(&OsEntropy, Region::Us), KeyId::new(at(second), &OsEntropy));
    let name = KeyName::parse(&format!("number {second}")).unwrap();
    let holder = KeyHolder {
        key,
        name: name.clone(),
        workspace: workspace.id,
        handle: workspace.handle.clone(),
        owner: workspace.owner,
        region: Region::Us,
    };
    let (prefix, hash, sealed) = (secret.prefix(), secret.hash(), Sealed("sealed".to_owned()));
    (ApiKey { id: key, workspace: workspace.id, name, prefix, hash, sealed, created_at: at(second) }, holder)
}

fn owner_of(workspace: &Workspace) -> ManagesKeys {
    may_manage_keys(&member(workspace, Role::Owner)).unwrap()
}

/// So many keys of a workspace, which is opened first.
async fn keys_of(store: &Store, workspace: &Workspace, count: i64) -> Vec<ApiKey> {
    assert_eq!(store.open(workspace, Alongside::default()).await.unwrap(), Founded::Yes);
    let mut keys = Vec::new();
    for second in 0..count {
        let (key, holder) = key_in(workspace, second);
        store.create(&owner_of(workspace), &key, &holder, Alongside::default()).await.unwrap();
        keys.push(key);
    }
    keys.reverse();
    keys
}

fn ids(keys: &[ApiKey]) -> Vec<KeyId> {
    keys.iter().map(|key| key.id).collect()
}

#[tokio::test]
async fn a_handle_that_is_taken_is_told_from_a_workspace_that_is_there() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    assert!(Workspaces::find(&store, ada.id).await.unwrap().is_none());
    assert!(store.by_handle(&ada.handle).await.unwrap().is_none());
    assert_eq!(store.open(&ada, Alongside::default()).await.unwrap(), Founded::Yes);
    assert_eq!(store.by_handle(&ada.handle).await.unwrap(), Some(ada.id));
    let before = everything(&app).await;

    let rival = workspace("ada-lovelace");
    assert_eq!(store.open(&rival, Alongside::default()).await.unwrap(), Founded::HandleTaken);
    assert!(Workspaces::find(&store, rival.id).await.unwrap().is_none());
    let renamed = Workspace { handle: workspace("ada-byron").handle, ..ada.clone() };
    assert_eq!(store.open(&renamed, Alongside::default()).await.unwrap(), Founded::AlreadyThere);
    assert!(store.by_handle(&renamed.handle).await.unwrap().is_none(), "the other handle stays free");
    assert_eq!(everything(&app).await, before);
    assert!(Workspaces::find(&store, ada.id).await.unwrap().is_some_and(|found| found.handle == ada.handle));
}

#[tokio::test]
async fn a_profile_is_saved_only_over_the_version_that_was_read() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, other) = (workspace("ada-lovelace"), workspace("grace-hopper"));
    store.open(&ada, Alongside::default()).await.unwrap();
    let proof = may_edit_profile(&member(&ada, Role::Admin)).unwrap();
    let save = async |name: &str, version| {
        let mut changed = Workspace { version, ..ada.clone() };
        changed.profile.display_name = DisplayName::parse(name).unwrap();
        let line = with_event(&event(ada.id, 0));
        store.save_profile(&proof, &changed, line).await.unwrap()
    };
    assert_eq!(save("Skipped", 3).await, Saved::Stale);
    assert_eq!(save("Same", 1).await, Saved::Stale);
    assert!(items(&app, "activity").await.is_empty());
    assert_eq!(save("Countess", 2).await, Saved::Yes);
    assert_eq!(save("Late", 2).await, Saved::Stale);
    assert_eq!(items(&app, "activity").await.len(), 1);
    let found = Workspaces::find(&store, ada.id).await.unwrap().unwrap();
    assert_eq!((found.profile.display_name.as_str(), found.version), ("Countess", 2));
    // A workspace that is not there is not made by the way.
    let proof = may_edit_profile(&member(&other, Role::Owner)).unwrap();
    let changed = Workspace { version: 2, plan: Plan::Pro, ..other.clone() };
    let saved = store.save_profile(&proof, &changed, Alongside::default()).await.unwrap();
    assert_eq!(saved, Saved::Stale);
    assert!(Workspaces::find(&store, other.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_and_by_its_id() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, other) = (workspace("ada-lovelace"), workspace("grace-hopper"));
    let (key, holder) = key_in(&ada, 0);
    assert!(store.holder(key.hash).await.unwrap().is_none());
    store.open(&ada, Alongside::default()).await.unwrap();
    store.create(&owner_of(&ada), &key, &holder, Alongside::default()).await.unwrap();
    assert_eq!(store.holder(key.hash).await.unwrap(), Some(holder));
    let found = ApiKeys::find(&store, ada.id, key.id).await.unwrap().unwrap();
    assert!(found.hash == key.hash && found.prefix == key.prefix && found.sealed == key.sealed);
    assert!(ApiKeys::find(&store, other.id, key.id).await.unwrap().is_none());
    assert!(ApiKeys::find(&store, ada.id, id()).await.unwrap().is_none());
    assert!(store.holder(key_in(&ada, 0).0.hash).await.unwrap().is_none());
}

#[tokio::test]
async fn a_key_is_never_written_over_another() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let (key, holder) = key_in(&ada, 0);
    store.open(&ada, Alongside::default()).await.unwrap();
    store.create(&owner_of(&ada), &key, &holder, Alongside::default()).await.unwrap();
    let before = everything(&app).await;
    let (mut same_id, other) = key_in(&ada, 1);
    same_id.id = key.id;
    let line = || with_event(&event(ada.id, 1));
    let refused = why(store.create(&owner_of(&ada), &same_id, &other, line()).await);
    assert_eq!(refused, "broken: a random key exists already");
    let (mut same_hash, other) = key_in(&ada, 2);
    same_hash.hash = key.hash;
    let refused = why(store.create(&owner_of(&ada), &same_hash, &other, line()).await);
    assert_eq!(refused, "broken: a random hash exists already");
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn no_key_is_made_of_a_workspace_that_is_not_there() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let (key, holder) = key_in(&ada, 0);
    let line = with_event(&event(ada.id, 0));
    assert_eq!(why(store.create(&owner_of(&ada), &key, &holder, line).await), "lost too many races");
    assert!(everything(&app).await.iter().all(Vec::is_empty));
}

#[tokio::test]
async fn keys_are_listed_newest_first_in_pages_that_miss_and_repeat_none() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, other) = (workspace("ada-lovelace"), workspace("grace-hopper"));
    assert!(store.list(ada.id, None, 10).await.unwrap().items.is_empty());
    let keys = keys_of(&store, &ada, 7).await;
    keys_of(&store, &other, 2).await;
    let page = async |after, limit| {
        let Page { items, more } = store.list(ada.id, after, limit).await.unwrap();
        (ids(&items), more)
    };
    assert_eq!(page(None, 100).await, (ids(&keys), false));
    assert_eq!(page(None, 7).await, (ids(&keys), false));
    assert_eq!(page(None, 6).await, (ids(&keys[..6]), true));
    assert_eq!(page(Some(keys[2].id), 3).await, (ids(&keys[3..6]), true));
    assert_eq!(page(Some(keys[4].id), 3).await, (ids(&keys[5..]), false));
    assert_eq!(page(Some(keys[6].id), 3).await, (vec![], false));
    // The key that the last page ended with may be gone by now.
    assert!(store.revoke(&owner_of(&ada), &keys[2], Alongside::default()).await.unwrap());
    assert_eq!(page(Some(keys[2].id), 3).await, (ids(&keys[3..6]), true));
    assert_eq!(page(Some(keys[2].id), 4).await, (ids(&keys[3..]), false));
    let all = [&keys[..2], &keys[3..]].concat();
    assert_eq!(page(None, 10).await, (ids(&all), false));
}

#[tokio::test]
async fn a_key_is_revoked_once_and_by_its_own_workspace_only() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, other) = (workspace("ada-lovelace"), workspace("grace-hopper"));
    let keys = keys_of(&store, &ada, 2).await;
    let line = |second| with_event(&event(ada.id, second));
    assert!(!store.revoke(&owner_of(&other), &keys[0], line(0)).await.unwrap());
    assert!(store.holder(keys[0].hash).await.unwrap().is_some());
    assert!(store.revoke(&owner_of(&ada), &keys[0], line(1)).await.unwrap());
    assert!(!store.revoke(&owner_of(&ada), &keys[0], line(2)).await.unwrap());
    assert_eq!(items(&app, "activity").await.len(), 1);
    assert!(store.holder(keys[0].hash).await.unwrap().is_none());
    assert!(ApiKeys::find(&store, ada.id, keys[0].id).await.unwrap().is_none());
    assert!(store.holder(keys[1].hash).await.unwrap().is_some());
    assert_eq!(ids(&store.list(ada.id, None, 9).await.unwrap().items), [keys[1].id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_open_with_one_handle_one_does() {
    let app = App::start().await;
    let store = store(&app);
    let rivals: Vec<Workspace> = (0..20).map(|_| workspace("the-one")).collect();
    let open = |rival| store.open(rival, Alongside::default());
    let came: Vec<Founded> =
        join_all(rivals.iter().map(open)).await.into_iter().map(Result::unwrap).collect();
    let winner = came.iter().position(|came| *came == Founded::Yes).unwrap();
    assert_eq!(came.iter().filter(|came| **came == Founded::HandleTaken).count(), 19, "{came:?}");
    assert_eq!(store.by_handle(&rivals[0].handle).await.unwrap(), Some(rivals[winner].id));
    assert_eq!(items(&app, "workspaces").await.len(), 2);
}
