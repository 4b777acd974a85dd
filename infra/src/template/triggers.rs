//! What sets a worker off, and what becomes of an event that it can't deal with: it is tried again, and then kept in the
//! queue of dead letters.

use kit::{Items, Trigger, WorkerSpec, spec::Every};
use store::table::{PARTITION_KEY, Table};

use crate::pascal;

/// How long an event is tried again, in seconds: most outages are over after six hours. The outbox's stream forgets a
/// record after 24, so that a dead letter can still be looked up there.
const TRIED_FOR: u32 = 21_600;
/// How often at the most EventBridge and its scheduler try to hand an event to a function ([the most they take]).
///
/// [the most they take]: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
const HANDED_OVER: u32 = 185;
/// How often Lambda tries an event again that made the function fail ([the most it takes]); throttled ones don't count.
///
/// [the most it takes]: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const RETRIES: u32 = 2;
/// How often a batch of the stream is tried again. Its age decides before that, unless it fails at once each time.
const BATCH_RETRIES: u32 = 1_000;
/// How many batches of a shard are worked on at a time. Records with the same partition key stay in order, and one that
/// keeps failing holds up a tenth of the others.
const LANES: u32 = 10;

/// The events of a worker, as properties of its function.
pub(super) fn events(spec: &WorkerSpec) -> String {
    let events: String = spec.triggers().map(event).collect();
    if events.is_empty() {
        return events;
    }
    let handed_over = |trigger| matches!(trigger, Trigger::Bus(_) | Trigger::Schedule(_));
    let asynchronous = if spec.triggers().any(handed_over) { asynchronous() } else { String::new() };
    format!("{asynchronous}      Events:\n{events}")
}

fn event(trigger: Trigger) -> String {
    match trigger {
        Trigger::OutboxStream => outbox(),
        Trigger::Bus(types) => bus(types),
        Trigger::Schedule(every) => schedule(every),
        // Whoever's API asks it is given the permission to by that API.
        Trigger::Authorizer | Trigger::Rotation => String::new(),
    }
}

/// What lets a function's caller call it, where SAM does not see to that.
pub(super) fn permission(spec: &WorkerSpec) -> String {
    if !spec.has(Trigger::Rotation) {
        return String::new();
    }
    // Secrets Manager, for secrets of this account.
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

/// EventBridge and its scheduler only hand an event over; from then on Lambda answers for it.
fn asynchronous() -> String {
    format!(
        r"      EventInvokeConfig:
        MaximumRetryAttempts: {RETRIES}
        MaximumEventAgeInSeconds: {TRIED_FOR}
        DestinationConfig: {{ OnFailure: {{ Type: SQS, Destination: !GetAtt DeadLetters.Arn }} }}
"
    )
}

/// New messages in the outbox. Receipts and counters share its table, and should set nothing off.
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
            ParallelizationFactor: {LANES}
            BisectBatchOnFunctionError: true
            MaximumRetryAttempts: {BATCH_RETRIES}
            MaximumRecordAgeInSeconds: {TRIED_FOR}
            DestinationConfig: {{ OnFailure: {{ Type: SQS, Destination: !GetAtt DeadLetters.Arn }} }}
            FunctionResponseTypes: [ReportBatchItemFailures]
            FilterCriteria:
              Filters:
                - Pattern: '{{"eventName":["INSERT"],"dynamodb":{{"Keys":{{"{PARTITION_KEY}":{{"S":[{{"prefix":"{outbox}"}}]}}}}}}}}'
"#,
            table = super::table_id(table),
            outbox = Items::Outbox.prefix(),
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
            RetryPolicy: {{ MaximumEventAgeInSeconds: {TRIED_FOR}, MaximumRetryAttempts: {HANDED_OVER} }}
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
            RetryPolicy: {{ MaximumEventAgeInSeconds: {TRIED_FOR}, MaximumRetryAttempts: {HANDED_OVER} }}
            DeadLetterConfig: {{ Arn: !GetAtt DeadLetters.Arn }}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_is_lost_in_silence() {
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
    fn a_worker_may_be_set_off_by_the_clock_and_by_events() {
        const TYPES: &[&str] = &["trash.unfinished"];
        let both =
            kit::worker("purge", Trigger::Schedule(Every::Days(1)), "Purges", &[]).also(Trigger::Bus(TYPES));
        let text = super::events(&both);
        for (part, times) in [
            ("      EventInvokeConfig:\n", 1),
            ("      Events:\n", 1),
            ("ScheduleExpression: rate(1 day)\n", 1),
            ("detail-type: [trash.unfinished]\n", 1),
            (ON_FAILURE, 1),
            (DEAD_LETTER, 2),
        ] {
            assert_eq!(text.matches(part).count(), times, "{part}\n{text}");
        }
    }
}
