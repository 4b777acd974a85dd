//! Very many things, written straight into the table: copies of the items of one that was made over HTTP.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use domain::activity::ActivityEvent;
use futures::{StreamExt, stream};
use kit::ItemKind;
use tests::{App, Person, Value};

/// All items that tell of something, by its id.
pub struct Mould {
    id: String,
    items: Vec<String>,
}

impl Mould {
    /// Those that tell of `id`, but for the workspace's counters.
    pub async fn of(app: &App, id: &str) -> Self {
        let mut pages =
            app.tables().scan().table_name(app.table("resources")).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            let item: Value = serde_dynamo::from_item(item.unwrap()).unwrap();
            if item.to_string().contains(id) {
                items.push(item.to_string());
            }
        }
        assert!(!items.is_empty(), "nothing tells of {id}");
        Self { id: id.to_owned(), items }
    }

    /// The items of its nth copy: with another id, and with `others` replaced too.
    fn copy(&self, nth: usize, others: &[(String, String)]) -> Vec<Value> {
        let (kept, _) = self.id.split_at(self.id.len() - 8);
        let id = format!("{kept}{nth:08}");
        let replaced = |item: &String| {
            let item = item.replace(&self.id, &id);
            others.iter().fold(item, |item, (from, to)| item.replace(from, to))
        };
        self.items.iter().map(|item| serde_json::from_str(&replaced(item)).unwrap()).collect()
    }
}

/// Writes `count` copies, of each mould in turn, each with its own replacements.
pub async fn copy(
    app: &App,
    moulds: &[Mould],
    count: usize,
    others: impl Fn(usize) -> Vec<(String, String)>,
) {
    let items = (0..count).flat_map(|n| moulds[n % moulds.len()].copy(n, &others(n)));
    put_all(app, "resources", items).await;
}

/// Writes `count` copies of an API key's record. They can be listed, and nothing else.
pub async fn copy_keys(who: &Person, key: &str, count: usize) {
    let app = &who.app;
    let record = app.tables().get_item().table_name(app.table("workspaces"));
    let record = record
        .key("pk", AttributeValue::S(ItemKind::Keys.partition(who.workspace())))
        .key("sk", AttributeValue::S(format!("KEY#{key}")));
    let record: Value = serde_dynamo::from_item(record.send().await.unwrap().item.unwrap()).unwrap();
    let mould = Mould { id: key.to_owned(), items: vec![record.to_string()] };
    put_all(app, "workspaces", (0..count).flat_map(|n| mould.copy(n, &[]))).await;
}

/// Writes a history that was made up: events of any number.
pub async fn remember(app: &App, events: impl IntoIterator<Item = ActivityEvent>) {
    let items = events.into_iter().map(|event| {
        let mut item = serde_json::to_value(&event).unwrap();
        item["pk"] = ItemKind::Events.partition(event.workspace).into();
        item["sk"] = format!("EVT#{}", event.id).into();
        item
    });
    put_all(app, "activity", items).await;
}

/// Writes items into a table.
pub async fn put_all(app: &App, table: &str, items: impl Iterator<Item = Value>) {
    let put = |item| {
        let item = serde_dynamo::to_item(item).unwrap();
        WriteRequest::builder()
            .put_request(PutRequest::builder().set_item(Some(item)).build().unwrap())
            .build()
    };
    let requests: Vec<WriteRequest> = items.map(put).collect();
    let (tables, table) = (app.tables(), app.table(table));
    stream::iter(requests.chunks(25))
        .for_each_concurrent(4, |chunk| {
            let request = tables.batch_write_item().request_items(&table, chunk.to_vec());
            async move {
                let left = request.send().await.unwrap().unprocessed_items.unwrap_or_default();
                assert!(left.is_empty());
            }
        })
        .await;
}

/// Adds to one of the workspace's counters.
pub async fn count(who: &Person, counter: &str, more: usize) {
    let app = &who.app;
    let update = app.tables().update_item().table_name(app.table("resources"));
    let update = update
        .key("pk", AttributeValue::S(ItemKind::Usage.partition(who.workspace())))
        .key("sk", AttributeValue::S("USAGE".to_owned()))
        .update_expression("ADD #counter :more")
        .expression_attribute_names("#counter", counter)
        .expression_attribute_values(":more", AttributeValue::N(more.to_string()));
    update.send().await.unwrap();
}

/// Adds to a project's count of models.
pub async fn count_models(who: &Person, project: &str, more: usize) {
    let app = &who.app;
    let update = app.tables().update_item().table_name(app.table("resources"));
    let update = update
        .key("pk", AttributeValue::S(ItemKind::Projects.partition(who.workspace())))
        .key("sk", AttributeValue::S(project.to_owned()))
        .update_expression("ADD models :more")
        .expression_attribute_values(":more", AttributeValue::N(more.to_string()));
    update.send().await.unwrap();
}

/// How many items of a kind there are.
pub async fn items(app: &App, kind: ItemKind, subject: &str) -> usize {
    items_in(app, "resources", &kind.partition(subject)).await
}

/// How many items a partition of a table has.
pub async fn items_in(app: &App, table: &str, partition: &str) -> usize {
    let query =
        app.tables().query().table_name(app.table(table)).select(aws_sdk_dynamodb::types::Select::Count);
    let query = query
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()))
        .consistent_read(true);
    let mut pages = query.into_paginator().send();
    let mut sum = 0;
    while let Some(page) = pages.next().await {
        sum += usize::try_from(page.unwrap().count()).unwrap();
    }
    sum
}

/// Waits until there are none left of a kind.
pub async fn none_left(app: &App, kind: ItemKind, subject: &str) {
    for _ in 0..240 {
        if items(app, kind, subject).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("some of {kind:?} are left");
}

/// A number that a variable may set, for runs that are too long for every day.
pub fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}
