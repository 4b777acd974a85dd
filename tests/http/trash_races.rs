//! Restoring, removing, emptying and deleting the same thing, many at once: one outcome, no half of a tree, and every counter
//! as it would be if items were counted again.

use domain::resource::Kind;
use futures::future::join_all;
use reqwest::Method;
use tests::{App, Person, in_trash, path_of};

use crate::{many, stock::Stock};

/// What twenty do at once.
const MOVES: [fn(&Person, &str) -> Move; 20] = {
    let (restore, purge, empty, delete) = (Move::restore, Move::purge, Move::empty, Move::delete);
    [
        restore, purge, restore, delete, restore, empty, restore, delete, restore, purge, restore, delete,
        restore, delete, purge, restore, delete, restore, delete, restore,
    ]
};

struct Move {
    method: Method,
    path: String,
    body: Option<tests::Value>,
    name: &'static str,
}

impl Move {
    fn restore(_: &Person, id: &str) -> Self {
        Self {
            method: Method::POST,
            path: "/api/trash".to_owned(),
            body: Some(in_trash(id)),
            name: "restored",
        }
    }

    fn purge(_: &Person, id: &str) -> Self {
        Self {
            method: Method::DELETE,
            path: "/api/trash".to_owned(),
            body: Some(in_trash(id)),
            name: "purged",
        }
    }

    fn empty(_: &Person, _: &str) -> Self {
        Self { method: Method::DELETE, path: "/api/trash/empty".to_owned(), body: None, name: "emptied" }
    }

    fn delete(_: &Person, id: &str) -> Self {
        Self { method: Method::DELETE, path: path_of(id), body: None, name: "trashed" }
    }
}

/// One round: the thing is in the trash, and twenty reach for it.
async fn round(who: &Person, root: &str, models: &[String], skew: usize) {
    let moves = (0..MOVES.len()).map(|n| MOVES[(n + skew) % MOVES.len()](who, root));
    let done = join_all(moves.map(|one| async move {
        let answer = who.send(one.method, &one.path, one.body).await;
        let counts = match (one.name, answer.status) {
            ("emptied", 200) => answer.at("/deletedCount").as_u64().unwrap(),
            (_, 200) => 1,
            (_, 404) => 0,
            // It lost too many races, and may be sent again.
            (_, 503) => 0,
            _ => panic!("{}: {}", one.name, answer.text),
        };
        (one.name, counts)
    }))
    .await;
    let count = |name| done.iter().filter(|(other, _)| *other == name).map(|(_, counts)| counts).sum::<u64>();
    let (restored, trashed, gone) = (count("restored"), count("trashed"), count("purged") + count("emptied"));
    // It was in the trash: it comes out and goes in by turns, and is removed permanently once.
    let live = who.get(&path_of(root)).await.status == 200;
    assert!(gone <= 1, "{done:?}");
    assert_eq!(restored, trashed + u64::from(live), "{done:?}");
    assert!(!(live && gone == 1), "{done:?}");
    for model in models {
        assert_eq!(who.get(&path_of(model)).await.status == 200, live, "a half of a tree: {done:?}");
    }
    let again = who.send(Method::POST, "/api/trash", Some(in_trash(root))).await.status;
    assert_eq!(again, if live || gone == 1 { 404 } else { 200 }, "{done:?}");
}

/// Something with files: by turns a project with two models, a dataset and a model. Which, and the models in it.
async fn something(who: &Person, n: usize) -> (String, Vec<String>) {
    match n % 3 {
        0 => {
            let project = who.make(Kind::Project, &format!("p{n}")).await;
            let first = who.make_in(&project, &format!("a{n}")).await;
            let second = who.make_in(&project, &format!("b{n}")).await;
            who.upload(&first, &"7".repeat(10 + n)).await;
            (project, vec![first, second])
        }
        1 => {
            let dataset = who.make(Kind::Dataset, &format!("d{n}")).await;
            who.upload(&dataset, &"7".repeat(20 + n)).await;
            (dataset, Vec::new())
        }
        _ => {
            let model = who.make(Kind::Model, &format!("m{n}")).await;
            who.upload(&model, &"7".repeat(30 + n)).await;
            (model, Vec::new())
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_trash_operations_have_one_winner() {
    let app = App::alone().await;
    // Each round is of twenty requests. Three hundred take a minute or two: every day, fewer will do.
    let rounds = many::number("ACCOUNT_TEST_ROUNDS", 60);
    // Ten people, since each has room for so many models.
    for person in 0..10 {
        let who = app.user(&format!("racer{person}")).await;
        for n in 0..rounds / 10 {
            let (root, models) = something(&who, n).await;
            who.delete(&path_of(&root)).await.expect(200);
            round(&who, &root, &models, n).await;
        }
        Stock::of(&app).await.check(who.workspace(), false);
        for _ in 0..20 {
            app.run_worker("purge-trash").await;
        }
        Stock::of(&app).await.check(who.workspace(), true);
    }
}
