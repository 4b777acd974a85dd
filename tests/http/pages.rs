//! No list is cut silently: whatever a client asks for, the `Link` header leads to all that there is.

use std::collections::BTreeSet;

use domain::resource::Kind;
use tests::{Answer, App, Person, Value, json};

use crate::many;

/// Where the `Link` header leads.
fn next(page: &Answer) -> Option<String> {
    let (path, rel) = page.header("link")?.strip_prefix('<')?.split_once('>')?;
    assert_eq!(rel, "; rel=\"next\"");
    Some(path.to_owned())
}

/// The rows of a list, page by page, as the `Link` headers lead.
async fn walk(who: &Person, path: &str, list: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut path) = (Vec::new(), path.to_owned());
    loop {
        let page = who.get(&path).await.expect(200);
        pages.push(page.at(list).as_array().unwrap().clone());
        match next(&page) {
            Some(next) => path = next,
            None => return pages,
        }
    }
}

fn lengths(pages: &[Vec<Value>]) -> Vec<usize> {
    pages.iter().map(Vec::len).collect()
}

fn distinct(pages: &[Vec<Value>], id: &str) -> usize {
    let ids = pages.iter().flatten().map(|row| row[id].as_str().unwrap());
    ids.collect::<BTreeSet<&str>>().len()
}

#[tokio::test]
async fn links_lead_to_each_of_1005_keys_once() {
    let app = App::start().await;
    let ada = app.user("ada31").await;
    let (first, value) = ada.make_key("ci").await;
    many::copy_keys(&ada, &first, 1_004).await;
    let whole = ada.get("/api/api-keys").await.expect(200);
    let members: Vec<&String> = whole.body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["keys"], "the reference's client knows no other member");
    let key = Person { token: value, ..ada.clone() };
    for who in [&ada, &key] {
        let pages = walk(who, "/api/api-keys", "/keys").await;
        assert_eq!((lengths(&pages), distinct(&pages, "keyId")), (vec![1_000, 5], 1_005));
    }
    let pages = walk(&ada, "/api/api-keys?owner=ada31&limit=100", "/keys").await;
    assert_eq!((lengths(&pages).len(), distinct(&pages, "keyId")), (11, 1_005));
}

#[tokio::test]
async fn links_lead_through_every_list_and_keep_its_filters() {
    let app = App::start().await;
    let bob = app.user("bob31").await;
    let project = bob.make(Kind::Project, "home").await;
    for n in 0..5 {
        bob.make_in(&project, &format!("m-{n}")).await;
        bob.make(Kind::Model, &format!("l-{n}")).await;
        let gone = bob.make(Kind::Dataset, &format!("trash-{n}")).await;
        bob.trash(&gone).await.expect(200);
    }
    for (path, list, wanted) in [
        (format!("/api/models?projectId={project}&limit=2"), "/models", vec![2, 2, 1]),
        ("/api/models?limit=5".to_owned(), "/models", vec![5, 5]),
        ("/api/trash?limit=2&type=dataset".to_owned(), "/items", vec![2, 2, 1]),
        ("/api/trash?limit=2&page=2".to_owned(), "/items", vec![2, 1]),
        ("/api/activity?search=trash-&limit=4&from=2020-01-01".to_owned(), "/events", vec![4, 4, 2]),
        ("/api/activity?search=home&limit=1&page=1".to_owned(), "/events", vec![1]),
    ] {
        let pages = walk(&bob, &path, list).await;
        assert_eq!(lengths(&pages), wanted, "{path}");
        assert_eq!(distinct(&pages, "_id"), wanted.iter().sum::<usize>(), "{path}");
    }
    let trash = bob.get("/api/trash?limit=2").await.expect(200);
    assert!(trash.at("/nextCursor").is_null() && next(&trash).is_some());
    assert_eq!(next(&bob.get("/api/trash").await.expect(200)), None);
    assert_eq!(next(&bob.get("/api/settings").await.expect(200)), None);
}

#[tokio::test]
async fn link_comes_back_from_another_region_too() {
    let app = App::start().await;
    let carol = app.user("carol31").await;
    for n in 0..3 {
        carol.post("/api/api-keys", json!({ "name": format!("k{n}") })).await.expect(201);
    }
    let elsewhere = carol.by_way_of(domain::region::Region::Ap);
    let pages = walk(&elsewhere, "/api/api-keys?limit=2", "/keys").await;
    assert_eq!((lengths(&pages), distinct(&pages, "keyId")), (vec![2, 1], 3));
}
