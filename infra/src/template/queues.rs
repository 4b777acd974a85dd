//! Renders the queues between the event bus and its consumers, and the rules that fill them.

use kit::{Trigger, WorkerSpec};

use super::triggers::{MAX_DELIVERIES, MAX_EVENT_AGE};
use crate::{Functions, pascal, queues};

/// Renders the queue, its policy and its rule for each consumer.
pub(super) fn queues(functions: &Functions) -> String {
    functions.workers.iter().filter(|worker| reads(worker)).map(queue).collect::<Vec<_>>().join("\n")
}

/// Whether a queue invokes the worker.
pub(super) fn reads(worker: &WorkerSpec) -> bool {
    worker.has(Trigger::Bus)
}

/// The logical id of a consumer's queue.
pub(super) fn queue_id(consumer: &str) -> String {
    format!("{}Queue", pascal(consumer))
}

/// Encrypted with the key of SQS, so that the bus needs no permission for the region's key.
fn queue(consumer: &WorkerSpec) -> String {
    let WorkerSpec { id, .. } = consumer;
    let types = consumer.events().join(", ");
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
      EventBusName: !Ref Bus
      EventPattern: {{ source: [{source}], detail-type: [{types}] }}
      Targets:
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
        source = events::SOURCE,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_consumer_has_a_queue_with_dead_letters() {
        let all = Functions::all();
        let text = queues(&all);
        let consumers = all.workers.iter().filter(|worker| worker.has(Trigger::Bus)).count();
        assert!(consumers > 0);
        for (part, times) in [
            ("Type: AWS::SQS::Queue\n", consumers),
            ("deadLetterTargetArn: !GetAtt DeadLetters.Arn", consumers),
            ("DeadLetterConfig: { Arn: !GetAtt FailedInvocations.Arn }", consumers),
        ] {
            assert_eq!(text.matches(part).count(), times, "{part}");
        }
    }
}
