//! CloudWatch alarms on functions. Each alarm monitors several functions, because a stack can't hold an alarm per
//! function and CloudWatch charges for each metric in an alarm. Alarms on API Gateway, on log lines and on other services are written by
//! hand in the template.

use std::fmt::Write as _;

use kit::{Trigger, WorkerSpec, spec::Every};

use super::{Error, REGION};
use crate::{
    Functions, pascal,
    timeouts::{REQUEST_SECONDS, WORK_SECONDS, worker_seconds},
};

/// The maximum number of metrics in an alarm ([CloudWatch quotas]).
///
/// [CloudWatch quotas]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
const MAX_METRICS: usize = 10;

/// Renders all alarms.
pub(super) fn alarms(functions: &Functions) -> Result<String, Error> {
    let endpoints = functions.operations.iter().map(|operation| operation.spec.id);
    let (retried, once): (Vec<&WorkerSpec>, Vec<&WorkerSpec>) =
        functions.workers.iter().partition(|worker| {
            // Secrets Manager begins a failed rotation again hours later: the first failure is told.
            worker.triggers().any(is_retried) && !worker.has(Trigger::Rotation)
        });
    let ids = |workers: &[&WorkerSpec]| workers.iter().map(|worker| worker.id).collect::<Vec<_>>();
    let infallible: Vec<&str> = endpoints.chain(ids(&once)).collect();
    // The work of a single event does not grow with the data, so its duration needs no alarm.
    let lasting = |seconds: u32| -> Vec<&WorkerSpec> {
        functions.workers.iter().filter(|worker| worker_seconds(worker) == seconds).collect()
    };
    let (slow, quick) = (lasting(WORK_SECONDS), lasting(REQUEST_SECONDS));
    let crashes = groups("FunctionErrors", &infallible, &CRASHES);
    let mut all = vec![release(crashes.len())];
    all.extend(crashes);
    all.extend(groups("WorkErrors", &ids(&retried), &BACKGROUND_ERRORS));
    all.extend(groups("WorkDuration", &ids(&slow), &BACKGROUND_DURATION));
    all.extend(groups("WaitingDuration", &ids(&quick), &AUTHORIZER_DURATION));
    let readers: Vec<&str> =
        functions.workers.iter().filter(|worker| worker.reads_queue()).map(|worker| worker.id).collect();
    all.extend(waiting_messages(&readers));
    for worker in &functions.workers {
        for trigger in worker.triggers() {
            all.extend(of_trigger(worker.id, trigger)?);
        }
    }
    Ok(all.join("\n"))
}

/// The alarm that takes a deployment back: any of the alarms on functions that serve requests. One composite alarm, because
/// CloudFormation accepts five rollback triggers
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackConfiguration.html>).
fn release(crashes: usize) -> String {
    let rule: Vec<String> = (0..crashes)
        .map(|n| format!("ALARM(\\\"${{{}}}\\\")", numbered("FunctionErrors", n, crashes)))
        .collect();
    format!(
        r#"  Crashes:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties:
      AlarmName: !Sub ["${{Platform}}-${{Region}}-crashes", {REGION}]
      AlarmDescription: "A function that serves requests crashed or timed out. The alarms below it notify."
      AlarmRule: !Sub "{}"
"#,
        rule.join(" OR ")
    )
}

/// Whether failed events are retried and finally become dead letters. Callers of other functions see the error
/// themselves.
fn is_retried(trigger: Trigger) -> bool {
    matches!(trigger, Trigger::OutboxStream | Trigger::Bus | Trigger::MailFeedback | Trigger::Schedule(_))
}

/// A metric that an alarm monitors for several functions.
struct Measure {
    description: &'static str,
    metric: &'static str,
    /// The statistic of each function, over five minutes.
    statistic: &'static str,
    /// The function that aggregates all statistics.
    aggregate: &'static str,
    /// The lowest value that sets off the alarm.
    threshold: u32,
    /// The number of consecutive five-minute periods.
    periods: u32,
}

/// Functions that serve requests never fail: every error becomes a response.
const CRASHES: Measure = Measure {
    description: "A function that serves requests crashed or timed out.",
    metric: "Errors",
    statistic: "Sum",
    aggregate: "SUM",
    threshold: 1,
    periods: 1,
};

/// Failed work is retried. Work that fails permanently becomes a dead letter, which has its own alarm.
const BACKGROUND_ERRORS: Measure = Measure {
    description: "Background work has failed repeatedly for 15 minutes.",
    metric: "Errors",
    statistic: "Sum",
    aggregate: "SUM",
    threshold: 1,
    periods: 3,
};

const BACKGROUND_DURATION: Measure = Measure {
    description: "Background work used more than 80 % of its timeout.",
    metric: "Duration",
    statistic: "Maximum",
    aggregate: "MAX",
    threshold: WORK_SECONDS * 800,
    periods: 1,
};

const AUTHORIZER_DURATION: Measure = Measure {
    description: "An authorizer used more than 80 % of its timeout.",
    metric: "Duration",
    statistic: "Maximum",
    aggregate: "MAX",
    threshold: REQUEST_SECONDS * 800,
    periods: 1,
};

/// Renders as many alarms as these functions need.
fn groups(name: &str, ids: &[&str], measure: &Measure) -> Vec<String> {
    let chunks = ids.chunks(MAX_METRICS);
    let all = chunks.len();
    chunks.enumerate().map(|(n, ids)| group(&numbered(name, n, all), ids, measure)).collect()
}

/// The logical id of the `n`th of several alarms with the same purpose.
fn numbered(name: &str, n: usize, all: usize) -> String {
    if all > 1 { format!("{name}{}", n + 1) } else { name.to_owned() }
}

fn group(name: &str, ids: &[&str], measure: &Measure) -> String {
    let Measure { description, metric, statistic, aggregate, threshold, periods } = measure;
    let mut text = alarm(name, description, "notBreaching");
    let _ = write!(
        text,
        r#"      ComparisonOperator: GreaterThanOrEqualToThreshold
      Threshold: {threshold}
      EvaluationPeriods: {periods}
      Metrics:
        - {{ Id: all, Expression: "{aggregate}(METRICS())" }}
"#
    );
    for (n, id) in ids.iter().enumerate() {
        let _ = writeln!(text, "        - {}", measured(n + 1, id, metric, statistic, 300));
    }
    text
}

/// The alarms on messages that wait in the queues of consumers. A message that fails is no error of the function.
fn waiting_messages(consumers: &[&str]) -> Vec<String> {
    let chunks = consumers.chunks(MAX_METRICS);
    let alarms = chunks.len();
    let of_chunk = |(n, ids): (usize, &[&str])| {
        let description = "A message has waited for half an hour in the queue of a consumer.";
        let mut text = alarm(&numbered("MessagesWait", n, alarms), description, "notBreaching");
        text.push_str(
            "      ComparisonOperator: GreaterThanOrEqualToThreshold\n      Threshold: 1800\n      EvaluationPeriods: 1\n      \
             Metrics:\n        - { Id: all, Expression: \"MAX(METRICS())\" }\n",
        );
        for (m, id) in ids.iter().enumerate() {
            let _ = writeln!(
                text,
                "        - {{ Id: m{}, ReturnData: false, MetricStat: {{ Stat: Maximum, Period: 300, Metric: {{ Namespace: \
                 AWS/SQS, MetricName: ApproximateAgeOfOldestMessage, Dimensions: [{{ Name: QueueName, Value: !Sub \
                 \"${{Platform}}-{id}\" }}] }} }} }}",
                m + 1
            );
        }
        text
    };
    chunks.enumerate().map(of_chunk).collect()
}

/// The alarm that a trigger needs, if any.
fn of_trigger(id: &'static str, trigger: Trigger) -> Result<Option<String>, Error> {
    Ok(match trigger {
        Trigger::Schedule(every) => Some(not_run(id, every)?),
        Trigger::OutboxStream => Some(late_publication(id)),
        Trigger::Bus | Trigger::MailFeedback | Trigger::Authorizer | Trigger::Rotation => None,
    })
}

/// The alarm on a scheduled job that has not run. CloudWatch has no data without runs, so missing data counts as zero.
/// A job that continues with its own events does so only after a scheduled run.
fn not_run(id: &'static str, every: Every) -> Result<String, Error> {
    let Watch { period, periods } = Watch::of(every).ok_or(Error::TooSeldom(id))?;
    let after = match period {
        3_600 => format!("{periods} hours"),
        _ => format!("{} minutes", period / 60 * periods),
    };
    let description = format!("{id} has not run for {after}.");
    let mut text = alarm(&format!("{}NotRun", pascal(id)), &description, "breaching");
    let _ = write!(
        text,
        r#"      ComparisonOperator: LessThanThreshold
      Threshold: 1
      EvaluationPeriods: {periods}
      Metrics:
        - {{ Id: runs, Expression: "FILL(m1, 0)" }}
        - {}
"#,
        measured(1, id, "Invocations", "Sum", period)
    );
    Ok(text)
}

/// How long a scheduled job may go without a run.
#[derive(Debug, PartialEq, Eq)]
struct Watch {
    /// The length of an evaluation period in seconds.
    period: i64,
    /// The number of consecutive periods without a run that sets off the alarm.
    periods: i64,
}

impl Watch {
    /// Two hours more than the interval, or three intervals if the job runs more often than hourly: daily `purge-trash`
    /// may go without a run for 26 hours. `None` if the interval exceeds the seven days that CloudWatch can evaluate.
    fn of(every: Every) -> Option<Self> {
        let interval = every.seconds();
        if interval < 3_600 {
            return Some(Self { period: interval, periods: 3 });
        }
        let periods = interval / 3_600 + 2;
        (periods <= 7 * 24).then_some(Self { period: 3_600, periods })
    }
}

/// The alarm on late publication of the outbox.
fn late_publication(id: &str) -> String {
    let description = "Messages have waited in the outbox for more than five minutes.";
    let mut text = alarm(&format!("{}Behind", pascal(id)), description, "notBreaching");
    let _ = write!(
        text,
        r#"      ComparisonOperator: GreaterThanOrEqualToThreshold
      Threshold: 300000
      EvaluationPeriods: 3
      Period: 60
      Statistic: Maximum
      Namespace: AWS/Lambda
      MetricName: IteratorAge
      Dimensions: [{{ Name: FunctionName, Value: !Sub "${{Platform}}-{id}" }}]
"#
    );
    text
}

fn alarm(name: &str, description: &str, missing: &str) -> String {
    format!(
        r"  {name}:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: {description}
      AlarmActions: [!Ref Alarms]
      OKActions: [!Ref Alarms]
      TreatMissingData: {missing}
",
        description = super::quoted(description),
    )
}

fn measured(n: usize, id: &str, metric: &str, statistic: &str, period: i64) -> String {
    format!(
        "{{ Id: m{n}, ReturnData: false, MetricStat: {{ Stat: {statistic}, Period: {period}, Metric: {{ \
         Namespace: AWS/Lambda, MetricName: {metric}, Dimensions: [{{ Name: FunctionName, Value: !Sub \"${{Platform}}-{id}\" }}] }} }} }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_function_are_monitored_once() {
        let all = Functions::all();
        let text = alarms(&all).unwrap();
        let ids = all.operations.iter().map(|operation| operation.spec.id);
        for id in ids.chain(all.workers.iter().map(|worker| worker.id)) {
            let metric = format!(
                "MetricName: Errors, Dimensions: [{{ Name: FunctionName, Value: !Sub \"${{Platform}}-{id}\" }}]"
            );
            assert_eq!(text.matches(&metric).count(), 1, "{id}");
        }
    }

    #[test]
    fn crash_of_any_endpoint_takes_a_deployment_back() {
        let text = alarms(&Functions::all()).unwrap();
        let (_, rule) = text.split_once("AlarmRule: ").unwrap();
        let (rule, _) = rule.split_once('\n').unwrap();
        let alarms = text
            .lines()
            .filter(|line| line.starts_with("  FunctionErrors"))
            .map(|line| line.trim_end_matches(':').trim());
        for alarm in alarms {
            assert!(rule.contains(&format!("ALARM(\\\"${{{alarm}}}\\\")")), "{alarm}: {rule}");
        }
    }

    #[test]
    fn alarms_stay_within_the_metric_quota() {
        let ids = ["a"; 21];
        let alarms = groups("X", &ids, &CRASHES);
        let metrics = |text: &String| text.matches("MetricStat").count();
        assert_eq!(alarms.iter().map(metrics).collect::<Vec<_>>(), [10, 10, 1]);
    }

    #[test]
    fn missing_run_of_a_scheduled_job_sets_off_an_alarm() {
        let watch = |every| Watch::of(every).map(|watch| (watch.period, watch.periods));
        assert_eq!(watch(Every::Minutes(5)), Some((300, 3)));
        assert_eq!(watch(Every::Hours(1)), Some((3_600, 3)));
        assert_eq!(watch(Every::Days(1)), Some((3_600, 26)));
        assert_eq!(watch(Every::Days(7)), None);
        let text = not_run("purge-trash", Every::Days(1)).unwrap();
        assert!(text.contains("purge-trash has not run for 26 hours.") && text.contains("breaching"));
    }
}
