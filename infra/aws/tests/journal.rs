//! The journal records caller, request, operation and consumed capacity.

use aws_sdk_dynamodb::{
    Client,
    operation::get_item::GetItemOutput,
    types::{KeysAndAttributes, ReturnConsumedCapacity},
};

use crate::dynamodb::{table, text};
use crate::support::Local;

/// Reads an item as part of a request, as functions do.
async fn read_for_request(dynamodb: &Client) -> GetItemOutput {
    dynamodb
        .get_item()
        .table_name("workspaces")
        .key("pk", text("a"))
        .consistent_read(true)
        .customize()
        .mutate_request(|request| {
            request.headers_mut().insert(
                "x-amzn-trace-id",
                "Root=1-67891233-abcdef012345678912345678;Sampled=0;Request=req_1",
            );
        })
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_call_is_recorded_with_function_table_capacity_and_request() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("eu-central-1.api-keys-list");
    table(&dynamodb, "workspaces").await;
    table(&dynamodb, "identity").await;
    let before = local.journal.calls_since(0).len() as u64;
    dynamodb.put_item().table_name("workspaces").item("pk", text("a")).send().await.unwrap();
    let got = read_for_request(&dynamodb).await;
    assert!(got.consumed_capacity.is_none(), "the caller did not ask");
    let key = KeysAndAttributes::builder().keys([("pk".to_owned(), text("a"))].into()).build().unwrap();
    let batch =
        dynamodb.batch_get_item().request_items("workspaces", key.clone()).request_items("identity", key);
    let batch = batch.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
    assert_eq!(batch.consumed_capacity.unwrap().len(), 2, "the caller asked");
    local.kms("auth-sign-in").create_key().send().await.unwrap();

    let calls = local.journal.calls_since(before);
    assert_eq!(calls[0].home.as_deref(), Some("eu-central-1"));
    assert_eq!(calls[3].home, None, "callers that are no functions have no home");
    let shown = serde_json::to_value(&calls).unwrap();
    assert_eq!(shown[0]["home"], "eu-central-1");
    assert_eq!(shown[3].get("home"), None);
    let brief: Vec<_> = calls
        .iter()
        .map(|call| {
            let capacity = call.capacity.map(|c| (c.read, c.write));
            (
                call.n,
                call.function.as_str(),
                call.service.as_str(),
                call.operation.as_str(),
                call.table.as_deref(),
                capacity,
                call.status,
            )
        })
        .collect();
    assert_eq!(
        brief,
        [
            (3, "api-keys-list", "dynamodb", "PutItem", Some("workspaces"), Some((0.0, 1.0)), 200),
            (4, "api-keys-list", "dynamodb", "GetItem", Some("workspaces"), Some((1.0, 0.0)), 200),
            (
                5,
                "api-keys-list",
                "dynamodb",
                "BatchGetItem",
                Some("identity,workspaces"),
                Some((1.0, 0.0)),
                200
            ),
            (6, "auth-sign-in", "kms", "CreateKey", None, None, 200),
        ]
    );
    assert_eq!(calls[1].request.as_deref(), Some("req_1"));
    assert!(calls.iter().all(|call| call.region == "eu-central-1" && call.fault.is_none()));
}
