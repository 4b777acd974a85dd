//! `publish-events`: puts new outbox messages on the bus, in the order of their subject's stream. At least once: a batch
//! that fails in the middle comes again from the record that failed
//! ([partial batch responses](https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html)).

use std::sync::Arc;

use domain::{
    outbox::Message,
    ports::{Bus, Failure},
};
use kit::{Grant, Job, Ports, Trigger, Worker, WorkerSpec, worker};
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
        &[Grant { service: "events", action: "PutEvents", on: "bus" }],
    );
    type Deps = Deps;
    type Event = Batch;
    type Result = Response;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { bus: ports.bus() }
    }

    async fn handle(deps: &Deps, _: &Job, batch: Batch) -> Result<Response, Failure> {
        let new: Vec<(String, Message)> = batch.records.into_iter().filter_map(message).collect();
        let messages: Vec<Message> = new.iter().map(|(_, message)| message.clone()).collect();
        let failed = deps.bus.publish(&messages).await?;
        let first = new.iter().find(|(_, message)| failed.contains(&message.id));
        let first = first.map(|(sequence, _)| ItemFailure { item_identifier: sequence.clone() });
        Ok(Response { batch_item_failures: first.into_iter().collect() })
    }
}

/// The message that a record tells of; the table holds other things too, and messages are deleted when they are old.
fn message(record: Record) -> Option<(String, Message)> {
    let image = record.dynamodb.new_image.filter(|_| record.event_name == "INSERT")?;
    match image.get("pk") {
        Some(AttributeValue::S(partition)) if partition.starts_with("OUT#") => {}
        _ => return None,
    }
    Some((record.dynamodb.sequence_number, serde_dynamo::from_item(image).ok()?))
}
