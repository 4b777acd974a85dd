//! The queues between the event bus and its consumers: a rule sends an event to the queue of each consumer, and Lambda
//! invokes the consumer with batches from it. The template and the local platform use the same numbers.

use kit::WorkerSpec;

use crate::timeouts::worker_seconds;

/// How long a failed message is retried, in seconds. Most outages end within six hours.
const RETRIED: u32 = 21_600;
/// The maximum number of messages in an invocation of a consumer whose events are short work.
const BATCH: u32 = 5;
/// The maximum number of concurrent invocations of a consumer. The minimum that Lambda accepts is 2.
pub const CONCURRENCY: u32 = 2;
/// How long a message that was not processed stays in the dead-letter queue: 14 days, the maximum of SQS.
pub const DEAD_LETTER_SECONDS: u32 = 1_209_600;

/// The maximum number of messages in an invocation. The function handles them at the same time. A consumer that also has a
/// schedule does the work of a whole run for one event, a third of its timeout, and gets one message at a time.
pub fn batch_size(consumer: &WorkerSpec) -> u32 {
    if consumer.schedule().is_some() { 1 } else { BATCH }
}

/// How long a received message is invisible, and therefore the delay before a retry, in seconds: six timeouts of the
/// function, as AWS [recommends].
///
/// [recommends]: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
pub fn visibility_seconds(consumer: &WorkerSpec) -> u32 {
    6 * worker_seconds(consumer)
}

/// How often a message is received before it becomes a dead letter.
pub fn max_receives(consumer: &WorkerSpec) -> u32 {
    RETRIED / visibility_seconds(consumer)
}
