//! Alarms over functions. CloudWatch asks a price for each metric that an alarm looks at, and a stack can't hold an alarm for
//! every function: each looks at several, and what API Gateway measures of all endpoints together is not measured again.

use std::fmt::Write as _;

use kit::{Trigger, WorkerSpec, spec::Every};

use super::{
    Error,
    functions::{WORK_SECONDS, worker_seconds},
};
use crate::{Functions, pascal};

/// How many metrics an alarm can look at ([CloudWatch's limit]).
///
/// [CloudWatch's limit]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
const METRICS: usize = 10;

/// All of them.
pub(super) fn alarms(functions: &Functions) -> Result<String, Error> {
    let endpoints = functions.operations.iter().map(|operation| operation.spec.id);
    let (tried_again, once): (Vec<&WorkerSpec>, Vec<&WorkerSpec>) =
        functions.workers.iter().partition(|worker| worker.triggers().any(is_tried_again));
    let ids = |workers: &[&WorkerSpec]| workers.iter().map(|worker| worker.id).collect::<Vec<_>>();
    let unfailing: Vec<&str> = endpoints.chain(ids(&once)).collect();
    let (slow, quick): (Vec<&WorkerSpec>, Vec<&WorkerSpec>) =
        functions.workers.iter().partition(|worker| worker_seconds(worker) == WORK_SECONDS);
    let mut all = Vec::new();
    all.extend(groups("FunctionErrors", &unfailing, &CRASHES));
    all.extend(groups("WorkErrors", &ids(&tried_again), &FAILURES));
    all.extend(groups("WorkDuration", &ids(&slow), &SLOWNESS));
    all.extend(groups("WaitingDuration", &ids(&quick), &WAITING));
    for worker in &functions.workers {
        for trigger in worker.triggers() {
            all.extend(of_trigger(worker.id, trigger)?);
        }
    }
    Ok(all.join("\n"))
}

/// Whether what fails comes again, and is a dead letter in the end. Of other functions whoever called hears that they failed.
fn is_tried_again(trigger: Trigger) -> bool {
    matches!(trigger, Trigger::OutboxStream | Trigger::Bus(_) | Trigger::Schedule(_))
}

/// Something that is measured of several functions.
struct Measure {
    description: &'static str,
    metric: &'static str,
    /// Of each function, over five minutes.
    statistic: &'static str,
    /// Of all of them.
    together: &'static str,
    /// From what on it is too much.
    threshold: u32,
    /// For how many times five minutes.
    periods: u32,
}

/// A request's function never fails: whatever goes wrong is answered.
const CRASHES: Measure = Measure {
    description: "A function crashed or ran out of time that should never fail.",
    metric: "Errors",
    statistic: "Sum",
    together: "SUM",
    threshold: 1,
    periods: 1,
};

/// Work that fails is tried again; what fails for good is a dead letter, which has an alarm of its own.
const FAILURES: Measure = Measure {
    description: "Work in the background has kept failing for a quarter of an hour.",
    metric: "Errors",
    statistic: "Sum",
    together: "SUM",
    threshold: 1,
    periods: 3,
};

const SLOWNESS: Measure = Measure {
    description: "Work in the background takes more than four fifths of the time it has.",
    metric: "Duration",
    statistic: "Maximum",
    together: "MAX",
    threshold: super::functions::WORK_SECONDS * 800,
    periods: 1,
};

const WAITING: Measure = Measure {
    description: "What stands in requests' way takes more than four fifths of the time it has.",
    metric: "Duration",
    statistic: "Maximum",
    together: "MAX",
    threshold: super::functions::REQUEST_SECONDS * 800,
    periods: 1,
};

/// As many alarms as these functions need.
fn groups(name: &str, ids: &[&str], measure: &Measure) -> Vec<String> {
    let name = |n: usize| if ids.len() > METRICS { format!("{name}{}", n + 1) } else { name.to_owned() };
    ids.chunks(METRICS).enumerate().map(|(n, ids)| group(&name(n), ids, measure)).collect()
}

fn group(name: &str, ids: &[&str], measure: &Measure) -> String {
    let Measure { description, metric, statistic, together, threshold, periods } = measure;
    let mut text = alarm(name, description, "notBreaching");
    let _ = write!(
        text,
        r#"      ComparisonOperator: GreaterThanOrEqualToThreshold
      Threshold: {threshold}
      EvaluationPeriods: {periods}
      Metrics:
        - {{ Id: all, Expression: "{together}(METRICS())" }}
"#
    );
    for (n, id) in ids.iter().enumerate() {
        let _ = writeln!(text, "        - {}", measured(n + 1, id, metric, statistic, 300));
    }
    text
}

/// What only workers with some triggers can get wrong.
fn of_trigger(id: &'static str, trigger: Trigger) -> Result<Option<String>, Error> {
    Ok(match trigger {
        Trigger::Schedule(every) => Some(not_run(id, every)?),
        Trigger::OutboxStream => Some(behind(id)),
        Trigger::Bus(_) | Trigger::Authorizer | Trigger::Rotation => None,
    })
}

/// A scheduled job has not run for too long. Without runs there is no metric: what is missing counts as none. A job that also
/// goes on by events of its own is seen to run then, which it does only after a scheduled run.
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

/// How long a scheduled job may be silent.
#[derive(Debug, PartialEq, Eq)]
struct Watch {
    /// Seconds that are looked at together.
    period: i64,
    /// How many of them without a run are too many.
    periods: i64,
}

impl Watch {
    /// Two hours more than the interval, or, of what runs more often than hourly, three intervals: `purge-trash`, daily, may
    /// be silent for 26 hours. None if CloudWatch can't look back that far: seven days.
    fn of(every: Every) -> Option<Self> {
        let interval = every.seconds();
        if interval < 3_600 {
            return Some(Self { period: interval, periods: 3 });
        }
        let periods = interval / 3_600 + 2;
        (periods <= 7 * 24).then_some(Self { period: 3_600, periods })
    }
}

/// The outbox is published too late.
fn behind(id: &str) -> String {
    let description = "Messages have waited in the outbox for more than five minutes.";
    let mut text = alarm(&format!("{}Behind", pascal(id)), description, "notBreaching");
    let _ = write!(
        text,
        r"      ComparisonOperator: GreaterThanOrEqualToThreshold
      Threshold: 300000
      EvaluationPeriods: 3
      Period: 60
      Statistic: Maximum
      Namespace: AWS/Lambda
      MetricName: IteratorAge
      Dimensions: [{{ Name: FunctionName, Value: !Ref {} }}]
",
        pascal(id)
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
         Namespace: AWS/Lambda, MetricName: {metric}, Dimensions: [{{ Name: FunctionName, Value: !Ref {} }}] }} }} }}",
        pascal(id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_function_are_looked_at_once() {
        let all = Functions::all();
        let text = alarms(&all).unwrap();
        let ids = all.operations.iter().map(|operation| operation.spec.id);
        for id in ids.chain(all.workers.iter().map(|worker| worker.id)) {
            let metric = format!(
                "MetricName: Errors, Dimensions: [{{ Name: FunctionName, Value: !Ref {} }}]",
                pascal(id)
            );
            assert_eq!(text.matches(&metric).count(), 1, "{id}");
        }
    }

    #[test]
    fn no_alarm_looks_at_more_metrics_than_it_can() {
        let ids = ["a"; 21];
        let alarms = groups("X", &ids, &CRASHES);
        let metrics = |text: &String| text.matches("MetricStat").count();
        assert_eq!(alarms.iter().map(metrics).collect::<Vec<_>>(), [10, 10, 1]);
    }

    #[test]
    fn a_scheduled_job_that_does_not_run_is_noticed_in_time() {
        let watch = |every| Watch::of(every).map(|watch| (watch.period, watch.periods));
        assert_eq!(watch(Every::Minutes(5)), Some((300, 3)));
        assert_eq!(watch(Every::Hours(1)), Some((3_600, 3)));
        assert_eq!(watch(Every::Days(1)), Some((3_600, 26)));
        assert_eq!(watch(Every::Days(7)), None);
        let text = not_run("purge-trash", Every::Days(1)).unwrap();
        assert!(text.contains("purge-trash has not run for 26 hours.") && text.contains("breaching"));
    }
}
