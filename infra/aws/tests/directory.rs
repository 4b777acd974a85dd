//! The directory table is stored in its own file and otherwise behaves like any other table.

use aws_sdk_dynamodb::types::KeysAndAttributes;
use aws_sdk_dynamodbstreams::types::ShardIteratorType;

use crate::dynamodb::{table, text};
use crate::support::{DIRECTORY, Local, code};

fn holds(local: &Local, file: &str, needle: &str) -> bool {
    // The last writes may still be in the write-ahead log.
    [file.to_owned(), format!("{file}-wal")].iter().any(|file| {
        let bytes = std::fs::read(local.folder.join(file)).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    })
}

#[tokio::test]
async fn directory_has_its_own_file_and_survives_a_restart() {
    let mut local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, DIRECTORY).await;
    table(&dynamodb, "things").await;
    for (table, pk) in [(DIRECTORY, "handle-in-the-directory"), ("things", "thing-of-the-region")] {
        dynamodb.put_item().table_name(table).item("pk", text(pk)).send().await.unwrap();
    }
    let (own, replica) = ("dynamodb.sqlite", "directory/dynamodb.sqlite");
    assert!(holds(&local, replica, "handle-in-the-directory") && !holds(&local, own, "handle-in"));
    assert!(holds(&local, own, "thing-of-the-region") && !holds(&local, replica, "thing-of"));
    local.restart().await;
    let key = text("handle-in-the-directory");
    let got = local.dynamodb("f").get_item().table_name(DIRECTORY).key("pk", key).send().await.unwrap();
    assert!(got.item.is_some());
}

#[tokio::test]
async fn directory_stream_is_readable() {
    let local = Local::start().await;
    let (dynamodb, streams) = (local.dynamodb("f"), local.streams("f"));
    table(&dynamodb, DIRECTORY).await;
    dynamodb.put_item().table_name(DIRECTORY).item("pk", text("a")).send().await.unwrap();
    let listed = streams.list_streams().table_name(DIRECTORY).send().await.unwrap().streams.unwrap();
    let arn = listed[0].stream_arn().unwrap();
    let stream = streams.describe_stream().stream_arn(arn).send().await.unwrap().stream_description.unwrap();
    let shard = stream.shards.unwrap().remove(0).shard_id.unwrap();
    let iterator = streams.get_shard_iterator().stream_arn(arn).shard_id(shard);
    let iterator =
        iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap().shard_iterator;
    let got = streams.get_records().set_shard_iterator(iterator).send().await.unwrap();
    assert_eq!(got.records().len(), 1);
    let calls = local.journal.calls_since(0);
    assert!(calls.iter().all(|call| call.table.as_deref() == Some(DIRECTORY)), "{calls:?}");
}

#[tokio::test]
async fn directory_writes_are_announced_separately() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, DIRECTORY).await;
    table(&dynamodb, "things").await;
    let (mut own, mut directory) = (local.aws().writes(), local.aws().directory_writes());
    own.mark_unchanged();
    directory.mark_unchanged();
    dynamodb.put_item().table_name(DIRECTORY).item("pk", text("a")).send().await.unwrap();
    assert!(directory.has_changed().unwrap() && !own.has_changed().unwrap());
    dynamodb.put_item().table_name("things").item("pk", text("a")).send().await.unwrap();
    assert!(own.has_changed().unwrap());
}

#[tokio::test]
async fn call_combining_directory_with_other_table_is_refused() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, DIRECTORY).await;
    table(&dynamodb, "things").await;
    let key = KeysAndAttributes::builder().keys([("pk".to_owned(), text("a"))].into()).build().unwrap();
    let both = dynamodb.batch_get_item().request_items(DIRECTORY, key.clone());
    assert_eq!(code(both.request_items("things", key.clone()).send().await), "ValidationException");
    dynamodb.batch_get_item().request_items(DIRECTORY, key).send().await.unwrap();
}

#[tokio::test]
async fn external_emulator_holds_directory_with_other_tables() {
    let elsewhere = Local::start().await;
    let mut local = Local::start().await;
    local.external = Some(elsewhere.aws().endpoint().parse().unwrap());
    local.restart().await;
    table(&local.dynamodb("f"), DIRECTORY).await;
    local.dynamodb("f").put_item().table_name(DIRECTORY).item("pk", text("a")).send().await.unwrap();
    let key = text("a");
    let there = elsewhere.dynamodb("g").get_item().table_name(DIRECTORY).key("pk", key).send().await.unwrap();
    assert!(there.item.is_some());
    let refused = local.dynamodb("us-east-1.f").list_tables().send().await;
    assert_eq!(code(refused), "AccessDeniedException");
}
