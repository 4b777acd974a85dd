//! `publish-events`: puts new outbox messages on the bus, in the order of their subject's stream. At least once: a batch
//! that fails in the middle comes again from the record that failed
//! ([partial batch responses](https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html)).

use std::sync::Arc;

use domain::{
    outbox::Message,
    ports::{Bus, Failure},
};
use kit::{Grant, Items, Job, Ports, Trigger, Worker, WorkerSpec, worker};
use serde::{Deserialize, Serialize};
use serde_dynamo::{AttributeValue, Item};

/// Publishes the outbox.
pub struct PublishEvents;

/// What it works with.
pub struct Deps {
    bus: Arc<dyn Bus>,
}

/// A batch of the stream.
#[derive(Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

/// A change of the table.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    event_name: String,
    dynamodb: Change,
}

/// What changed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Change {
    sequence_number: String,
    new_image: Option<Item>,
}

/// Where to go on, if not all were published.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    batch_item_failures: Vec<ItemFailure>,
}

/// The record that failed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    item_identifier: String,
}

impl Worker for PublishEvents {
    const SPEC: WorkerSpec = worker(
        "publish-events",
        Trigger::OutboxStream,
        "Puts new outbox messages on the bus",
        &[Grant::bus()],
    );
    type Deps = Deps;
    type Event = Batch;
    type Result = Response;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { bus: ports.bus() }
    }

    async fn handle(deps: &Deps, _: &Job, batch: Batch) -> Result<Response, Failure> {
        let mut messages = Vec::new();
        let mut unreadable = None;
        for record in batch.records {
            let sequence = record.dynamodb.sequence_number.clone();
            match message(record) {
                Ok(Some(message)) => messages.push((sequence, message)),
                Ok(None) => {}
                // Nothing is passed over: whoever can read it (a newer version, say) must get it.
                Err(_) => {
                    unreadable = Some(sequence);
                    break;
                }
            }
        }
        let readable: Vec<Message> = messages.iter().map(|(_, message)| message.clone()).collect();
        let failed = deps.bus.publish(&readable).await?;
        let refused = messages.into_iter().find(|(_, message)| failed.contains(&message.id));
        let first = refused.map(|(sequence, _)| sequence).or(unreadable);
        let failures = first.into_iter().map(|item_identifier| ItemFailure { item_identifier });
        Ok(Response { batch_item_failures: failures.collect() })
    }
}

/// The message that a record tells of; the table holds other things too, and messages are deleted when they are old.
fn message(record: Record) -> Result<Option<Message>, serde_dynamo::Error> {
    let Some(image) = record.dynamodb.new_image.filter(|_| record.event_name == "INSERT") else {
        return Ok(None);
    };
    match image.get("pk") {
        Some(AttributeValue::S(partition)) if partition.starts_with(Items::Outbox.prefix()) => {
            serde_dynamo::from_item(image).map(Some)
        }
        _ => Ok(None),
    }
}
