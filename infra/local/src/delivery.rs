//! Delivers messages from the outbox: the table's stream triggers `publish-events`. Delivery is at least once, in order per
//! stream, and survives a restart.

use std::sync::Arc;

use aws_sdk_dynamodbstreams::types::Record;
use serde_json::{Value, json};

use crate::{
    functions::MountedFunctions,
    stream::{BatchFailure, RecordHandler, sequence_number},
};

/// The workers that the stream of the outbox triggers.
pub struct Outbox(pub Arc<MountedFunctions>);

impl RecordHandler for Outbox {
    async fn take(&self, records: &[Record]) -> Result<(), BatchFailure> {
        let batch = json!({ "Records": records.iter().map(record).collect::<Vec<_>>() });
        for worker in self.0.stream_readers() {
            let result =
                worker.run(batch.clone()).await.map_err(|reason| BatchFailure { taken: 0, reason })?;
            let failed = result.pointer("/batchItemFailures/0/itemIdentifier").and_then(Value::as_str);
            if let Some(failed) = failed {
                let taken = records.iter().position(|record| sequence_number(record) == Some(failed));
                let reason = format!("batch failed at {failed}");
                return Err(BatchFailure { taken: taken.unwrap_or_default(), reason });
            }
        }
        Ok(())
    }
}

/// A stream record [in the format of Lambda](https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html).
fn record(record: &Record) -> Value {
    let image = record.dynamodb().and_then(|change| change.new_image()).map(|image| {
        let item: serde_dynamo::Item = image.clone().into();
        item
    });
    json!({
        "eventName": record.event_name().map(|name| name.as_str()),
        "dynamodb": { "SequenceNumber": sequence_number(record), "NewImage": image },
    })
}
