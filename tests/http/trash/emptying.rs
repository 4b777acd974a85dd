//! Emptying the trash, however full it is.

use std::time::Duration;

use futures::future::join_all;

use super::*;

const MANY: usize = 300;

/// Makes so many datasets and puts them into the trash; their ids.
async fn fill(who: &Person, many: usize) -> Vec<String> {
    let numbers: Vec<usize> = (0..many).collect();
    let mut ids = Vec::new();
    for some in numbers.chunks(5) {
        let put = |n: &usize| {
            let (who, slug) = (who.clone(), format!("n{n}"));
            async move {
                let id = who.make(Kind::Dataset, &slug).await;
                who.trash(&id).await.expect(200);
                id
            }
        };
        ids.extend(join_all(some.iter().map(put)).await);
    }
    ids
}

/// The lines of the history that say that something was deleted.
async fn deleted(who: &Person) -> Vec<String> {
    let (mut lines, mut path) = (Vec::new(), "/api/activity?search=n&limit=100".to_owned());
    loop {
        let page = who.get(&path).await.expect(200);
        for event in page.at("/events").as_array().unwrap() {
            if event["action"] == "deleted" {
                lines.push(event["resourceName"].as_str().unwrap().to_owned());
            }
        }
        let Some(cursor) = page.at("/nextCursor").as_str() else { return lines };
        path = format!("/api/activity?search=n&limit=100&cursor={cursor}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_trash_is_empty_at_once_and_every_thing_is_told_once() {
    let app = App::alone().await;
    let ada = app.user("ada22").await;
    app.hold_purges().await;
    let ids = fill(&ada, MANY).await;
    let ada = again(&ada).await;
    let pages = ["", "&page=2"].map(|page| format!("/api/trash?limit=200{page}"));
    let mut listed = Vec::new();
    for page in pages {
        let page = ada.get(&page).await.expect(200);
        assert_eq!((page.at("/total"), page.at("/totalPages")), (&json!(MANY), &json!(2)));
        listed.extend(names(&page, "/items"));
    }
    listed.sort();
    listed.dedup();
    assert_eq!(listed.len(), MANY, "pages join without gap or repeat");
    let before = app.last_call().await;
    let emptied = ada.delete("/api/trash/empty").await.expect(200);
    assert_eq!(emptied.body, json!({ "success": true, "deletedCount": MANY, "cascadedModels": 0 }));
    let calls = app.calls_of("trash-empty", before).await;
    // The first of them reads the signing keys.
    assert!(calls.len() <= 4, "as many calls as for one thing: {calls:?}");
    assert_eq!((ada.in_trash().await.len(), stored(&ada).await), (0, 0));
    for id in [&ids[0], &ids[MANY - 1]] {
        for answer in [ada.restore(id).await, ada.purge(id).await] {
            assert_eq!(answer.brief(), "404 NOT_FOUND");
        }
    }
    assert_eq!(ada.delete("/api/trash/empty").await.expect(200).at("/deletedCount"), 0);
    // ItemKind that are trashed later stay.
    let next = ada.make(Kind::Dataset, "n0").await;
    ada.trash(&next).await.expect(200);
    assert_eq!(ada.in_trash().await, ["n0"]);

    app.no_faults().await;
    // Work that was held back is taken up again in an hour.
    app.advance(3_601).await;
    let ada = again(&ada).await;
    for _ in 0..100 {
        app.run_worker("purge-trash").await;
        if deleted(&ada).await.len() == MANY {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut told = deleted(&ada).await;
    told.sort();
    let mut all: Vec<String> = (0..MANY).map(|n| format!("n{n}")).collect();
    all.sort();
    assert_eq!(told, all);
    assert_eq!(ada.in_trash().await, ["n0"]);
    ada.restore(&next).await.expect(200);
}

#[tokio::test]
async fn api_key_may_empty_the_trash() {
    let app = App::start().await;
    let bob = app.user("bob22").await;
    let key = bob.with_api_key("ci").await;
    let project = bob.make(Kind::Project, "yolo").await;
    for slug in ["one", "two"] {
        let model = bob.make_in(&project, slug).await;
        bob.upload(&model, "12345").await;
    }
    let dataset = bob.make(Kind::Dataset, "coco").await;
    bob.upload(&dataset, "123").await;
    bob.make(Kind::Dataset, "kept").await;
    for id in [&project, &dataset] {
        bob.trash(id).await.expect(200);
    }
    assert_eq!(stored(&bob).await, 13);
    let removed = key.send(Method::DELETE, "/api/trash", Some(json!({ "all": true }))).await.expect(200);
    assert_eq!(removed.body, json!({ "success": true, "deletedCount": 2, "cascadedModels": 2 }));
    assert_eq!((bob.in_trash().await.len(), stored(&bob).await), (0, 0));
    for _ in 0..200 {
        if app.file_keys().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(app.file_keys().await, Vec::<String>::new());
    let mut history = bob.activity().await;
    history.retain(|line| line.starts_with("deleted"));
    history.sort();
    assert_eq!(history, ["deleted dataset coco", "deleted project yolo"]);
    assert_eq!(names(&bob.get("/api/datasets").await.expect(200), "/datasets"), ["kept"]);
}
