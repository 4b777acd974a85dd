//! What grows, and what does not, with how much there is.
//!
//! Not run in outages: it chooses its regions.

use domain::{Timestamp, resource::Kind};
use kit::ItemKind;
use tests::{App, Person, Value, in_trash, json, path_of};

use crate::many::{self, Mould};

/// What somebody's reading costs, in read units.
fn read_units(calls: &[Value]) -> f64 {
    let reads = calls.iter().filter(|call| {
        ["Query", "GetItem", "BatchGetItem"].contains(&call["operation"].as_str().unwrap_or_default())
    });
    reads.map(|call| call["capacity"]["read"].as_f64().unwrap_or(0.0)).sum()
}

/// Puts `count` datasets into the trash, `due` of them so long ago that they are due.
async fn fill_the_trash(who: &Person, count: usize, due: usize) {
    let mut moulds = Vec::new();
    let mut times = Vec::new();
    for n in 0..16 {
        let id = who.make(Kind::Dataset, &format!("mould-{n}")).await;
        who.delete(&path_of(&id)).await.expect(200);
        let listed = who.get("/api/trash?limit=1").await.expect(200);
        let at: Timestamp = listed.text_at("/items/0/trashedAt").parse().unwrap();
        times.push(at.as_millisecond());
        moulds.push(Mould::of(&who.app, &id).await);
    }
    const DAY: i64 = 86_400_000;
    let ago = |n: usize| {
        let (at, back) = (times[n % times.len()], if n < due { 31 * DAY } else { 0 });
        let shifted = |time: i64| (time.to_string(), (time - back).to_string());
        vec![shifted(at), shifted(at + 30 * DAY)]
    };
    many::copy(&who.app, &moulds, count, ago).await;
    many::count(who, "trashed_datasets", count).await;
}

/// What a run reads, with all that it sets off.
async fn run(who: &Person, due: usize) -> f64 {
    let app = &who.app;
    let before = app.last_call().await;
    app.run_worker("purge-trash").await;
    many::none_left(app, ItemKind::Purges, &who.workspace().to_string()).await;
    let listed = who.get("/api/trash?limit=1").await.expect(200);
    let history = who.get("/api/activity?limit=1").await.expect(200);
    assert_eq!(history.at("/events/0/action"), "deleted", "{due}: {}", listed.text);
    read_units(&app.calls_of("purge-trash", before).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the figures are the point: run with --nocapture")]
async fn purge_reads_depend_on_due_items_only() {
    const DUE: usize = 100;
    let large = many::number("ACCOUNT_TEST_MANY", 5_000);
    let mut units = Vec::new();
    for count in [1_000, large] {
        let app = App::start().await;
        let who = app.user("hoarder").await;
        fill_the_trash(&who, count, DUE).await;
        units.push(run(&who, DUE).await);
        let left = many::items(&app, ItemKind::Trash, &who.workspace().to_string()).await;
        assert_eq!(left, count - DUE + 16, "only what is due goes");
        app.stop().await;
    }
    println!("a purge of {DUE} due: {} read units among 1000, {} among {large}", units[0], units[1]);
    let (least, most) = (units[0].min(units[1]), units[0].max(units[1]));
    assert!(least > 0.0 && most <= 1.2 * least, "{units:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purge_beyond_one_run_continues_by_itself() {
    let app = App::start().await;
    let who = app.user("hoarder").await;
    fill_the_trash(&who, 1_050, 1_050).await;
    let report = app.run_worker("purge-trash").await;
    assert_eq!((&report["removed"], &report["more"]), (&json!(1_000), &json!(true)));
    for _ in 0..240 {
        if many::items(&app, ItemKind::Trash, &who.workspace().to_string()).await == 16 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    many::none_left(&app, ItemKind::Purges, &who.workspace().to_string()).await;
    assert_eq!(who.get("/api/trash").await.expect(200).at("/total"), &json!(16));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the figures are the point: run with --nocapture")]
async fn large_project_is_trashed_at_once_and_purged_later() {
    let app = App::start().await;
    let who = app.user("collector").await;
    let project = who.make(Kind::Project, "large").await;
    let mould = who.make_in(&project, "mould").await;
    let count = many::number("ACCOUNT_TEST_MANY", 1_500).min(10_000);
    let moulds = [Mould::of(&app, &mould).await];
    many::copy(&app, &moulds, count, |n| vec![("mould".to_owned(), format!("copy-{n}"))]).await;
    many::count(&who, "models", count).await;
    many::count_models(&who, &project, count).await;
    let before = app.last_call().await;
    let gone = who.delete(&path_of(&project)).await.expect(200);
    assert_eq!(gone.at("/cascadedModels"), &json!(count + 1));
    let to_trash = app.calls_of("resources-trash", before).await.len();
    assert_eq!(who.get("/api/models").await.expect(200).at("/models"), &json!([]));
    let before = app.last_call().await;
    let removed = who.send(reqwest::Method::DELETE, "/api/trash", Some(in_trash(&project))).await.expect(200);
    assert_eq!(removed.at("/cascadedModels"), &json!(count + 1));
    let to_remove = app.calls_of("trash-purge", before).await.len();
    println!("{count} models: {to_trash} AWS calls to trash them, {to_remove} to remove them");
    assert!(to_trash <= 4 && to_remove <= 4, "what a request does is the same for any number");
    let usage = who.get("/api/storage").await.expect(200);
    assert_eq!(usage.at("/breakdown/byCategory/models/count"), &json!(0));
    for kind in [ItemKind::Models, ItemKind::Groups, ItemKind::Slugs, ItemKind::Purges] {
        many::none_left(&app, kind, &who.workspace().to_string()).await;
    }
}
