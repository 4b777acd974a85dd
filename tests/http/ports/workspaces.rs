//! Workspaces and API keys.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    api_key::{ApiKey, KeyHolder, KeySecret},
    entitlements::Quota,
    id::KeyId,
    permissions::{
        MakesKeys, ManagesKeys, may_edit_profile, may_make_keys, may_manage_keys, service_may_set_plans,
    },
    plan::Plan,
    ports::{ApiKeys, Founded, Page, Saved, TransactionExtras, Workspaces},
    profile::KeyName,
    region::Region,
    role::Role,
    sealing::Sealed,
    workspace::{PlanTerms, Profile, ProfileRecord, Workspace},
};
use futures::future::{join, join_all};
use lambda::OsEntropy;
use store::Store;
use tests::App;

use super::{
    at, event, everything, id, items, member, planted::Planted, profile, store, why, with_event, workspace,
};

/// A key made in this second.
pub fn key_in(workspace: &Workspace, second: i64) -> (ApiKey, KeyHolder) {
    let (secret, key) = (KeySecret::generate(&OsEntropy, Region::Us), KeyId::new(at(second), &OsEntropy));
    let name = KeyName::parse(&format!("number {second}")).unwrap();
    let holder = KeyHolder {
        key,
        name: name.clone(),
        workspace: workspace.id,
        handle: workspace.handle.clone(),
        kind: workspace.kind,
        region: Region::Us,
    };
    let (prefix, hash, sealed) = (secret.prefix(), secret.hash(), Sealed("sealed".to_owned()));
    (ApiKey { id: key, workspace: workspace.id, name, prefix, hash, sealed, created_at: at(second) }, holder)
}

fn owner_of(workspace: &Workspace) -> ManagesKeys {
    may_manage_keys(&member(workspace, Role::Owner)).unwrap()
}

fn maker_of(workspace: &Workspace) -> MakesKeys {
    may_make_keys(&member(workspace, Role::Owner)).unwrap()
}

/// So many keys of a workspace, which is opened first.
async fn keys_of(store: &Store, workspace: &Workspace, count: i64) -> Vec<ApiKey> {
    assert_eq!(
        store.open(workspace, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap(),
        Founded::Yes
    );
    let mut keys = Vec::new();
    for second in 0..count {
        let (key, holder) = key_in(workspace, second);
        store.create(&maker_of(workspace), &key, &holder, TransactionExtras::default()).await.unwrap();
        keys.push(key);
    }
    keys.reverse();
    keys
}

fn ids(keys: &[ApiKey]) -> Vec<KeyId> {
    keys.iter().map(|key| key.id).collect()
}

#[tokio::test]
async fn taken_handle_differs_from_existing_workspace() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    assert!(Workspaces::find(&store, ada.id).await.unwrap().is_none());
    assert!(store.by_handle(&ada.handle).await.unwrap().is_none());
    assert_eq!(
        store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap(),
        Founded::Yes
    );
    assert_eq!(store.by_handle(&ada.handle).await.unwrap(), Some(ada.id));
    let before = everything(&app).await;

    let rival = workspace("ada-lovelace");
    assert_eq!(
        store.open(&rival, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap(),
        Founded::HandleTaken
    );
    assert!(Workspaces::find(&store, rival.id).await.unwrap().is_none());
    let renamed = Workspace { handle: workspace("ada-byron").handle, ..ada.clone() };
    assert_eq!(
        store.open(&renamed, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap(),
        Founded::AlreadyThere
    );
    assert!(store.by_handle(&renamed.handle).await.unwrap().is_none(), "the other handle stays free");
    assert_eq!(everything(&app).await, before);
    assert!(Workspaces::find(&store, ada.id).await.unwrap().is_some_and(|found| found.handle == ada.handle));
}

#[tokio::test]
async fn plan_is_set_only_over_the_terms_that_were_read() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    let proof = service_may_set_plans("billing-service");
    let set = async |before: &Workspace, terms: PlanTerms, second: i64| {
        let line = with_event(&event(ada.id, second));
        let after = before.clone().with_plan_terms(terms, at(second));
        store.set_plan(&proof, before, &after, line).await.unwrap()
    };
    let stored = async || Workspaces::find(&store, ada.id).await.unwrap().unwrap();
    let first = ada.plan_terms();
    let contract = PlanTerms { plan: Plan::Enterprise, ends_at: Some(at(9)), seats: Some(Quota::AtMost(70)) };
    assert_eq!(set(&ada, contract, 0).await, Saved::Yes);
    let changed = stored().await;
    assert_eq!((changed.plan_terms(), changed.handle.clone()), (contract, ada.handle.clone()));
    let before = everything(&app).await;
    assert_eq!(set(&ada, first, 1).await, Saved::Stale);
    // A workspace that is not there is not made by the way.
    assert_eq!(set(&workspace("grace-hopper"), contract, 1).await, Saved::Stale);
    for stale in [
        PlanTerms { ends_at: None, ..contract },
        PlanTerms { seats: None, ..contract },
        PlanTerms { plan: Plan::Pro, ..contract },
    ] {
        assert_eq!(
            set(&changed.clone().with_plan_terms(stale, at(0)), first, 1).await,
            Saved::Stale,
            "{stale:?}"
        );
    }
    assert_eq!(everything(&app).await, before);
    assert_eq!(set(&changed, first, 1).await, Saved::Yes);
    assert_eq!(stored().await.plan_terms(), first);
}

#[tokio::test]
async fn a_profile_is_saved_only_over_the_version_that_was_read() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, other) = (workspace("ada-lovelace"), workspace("grace-hopper"));
    store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    let proof = may_edit_profile(&member(&ada, Role::Admin)).unwrap();
    let save = async |name: &str, version| {
        let changed = ProfileRecord { profile: profile(name), version };
        let line = with_event(&event(ada.id, 0));
        store.save_profile(&proof, &changed, line).await.unwrap()
    };
    assert_eq!(save("Skipped", 3).await, Saved::Stale);
    assert_eq!(save("Same", 1).await, Saved::Stale);
    assert!(items(&app, "activity").await.is_empty());
    assert_eq!(save("Countess", 2).await, Saved::Yes);
    assert_eq!(save("Late", 2).await, Saved::Stale);
    assert_eq!(items(&app, "activity").await.len(), 1);
    let found = store.profile(ada.id).await.unwrap();
    assert_eq!(found, Some(ProfileRecord { profile: profile("Countess"), version: 2 }));
    // A workspace that is not there is not made by the way, nor is a profile of it.
    let proof = may_edit_profile(&member(&other, Role::Owner)).unwrap();
    let changed = ProfileRecord { profile: profile("Grace"), version: 2 };
    let saved = store.save_profile(&proof, &changed, TransactionExtras::default()).await.unwrap();
    assert_eq!(saved, Saved::Stale);
    assert!(Workspaces::find(&store, other.id).await.unwrap().is_none());
    assert_eq!(store.profile(other.id).await.unwrap(), None);
}

/// Writes single attributes of a workspace's record.
async fn write(app: &App, workspace: &Workspace, what: &str, values: &[(&str, AttributeValue)]) {
    let update = app.tables().update_item().table_name(app.table("workspaces")).update_expression(what);
    let update = update.key("pk", AttributeValue::S(format!("WS#{}", workspace.id)));
    let update = update.key("sk", AttributeValue::S("WS".to_owned()));
    let names = ["plan", "owner"].into_iter().filter(|name| what.contains(&format!("#{name}")));
    let update = names.fold(update, |it, name| it.expression_attribute_names(format!("#{name}"), name));
    let update =
        values.iter().cloned().fold(update, |it, (name, value)| it.expression_attribute_values(name, value));
    update.send().await.unwrap();
}

/// Stores a workspace as it was before profiles had items of their own.
async fn store_in_one(app: &App, workspace: &Workspace, first: &Profile) {
    let delete = app.tables().delete_item().table_name(app.table("workspaces"));
    let delete = delete.key("pk", AttributeValue::S(format!("WS#{}", workspace.id)));
    delete.key("sk", AttributeValue::S("PROFILE".to_owned())).send().await.unwrap();
    let profile = serde_dynamo::to_attribute_value(first).unwrap();
    let values = [(":profile", profile), (":version", AttributeValue::N("7".to_owned()))];
    write(app, workspace, "SET profile = :profile, version = :version", &values).await;
}

#[tokio::test]
async fn profile_edits_do_not_conflict_with_workspace_changes() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    store.open(&ada, &profile("Ada"), None, None, TransactionExtras::default()).await.unwrap();
    let proof = may_edit_profile(&member(&ada, Role::Admin)).unwrap();
    let read = store.profile(ada.id).await.unwrap().unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let values = [(":plan", text("pro")), (":key", text("wrapped again"))];
    write(&app, &ada, "SET #plan = :plan, dataKey = :key", &values).await;
    // A record that was read before the other changes is not stale, and undoes none of them.
    let after = read.followed_by(profile("Countess"));
    assert_eq!(store.save_profile(&proof, &after, TransactionExtras::default()).await.unwrap(), Saved::Yes);
    let found = Workspaces::find(&store, ada.id).await.unwrap().unwrap();
    assert_eq!((found.plan, found.data_key.0.as_str()), (Plan::Pro, "wrapped again"));
    assert_eq!(store.profile(ada.id).await.unwrap(), Some(after));
}

#[tokio::test]
async fn first_change_moves_the_profile_out_of_the_record() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    store.open(&ada, &profile("Ada"), None, None, TransactionExtras::default()).await.unwrap();
    store_in_one(&app, &ada, &profile("Ada")).await;
    let old = ProfileRecord { profile: profile("Ada"), version: 7 };
    assert_eq!(store.profile(ada.id).await.unwrap(), Some(old.clone()));
    let proof = may_edit_profile(&member(&ada, Role::Admin)).unwrap();
    let save = async |name: &str, version| {
        let changed = ProfileRecord { profile: profile(name), version };
        store.save_profile(&proof, &changed, with_event(&event(ada.id, 0))).await.unwrap()
    };
    let before = everything(&app).await;
    for version in [1, 2, 7, 9] {
        assert_eq!(save("Stale", version).await, Saved::Stale, "{version}");
    }
    assert_eq!(everything(&app).await, before);
    write(&app, &ada, "SET #plan = :plan", &[(":plan", AttributeValue::S("pro".to_owned()))]).await;
    assert_eq!(save("Countess", 8).await, Saved::Yes);
    assert_eq!(save("Late", 8).await, Saved::Stale);
    assert_eq!(save("Enchantress", 9).await, Saved::Yes);
    let found = store.profile(ada.id).await.unwrap();
    assert_eq!(found, Some(ProfileRecord { profile: profile("Enchantress"), version: 9 }));
    let stored = items(&app, "workspaces").await;
    let record = stored.iter().find(|item| item["sk"] == AttributeValue::S("WS".to_owned())).unwrap();
    assert!(!record.contains_key("profile") && !record.contains_key("version"), "nothing of it stays behind");
    let found = Workspaces::find(&store, ada.id).await.unwrap().unwrap();
    assert_eq!((found.plan, found.owner, found.handle), (Plan::Pro, ada.owner, ada.handle));
    assert_eq!(items(&app, "activity").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_profile_changes_move_it_once() {
    let app = App::start().await;
    let store = store(&app);
    for n in 0..5 {
        let ada = workspace(&format!("ada-{n}-lovelace"));
        store.open(&ada, &profile("Ada"), None, None, TransactionExtras::default()).await.unwrap();
        store_in_one(&app, &ada, &profile("Ada")).await;
        let proof = may_edit_profile(&member(&ada, Role::Admin)).unwrap();
        let old = store.profile(ada.id).await.unwrap().unwrap();
        let names: Vec<String> = (0..6).map(|n| format!("Ada {n}")).collect();
        let save = async |name: &String| {
            let after = old.followed_by(profile(name));
            store.save_profile(&proof, &after, TransactionExtras::default()).await.unwrap()
        };
        let read = async || store.profile(ada.id).await.unwrap().expect("it is somewhere at every moment");
        let (saved, seen) = join(join_all(names.iter().map(save)), join_all((0..12).map(|_| read()))).await;
        assert_eq!(saved.iter().filter(|saved| **saved == Saved::Yes).count(), 1, "{saved:?}");
        let winner = &names[saved.iter().position(|saved| *saved == Saved::Yes).unwrap()];
        let now = ProfileRecord { profile: profile(winner), version: 8 };
        assert!(seen.iter().all(|seen| *seen == old || *seen == now));
        assert_eq!(store.profile(ada.id).await.unwrap(), Some(now));
    }
}

#[tokio::test]
async fn profile_of_closed_workspace_is_not_saved() {
    let app = App::start().await;
    for (name, handle, in_one) in [("ada", "ada-lovelace", false), ("bob", "bob-babbage", true)] {
        let planted = Planted::new(&app, name, handle).await;
        let (store, workspace) = (planted.store(), &planted.workspace);
        if in_one {
            store_in_one(&app, workspace, &profile("Bob")).await;
        }
        let read = store.profile(workspace.id).await.unwrap().unwrap();
        planted.close().await;
        let proof = may_edit_profile(&member(workspace, Role::Admin)).unwrap();
        let late = read.followed_by(profile("Late"));
        assert_eq!(
            store.save_profile(&proof, &late, TransactionExtras::default()).await.unwrap(),
            Saved::Stale
        );
        assert_eq!(store.profile(workspace.id).await.unwrap(), None);
        assert!(items(&app, "workspaces").await.is_empty(), "nothing of it is left");
    }
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_and_by_its_id() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, other) = (workspace("ada-lovelace"), workspace("grace-hopper"));
    let (key, holder) = key_in(&ada, 0);
    assert!(store.holder(key.hash).await.unwrap().is_none());
    store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    store.create(&maker_of(&ada), &key, &holder, TransactionExtras::default()).await.unwrap();
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
    store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    store.create(&maker_of(&ada), &key, &holder, TransactionExtras::default()).await.unwrap();
    let before = everything(&app).await;
    let (mut same_id, other) = key_in(&ada, 1);
    same_id.id = key.id;
    let line = || with_event(&event(ada.id, 1));
    let refused = why(store.create(&maker_of(&ada), &same_id, &other, line()).await);
    assert_eq!(refused, "broken: a random key exists already");
    let (mut same_hash, other) = key_in(&ada, 2);
    same_hash.hash = key.hash;
    let refused = why(store.create(&maker_of(&ada), &same_hash, &other, line()).await);
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
    assert_eq!(why(store.create(&maker_of(&ada), &key, &holder, line).await), "lost too many races");
    assert!(everything(&app).await.iter().all(Vec::is_empty));
}

#[tokio::test]
async fn key_pages_are_newest_first_without_gaps() {
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
    assert!(store.revoke(&owner_of(&ada), &keys[2], TransactionExtras::default()).await.unwrap());
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
async fn parallel_openings_with_one_handle_have_one_winner() {
    let app = App::start().await;
    let store = store(&app);
    let rivals: Vec<Workspace> = (0..20).map(|_| workspace("the-one")).collect();
    let somebody = profile("somebody");
    let open = |rival| store.open(rival, &somebody, None, None, TransactionExtras::default());
    let came: Vec<Founded> =
        join_all(rivals.iter().map(open)).await.into_iter().map(Result::unwrap).collect();
    let winner = came.iter().position(|came| *came == Founded::Yes).unwrap();
    assert_eq!(came.iter().filter(|came| **came == Founded::HandleTaken).count(), 19, "{came:?}");
    assert_eq!(store.by_handle(&rivals[0].handle).await.unwrap(), Some(rivals[winner].id));
    assert_eq!(items(&app, "workspaces").await.len(), 3, "workspace, profile and handle");
}
