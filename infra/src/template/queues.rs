//! Renders the queues between the event bus and its consumers, and the rules that fill them.

use kit::{
    Trigger, WorkerSpec,
    worker::{FEEDBACK_SOURCE, FEEDBACK_TYPES},
};

use super::triggers::{MAX_DELIVERIES, MAX_EVENT_AGE};
use crate::{Functions, pascal, queues};

/// Renders the queue, its policy and its rule for each consumer.
pub(super) fn queues(functions: &Functions) -> String {
    functions.workers.iter().filter(|worker| reads(worker)).map(queue).collect::<Vec<_>>().join("\n")
}

/// Whether a queue invokes the worker.
pub(super) fn reads(worker: &WorkerSpec) -> bool {
    worker.reads_queue()
}

/// The logical id of a consumer's queue.
pub(super) fn queue_id(consumer: &str) -> String {
    format!("{}Queue", pascal(consumer))
}

/// Encrypted with the key of SQS, so that the bus needs no permission for the region's key.
fn queue(consumer: &WorkerSpec) -> String {
    let WorkerSpec { id, .. } = consumer;
    format!(
        r#"  {queue}:
    Type: AWS::SQS::Queue
    Metadata: {{ checkov: {{ skip: [{{ id: CKV_AWS_27, comment: "Encrypted with the key of SQS." }}] }} }}
    Properties:
      QueueName: !Sub "${{Platform}}-{id}"
      SqsManagedSseEnabled: true
      VisibilityTimeout: {visible}
      MessageRetentionPeriod: {kept}
      RedrivePolicy: {{ deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: {receives} }}

  {queue}Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref {queue}]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Sid: ItsRule
            Effect: Allow
            Principal: {{ Service: events.amazonaws.com }}
            Action: "sqs:SendMessage"
            Resource: !GetAtt {queue}.Arn
            Condition: {{ ArnEquals: {{ aws:SourceArn: !GetAtt {rule}.Arn }} }}
          - Sid: NothingInClear
            Effect: Deny
            Principal: "*"
            Action: "sqs:*"
            Resource: !GetAtt {queue}.Arn
            Condition: {{ Bool: {{ aws:SecureTransport: false }} }}

  {rule}:
    Type: AWS::Events::Rule
    Properties:
{events}      Targets:
        - Id: queue
          Arn: !GetAtt {queue}.Arn
          RetryPolicy: {{ MaximumEventAgeInSeconds: {MAX_EVENT_AGE}, MaximumRetryAttempts: {MAX_DELIVERIES} }}
          DeadLetterConfig: {{ Arn: !GetAtt FailedInvocations.Arn }}
"#,
        queue = queue_id(id),
        rule = format!("{}Rule", pascal(id)),
        visible = queues::visibility_seconds(consumer),
        kept = queues::DEAD_LETTER_SECONDS,
        receives = queues::max_receives(consumer),
        events = events_of(consumer),
    )
}

/// The events that a rule sends to the consumer's queue: those of the platform's own bus, or those that SES publishes on the
/// default bus about mail.
fn events_of(consumer: &WorkerSpec) -> String {
    let pattern = |source: &str, types: &[&str]| {
        format!("      EventPattern: {{ source: [{source}], detail-type: [{}] }}\n", types.join(", "))
    };
    match consumer.has(Trigger::MailFeedback) {
        true => pattern(FEEDBACK_SOURCE, &FEEDBACK_TYPES),
        false => format!("      EventBusName: !Ref Bus\n{}", pattern(events::SOURCE, &consumer.events())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_consumer_has_a_queue_with_dead_letters() {
        let all = Functions::all();
        let text = queues(&all);
        let consumers = all.workers.iter().filter(|worker| worker.reads_queue()).count();
        assert!(consumers > 0);
        for (part, times) in [
            ("Type: AWS::SQS::Queue\n", consumers),
            ("deadLetterTargetArn: !GetAtt DeadLetters.Arn", consumers),
            ("DeadLetterConfig: { Arn: !GetAtt FailedInvocations.Arn }", consumers),
        ] {
            assert_eq!(text.matches(part).count(), times, "{part}");
        }
    }

    #[test]
    fn mail_feedback_comes_from_the_default_bus() {
        let all = Functions::all();
        let feedback = all.workers.iter().find(|worker| worker.has(Trigger::MailFeedback)).unwrap();
        let text = queue(feedback);
        assert!(text.contains("source: [aws.ses]") && !text.contains("EventBusName"), "{text}");
    }
}
