//! With `external`, DynamoDB and S3 are on another server; all other services stay embedded. The other server is also a
//! stand-in.

use aws_sdk_s3::primitives::ByteStream;
use serde_json::json;

use crate::dynamodb::{table, text};
use crate::support::{Local, code};

#[tokio::test]
async fn external_tables_and_blobs_keep_local_faults_and_journal() {
    let elsewhere = Local::start().await;
    let mut local = Local::start().await;
    local.external = Some(elsewhere.aws().endpoint().parse().unwrap());
    local.restart().await;
    let (dynamodb, s3) = (local.dynamodb("f"), local.s3("f"));
    table(&dynamodb, "things").await;
    dynamodb.put_item().table_name("things").item("pk", text("a")).send().await.unwrap();
    let there =
        elsewhere.dynamodb("g").get_item().table_name("things").key("pk", text("a")).send().await.unwrap();
    assert!(there.item.is_some());
    s3.create_bucket().bucket("blobs").send().await.unwrap();
    s3.put_object().bucket("blobs").key("k").body(ByteStream::from_static(b"x")).send().await.unwrap();
    elsewhere.s3("g").head_object().bucket("blobs").key("k").send().await.unwrap();
    let put = local.journal.calls_since(0).into_iter().find(|call| call.operation == "PutItem").unwrap();
    // The request is forwarded unchanged, so capacity is known only if the caller asked.
    assert_eq!((put.table.as_deref(), put.capacity), (Some("things"), None));
    local.fault(json!({ "service": "dynamodb", "kind": "denied" }));
    assert_eq!(code(dynamodb.list_tables().send().await), "AccessDeniedException");
    local.kms("f").create_key().send().await.unwrap();
    assert!(local.folder.join("kms.json").exists());
}
