//! `publish-events`: publishes new outbox messages to the bus, at least once and in the order of their subject. If a record
//! fails, its batch is delivered again from that record
//! ([partial batch responses](https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html)). Types of
//! events are not its business: while a deployment takes effect, and after a rollback, it publishes those of a newer version, too.

use std::sync::Arc;

use domain::{
    domain_events::OutboxMessage,
    ports::{Bus, Failure},
};
use kit::{
    ItemKind, Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::bus,
    worker,
    worker::{BatchResponse, ItemFailure},
};
use serde::Deserialize;
use serde_dynamo::{AttributeValue, Item};

/// Publishes the outbox.
pub struct PublishEvents;

/// The ports that it uses.
pub struct Deps {
    bus: Arc<dyn Bus>,
}

/// A batch of the stream.
#[derive(Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<StreamRecord>,
}

/// A change of an item in the table.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamRecord {
    event_name: String,
    dynamodb: StreamChange,
}

/// The changed item.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamChange {
    sequence_number: String,
    new_image: Option<Item>,
}

impl Worker for PublishEvents {
    const SPEC: WorkerSpec = worker(
        "publish-events",
        Trigger::OutboxStream,
        "Publishes new outbox messages to the bus",
        &[bus::PUBLISH],
    );
    type Deps = Deps;
    type Event = Batch;
    type Result = BatchResponse;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { bus: ports.bus() }
    }

    async fn handle(deps: &Deps, _: &RunContext, batch: Batch) -> Result<BatchResponse, Failure> {
        let mut messages = Vec::new();
        let mut unreadable = None;
        for record in batch.records {
            let sequence = record.dynamodb.sequence_number.clone();
            match message(record) {
                Ok(Some(message)) => messages.push((sequence, message)),
                Ok(None) => {}
                // No record is skipped: it is delivered again.
                Err(_) => {
                    unreadable = Some(sequence);
                    break;
                }
            }
        }
        let readable: Vec<OutboxMessage> = messages.iter().map(|(_, message)| message.clone()).collect();
        let failed = deps.bus.publish(&readable).await?;
        let refused = messages.into_iter().find(|(_, message)| failed.contains(&message.id));
        let first = refused.map(|(sequence, _)| sequence).or(unreadable);
        let failures = first.into_iter().map(|item_identifier| ItemFailure { item_identifier });
        Ok(BatchResponse { batch_item_failures: failures.collect() })
    }
}

/// The message that a record inserts, if it inserts one. The table holds other items too, and old messages expire.
fn message(record: StreamRecord) -> Result<Option<OutboxMessage>, serde_dynamo::Error> {
    let Some(image) = record.dynamodb.new_image.filter(|_| record.event_name == "INSERT") else {
        return Ok(None);
    };
    match image.get("pk") {
        Some(AttributeValue::S(partition)) if partition.starts_with(ItemKind::Outbox.prefix()) => {
            serde_dynamo::from_item(image).map(Some)
        }
        _ => Ok(None),
    }
}
