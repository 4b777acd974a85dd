//! SQS: the operations that consumers and tools use, in the [JSON protocol]. Standard queues; they are configured when
//! the region starts. `ReceiveMessage` responds at once: `WaitTimeSeconds` has no effect.
//!
//! [JSON protocol]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html

mod queues;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use self::queues::{QueueDepth, QueueError, Queues, ReceivedMessage};
use crate::account::ACCOUNT;
use crate::answer::Refusal;
use crate::config::{StandInConfig, TimeSource};
use crate::durable;
use crate::journal::lock;
use crate::service::Service;

/// The maximum number of messages per call.
const MAX_RECEIVED: usize = 10;
/// The maximum size of a message in bytes: 1 MiB.
const MAX_BODY: usize = 1_048_576;
/// The maximum visibility timeout in seconds: 12 hours.
const MAX_VISIBILITY: u32 = 43_200;

/// The SQS stand-in.
pub(crate) struct Sqs {
    region: String,
    now: TimeSource,
    queues: Arc<Queues>,
    /// Completed tasks, the latest first.
    tasks: Mutex<Vec<MoveTask>>,
}

/// A task that moved dead letters back.
struct MoveTask {
    source: String,
    found: usize,
    moved: usize,
    started_at: Timestamp,
}

/// The members of the requests, by the operations that use them.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SqsRequest {
    queue_url: String,
    queue_name: String,
    queue_name_prefix: String,
    attribute_names: Vec<String>,
    message_body: String,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u32>,
    receipt_handle: String,
    source_arn: String,
    destination_arn: Option<String>,
}

impl Sqs {
    pub(crate) fn new(config: &StandInConfig, queues: Arc<Queues>) -> Self {
        Self { region: config.region.clone(), now: Arc::clone(&config.now), queues, tasks: Mutex::default() }
    }

    /// Applies an operation. `host` is the address that the caller used; queue URLs have it too.
    pub(crate) fn apply(&self, operation: &str, host: &str, body: &Bytes) -> Result<Value, Refusal> {
        let request: SqsRequest =
            serde_json::from_slice(body).map_err(|_| Refusal::bare("SerializationException"))?;
        let queue = queue_of(&request.queue_url);
        match operation {
            "ListQueues" => Ok(self.list(host, &request.queue_name_prefix)),
            "GetQueueUrl" => {
                self.queues.config(&request.queue_name).map_err(refusal)?;
                Ok(json!({ "QueueUrl": url(host, &request.queue_name) }))
            }
            "GetQueueAttributes" => self.attributes(queue, &request.attribute_names),
            "SendMessage" => self.send(queue, request.message_body),
            "ReceiveMessage" => self.receive(queue, &request),
            "DeleteMessage" => {
                self.queues.delete(queue, &request.receipt_handle).map_err(refusal)?;
                Ok(json!({}))
            }
            "ChangeMessageVisibility" => {
                let seconds = visibility(request.visibility_timeout)?.unwrap_or_default();
                self.queues.change_visibility(queue, &request.receipt_handle, seconds).map_err(refusal)?;
                Ok(json!({}))
            }
            "StartMessageMoveTask" => self.start_move(&request),
            "ListMessageMoveTasks" => self.list_moves(&request.source_arn),
            _ => Err(Refusal::bare("UnknownOperationException")),
        }
    }

    fn list(&self, host: &str, prefix: &str) -> Value {
        let names = self.queues.names().filter(|name| name.starts_with(prefix));
        json!({ "QueueUrls": names.map(|name| url(host, name)).collect::<Vec<_>>() })
    }

    fn arn(&self, queue: &str) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT}:{queue}", self.region)
    }

    fn attributes(&self, queue: &str, names: &[String]) -> Result<Value, Refusal> {
        let config = self.queues.config(queue).map_err(refusal)?;
        let depth = self.queues.depth(queue).map_err(refusal)?;
        let mut all = Map::new();
        let mut set = |name: &str, value: String| all.insert(name.to_owned(), json!(value));
        set("QueueArn", self.arn(queue));
        set("VisibilityTimeout", config.visibility_seconds.to_string());
        set("MessageRetentionPeriod", config.retention_seconds.to_string());
        set("ApproximateNumberOfMessages", depth.visible.to_string());
        set("ApproximateNumberOfMessagesNotVisible", depth.in_flight.to_string());
        if let Some(redrive) = &config.redrive {
            let policy = json!({
                "deadLetterTargetArn": self.arn(&redrive.queue),
                "maxReceiveCount": redrive.max_receives,
            });
            set("RedrivePolicy", policy.to_string());
        }
        let wants = |name: &str| names.iter().any(|wanted| wanted == "All" || wanted == name);
        all.retain(|name, _| wants(name));
        Ok(json!({ "Attributes": all }))
    }

    fn send(&self, queue: &str, body: String) -> Result<Value, Refusal> {
        if body.is_empty() {
            return Err(Refusal::new(
                "MissingParameter",
                "The request must contain the parameter MessageBody.",
            ));
        }
        if body.len() > MAX_BODY {
            let message =
                "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.";
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        let md5 = md5_of(&body);
        let id = self.queues.send(queue, body).map_err(refusal)?;
        Ok(json!({ "MessageId": id, "MD5OfMessageBody": md5 }))
    }

    fn receive(&self, queue: &str, request: &SqsRequest) -> Result<Value, Refusal> {
        let most = request.max_number_of_messages.unwrap_or(1);
        if !(1..=MAX_RECEIVED).contains(&most) {
            let message = format!(
                "Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
            );
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        let seconds = visibility(request.visibility_timeout)?;
        let received = self.queues.receive(queue, most, seconds).map_err(refusal)?;
        Ok(json!({ "Messages": received.iter().map(|message| self.message(message)).collect::<Vec<_>>() }))
    }

    fn message(&self, message: &ReceivedMessage) -> Value {
        let mut attributes = attributes_of(message);
        if let Some(source) = &message.source {
            attributes.insert("DeadLetterQueueSourceArn".to_owned(), json!(self.arn(source)));
        }
        json!({
            "MessageId": message.id,
            "ReceiptHandle": message.receipt,
            "Body": message.body,
            "MD5OfBody": md5_of(&message.body),
            "Attributes": attributes,
        })
    }

    /// Moves all messages before it responds.
    fn start_move(&self, request: &SqsRequest) -> Result<Value, Refusal> {
        let source = queue_of_arn(&request.source_arn);
        self.queues.config(source).map_err(|_| missing())?;
        if self.queues.sources(source).is_empty() {
            let message = "Source queue must be configured as a dead-letter queue.";
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        if request.destination_arn.is_some() {
            let message = "This stand-in moves messages only to the queues that they come from.";
            return Err(Refusal::new("UnsupportedOperation", message));
        }
        let redriven = self.queues.redrive(source).map_err(refusal)?;
        let task = MoveTask {
            source: request.source_arn.clone(),
            found: redriven.found,
            moved: redriven.moved,
            started_at: (self.now)(),
        };
        lock(&self.tasks).insert(0, task);
        Ok(json!({ "TaskHandle": durable::uuid() }))
    }

    fn list_moves(&self, source: &str) -> Result<Value, Refusal> {
        self.queues.config(queue_of_arn(source)).map_err(|_| missing())?;
        let tasks = lock(&self.tasks);
        // Only running tasks have a handle.
        let shown = tasks.iter().filter(|task| task.source == source).take(MAX_RECEIVED).map(|task| {
            let failed = task.moved < task.found;
            json!({
                "Status": if failed { "FAILED" } else { "COMPLETED" },
                "SourceArn": task.source,
                "ApproximateNumberOfMessagesMoved": task.moved,
                "ApproximateNumberOfMessagesToMove": task.found,
                "FailureReason": failed.then_some("CouldNotDetermineMessageSource"),
                "StartedTimestamp": task.started_at.as_millisecond(),
            })
        });
        let shown: Vec<Value> = shown.collect();
        Ok(json!({ "Results": shown }))
    }
}

/// The attributes that Lambda and `ReceiveMessage` give for a message
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>).
fn attributes_of(message: &ReceivedMessage) -> Map<String, Value> {
    let attributes = [
        ("ApproximateReceiveCount", message.receives.to_string()),
        ("SentTimestamp", message.sent_at.as_millisecond().to_string()),
        ("ApproximateFirstReceiveTimestamp", message.first_received_at.as_millisecond().to_string()),
    ];
    attributes.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

impl ReceivedMessage {
    /// The message in an invocation [by Lambda](https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).
    pub fn record(&self) -> Value {
        json!({
            "messageId": self.id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": attributes_of(self),
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        })
    }
}

fn visibility(seconds: Option<u32>) -> Result<Option<u32>, Refusal> {
    if seconds.is_some_and(|seconds| seconds > MAX_VISIBILITY) {
        let message = "Value for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.";
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    Ok(seconds)
}

fn url(host: &str, queue: &str) -> String {
    format!("http://{host}/{ACCOUNT}/{queue}")
}

fn queue_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

fn queue_of_arn(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

fn missing() -> Refusal {
    Refusal::new(
        "ResourceNotFoundException",
        "The resource that you specified for the SourceArn parameter doesn't exist.",
    )
}

fn refusal(error: QueueError) -> Refusal {
    match error {
        QueueError::Missing => Refusal::new("QueueDoesNotExist", "The specified queue does not exist."),
        QueueError::Receipt => {
            Refusal::new("ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle.")
        }
        QueueError::File(error) => Refusal::internal(Service::Sqs, &error),
    }
}

/// The MD5 of a body. Clients compare it with that of the body they sent or received.
fn md5_of(body: &str) -> String {
    format!("{:x}", md5::compute(body))
}
