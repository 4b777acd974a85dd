//! Cursors are good for the list that they are from, with its filters.

use domain::resource::Kind;
use tests::{App, Person};

/// The cursor of a page that has more after it.
async fn cursor(who: &Person, path: &str) -> String {
    who.get(path).await.expect(200).text_at("/nextCursor")
}

/// A page goes on with its own filters, and with no others.
async fn goes_on(who: &Person, path: &str, filters: &str, others: &[&str]) {
    let page = |filters: &str, cursor: &str| format!("{path}?limit=1&{filters}{cursor}");
    let cursor = format!("&cursor={}", cursor(who, &page(filters, "")).await);
    who.get(&page(filters, &cursor)).await.expect(200);
    for other in others {
        let refused = who.get(&page(other, &cursor)).await;
        assert_eq!(refused.brief(), "400 BAD_REQUEST", "{path}: {filters} with {other}");
        assert_eq!(refused.text_at("/error"), "Invalid cursor for this list.");
    }
}

#[tokio::test]
async fn cursor_with_other_filters_is_refused() {
    let app = App::start().await;
    let ada = app.user("ada-cursor").await;
    let (one, two) = (ada.make(Kind::Project, "one").await, ada.make(Kind::Project, "two").await);
    for (n, project) in [&one, &one, &two, &two].into_iter().enumerate() {
        ada.make_in(project, &format!("model-{n}")).await;
    }
    let (of_one, of_two) = (format!("projectId={one}"), format!("projectId={two}"));
    goes_on(&ada, "/api/models", &of_one, &[&of_two, ""]).await;
    goes_on(&ada, "/api/models", "", &[&of_one]).await;
    let since = "from=2020-01-01T00:00:00Z";
    goes_on(&ada, "/api/activity", since, &["", "from=2021-01-01T00:00:00Z", "archived=true"]).await;
    goes_on(&ada, "/api/activity", "search=model", &["", "search=project", &format!("search=model&{since}")])
        .await;
    goes_on(&ada, "/api/activity", "", &["archived=true", "search=model", "to=2100-01-01T00:00:00Z"]).await;
    goes_on(&ada, "/api/activity", "to=2100-01-01T00:00:00Z", &["", "to=2101-01-01T00:00:00Z"]).await;
    for n in 0..3 {
        let id = ada.make(Kind::Dataset, &format!("gone-{n}")).await;
        ada.trash(&id).await.expect(200);
    }
    let more = "expand=cursor";
    let with = |filter: &str| format!("{more}&{filter}");
    let (search, other, kind) = (with("search=gone"), with("search=on"), with("type=dataset"));
    goes_on(&ada, "/api/trash", &search, &[more, &other, &format!("{search}&type=dataset")]).await;
    goes_on(&ada, "/api/trash", &kind, &[more, &with("type=model"), &search]).await;
    goes_on(&ada, "/api/trash", more, &[&search, &kind]).await;
}
