//! Tables that were restored to an earlier time forget again what was erased since, before they serve.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest},
};
use domain::resource::Kind;
use futures::{StreamExt, stream};
use kit::ItemKind;
use restore::{
    ErasureLedger, Restoration, RestoreAction, RestoreError, TableGroup, erase_objects, settle_followers,
    settle_names,
};
use store::tables::Table;
use tests::{App, Person, json, names};

use super::{SECOND_LOOK, erase, everything::Everything, forgotten, looked_once, until, until_delivered};
use crate::{
    fixtures::{billing::charges, payers::has_paid},
    following,
    items::make,
    password,
    search::{Needles, search},
};

type Item = HashMap<String, AttributeValue>;

/// The accounts, and how many of them are erased after the copy.
const ACCOUNTS: usize = 50;
const ERASED: usize = 10;

/// The prefix of the copies' names.
fn copies_prefix(app: &App) -> String {
    app.table("restored-")
}

fn client(app: &App) -> Client {
    let endpoint = lambda::AwsEndpoint {
        url: Some(app.aws_endpoint().to_owned()),
        credentials: local::outsider("restore"),
    };
    let sdk = lambda::patient_sdk_config(app.home().aws(), &endpoint, &lambda::HttpClient::new().unwrap());
    Client::new(&sdk)
}

/// The copies and the tables that serve, as the command has them.
fn restoration(app: &App) -> Restoration {
    let group = |prefix: String| TableGroup::new(client(app), prefix);
    Restoration { copies: group(copies_prefix(app)), live: group(app.table("")), keeps_api_keys: false }
}

async fn scan(client: &Client, table: &str) -> Vec<Item> {
    let scan = client.scan().table_name(table).consistent_read(true);
    scan.into_paginator().items().send().collect::<Result<Vec<Item>, _>>().await.unwrap()
}

async fn write(client: &Client, table: &str, writes: Vec<WriteRequest>) {
    for batch in writes.chunks(25) {
        let request = client.batch_write_item().request_items(table, batch.to_vec());
        let left = request.send().await.unwrap().unprocessed_items.unwrap_or_default();
        assert!(left.is_empty());
    }
}

fn put(item: Item) -> WriteRequest {
    WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build().unwrap()).build()
}

fn delete(item: &Item) -> WriteRequest {
    let key = ["pk", "sk"].map(|name| (name.to_owned(), item[name].clone()));
    let delete = DeleteRequest::builder().set_key(Some(key.into())).build().unwrap();
    WriteRequest::builder().delete_request(delete).build()
}

/// Makes copies of all tables that are restored, as they are now.
async fn copy_tables(app: &App) {
    let tables = app.tables();
    for table in Table::RESTORED {
        let copy = table.name(&copies_prefix(app));
        make(&tables, copy.clone()).await;
        let items = scan(&tables, &app.table(table.as_str())).await;
        write(&tables, &copy, items.into_iter().map(put).collect()).await;
    }
}

/// Has the copies serve: their items are all that the tables have, and they are deleted.
async fn serve_copies(app: &App) {
    let tables = app.tables();
    for table in Table::RESTORED {
        let (copy, live) = (table.name(&copies_prefix(app)), app.table(table.as_str()));
        let stale = scan(&tables, &live).await;
        write(&tables, &live, stale.iter().map(delete).collect()).await;
        let items = scan(&tables, &copy).await;
        write(&tables, &live, items.iter().cloned().map(put).collect()).await;
        write(&tables, &copy, items.iter().map(delete).collect()).await;
        tables.delete_table().table_name(copy).send().await.unwrap();
    }
}

/// Somebody with something of most kinds, all under names of their own.
async fn resident(app: &App, n: usize) -> Person {
    let who = app.user(&format!("planted-{n:02}-handle")).await;
    let dataset = who.make(Kind::Dataset, &format!("planted-{n:02}-dataset")).await;
    who.upload(&dataset, &format!("planted-{n:02}-content")).await;
    who.make_key(&format!("planted-{n:02}-key")).await;
    let trashed = who.make(Kind::Model, &format!("planted-{n:02}-model")).await;
    who.trash(&trashed).await.expect(200);
    charges(&who, &format!("planted-{n:02}-job"), 1_000).await.expect(200);
    has_paid(&who).await;
    who
}

async fn residents(app: &App, count: usize) -> Vec<Person> {
    stream::iter(0..count).map(|n| resident(app, n)).buffered(6).collect().await
}

/// Which of these are in which files of the data folder, but for the mail: that is its recipient's.
async fn found(app: &App, needles: &Needles) -> BTreeMap<String, Vec<String>> {
    app.post("/_local/compact", json!(null)).await.expect(204);
    let mut found = search(needles, &app.data());
    found.retain(|file, _| !file.starts_with("mail/"));
    found
}

async fn datasets(who: &Person) -> Vec<String> {
    names(&who.get("/api/datasets").await.expect(200), "/datasets")
}

/// Signs in, whatever the person's token was.
async fn signed_in(who: &Person, password: &str) -> Person {
    let tokens = who.app.sign_in(&who.email, password).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// Waits until the directory holds somebody's address and handle permanently.
async fn confirmed(app: &App, who: &Person) {
    let directory = app.tables_of(domain::region::Region::AUTHORITY);
    until("the claims stay unconfirmed", || async {
        let ids = [who.id().to_string(), who.workspace().to_string()];
        let mut claims = scan(&directory, "account-directory").await;
        claims.retain(|item| item.get("id").is_some_and(|id| ids.contains(id.as_s().unwrap())));
        let is_permanent = |item: &Item| !matches!(item.get("deadline"), Some(AttributeValue::S(_)));
        claims.len() == 2 && claims.iter().all(is_permanent)
    })
    .await;
}

async fn settle(app: &App, only_looks: bool) -> restore::NamesReport {
    let authority = app.tables_of(domain::region::Region::AUTHORITY);
    let tables = TableGroup::new(client(app), app.table(""));
    let now = app.now().await;
    settle_names(&tables, (&authority, "account-directory"), app.home(), now, only_looks).await.unwrap()
}

/// The accounts that are erased after the time of the copy, to the end.
async fn erase_all(app: &App, gone: &[Person]) {
    stream::iter(gone)
        .for_each_concurrent(5, |who| async move {
            who.ask_to_be_deleted().await.expect(202);
            looked_once(who).await;
        })
        .await;
    app.advance(SECOND_LOOK).await;
    for who in gone {
        forgotten(who).await;
    }
}

/// An API key is revoked, a password replaced, and an account opened, which is returned.
async fn live_on(app: &App, others: &[Person], revoked: &str) -> Person {
    let owner = signed_in(&others[0], tests::PASSWORD).await;
    owner.delete(&format!("/api/api-keys?keyId={revoked}")).await.expect(200);
    let token = password::token(app, &others[1].email).await;
    password::reset(app, &token, password::NEW).await.expect(200);
    let late = app.user("planted-late-handle").await;
    confirmed(app, &late).await;
    late
}

/// Runs the command on the copies, twice.
async fn erase_copies(app: &App) {
    let restoration = restoration(app);
    let expected = restoration.look().await.unwrap();
    let report = restoration.erase().await.unwrap();
    assert_eq!(report, expected);
    assert_eq!(report.of_kind(RestoreAction::Erased, ItemKind::Users), ERASED as u64);
    assert_eq!(report.of_kind(RestoreAction::Ended, ItemKind::Sessions), ACCOUNTS as u64);
    assert_eq!(report.of_kind(RestoreAction::Revoked, ItemKind::KeyHolders), 1);
    assert_eq!(report.of_kind(RestoreAction::Replaced, ItemKind::Passwords), 1);
    assert_eq!(restoration.erase().await.unwrap().changes(), 0, "a repeated run finds nothing");
    let ledger = ErasureLedger::read(&restoration.live).await.unwrap();
    assert_eq!(ledger.len(), ERASED);
    assert_eq!(erase_objects(&app.files(), &app.bucket(), &ledger, false).await.unwrap(), 0);
}

/// The files that hold a value of the erased, and the files of the region that hold their ids. Events that the bus delivered are no
/// stored data.
async fn left_of(app: &App, gone: &[Person]) -> [BTreeMap<String, Vec<String>>; 2] {
    let (mut values, mut ids) = (Needles::default(), Needles::default());
    for (n, who) in gone.iter().enumerate() {
        values.keep("value", &format!("planted-{n:02}"));
        ids.keep("id", &who.id().bare());
    }
    let (values, mut ids) = (found(app, &values).await, found(app, &ids).await);
    ids.retain(|file, _| file.starts_with(app.home().as_str()) && !file.contains("bus/"));
    [values, ids]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restored_tables_forget_the_erased_and_serve_the_others() {
    tests::needs_every_region!();
    let app = App::alone().await;
    let people = residents(&app, ACCOUNTS).await;
    let (gone, others) = people.split_at(ERASED);
    let (revoked, key) = others[0].make_key("to-be-revoked").await;
    copy_tables(&app).await;
    erase_all(&app, gone).await;
    let late = live_on(&app, others, &revoked).await;
    assert!(left_of(&app, gone).await.iter().all(|files| !files.is_empty()), "the copies hold them");
    erase_copies(&app).await;

    serve_copies(&app).await;
    let settled = settle(&app, true).await;
    // The address and the handle of the account that was opened after the time of the copy.
    assert_eq!((settled.given_up, settled.claimed, settled.conflicts.len()), (2, 0, 0));
    assert_eq!(settle(&app, false).await, settled);
    assert_eq!(settle(&app, false).await.given_up, 0);
    assert_eq!(left_of(&app, gone).await, [BTreeMap::new(), BTreeMap::new()]);

    app.replicated().await;
    for (n, who) in others.iter().enumerate() {
        app.post("/api/auth/refresh", json!({ "refreshToken": who.refresh })).await.expect(401);
        let password = if n == 1 { password::NEW } else { tests::PASSWORD };
        let who = signed_in(who, password).await;
        assert_eq!(datasets(&who).await, [format!("planted-{:02}-dataset", n + ERASED)]);
    }
    app.sign_in(&others[1].email, tests::PASSWORD).await.expect(401);
    for who in gone.iter().chain([&late]) {
        app.sign_in(&who.email, tests::PASSWORD).await.expect(401);
    }
    let key = Person { token: key, ..others[0].clone() };
    key.get("/api/datasets").await.expect(401);
    let token = app.sign_up(&late.email).await.expect(202).text_at("/signUpToken");
    let code = app.codes(&late.email, 2).await.remove(0);
    app.verify(&late.email, &code, &token).await.expect(200);
}

/// Repeats the command until it succeeds; each run fails at one write more.
#[tokio::test]
async fn interrupted_run_is_completed_by_the_next() {
    tests::needs_every_region!();
    let app = App::start().await;
    let people = residents(&app, 2).await;
    copy_tables(&app).await;
    erase(&people[0]).await;
    let restoration = restoration(&app);
    for nth in 1..4 {
        let fault = json!({
            "service": "dynamodb", "function": "restore", "operation": "BatchWriteItem", "kind": "refused",
            "nth": nth, "times": 0,
        });
        app.faults(json!([fault])).await;
        assert!(matches!(restoration.erase().await, Err(RestoreError::Call(_))), "{nth}");
    }
    app.no_faults().await;
    assert!(restoration.erase().await.unwrap().changes() > 0);
    assert_eq!(restoration.erase().await.unwrap().changes(), 0);
    let erased = people[0].id().bare();
    for table in Table::RESTORED {
        for item in scan(&app.tables(), &table.name(&copies_prefix(&app))).await {
            assert!(!format!("{item:?}").contains(&erased), "{item:?}");
        }
    }
}

#[tokio::test]
async fn amounts_of_deleted_wallets_stay_in_a_copy() {
    tests::needs_every_region!();
    let app = App::start().await;
    let people = residents(&app, 2).await;
    erase(&people[0]).await;
    copy_tables(&app).await;
    let copy = async || scan(&app.tables(), &Table::Billing.name(&copies_prefix(&app))).await;
    let closed = |item: &&Item| item["pk"].as_s().unwrap().starts_with(ItemKind::ClosedPostings.prefix());
    let before = copy().await;
    assert_eq!(before.iter().filter(closed).count(), 2);
    restoration(&app).erase().await.unwrap();
    assert_eq!(copy().await, before);
}

#[tokio::test]
async fn item_without_a_known_kind_or_owner_stops_before_any_change() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = app.user("ada-unknown").await;
    copy_tables(&app).await;
    erase(&who).await;
    let (tables, restoration) = (app.tables(), restoration(&app));
    let before = scan(&tables, &Table::Identity.name(&copies_prefix(&app))).await.len();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    for (pk, expected) in [("NEWKIND#secret", "NEWKIND#…"), ("FILES#dset_1", "Files names no owner")] {
        let item = Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text("X"))]);
        let table = Table::Resources.name(&copies_prefix(&app));
        write(&tables, &table, vec![put(item.clone())]).await;
        let refused = restoration.erase().await.unwrap_err().to_string();
        assert!(refused.contains(expected) && !refused.contains("secret"), "{refused}");
        assert_eq!(scan(&tables, &Table::Identity.name(&copies_prefix(&app))).await.len(), before);
        write(&tables, &table, vec![delete(&item)]).await;
    }
    let same = Restoration { copies: restoration.live.clone(), ..restoration };
    assert!(matches!(same.erase().await, Err(RestoreError::SameTables(_))));
}

#[tokio::test]
async fn objects_that_an_unfinished_deletion_left_are_erased() {
    tests::needs_every_region!();
    let app = App::start().await;
    let people = residents(&app, 2).await;
    erase(&people[0]).await;
    // As if the deletion had not come so far.
    for folder in ["files/ws_", "exports/user_"] {
        let put = app.files().put_object().bucket(app.bucket());
        put.key(format!("{folder}{}/left", people[0].id().bare()))
            .body(b"left".to_vec().into())
            .send()
            .await
            .unwrap();
    }
    let ledger = ErasureLedger::read(&restoration(&app).live).await.unwrap();
    for (only_looks, erased) in [(true, 2), (false, 2), (false, 0)] {
        assert_eq!(erase_objects(&app.files(), &app.bucket(), &ledger, only_looks).await.unwrap(), erased);
    }
    let objects = Everything::of(&app).await.objects;
    assert!(objects.keys().all(|key| !key.contains(&people[0].id().bare())) && !objects.is_empty());
}

#[tokio::test]
async fn name_that_was_freed_is_claimed_again_unless_another_has_it() {
    tests::needs_every_region!();
    let app = App::start().await;
    let people = residents(&app, 2).await;
    for who in &people {
        confirmed(&app, who).await;
    }
    let directory = app.tables_of(domain::region::Region::AUTHORITY);
    let key = |who: &Person| {
        let text = |text: String| AttributeValue::S(text);
        Item::from([
            ("pk".to_owned(), text(ItemKind::HandleClaims.partition(&who.handle))),
            ("sk".to_owned(), text("CLAIM".to_owned())),
        ])
    };
    // One handle was given up after the time of the copy, and another was taken in another region.
    let free = directory.delete_item().table_name("account-directory").set_key(Some(key(&people[0])));
    free.send().await.unwrap();
    let elsewhere = domain::region::Region::ALL.into_iter().find(|region| *region != app.home()).unwrap();
    let taken = directory.update_item().table_name("account-directory").set_key(Some(key(&people[1])));
    let taken = taken.update_expression("SET home = :home");
    taken
        .expression_attribute_values(":home", AttributeValue::S(elsewhere.to_string()))
        .send()
        .await
        .unwrap();
    for _ in 0..2 {
        let report = settle(&app, false).await;
        assert_eq!(report.conflicts, [people[1].workspace().to_string()]);
        assert_eq!(report.given_up, 0);
    }
    let claim = directory.get_item().table_name("account-directory").set_key(Some(key(&people[0])));
    let claim = claim.send().await.unwrap().item.unwrap();
    assert_eq!(claim["id"].as_s().unwrap(), &people[0].workspace().to_string());
}

#[tokio::test]
async fn numbers_of_followers_are_counted_and_published_again() {
    tests::needs_every_region!();
    let app = App::start().await;
    let people = residents(&app, 3).await;
    let (star, fans) = people.split_first().unwrap();
    for fan in fans {
        following::follow(fan, &star.handle, true).await.expect(200);
    }
    copy_tables(&app).await;
    // Since the time of the copy, one is erased and the other unfollows.
    erase(&fans[0]).await;
    let fan = signed_in(&fans[1], tests::PASSWORD).await;
    following::follow(&fan, &star.handle, false).await.expect(200);
    until_delivered(&app, "the number is not published", || async {
        following::published(star).await == [0]
    })
    .await;
    let report = restoration(&app).erase().await.unwrap();
    assert_eq!(report.of_kind(RestoreAction::Recounted, ItemKind::FollowerCounts), 1);
    serve_copies(&app).await;
    let (authority, tables) =
        (app.tables_of(domain::region::Region::AUTHORITY), TableGroup::new(client(&app), app.table("")));
    for (only_looks, changed) in [(true, 1), (false, 1), (false, 0)] {
        let directory = (&authority, "account-directory");
        assert_eq!(settle_followers(&tables, directory, app.home(), only_looks).await.unwrap(), changed);
    }
    assert_eq!(following::published(star).await, [1]);
    let fan = signed_in(&fans[1], tests::PASSWORD).await;
    assert_eq!(following::seen_by(&fan, &star.handle).await, (1, true));
    following::follow(&fan, &star.handle, false).await.expect(200);
    until_delivered(&app, "a later number is not published", || async {
        following::published(star).await == [0]
    })
    .await;
}
