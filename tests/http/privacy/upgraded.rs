//! Jobs that one version began and the next one ends.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::resource::Kind;
use kit::ItemKind;
use serde_json::Value;
use tests::{App, Person};

use super::{SECOND_LOOK, everything::Everything, forgotten, looked_once, until};
use crate::{
    deaths::{held_back, is_of},
    many,
};

const WORKER: &str = "run-deletion";

/// Rewrites a deletion as earlier versions stored it: with the number of steps that are done.
async fn count_steps(who: &Person, done: usize) {
    let app = &who.app;
    let jobs = who.jobs().await;
    let job = jobs.iter().find(|job| !job["steps_done"].is_null()).unwrap();
    let update = app.tables().update_item().table_name(app.table("operations"));
    let update = update
        .key("pk", AttributeValue::S(ItemKind::Jobs.partition(who.id())))
        .key("sk", AttributeValue::S(job["sk"].as_str().unwrap().to_owned()))
        .update_expression("SET done = :done REMOVE steps_done, handed_over_until")
        .expression_attribute_values(":done", AttributeValue::N(done.to_string()));
    update.send().await.unwrap();
}

#[tokio::test]
async fn deletion_begun_by_an_earlier_version_goes_on_at_its_step() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada-upgraded").await;
    let dataset = ada.make(Kind::Dataset, "coco").await;
    ada.upload(&dataset, "12345").await;
    app.faults(Value::from(held_back(WORKER, app.home()).to_vec())).await;
    let since = app.last_call().await;
    ada.ask_to_be_deleted().await.expect(202);
    let (on, home) = (&app, app.home());
    until("the worker does not begin", move || async move {
        on.calls(since).await.iter().any(|call| is_of(WORKER, home, call))
    })
    .await;
    // API keys, sessions, bundles and files, says the earlier version.
    count_steps(&ada, 4).await;
    app.no_faults().await;
    app.run_worker(WORKER).await;
    looked_once(&ada).await;
    let workspace = ada.workspace().to_string();
    assert_eq!(many::items(&app, ItemKind::Datasets, &workspace).await, 0, "the steps after it were taken");
    assert_eq!(app.file_keys().await.len(), 1, "the steps before it were not taken again");
    // As the earlier version stored that it has looked once.
    count_steps(&ada, 25).await;
    app.advance(SECOND_LOOK).await;
    app.try_worker(WORKER).await;
    forgotten(&ada).await;
    assert_eq!(app.file_keys().await, Vec::<String>::new());
    assert_eq!(Everything::of(&app).await.name(&[ada.id().bare()]), Vec::<String>::new());
}
