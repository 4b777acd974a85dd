//! What sets a worker off, and what becomes of an event that it can't deal with: it is tried again, and then kept in the
//! queue of dead letters.

use kit::{Items, Trigger, spec::Every};
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

/// The events of a function with this trigger, as properties of the function.
pub(super) fn events(trigger: Trigger) -> String {
    match trigger {
        Trigger::OutboxStream => format!("      Events:\n{}", outbox()),
        Trigger::Bus(types) => format!("{}      Events:\n{}", asynchronous(), bus(types)),
        Trigger::Schedule(every) => format!("{}      Events:\n{}", asynchronous(), schedule(every)),
        // Whoever's API asks it is given the permission to by that API.
        Trigger::Authorizer | Trigger::Rotation => String::new(),
    }
}

/// What lets a function's caller call it, where SAM does not see to that.
pub(super) fn permission(trigger: Trigger, id: &str) -> String {
    if trigger != Trigger::Rotation {
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
        name = pascal(id),
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
        for worker in all
            .workers
            .iter()
            .filter(|worker| !matches!(worker.trigger, Trigger::Authorizer | Trigger::Rotation))
        {
            let text = super::events(worker.trigger);
            assert!(
                text.contains("OnFailure: { Type: SQS, Destination: !GetAtt DeadLetters.Arn }"),
                "{}",
                worker.id
            );
            let streamed = worker.trigger == Trigger::OutboxStream;
            assert!(
                streamed || text.contains("DeadLetterConfig: { Arn: !GetAtt DeadLetters.Arn }"),
                "{}",
                worker.id
            );
        }
    }
}
