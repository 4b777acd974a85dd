//! Every kind of fault as seen by an SDK client, and its effect on data.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, Put, TransactWriteItem};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use aws_smithy_types::timeout::TimeoutConfig;
use serde_json::json;

use crate::dynamodb::{table, text};
use crate::support::{Local, code};

async fn put(
    dynamodb: &Client,
    pk: &str,
) -> Result<(), SdkError<aws_sdk_dynamodb::operation::put_item::PutItemError>> {
    dynamodb.put_item().table_name("things").item("pk", text(pk)).send().await.map(drop)
}

async fn count(dynamodb: &Client) -> usize {
    dynamodb.scan().table_name("things").send().await.unwrap().count as usize
}

/// A kind of fault, and the codes of DynamoDB, KMS, Secrets Manager, EventBridge and SES for it.
const REFUSALS: [[&str; 6]; 5] = [
    [
        "refused",
        "ExpiredTokenException",
        "ExpiredTokenException",
        "ExpiredTokenException",
        "ExpiredTokenException",
        "ExpiredTokenException",
    ],
    [
        "validation",
        "ValidationException",
        "ValidationException",
        "ValidationException",
        "ValidationException",
        "BadRequestException",
    ],
    [
        "denied",
        "AccessDeniedException",
        "AccessDeniedException",
        "AccessDeniedException",
        "AccessDeniedException",
        "AccessDeniedException",
    ],
    [
        "throttled",
        "ThrottlingException",
        "ThrottlingException",
        "ThrottlingException",
        "ThrottlingException",
        "TooManyRequestsException",
    ],
    [
        "error",
        "InternalServerError",
        "KMSInternalException",
        "InternalServiceError",
        "InternalException",
        "InternalServiceErrorException",
    ],
];

#[tokio::test]
async fn injected_errors_match_the_errors_of_each_service() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    for [kind, dynamo, kms, secret, event, mail] in REFUSALS {
        let set = |service: &str| local.fault(json!({ "service": service, "kind": kind }));
        set("dynamodb");
        assert_eq!(code(put(&dynamodb, "a").await), dynamo);
        set("kms");
        assert_eq!(code(local.kms("f").create_key().send().await), kms);
        set("secretsmanager");
        assert_eq!(code(local.secrets("f").get_secret_value().secret_id("s").send().await), secret);
        set("events");
        let sent = local.events("f").put_events().entries(crate::events::entry("{}")).send().await;
        assert_eq!(code(sent), event);
        set("ses");
        assert_eq!(code(crate::ses::mail(&local, &["a@example.com"]).send().await), mail);
    }
    local.journal.clear_faults();
    assert_eq!(count(&dynamodb).await, 0);
    assert!(local.aws().mail(None).is_empty() && local.events_on_bus().is_empty());
}

#[tokio::test]
async fn lost_response_applies_the_call_and_breaks_the_connection() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    local.fault(json!({ "service": "dynamodb", "operation": "PutItem", "kind": "lost-response" }));
    let error = put(&dynamodb, "a").await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert_eq!(count(&dynamodb).await, 1);
    put(&dynamodb, "b").await.unwrap();
    let calls = local.journal.calls_since(0);
    let lost = calls.iter().find(|call| call.fault.is_some()).unwrap();
    assert_eq!((lost.operation.as_str(), lost.status), ("PutItem", 200));
}

#[tokio::test]
async fn stalled_call_ends_with_the_client_and_applies_nothing() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    local.fault(json!({ "service": "dynamodb", "operation": "PutItem", "kind": "stall" }));
    let short = TimeoutConfig::builder().operation_timeout(Duration::from_millis(300)).build();
    let config = dynamodb.config().to_builder().timeout_config(short).build();
    let began = Instant::now();
    let error = put(&Client::from_conf(config), "a").await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(count(&dynamodb).await, 0);
    // The server writes the record after it notices the disconnect.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let calls = local.journal.calls_since(0);
    let stalled = calls.iter().find(|call| call.fault.is_some()).expect("the stalled call is recorded");
    assert_eq!(stalled.status, 0);
}

#[tokio::test]
async fn unprocessed_fault_returns_the_whole_batch() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    put(&dynamodb, "a").await.unwrap();
    local.fault(json!({ "service": "dynamodb", "kind": "unprocessed" }));
    put(&dynamodb, "b").await.unwrap();
    let keys = KeysAndAttributes::builder().keys([("pk".to_owned(), text("a"))].into()).build().unwrap();
    let got = dynamodb.batch_get_item().request_items("things", keys).send().await.unwrap();
    assert!(got.responses.unwrap().is_empty());
    assert_eq!(got.unprocessed_keys.unwrap()["things"].keys()[0]["pk"], AttributeValue::S("a".to_owned()));
    local.fault(json!({ "service": "events", "kind": "unprocessed" }));
    let sent = local.events("f").put_events().entries(crate::events::entry("{}")).send().await.unwrap();
    assert_eq!(sent.failed_entry_count, 1);
    assert!(local.events_on_bus().is_empty());
}

#[tokio::test]
async fn conflict_cancels_a_transaction_with_reasons_per_item() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    local.fault(json!({ "service": "dynamodb", "kind": "conflict", "times": 2 }));
    let item = |pk: &str| {
        let put = Put::builder().table_name("things").item("pk", text(pk)).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    let sent =
        dynamodb.transact_write_items().transact_items(item("a")).transact_items(item("b")).send().await;
    let error = sent.unwrap_err().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { panic!("{error:?}") };
    let codes: Vec<_> =
        cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["TransactionConflict", "TransactionConflict"]);
    assert_eq!(code(put(&dynamodb, "a").await), "TransactionConflictException");
    assert_eq!(count(&dynamodb).await, 0);
}

#[tokio::test]
async fn fault_applies_only_to_matching_calls() {
    let local = Local::start().await;
    let (ours, others) = (local.kms("ours"), local.kms("others"));
    local.fault(json!({ "service": "kms", "operation": "CreateKey", "function": "ours", "nth": 2, "times": 2, "kind": "error" }));
    let mut results = Vec::new();
    for _ in 0..4 {
        results.push(ours.create_key().send().await.is_ok());
        assert!(others.create_key().send().await.is_ok());
    }
    assert_eq!(results, [true, false, false, true]);
    local.fault(json!({ "service": "kms", "times": 0, "kind": "denied" }));
    for _ in 0..3 {
        assert_eq!(code(ours.create_key().send().await), "AccessDeniedException");
    }
    local.fault(json!({ "service": "kms", "region": "us-east-1", "kind": "refused" }));
    assert!(ours.create_key().send().await.is_ok());
}

#[test]
fn fault_with_unknown_field_is_refused() {
    let fault = json!({ "service": "kms", "kind": "error", "opration": "Decrypt" });
    assert!(serde_json::from_value::<aws::Fault>(fault).is_err());
    assert!(serde_json::from_value::<aws::Fault>(json!({ "service": "kms", "kind": "slow" })).is_err());
}
