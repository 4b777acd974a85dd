//! Renders the triggers of workers, and their error handling: a failed event is retried and then kept in the
//! dead-letter queue.

use kit::{ItemKind, Trigger, WorkerSpec, spec::Every};
use store::tables::{PARTITION_KEY, Table};

use crate::pascal;

/// The maximum age of a retried event in seconds. Most outages end within six hours. The outbox stream keeps records
/// for 24 hours, so the record of a dead letter is still available.
const MAX_EVENT_AGE: u32 = 21_600;
/// The maximum number of delivery attempts of EventBridge and EventBridge Scheduler ([retry policy]).
///
/// [retry policy]: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
const MAX_DELIVERIES: u32 = 185;
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
const PARALLEL_BATCHES: u32 = 10;

/// Renders the event sources of a worker, as properties of its function.
pub(super) fn events(spec: &WorkerSpec) -> String {
    let events: String = spec.triggers().map(|trigger| event(trigger, spec)).collect();
    if events.is_empty() {
        return events;
    }
    let handed_over = |trigger| matches!(trigger, Trigger::Bus | Trigger::Schedule(_));
    let asynchronous = if spec.triggers().any(handed_over) { asynchronous() } else { String::new() };
    format!("{asynchronous}      Events:\n{events}")
}

fn event(trigger: Trigger, spec: &WorkerSpec) -> String {
    match trigger {
        Trigger::OutboxStream => outbox(),
        Trigger::Bus => bus(&spec.events()),
        Trigger::Schedule(every) => schedule(every),
        // The resource policies below permit these callers.
        Trigger::Authorizer | Trigger::Rotation => String::new(),
    }
}

/// The resource policy for a caller that SAM does not handle.
pub(super) fn permission(spec: &WorkerSpec) -> String {
    if !spec.has(Trigger::Rotation) {
        return String::new();
    }
    // Secrets Manager, on behalf of secrets of this account.
    format!(
        r#"
  {name}Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref {name}
      Principal: secretsmanager.amazonaws.com
      SourceAccount: !Ref "AWS::AccountId"
"#,
        name = pascal(spec.id),
    )
}

/// EventBridge and EventBridge Scheduler only deliver an event; Lambda retries it from then on.
fn asynchronous() -> String {
    format!(
        r"      EventInvokeConfig:
        MaximumRetryAttempts: {RETRIES}
        MaximumEventAgeInSeconds: {MAX_EVENT_AGE}
        DestinationConfig: {{ OnFailure: {{ Type: SQS, Destination: !GetAtt DeadLetters.Arn }} }}
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
            Stream: !GetAtt {table}.StreamArn
            StartingPosition: TRIM_HORIZON
            BatchSize: 100
            ParallelizationFactor: {PARALLEL_BATCHES}
            BisectBatchOnFunctionError: true
            MaximumRetryAttempts: {BATCH_RETRIES}
            MaximumRecordAgeInSeconds: {MAX_EVENT_AGE}
            DestinationConfig: {{ OnFailure: {{ Type: SQS, Destination: !GetAtt DeadLetters.Arn }} }}
            FunctionResponseTypes: [ReportBatchItemFailures]
            FilterCriteria:
              Filters:
                - Pattern: '{{"eventName":["INSERT"],"dynamodb":{{"Keys":{{"{PARTITION_KEY}":{{"S":[{{"prefix":"{outbox}"}}]}}}}}}}}'
"#,
            table = super::table_id(table),
            outbox = ItemKind::Outbox.prefix(),
        )
    };
    streamed.map(event).collect()
}

fn bus(types: &[&str]) -> String {
    format!(
        r"        Bus:
          Type: EventBridgeRule
          Properties:
            EventBusName: !Ref Bus
            RetryPolicy: {{ MaximumEventAgeInSeconds: {MAX_EVENT_AGE}, MaximumRetryAttempts: {MAX_DELIVERIES} }}
            DeadLetterConfig: {{ Arn: !GetAtt DeadLetters.Arn }}
            Pattern:
              source: [{source}]
              detail-type: [{types}]
",
        source = events::SOURCE,
        types = types.join(", "),
    )
}

fn schedule(every: Every) -> String {
    let rate = match every {
        Every::Minutes(1) => "1 minute".to_owned(),
        Every::Minutes(minutes) => format!("{minutes} minutes"),
        Every::Hours(1) => "1 hour".to_owned(),
        Every::Hours(hours) => format!("{hours} hours"),
        Every::Days(1) => "1 day".to_owned(),
        Every::Days(days) => format!("{days} days"),
    };
    format!(
        r"        Schedule:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: rate({rate})
            RetryPolicy: {{ MaximumEventAgeInSeconds: {MAX_EVENT_AGE}, MaximumRetryAttempts: {MAX_DELIVERIES} }}
            DeadLetterConfig: {{ Arn: !GetAtt DeadLetters.Arn }}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failed_event_becomes_a_dead_letter() {
        let all = crate::Functions::all();
        let is_set_off =
            |worker: &&WorkerSpec| !worker.has(Trigger::Authorizer) && !worker.has(Trigger::Rotation);
        for worker in all.workers.iter().filter(is_set_off) {
            let text = super::events(worker);
            let (failed, kept) = (text.matches(ON_FAILURE).count(), text.matches(DEAD_LETTER).count());
            let handed_over = worker.triggers().filter(|trigger| *trigger != Trigger::OutboxStream).count();
            assert_eq!((failed, kept), (1, handed_over), "{}", worker.id);
        }
    }

    const ON_FAILURE: &str = "OnFailure: { Type: SQS, Destination: !GetAtt DeadLetters.Arn }";
    const DEAD_LETTER: &str = "DeadLetterConfig: { Arn: !GetAtt DeadLetters.Arn }";

    #[test]
    fn worker_has_schedule_and_event_triggers() {
        let both =
            kit::worker("run-export", Trigger::Schedule(Every::Days(1)), "Exports", &[]).also(Trigger::Bus);
        let text = super::events(&both);
        for (part, times) in [
            ("      EventInvokeConfig:\n", 1),
            ("      Events:\n", 1),
            ("ScheduleExpression: rate(1 day)\n", 1),
            ("detail-type: [export-goes-on]\n", 1),
            (ON_FAILURE, 1),
            (DEAD_LETTER, 2),
        ] {
            assert_eq!(text.matches(part).count(), times, "{part}\n{text}");
        }
    }
}
