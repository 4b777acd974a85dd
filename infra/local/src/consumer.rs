//! Invokes the consumers of events with batches from their queues, as SQS and Lambda do ([event source mapping]): a received
//! message is invisible for the queue's visibility timeout, messages that the function reports as failed become visible
//! again after it, and the others are deleted. Times are those of the local clock.
//!
//! [event source mapping]: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws::{QueueError, Queues, ReceivedMessage};
use domain::Timestamp;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use infra::queues::{CONCURRENCY, batch_size};
use kit::Clock;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{clock::LocalClock, functions::MountedWorker};

/// The longest wait for a message. It limits the delay after the machine was suspended.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The receipts of the messages that functions are handling.
#[derive(Default)]
pub struct Handling(Mutex<BTreeSet<String>>);

impl Handling {
    /// Whether a function is handling the message with this receipt.
    pub fn has(&self, receipt: &str) -> bool {
        self.locked().contains(receipt)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A consumer and its queue.
pub struct Consumer {
    /// The queues of the region.
    pub queues: Arc<Queues>,
    /// The name of the consumer's queue.
    pub queue: String,
    /// The consumer.
    pub worker: Arc<MountedWorker>,
    /// The messages that functions are handling.
    pub handling: Arc<Handling>,
    /// The clock.
    pub clock: Arc<LocalClock>,
}

impl Consumer {
    /// Invokes the consumer until stopped. Running invocations are awaited then.
    pub async fn follow(self, mut stopping: watch::Receiver<bool>) {
        let (mut changes, mut moves) = (self.queues.changes(), self.clock.moves());
        let mut running: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        loop {
            while running.len() < CONCURRENCY as usize {
                let batch = self.receive();
                if batch.is_empty() {
                    break;
                }
                running.push(Box::pin(self.invoke(batch)));
            }
            let wait = self.wait(running.len());
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => break,
                Some(()) = running.next(), if !running.is_empty() => {}
                _ = changes.changed() => {}
                _ = moves.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while running.next().await.is_some() {}
    }

    fn receive(&self) -> Vec<ReceivedMessage> {
        let most = batch_size(&self.worker.spec) as usize;
        let received = self.queues.receive(&self.queue, most, None).unwrap_or_else(|error| {
            tracing::error!(queue = self.queue, %error, "messages could not be received");
            Vec::new()
        });
        self.handling.locked().extend(received.iter().map(|message| message.receipt.clone()));
        received
    }

    /// The time until a message can be received.
    fn wait(&self, running: usize) -> Duration {
        if running >= CONCURRENCY as usize {
            return MAX_WAIT;
        }
        self.queues.next_visible(&self.queue).map_or(MAX_WAIT, |at| until(self.clock.now(), at))
    }

    async fn invoke(&self, batch: Vec<ReceivedMessage>) {
        let records: Vec<Value> = batch.iter().map(ReceivedMessage::record).collect();
        let result = self.worker.run(json!({ "Records": records })).await;
        let failed = match result.and_then(|result| failures(&result, &batch)) {
            Ok(failed) => failed,
            Err(error) => {
                tracing::warn!(queue = self.queue, error, "batch failed");
                batch.iter().map(|message| message.id.clone()).collect()
            }
        };
        for message in &batch {
            if !failed.contains(&message.id) {
                self.delete(message);
            }
            self.handling.locked().remove(&message.receipt);
        }
    }

    fn delete(&self, message: &ReceivedMessage) {
        let deleted: Result<(), QueueError> = self.queues.delete(&self.queue, &message.receipt);
        if let Err(error) = deleted {
            tracing::error!(queue = self.queue, %error, "message could not be deleted");
        }
    }
}

/// The ids of the failed messages in a [partial batch response]. A response that names an unknown message, or none, fails
/// the whole batch.
///
/// [partial batch response]:
/// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
fn failures(result: &Value, batch: &[ReceivedMessage]) -> Result<BTreeSet<String>, String> {
    let Some(failures) = result.get("batchItemFailures").filter(|failures| !failures.is_null()) else {
        return Ok(BTreeSet::new());
    };
    let failures = failures.as_array().ok_or("batchItemFailures is not a list")?;
    let named = |failure: &Value| {
        let id = failure.get("itemIdentifier")?.as_str()?;
        batch.iter().any(|message| message.id == id).then(|| id.to_owned())
    };
    failures
        .iter()
        .map(|failure| named(failure).ok_or_else(|| format!("no such message: {failure}")))
        .collect()
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default().min(MAX_WAIT)
}

#[cfg(test)]
mod tests {
    use aws::{QueueConfig, RedrivePolicy};
    use kit::Trigger;
    use tempfile::TempDir;
    use tokio::sync::mpsc;

    use super::*;
    use crate::functions::{Function, InvocationError};

    const QUEUE: &str = "consumer";
    const DEAD: &str = "dead-letters";
    const VISIBILITY: i64 = 180;

    /// A consumer whose invocations a test answers.
    struct Bench {
        _folder: TempDir,
        queues: Arc<Queues>,
        clock: Arc<LocalClock>,
        began: Timestamp,
        invocations: mpsc::UnboundedReceiver<(Value, tokio::sync::oneshot::Sender<Value>)>,
    }

    impl Bench {
        fn start(max_receives: u32) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let clock = Arc::new(LocalClock::open(folder.path().join("clock.json")));
            clock.stop(true).unwrap();
            let now = Arc::clone(&clock);
            let queue = |name: &str, redrive| QueueConfig {
                name: name.to_owned(),
                visibility_seconds: VISIBILITY as u32,
                retention_seconds: 1_209_600,
                redrive,
            };
            let redrive = RedrivePolicy { queue: DEAD.to_owned(), max_receives };
            let configs = [queue(QUEUE, Some(redrive)), queue(DEAD, None)];
            let queues =
                Arc::new(Queues::open(folder.path(), &configs, Arc::new(move || now.now())).unwrap());
            let (sender, invocations) =
                mpsc::unbounded_channel::<(Value, tokio::sync::oneshot::Sender<Value>)>();
            let function = Function::new(move |event| {
                let (answer, answered) = tokio::sync::oneshot::channel();
                let _ = sender.send((serde_json::from_slice(&event).unwrap(), answer));
                let failed = |_| InvocationError::Failed("the test ended".to_owned());
                Box::pin(async move { Ok(answered.await.map_err(failed)?.to_string().into()) })
            });
            let spec = kit::worker("consumer", Trigger::Bus, "", &[]);
            let consumer = Consumer {
                queues: Arc::clone(&queues),
                queue: QUEUE.to_owned(),
                worker: Arc::new(MountedWorker::new(spec, function)),
                handling: Arc::default(),
                clock: Arc::clone(&clock),
            };
            let (stop, stopping) = watch::channel(false);
            tokio::spawn(async move {
                consumer.follow(stopping).await;
                drop(stop);
            });
            let began = clock.now();
            Self { _folder: folder, queues, clock, began, invocations }
        }

        /// The bodies of the next batch, and the time of its delivery in seconds; the messages with the `failed` bodies fail.
        async fn next(&mut self, failed: &[&str]) -> (Vec<String>, i64) {
            let (event, answer) = self.invocations.recv().await.unwrap();
            let records = event["Records"].as_array().unwrap();
            let body = |record: &Value| record["body"].as_str().unwrap().to_owned();
            let failures = records.iter().filter(|record| failed.contains(&body(record).as_str()));
            let failures: Vec<Value> =
                failures.map(|record| json!({ "itemIdentifier": record["messageId"] })).collect();
            let at = self.clock.now().duration_since(self.began).as_secs();
            answer.send(json!({ "batchItemFailures": failures })).unwrap();
            (records.iter().map(body).collect(), at)
        }

        /// Waits until no invocation is left that could still delete a message.
        async fn until_depth(&self, queue: &str, visible: usize, in_flight: usize) {
            while self.queues.depth(queue).unwrap() != (aws::QueueDepth { visible, in_flight }) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    #[tokio::test]
    async fn failed_message_is_received_every_visibility_timeout_and_dies() {
        let mut bench = Bench::start(4);
        bench.queues.send(QUEUE, "bad".to_owned()).unwrap();
        let mut times = Vec::new();
        for _ in 0..4 {
            let (bodies, at) = bench.next(&["bad"]).await;
            assert_eq!(bodies, ["bad"]);
            times.push(at);
            // A second before, nothing is due.
            bench.clock.advance(VISIBILITY - 1).unwrap();
            bench.until_depth(QUEUE, 0, 1).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(bench.invocations.try_recv().is_err());
            bench.clock.advance(1).unwrap();
        }
        assert_eq!(times, [0, 180, 360, 540]);
        bench.until_depth(DEAD, 1, 0).await;
        bench.until_depth(QUEUE, 0, 0).await;
        assert!(bench.invocations.try_recv().is_err());
    }

    #[tokio::test]
    async fn failed_message_delays_no_other_of_its_batch() {
        let mut bench = Bench::start(100);
        for body in ["a", "bad", "b"] {
            bench.queues.send(QUEUE, body.to_owned()).unwrap();
        }
        let mut first = Vec::new();
        while first.len() < 3 {
            first.extend(bench.next(&["bad"]).await.0);
        }
        bench.until_depth(QUEUE, 0, 1).await;
        bench.clock.advance(VISIBILITY).unwrap();
        assert_eq!(bench.next(&[]).await, (vec!["bad".to_owned()], VISIBILITY));
        bench.until_depth(QUEUE, 0, 0).await;
    }

    #[tokio::test]
    async fn at_most_two_batches_are_handled_at_a_time() {
        let mut bench = Bench::start(100);
        for n in 0..20 {
            bench.queues.send(QUEUE, n.to_string()).unwrap();
        }
        let first = bench.invocations.recv().await.unwrap();
        let second = bench.invocations.recv().await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(50), bench.invocations.recv()).await.is_err());
        for (_, answer) in [first, second] {
            answer.send(json!({ "batchItemFailures": [] })).unwrap();
        }
        bench.next(&[]).await;
    }

    #[test]
    fn response_that_names_no_message_fails_the_batch() {
        let at = Timestamp::UNIX_EPOCH;
        let message = ReceivedMessage {
            id: "1".to_owned(),
            body: String::new(),
            receipt: "r".to_owned(),
            receives: 1,
            sent_at: at,
            first_received_at: at,
            source: None,
        };
        let failed = |result: Value| failures(&result, std::slice::from_ref(&message));
        assert_eq!(failed(json!({})), Ok(BTreeSet::new()));
        assert_eq!(failed(json!({ "batchItemFailures": [] })), Ok(BTreeSet::new()));
        assert_eq!(failed(json!({ "batchItemFailures": null })), Ok(BTreeSet::new()));
        let named = json!({ "batchItemFailures": [{ "itemIdentifier": "1" }] });
        assert_eq!(failed(named), Ok(BTreeSet::from(["1".to_owned()])));
        for invalid in
            [json!([{ "itemIdentifier": "2" }]), json!([{}]), json!([{ "itemIdentifier": null }]), json!(1)]
        {
            assert!(failed(json!({ "batchItemFailures": invalid })).is_err(), "{invalid}");
        }
    }
}
