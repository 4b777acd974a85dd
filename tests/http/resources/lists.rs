//! Lists in pages.

use super::*;

/// Reads a list page by page: how long each page was, and all names.
async fn pages(who: &Person, path: &str, list: &str) -> (Vec<usize>, Vec<String>) {
    let (mut lengths, mut all, mut next) = (Vec::new(), Vec::new(), path.to_owned());
    loop {
        let page = who.get(&next).await.expect(200);
        let rows = names(&page, list);
        lengths.push(rows.len());
        all.extend(rows);
        let Some(cursor) = page.at("/nextCursor").as_str() else { return (lengths, all) };
        next = format!("{path}&cursor={cursor}");
    }
}

#[tokio::test]
async fn pages_of_many_join_without_gap_or_repeat() {
    let app = App::start().await;
    let ada = app.user("ada16").await;
    for kind in [Kind::Project, Kind::Dataset] {
        for n in 0..25 {
            ada.make(kind, &format!("n{n}")).await;
        }
        let all: Vec<String> = (0..25).rev().map(|n| format!("n{n}")).collect();
        let path = format!("/api/{}?limit=10", kind.plural());
        let (lengths, read) = pages(&ada, &path, &format!("/{}", kind.plural())).await;
        assert_eq!((lengths, read), (vec![10, 10, 5], all));
    }
}

#[tokio::test]
async fn model_pages_end_with_models_without_project() {
    let app = App::start().await;
    let bob = app.user("bob16").await;
    let projects = [bob.make(Kind::Project, "older").await, bob.make(Kind::Project, "newer").await];
    let mut all = Vec::new();
    for n in 0..3 {
        bob.make(Kind::Model, &format!("loose-{n}")).await;
        all.insert(0, format!("loose-{n}"));
    }
    for (project, name) in projects.iter().zip(["older", "newer"]) {
        let mut inside = Vec::new();
        for n in 0..4 {
            bob.make_in(project, &format!("{name}-{n}")).await;
            inside.insert(0, format!("{name}-{n}"));
        }
        all = [inside, all].concat();
    }
    for limit in [1, 2, 3, 4, 5, 11, 20] {
        let (lengths, read) = pages(&bob, &format!("/api/models?limit={limit}"), "/models").await;
        assert_eq!(read, all, "limit {limit}");
        assert!(lengths.iter().all(|length| *length <= limit), "{lengths:?}");
        let of_one = format!("/api/models?projectId={}&limit={limit}", projects[0]);
        assert_eq!(pages(&bob, &of_one, "/models").await.1, ["older-3", "older-2", "older-1", "older-0"]);
    }
    // Models that are in the trash with their project are skipped at any end of a page.
    bob.trash(&projects[1]).await.expect(200);
    for limit in [1, 2, 3, 7] {
        let (_, read) = pages(&bob, &format!("/api/models?limit={limit}"), "/models").await;
        assert_eq!(read, all[4..], "limit {limit}");
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_only() {
    let app = App::start().await;
    let carol = app.user("carol16").await;
    for kind in Kind::ALL {
        for n in 0..2 {
            carol.make(kind, &format!("n{n}")).await;
        }
    }
    let cursor = carol.get("/api/datasets?limit=1").await.expect(200).text_at("/nextCursor");
    for path in ["/api/projects", "/api/models", "/api/api-keys"] {
        assert_eq!(carol.get(&format!("{path}?cursor={cursor}")).await.brief(), "400 BAD_REQUEST");
    }
    let dave = app.user("dave16").await;
    let path = format!("/api/datasets?cursor={cursor}");
    assert_eq!(dave.get(&path).await.brief(), "400 BAD_REQUEST");
    assert_eq!(names(&carol.get(&path).await.expect(200), "/datasets"), ["n0"]);
    for limit in ["0", "101", "x", ""] {
        let answer = carol.get(&format!("/api/datasets?limit={limit}")).await;
        assert_eq!(answer.complaints(), "limit INVALID");
    }
}
