//! The queues between the event bus and its consumers: a rule sends an event to the queue of each consumer, and Lambda
//! invokes the consumer with batches from it. The template and the local platform use the same numbers.

use kit::{WorkerSpec, grants::forwarding_keys};

use crate::timeouts::worker_seconds;

/// How long a failed message is retried, in seconds. Most outages end within six hours.
const RETRIED: u32 = 21_600;
/// The same for a consumer that sends requests to other regions. Its messages outlast a day's outage of one of them.
const RETRIED_ACROSS_REGIONS: u32 = 108_000;
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

/// How often a message is received before it becomes a dead letter. SQS accepts up to 1,000.
pub fn max_receives(consumer: &WorkerSpec) -> u32 {
    let asks_regions = consumer.uses.contains(&forwarding_keys::FORWARDING_KEY);
    let retried = if asks_regions { RETRIED_ACROSS_REGIONS } else { RETRIED };
    retried / visibility_seconds(consumer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Functions;

    /// The seconds from the first attempt to the last one.
    fn retried(consumer: &WorkerSpec) -> u32 {
        (max_receives(consumer) - 1) * visibility_seconds(consumer)
    }

    #[test]
    fn message_for_another_region_outlasts_a_day_of_its_outage() {
        let all = Functions::all();
        let consumer = |id| all.workers.iter().find(|worker| worker.id == id).unwrap();
        assert!(retried(consumer("tell-regions")) > 24 * 3_600);
        assert!(retried(consumer("confirm-claims")) < 6 * 3_600);
    }

    #[test]
    fn sqs_accepts_the_number_of_receives() {
        for consumer in Functions::all().workers.iter().filter(|worker| worker.reads_queue()) {
            assert!((1..=1_000).contains(&max_receives(consumer)), "{}", consumer.id);
        }
    }
}
