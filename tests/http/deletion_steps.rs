//! `run-deletion`, killed at any of its calls: the result is the same, nothing is left, and everything is counted once.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::{id::UserId, region::Region, resource::Kind, role::Role};
use futures::future::join_all;
use tests::{App, PASSWORD, Person, Value, every, json, path_of};

use crate::{
    deaths::{Call, deaths, held_back, is_of, numbered, struck},
    fixtures::{
        billing::{charges, holds},
        payers::has_paid,
    },
    following,
    search::{Needles, search},
};

const WORKER: &str = "run-deletion";
/// What a job of everybody cost.
const CHARGED: i64 = 1_234;
/// From the request to the second look.
const APART: i64 = 70 * 60;
/// Kinds of items that may keep the ids of erased records: messages, notes on handled messages, idempotency records, counters.
const IDS_ALONE: [&str; 5] = ["OUT#", "DONE#", "RECEIPT#", "THROTTLE#", "RATE#"];

/// Somebody with something of every sort, all of it called after the handle.
async fn set_up(app: &App, handle: &str) -> Person {
    let who = app.user(handle).await;
    who.make_key(&format!("{handle} key")).await;
    let project = who.make(Kind::Project, &format!("{handle}-a")).await;
    let within = who.make_in(&project, &format!("{handle}-b")).await;
    who.upload(&within, &"7".repeat(11)).await;
    let dataset = who.make(Kind::Dataset, &format!("{handle}-c")).await;
    who.upload(&dataset, &"7".repeat(12)).await;
    who.upload(&dataset, &"7".repeat(13)).await;
    let trashed = who.make(Kind::Model, &format!("{handle}-d")).await;
    who.upload(&trashed, &"7".repeat(14)).await;
    who.delete(&path_of(&trashed)).await.expect(200);
    // One was sent and never completed.
    let begun = who.begin_upload(&dataset, 16).await.expect(200);
    app.put(&begun, &"7".repeat(16)).await.expect(200);
    app.sign_in(&who.email, tests::PASSWORD).await.expect(200);
    who.join(UserId::floor(app.now().await).cast(), Role::Viewer).await;
    who.export("zip").await;
    // The same one for everybody of the region: its number is searched for nobody's name.
    let followed = format!("followed-{}", app.home());
    if app.get(&format!("/api/users?username={followed}")).await.status == 404 {
        app.user(&followed).await;
    }
    following::follow(&who, &followed, true).await.expect(200);
    charges(&who, &format!("{handle}-job"), CHARGED).await.expect(200);
    holds(&who, &format!("{handle}-held"), 1).await.expect(200);
    has_paid(&who).await;
    who
}

async fn request(who: &Person) {
    let form = json!({ "action": "delete", "confirmationWord": "DELETE" });
    who.post("/api/gdpr", form).await.expect(202);
}

/// An item, and the client and the name of the table that it is in.
type Stored = (Client, String, HashMap<String, AttributeValue>);

fn key_of((_, _, item): &Stored) -> String {
    format!("{} {}", item["pk"].as_s().unwrap(), item["sk"].as_s().unwrap())
}

/// The items, in all tables at home and in the directory, that tell of somebody.
async fn items(who: &Person) -> Vec<Stored> {
    let own = ["identity", "workspaces", "activity", "resources", "billing", "operations"];
    let own = own.map(|table| (who.app.tables(), who.app.table(table)));
    let directory = (who.app.living_in(Region::AUTHORITY).tables(), "account-directory".to_owned());
    let mut found = Vec::new();
    for (tables, table) in own.into_iter().chain([directory]) {
        let scan = tables.scan().table_name(&table).consistent_read(true);
        let mut pages = scan.into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let stored = (tables.clone(), table.clone(), item.unwrap());
            let text = serde_dynamo::from_item::<_, Value>(stored.2.clone()).unwrap().to_string();
            let of_ids = IDS_ALONE.iter().any(|kind| key_of(&stored).starts_with(kind));
            if text.contains(&who.handle) || (text.contains(&who.id().bare()) && !of_ids) {
                found.push(stored);
            }
        }
    }
    found
}

/// The keys of what still tells of somebody, in the tables and in the bucket.
async fn left(who: &Person) -> Vec<String> {
    let items = items(who).await;
    let files = who.app.file_keys().await.into_iter().filter(|key| key.contains(&who.id().bare()));
    items.iter().map(key_of).chain(files).collect()
}

/// Waits until the first look is over: nothing is left but the job.
async fn first_look(who: &Person) {
    let mut left = left(who).await;
    for _ in 0..100 {
        if left.iter().all(|key| key.starts_with("JOBS#") || key.starts_with("DELETIONSDUE")) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        who.app.run_worker(WORKER).await;
        left = self::left(who).await;
    }
    panic!("{left:?}");
}

/// In which files, but for the mail, people are still told of, who are all called alike.
async fn told_of(app: &App) -> BTreeMap<String, Vec<String>> {
    let mut needles = Needles::default();
    for name in Region::ALL.map(|region| format!("gone-{region}-")) {
        needles.keep(&name, &name);
    }
    app.post("/_local/compact", json!({})).await.expect(204);
    let mut found = search(&needles, &app.data());
    found.retain(|file, _| !file.starts_with("mail/"));
    found
}

/// Runs the worker until nothing is left to do.
async fn converge(people: &[Person]) {
    for who in people {
        let mut tries = 0;
        loop {
            who.app.run_worker(WORKER).await;
            let left = left(who).await;
            if left.is_empty() {
                break;
            }
            tries += 1;
            assert!(tries < 30, "{left:?}");
            who.app.advance(300).await;
        }
    }
}

/// Kinds of items about payments that tell of nobody: events, and how far they were compared.
const OF_STRIPE: [&str; 2] = ["STRIPEEVENT#", "RECONCILED"];

/// The amounts that are kept of the wallets of a region, by wallet.
async fn closed(app: &App) -> BTreeMap<String, Vec<i64>> {
    let scan = app.tables().scan().table_name(app.table("billing")).consistent_read(true);
    let (mut pages, mut amounts) = (scan.into_paginator().items().send(), BTreeMap::new());
    while let Some(item) = pages.next().await {
        let item: Value = serde_dynamo::from_item(item.unwrap()).unwrap();
        let pk = item["pk"].as_str().unwrap();
        if OF_STRIPE.iter().any(|kind| pk.starts_with(kind)) {
            continue;
        }
        let of: &mut Vec<i64> = amounts.entry(pk.to_owned()).or_default();
        of.push(item["amount"].as_i64().unwrap());
    }
    amounts
}

/// What the receipt says that was erased.
async fn erased(who: &Person) -> BTreeMap<String, u64> {
    let mail = who.app.mail_of_kind(&who.email, "account-deleted").await;
    let text = mail["text"].as_str().unwrap();
    let token = text.lines().find(|line| line.starts_with("eyJ")).unwrap();
    let claims = domain::secret::decode_base64(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    serde_json::from_value(claims["erased"].clone()).unwrap()
}

/// People in every region who have asked to be deleted, while the worker is held back.
async fn requested(app: &App, round: &str) -> Vec<Person> {
    let set_up = Region::ALL
        .map(|region| async move { set_up(&app.living_in(region), &format!("gone-{region}-{round}")).await });
    let people = join_all(set_up).await;
    app.faults(Region::ALL.into_iter().flat_map(|region| held_back(WORKER, region)).collect()).await;
    let before = app.last_call().await;
    join_all(people.iter().map(request)).await;
    for region in Region::ALL {
        // The run that the request sets off fails at its first call.
        while !app.calls(before).await.iter().any(|call| is_of(WORKER, region, call)) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    people
}

/// What a look asks for in a region, from the request on (0), or from the time of the second look on (1).
async fn calls_of_clean_looks(app: &App) -> ([Vec<Call>; 2], BTreeMap<String, u64>) {
    let people = requested(app, "clean").await;
    app.no_faults().await;
    let mut looks = Vec::new();
    for _ in 0..2 {
        let before = app.last_call().await;
        join_all(people.iter().map(|who| who.app.run_worker(WORKER))).await;
        let mut calls = app.calls(before).await;
        calls.retain(|call| is_of(WORKER, Region::Us, call));
        looks.push(numbered(&calls));
        app.advance(APART).await;
    }
    converge(&people).await;
    let counts = join_all(people.iter().map(erased)).await;
    assert!(counts.iter().all(|other| *other == counts[0]), "{counts:?}");
    (looks.try_into().unwrap(), counts[0].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the number of deaths is worth seeing: run with --nocapture")]
async fn interrupted_deletion_leaves_nothing_and_counts_once() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    let (looks, counts) = calls_of_clean_looks(&app).await;
    assert_eq!((counts["files"], counts["transactions"]), (5, 2), "{counts:?}");
    // All of them take minutes: every day, another one of each few will do.
    let stride = every(20);
    for (look, calls) in looks.iter().enumerate() {
        let deaths: Vec<_> = deaths(calls).into_iter().step_by(stride).collect();
        println!("look {look}: {} calls, {} deaths", calls.len(), deaths.len());
        for (round, deaths) in deaths.chunks(Region::ALL.len()).enumerate() {
            let people = requested(&app, &format!("{look}-{round}")).await;
            if look == 1 {
                app.no_faults().await;
                join_all(people.iter().map(|who| who.app.run_worker(WORKER))).await;
                app.advance(APART).await;
            }
            let plan = Region::ALL.into_iter().zip(deaths);
            app.faults(plan.map(|(region, (call, kind))| struck(WORKER, region, call, kind)).collect()).await;
            let runs = people.iter().map(|who| who.app.try_worker(WORKER));
            let ends: Vec<u16> = join_all(runs).await.into_iter().map(|end| end.status).collect();
            assert!(ends.iter().all(|status| [200, 502].contains(status)), "{deaths:?}: {ends:?}");
            app.no_faults().await;
            converge(&people).await;
            for who in &people {
                assert_eq!(erased(who).await, counts, "{deaths:?}");
            }
        }
    }
    assert_eq!(told_of(&app).await, BTreeMap::new());
    for region in Region::ALL {
        let closed = closed(&app.living_in(region)).await;
        let is_whole = |(pk, amounts): (&String, &Vec<i64>)| {
            pk.starts_with("CLOSED#") && amounts[..] == [25_000_000, -CHARGED]
        };
        assert!(!closed.is_empty() && closed.iter().all(is_whole), "{closed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_deletion_runs_count_once() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    let (_, counts) = calls_of_clean_looks(&app).await;
    let people = requested(&app, "at-once").await;
    app.no_faults().await;
    for _ in 0..2 {
        let runs = people.iter().flat_map(|who| (0..4).map(|_| who.app.try_worker(WORKER)));
        for end in join_all(runs).await {
            end.expect(200);
        }
        app.advance(APART).await;
    }
    converge(&people).await;
    for who in &people {
        assert_eq!(erased(who).await, counts);
        let mails = who.app.mail(&who.email).await;
        assert_eq!(mails.iter().filter(|mail| mail["kind"] == "account-deleted").count(), 1);
    }
}

#[tokio::test]
async fn second_pass_deletes_late_writes() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    let who = set_up(&app, "gone-late").await;
    let project = who.make(Kind::Project, "gone-late-e").await;
    let late_file = who.begin_upload(&who.make_in(&project, "gone-late-f").await, 17).await.expect(200);
    let before = items(&who).await;
    request(&who).await;
    first_look(&who).await;
    // All of it comes back, as if requests that were let in before were so slow; and a file is sent.
    for (tables, table, item) in before {
        tables.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }
    app.put(&late_file, &"7".repeat(17)).await.expect(200);
    app.advance(APART - 1).await;
    app.run_worker(WORKER).await;
    assert!(left(&who).await.len() > 20, "not yet");
    app.advance(1).await;
    app.run_worker(WORKER).await;
    assert!(left(&who).await.is_empty(), "{:?}", left(&who).await);
    assert_eq!(erased(&who).await["files"], 6);
}

#[tokio::test]
async fn deleted_address_is_free_at_once_and_handle_after_a_month() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    let who = set_up(&app, "gone-again").await;
    request(&who).await;
    first_look(&who).await;
    app.sign_up(&who.email).await.expect(202);
    let form = json!({ "email": who.email, "code": app.codes(&who.email, 2).await[0], "password": PASSWORD });
    let tokens = app.claiming(app.post("/api/auth/verify", form)).await.expect(200);
    let again = Person::new(app.clone(), &who.handle, &who.email, &tokens);
    assert_ne!(again.id(), who.id());
    let form = json!({ "username": "gone-again", "displayName": "Again" });
    assert_eq!(again.post("/api/onboarding", form.clone()).await.brief(), "409 USERNAME_TAKEN");
    again.post("/api/onboarding", json!({ "username": "gone-other", "displayName": "O" })).await.expect(201);
    app.advance(APART).await;
    app.run_worker(WORKER).await;
    assert!(left(&who).await.iter().all(|key| !key.contains(&who.id().bare())));
    let tokens = app.sign_in(&who.email, tests::PASSWORD).await.expect(200);
    let again = Person { token: tokens.text_at("/accessToken"), ..again };
    assert_eq!(again.activity().await, ["completed onboarding gone-other"]);
    for kind in [Kind::Project, Kind::Dataset, Kind::Model] {
        let listed = again.get(&format!("/api/{}", kind.plural())).await.expect(200);
        assert_eq!(listed.body, json!({ kind.plural(): [] }));
    }
    app.advance(30 * 86_400 - APART).await;
    let third = app.newcomer("gone-third").await;
    third.post("/api/onboarding", form).await.expect(201);
}
