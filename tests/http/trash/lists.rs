//! Listing the trash: by type, by name, in pages.

use super::*;

/// Two datasets, two models and a project with a model, the oldest first: Alpha, beta, Gamma, delta, Alphabet.
async fn fill(who: &Person) {
    let things = [
        (Kind::Dataset, "Alpha", "aa"),
        (Kind::Dataset, "beta", "b"),
        (Kind::Model, "Gamma", "cccc"),
        (Kind::Model, "delta", ""),
        (Kind::Project, "Alphabet", ""),
    ];
    for (kind, name, file) in things {
        let id = who.make(kind, &name.to_lowercase()).await;
        who.patch(&path_of(&id), json!({ "name": name })).await.expect(200);
        if !file.is_empty() {
            who.upload(&id, file).await;
        }
        if kind == Kind::Project {
            let model = who.make_in(&id, "inside").await;
            who.upload(&model, "dddddddd").await;
        }
        who.trash(&id).await.expect(200);
    }
}

#[tokio::test]
async fn trash_list_is_filtered_and_summary_is_not() {
    let app = App::start().await;
    let ada = app.user("ada20").await;
    let nothing = ada.get("/api/trash").await.expect(200);
    assert_eq!((nothing.at("/total"), nothing.at("/totalPages")), (&json!(0), &json!(0)));
    fill(&ada).await;
    let summary = json!({
        "totalItems": 5, "totalSizeBytes": 15,
        "byType": {
            "projects": { "count": 1 }, "datasets": { "count": 2, "sizeBytes": 3 },
            "models": { "count": 2, "sizeBytes": 12 }, "exports": { "count": 0, "sizeBytes": 0 },
        },
    });
    for (query, wanted) in [
        ("", vec!["Alphabet", "delta", "Gamma", "beta", "Alpha"]),
        ("type=all", vec!["Alphabet", "delta", "Gamma", "beta", "Alpha"]),
        ("type=dataset", vec!["beta", "Alpha"]),
        ("type=model", vec!["delta", "Gamma"]),
        ("type=project", vec!["Alphabet"]),
        ("search=ALPHA", vec!["Alphabet", "Alpha"]),
        ("search=a&type=model", vec!["delta", "Gamma"]),
        ("search=%20eta%20", vec!["beta"]),
        ("search=inside", vec![]),
        ("search=", vec!["Alphabet", "delta", "Gamma", "beta", "Alpha"]),
    ] {
        let list = ada.get(&format!("/api/trash?{query}")).await.expect(200);
        assert_eq!(names(&list, "/items"), wanted, "{query}");
        assert_eq!(list.at("/total"), wanted.len(), "{query}");
        assert_eq!(list.at("/summary"), &summary, "{query}");
        assert_eq!((list.at("/page"), list.at("/limit")), (&json!(1), &json!(50)));
        assert_eq!(list.at("/region"), app.home().as_str());
        assert!(list.at("/nextCursor").is_null(), "the reference's client knows no such member");
    }
}

#[tokio::test]
async fn pages_join_by_number_and_by_cursor() {
    let app = App::start().await;
    let bob = app.user("bob20").await;
    fill(&bob).await;
    let all = bob.in_trash().await;
    let mut read = Vec::new();
    for page in 1..=3 {
        let list = bob.get(&format!("/api/trash?limit=2&page={page}")).await.expect(200);
        assert_eq!((list.at("/page"), list.at("/limit")), (&json!(page), &json!(2)));
        assert_eq!((list.at("/total"), list.at("/totalPages")), (&json!(5), &json!(3)));
        assert_eq!(list.at("/summary/totalItems"), 5);
        read.extend(names(&list, "/items"));
    }
    assert_eq!(read, all);
    let after = bob.get("/api/trash?limit=2&page=4").await.expect(200);
    assert_eq!(names(&after, "/items"), Vec::<String>::new());
    for (query, wanted) in [("", all), ("&type=dataset", vec!["beta".to_owned(), "Alpha".to_owned()])] {
        let (mut read, path) = (Vec::new(), format!("/api/trash?limit=1&expand=cursor{query}"));
        let mut next = path.clone();
        loop {
            let list = bob.get(&next).await.expect(200);
            read.extend(names(&list, "/items"));
            let Some(cursor) = list.at("/nextCursor").as_str() else { break };
            next = format!("{path}&cursor={cursor}");
        }
        assert_eq!(read, wanted, "{query}");
    }
}

#[tokio::test]
async fn unknown_list_filters_are_refused() {
    let app = App::start().await;
    let carol = app.user("carol20").await;
    for (query, complaints) in [
        ("type=export", "type INVALID"),
        ("limit=0", "limit INVALID"),
        ("limit=201", "limit INVALID"),
        ("page=0", "page INVALID"),
        ("page=6&limit=200", "page INVALID"),
        ("page=1001", "page INVALID"),
        ("expand=value", "expand INVALID"),
        ("size=1", "size UNKNOWN"),
        (&format!("search={}", "x".repeat(101)), "search INVALID"),
    ] {
        assert_eq!(carol.get(&format!("/api/trash?{query}")).await.complaints(), complaints, "{query}");
    }
    assert_eq!(carol.get("/api/trash?cursor=x").await.brief(), "400 BAD_REQUEST");
    carol.get("/api/trash?page=5&limit=200").await.expect(200);
}
