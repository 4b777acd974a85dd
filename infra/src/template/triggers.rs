//! Renders the triggers of workers, and their error handling: what fails is retried and then kept, a message of a queue in
//! the dead-letter queue, everything else in the queue of failed invocations.

use kit::{ItemKind, Trigger, WorkerSpec, spec::Every};
use store::tables::{PARTITION_KEY, Table};

use crate::{pascal, queues};

/// The maximum age of a retried event in seconds. Most outages end within six hours. The outbox stream keeps records
/// for 24 hours, so the record of a dead letter is still available.
pub(super) const MAX_EVENT_AGE: u32 = 21_600;
/// The maximum number of delivery attempts of EventBridge and EventBridge Scheduler ([retry policy]).
///
/// [retry policy]: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
pub(super) const MAX_DELIVERIES: u32 = 185;
/// The maximum number of retries of a failed asynchronous invocation ([error handling]). Throttled invocations don't
/// count.
///
/// [error handling]: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const RETRIES: u32 = 2;
/// The maximum number of retries of a stream batch. The maximum age applies first unless the batch fails immediately
/// each time.
const BATCH_RETRIES: u32 = 1_000;
/// The number of batches per shard that Lambda processes concurrently. Records with the same partition key stay in
/// order; a failing batch blocks only its own tenth of the records.
pub(super) const PARALLEL_BATCHES: u32 = 10;

/// Renders the event sources of a worker, as properties of its function.
pub(super) fn events(spec: &WorkerSpec) -> String {
    let events: String = spec.triggers().map(|trigger| event(trigger, spec)).collect();
    if events.is_empty() {
        return events;
    }
    let asynchronous = if spec.schedule().is_some() { asynchronous() } else { String::new() };
    format!("{asynchronous}      Events:\n{events}")
}

fn event(trigger: Trigger, spec: &WorkerSpec) -> String {
    match trigger {
        Trigger::OutboxStream => outbox(),
        Trigger::Bus | Trigger::MailFeedback => queue(spec),
        Trigger::Schedule(every) => schedule(spec.id, every),
        // The resource policies below permit these callers.
        Trigger::Authorizer | Trigger::Rotation => String::new(),
    }
}

/// The resource policy for a caller that SAM does not handle.
pub(super) fn permission(spec: &WorkerSpec) -> String {
    if !spec.has(Trigger::Rotation) {
        return String::new();
    }
    // Secrets Manager, on behalf of secrets of this platform.
    format!(
        r#"
  {name}Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref {name}.Alias
      Principal: secretsmanager.amazonaws.com
      SourceAccount: !Ref "AWS::AccountId"
      SourceArn: !Sub "arn:${{AWS::Partition}}:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:${{Platform}}/*"
"#,
        name = pascal(spec.id),
    )
}

/// EventBridge Scheduler only delivers an event; Lambda retries it from then on.
fn asynchronous() -> String {
    format!(
        r"      EventInvokeConfig:
        MaximumRetryAttempts: {RETRIES}
        MaximumEventAgeInSeconds: {MAX_EVENT_AGE}
        DestinationConfig: {{ OnFailure: {{ Type: SQS, Destination: !Ref FailedInvocations }} }}
"
    )
}

/// The event source for new messages of the outbox. Receipts and counters share the table and are filtered out.
fn outbox() -> String {
    let streamed = Table::REGIONAL.into_iter().filter(|table| table.is_streamed());
    let event = |table: Table| {
        format!(
            r#"        Outbox:
          Type: DynamoDB
          Properties:
            Stream: !Ref {table}Stream
            StartingPosition: TRIM_HORIZON
            BatchSize: 100
            ParallelizationFactor: {PARALLEL_BATCHES}
            BisectBatchOnFunctionError: true
            MaximumRetryAttempts: {BATCH_RETRIES}
            MaximumRecordAgeInSeconds: {MAX_EVENT_AGE}
            DestinationConfig: {{ OnFailure: {{ Type: SQS, Destination: !Ref FailedInvocations }} }}
            FunctionResponseTypes: [ReportBatchItemFailures]
            FilterCriteria:
              Filters:
                - Pattern: '{{"eventName":["INSERT"],"dynamodb":{{"Keys":{{"{PARTITION_KEY}":{{"S":[{{"prefix":"{outbox}"}}]}}}}}}}}'
"#,
            table = pascal(table.as_str()),
            outbox = ItemKind::Outbox.prefix(),
        )
    };
    streamed.map(event).collect()
}

/// The event source for the consumer's queue.
fn queue(consumer: &WorkerSpec) -> String {
    format!(
        r#"        Queue:
          Type: SQS
          Properties:
            Queue: !Sub "arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:${{Platform}}-{id}"
            BatchSize: {BATCH}
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {{ MaximumConcurrency: {CONCURRENCY} }}
"#,
        id = consumer.id,
        BATCH = queues::batch_size(consumer),
        CONCURRENCY = queues::CONCURRENCY,
    )
}

fn schedule(id: &str, every: Every) -> String {
    let rate = match every {
        Every::Minutes(1) => "1 minute".to_owned(),
        Every::Minutes(minutes) => format!("{minutes} minutes"),
        Every::Hours(1) => "1 hour".to_owned(),
        Every::Hours(hours) => format!("{hours} hours"),
        Every::Days(1) => "1 day".to_owned(),
        Every::Days(days) => format!("{days} days"),
    };
    format!(
        r#"        Schedule:
          Type: ScheduleV2
          Properties:
            Name: !Sub "${{Platform}}-{id}"
            RoleArn: !Ref SchedulerRole
            ScheduleExpression: rate({rate})
            RetryPolicy: {{ MaximumEventAgeInSeconds: {MAX_EVENT_AGE}, MaximumRetryAttempts: {MAX_DELIVERIES} }}
            DeadLetterConfig: {{ Arn: !Ref FailedInvocations }}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failed_invocation_is_kept() {
        let all = crate::Functions::all();
        for worker in &all.workers {
            let text = super::events(worker);
            let scheduled = usize::from(worker.schedule().is_some());
            let streamed = usize::from(worker.has(Trigger::OutboxStream));
            assert_eq!(text.matches(ON_FAILURE).count(), scheduled + streamed, "{}", worker.id);
            assert_eq!(text.matches(UNDELIVERED).count(), scheduled, "{}", worker.id);
        }
    }

    const ON_FAILURE: &str = "OnFailure: { Type: SQS, Destination: !Ref FailedInvocations }";
    const UNDELIVERED: &str = "DeadLetterConfig: { Arn: !Ref FailedInvocations }";

    #[test]
    fn worker_has_schedule_and_queue() {
        let both =
            kit::worker("run-export", Trigger::Schedule(Every::Days(1)), "Exports", &[]).also(Trigger::Bus);
        let text = super::events(&both);
        for (part, times) in [
            ("      EventInvokeConfig:\n", 1),
            ("      Events:\n", 1),
            ("Name: !Sub \"${Platform}-run-export\"\n", 1),
            ("ScheduleExpression: rate(1 day)\n", 1),
            (":${Platform}-run-export\"\n            BatchSize: ", 1),
            ("FunctionResponseTypes: [ReportBatchItemFailures]\n", 1),
            (ON_FAILURE, 1),
            (UNDELIVERED, 1),
        ] {
            assert_eq!(text.matches(part).count(), times, "{part}\n{text}");
        }
    }
}
