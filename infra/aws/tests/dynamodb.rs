//! DynamoDB: conditions, races, cancellation reasons, streams, expiry, durability.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, KeySchemaElement, KeyType, Put,
    ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification, TransactWriteItem,
};
use aws_sdk_dynamodbstreams::types::{Record, ShardIteratorType};
use futures::future::join_all;

use crate::support::{Local, code, said};

pub async fn table(dynamodb: &Client, name: &str) {
    let stream =
        StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
    let attribute =
        AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash);
    dynamodb
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute.build().unwrap())
        .key_schema(key.build().unwrap())
        .stream_specification(stream.build().unwrap())
        .send()
        .await
        .unwrap();
}

pub fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn put_new(table: &str, pk: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(table)
        .item("pk", text(pk))
        .condition_expression("attribute_not_exists(pk)");
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

async fn has(dynamodb: &Client, table: &str, pk: &str) -> bool {
    let got = dynamodb.get_item().table_name(table).key("pk", text(pk)).consistent_read(true).send().await;
    got.unwrap().item.is_some()
}

#[tokio::test]
async fn cancelled_transaction_gives_reasons_and_writes_nothing() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    dynamodb.put_item().table_name("things").item("pk", text("there")).send().await.unwrap();
    let check = ConditionCheck::builder()
        .table_name("things")
        .key("pk", text("missing"))
        .condition_expression("attribute_exists(pk)");
    let check = TransactWriteItem::builder().condition_check(check.build().unwrap()).build();
    let sent = dynamodb
        .transact_write_items()
        .transact_items(put_new("things", "new"))
        .transact_items(put_new("things", "there"));
    let error = sent.transact_items(check).send().await.unwrap_err().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { panic!("{error:?}") };
    let codes: Vec<_> =
        cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]);
    assert!(!has(&dynamodb, "things", "new").await);
}

#[tokio::test]
async fn one_of_fifty_concurrent_conditional_puts_succeeds() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    let put = |n: i32| {
        let sent =
            dynamodb.put_item().table_name("things").item("pk", text("one")).item("n", text(&n.to_string()));
        sent.condition_expression("attribute_not_exists(pk)").send()
    };
    let results = join_all((0..50).map(put)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for lost in results.into_iter().filter(Result::is_err) {
        assert_eq!(code(lost), "ConditionalCheckFailedException");
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_a_restart() {
    let mut local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    dynamodb.put_item().table_name("things").item("pk", text("a")).send().await.unwrap();
    dynamodb.transact_write_items().transact_items(put_new("things", "b")).send().await.unwrap();
    local.restart().await;
    let dynamodb = local.dynamodb("f");
    assert!(has(&dynamodb, "things", "a").await && has(&dynamodb, "things", "b").await);
}

#[tokio::test]
async fn reserved_word_in_an_expression_is_refused() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    let query = dynamodb.query().table_name("things").key_condition_expression("hash = :hash");
    let refused = said(query.expression_attribute_values(":hash", text("a")).send().await);
    let expected = "ValidationException: Invalid KeyConditionExpression: Attribute name is a reserved keyword; \
                    reserved keyword: hash";
    assert_eq!(refused, expected);
    let update = || {
        let update = dynamodb.update_item().table_name("things").key("pk", text("a"));
        update.expression_attribute_values(":s", text("done"))
    };
    let refused = said(update().update_expression("SET status = :s").send().await);
    assert!(refused.ends_with(
        "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: status"
    ));
    let named =
        update().update_expression("SET #status = :s").expression_attribute_names("#status", "status");
    named.send().await.unwrap();
}

#[tokio::test]
async fn stream_has_every_change_in_order() {
    let local = Local::start().await;
    let (dynamodb, streams) = (local.dynamodb("f"), local.streams("f"));
    table(&dynamodb, "things").await;
    for n in ["1", "2"] {
        let sent = dynamodb.put_item().table_name("things").item("pk", text("a")).item("n", text(n));
        sent.send().await.unwrap();
    }
    dynamodb.delete_item().table_name("things").key("pk", text("a")).send().await.unwrap();
    let described = dynamodb.describe_table().table_name("things").send().await.unwrap().table.unwrap();
    let arn = described.latest_stream_arn.unwrap();
    assert!(arn.starts_with("arn:aws:dynamodb:eu-central-1:000000000000:table/things/stream/"), "{arn}");
    let stream = streams.describe_stream().stream_arn(&arn).send().await.unwrap().stream_description.unwrap();
    let shard = stream.shards.unwrap().remove(0).shard_id.unwrap();
    let iterator = streams.get_shard_iterator().stream_arn(&arn).shard_id(shard);
    let iterator =
        iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap().shard_iterator;
    let records = streams.get_records().set_shard_iterator(iterator).send().await.unwrap().records.unwrap();
    let names: Vec<_> = records.iter().map(|record| record.event_name.as_ref().unwrap().as_str()).collect();
    assert_eq!(names, ["INSERT", "MODIFY", "REMOVE"]);
    assert!(records.iter().all(|record| record.aws_region.as_deref() == Some("eu-central-1")), "{records:?}");
}

#[tokio::test]
async fn writes_are_announced_and_reads_are_not() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    let mut writes = local.aws().writes();
    writes.mark_unchanged();
    assert!(!has(&dynamodb, "things", "a").await);
    let refused = dynamodb
        .delete_item()
        .table_name("things")
        .key("pk", text("a"))
        .condition_expression("attribute_exists(pk)");
    assert_eq!(code(refused.send().await), "ConditionalCheckFailedException");
    assert!(!writes.has_changed().unwrap());
    dynamodb.put_item().table_name("things").item("pk", text("a")).send().await.unwrap();
    assert!(writes.has_changed().unwrap());
}

#[expect(clippy::disallowed_methods, reason = "the test clock starts at the system time")]
fn in_an_hour() -> AttributeValue {
    AttributeValue::N((jiff::Timestamp::now().as_second() + 3600).to_string())
}

#[tokio::test]
async fn sweep_deletes_items_expired_by_the_local_clock() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name("ttl").build().unwrap();
    dynamodb.update_time_to_live().table_name("things").time_to_live_specification(ttl).send().await.unwrap();
    let sent = dynamodb.put_item().table_name("things").item("pk", text("a")).item("ttl", in_an_hour());
    sent.send().await.unwrap();
    local.aws().sweep_ttl().await;
    assert!(has(&dynamodb, "things", "a").await);
    local.advance(3700);
    assert!(has(&dynamodb, "things", "a").await);
    local.aws().sweep_ttl().await;
    assert!(!has(&dynamodb, "things", "a").await);
}

#[tokio::test]
async fn point_in_time_recovery_is_reported_as_enabled() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    let on = aws_sdk_dynamodb::types::PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(true);
    let sent = dynamodb.update_continuous_backups().table_name("things");
    sent.point_in_time_recovery_specification(on.build().unwrap()).send().await.unwrap();
}

/// The stream records after a record, or all stream records.
async fn stream_records(local: &Local, arn: &str, shard: &str, after: Option<String>) -> Vec<Record> {
    let streams = local.streams("f");
    let iterator = streams.get_shard_iterator().stream_arn(arn).shard_id(shard);
    let iterator = match after {
        Some(last) => {
            iterator.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(last)
        }
        None => iterator.shard_iterator_type(ShardIteratorType::TrimHorizon),
    };
    let iterator = iterator.send().await.unwrap().shard_iterator;
    streams.get_records().set_shard_iterator(iterator).send().await.unwrap().records.unwrap()
}

fn number(record: &Record) -> String {
    record.dynamodb().unwrap().sequence_number().unwrap().to_owned()
}

#[tokio::test]
async fn compaction_erases_deleted_data_and_read_stream_records() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name("ttl").build().unwrap();
    dynamodb.update_time_to_live().table_name("things").time_to_live_specification(ttl).send().await.unwrap();
    for n in 0..50 {
        let sent = dynamodb.put_item().table_name("things").item("pk", text(&format!("gone-{n:02}")));
        sent.item("ttl", in_an_hour()).send().await.unwrap();
    }
    // The clock is ahead, so later sequence numbers are ahead as well.
    local.advance(30 * 86_400);
    local.aws().sweep_ttl().await;
    let arn = dynamodb.describe_table().table_name("things").send().await.unwrap().table.unwrap();
    let (arn, shard) = (arn.latest_stream_arn.unwrap(), "shardId-00000001-things");
    let records = stream_records(&local, &arn, shard, None).await;
    assert_eq!(records.len(), 100);
    let read = number(records.last().unwrap());
    dynamodb.put_item().table_name("things").item("pk", text("unread")).send().await.unwrap();
    dynamodb.delete_item().table_name("things").key("pk", text("unread")).send().await.unwrap();
    dynamodb.put_item().table_name("things").item("pk", text("kept")).send().await.unwrap();
    assert!(local.on_disk("gone-07") && local.on_disk("gone-49"));

    let position = |last: &str| aws::StreamPositions::from([(shard.to_owned(), last.to_owned())]);
    assert_eq!(local.aws().compact(position(&read), aws::StreamPositions::new()).await, Ok(3));
    assert!(!local.on_disk("gone-"));
    assert!(has(&dynamodb, "things", "kept").await);
    let unread = stream_records(&local, &arn, shard, Some(read)).await;
    assert_eq!(unread.len(), 3);

    // Records that are written after compaction can still be read.
    let read = number(unread.last().unwrap());
    assert_eq!(local.aws().compact(position(&read), aws::StreamPositions::new()).await, Ok(0));
    assert!(!local.on_disk("unread") && local.on_disk("kept"));
    dynamodb.put_item().table_name("things").item("pk", text("new")).send().await.unwrap();
    assert_eq!(stream_records(&local, &arn, shard, Some(read)).await.len(), 1);
}

#[tokio::test]
async fn stream_queries_use_the_indexes() {
    let local = Local::start().await;
    table(&local.dynamodb("f"), "things").await;
    let file = rusqlite::Connection::open(local.folder.join("dynamodb.sqlite")).unwrap();
    // The exact queries of dynoxide 3.2.0: SQLite uses an index on an expression only for the same expression.
    for query in [
        "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records WHERE table_name = ?1",
        "SELECT event_name FROM _stream_records WHERE table_name = ?1 AND shard_id = ?2 AND CAST(sequence_number AS \
         INTEGER) > ?3 ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT ?4",
    ] {
        let mut plan = file.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let mut rows = plan.raw_query();
        let detail: String = rows.next().unwrap().unwrap().get("detail").unwrap();
        assert!(detail.contains("INDEX local_stream_sequence"), "{detail}");
    }
}
