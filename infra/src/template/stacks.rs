//! Renders the nested stack of each area, and the resources of the parent that deploy these stacks.

use std::fmt::Write as _;

use kit::{Spec, Trigger, grants::breached_passwords, spec::Memory};

use super::{functions, quoted};
use crate::{Functions, pascal, timeouts::REQUEST_SECONDS};

/// The retention of logs in days. Logs are for debugging; permanent records are in tables.
const LOG_DAYS: u32 = 30;

/// A parameter of nested stacks: name, description, and the value that the parent passes.
struct Parameter(&'static str, &'static str, &'static str);

/// All parameters. A stack declares those that it uses.
const PARAMETERS: [Parameter; 12] = [
    Parameter("Platform", "The first part of all names.", "!Ref Platform"),
    Parameter("Region", "The data region.", "!FindInMap [DataRegions, !Ref \"AWS::Region\", Name]"),
    Parameter("ApiDomain", "The parent domain of the regions' APIs.", "!Ref ApiDomain"),
    Parameter("MailDomain", "The sender domain of emails.", "!Ref MailDomain"),
    Parameter(
        "FeedbackTo",
        "The email address that receives feedback. Empty: feedback is not accepted.",
        "!Ref FeedbackTo",
    ),
    Parameter(
        "BreachedPasswordsUrl",
        "The URL of a service's ranges of breached passwords.",
        "!Ref BreachedPasswordsUrl",
    ),
    Parameter(
        "DirectoryTableName",
        "The name of the table that all regions share.",
        "!Ref DirectoryTableName",
    ),
    Parameter(
        "Key",
        "The ARN of the region's encryption key.",
        "{ \"Fn::ImportValue\": !Sub \"${Platform}-key\" }",
    ),
    Parameter(
        "OperationsStream",
        "The ARN of the stream of the table with the outbox.",
        "{ \"Fn::ImportValue\": !Sub \"${Platform}-operations-stream\" }",
    ),
    Parameter("Boundary", "The ARN of the permissions boundary.", "!Ref Boundary"),
    Parameter(
        "SchedulerRole",
        "The ARN of the role with which schedules invoke functions.",
        "!GetAtt SchedulerRole.Arn",
    ),
    Parameter(
        "FailedInvocations",
        "The ARN of the queue for invocations that failed permanently.",
        "!GetAtt FailedInvocations.Arn",
    ),
];

/// The logical id of an area's stack in the parent.
pub(super) fn stack_id(area: &str) -> String {
    format!("{}Stack", pascal(area))
}

/// Renders the template of an area's stack.
pub(super) fn template(area: &str, functions: &Functions) -> String {
    let resources = format!(
        "{}Resources:\n{}{}\n{}",
        globals(),
        logs(area),
        log_metrics(functions),
        functions::functions(functions)
    );
    let parameters: String = used(&resources)
        .map(|Parameter(name, description, _)| {
            format!("  {name}: {{ Type: String, Description: {} }}\n", quoted(description))
        })
        .collect();
    format!(
        "# The functions of the area `{area}`, as a nested stack of template.yaml. Written by `cargo generate` from the\n\
         # specifications of the functions.\n\
         AWSTemplateFormatVersion: \"2010-09-09\"\n\
         Transform: AWS::Serverless-2016-10-31\n\
         Description: \"Account platform: functions of the area {area}.\"\n\n\
         Parameters:\n{parameters}\n{resources}"
    )
}

/// Renders the resources of the parent that deploy the areas' stacks, each after the queues that its functions read.
pub(super) fn stacks(areas: &[(&str, Functions)]) -> String {
    let stack = |(area, functions): &(&str, Functions)| {
        let mut text = format!("  {}:\n    Type: AWS::CloudFormation::Stack\n", stack_id(area));
        let queues: Vec<String> = functions
            .workers
            .iter()
            .filter(|worker| super::queues::reads(worker))
            .map(|worker| super::queues::queue_id(worker.id))
            .collect();
        if !queues.is_empty() {
            let _ = writeln!(text, "    DependsOn: [{}]", queues.join(", "));
        }
        let _ =
            writeln!(text, "    Properties:\n      TemplateURL: infra/stacks/{area}.yaml\n      Parameters:");
        for Parameter(name, _, value) in used(&template(area, functions)) {
            let _ = writeln!(text, "        {name}: {value}");
        }
        text
    };
    areas.iter().map(stack).collect::<Vec<_>>().join("\n")
}

/// Renders the property of the API that makes it wait for the stacks of all areas.
pub(super) fn dependencies(areas: &[(&str, Functions)]) -> String {
    let stacks: Vec<String> = areas.iter().map(|(area, _)| stack_id(area)).collect();
    format!("    DependsOn: [{}]\n", stacks.join(", "))
}

/// The parameters that a template refers to.
fn used(text: &str) -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.iter().filter(move |Parameter(name, ..)| {
        let is_word_end = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
        text.contains(&format!("${{{name}}}")) || text.split(&format!("!Ref {name}")).skip(1).any(is_word_end)
    })
}

/// The properties of all functions.
fn globals() -> String {
    format!(
        r#"Globals:
  Function:
    Runtime: provided.al2023
    Architectures: [arm64]
    Handler: bootstrap
    Timeout: {REQUEST_SECONDS}
    MemorySize: {}
    Tracing: Active
    LoggingConfig: {{ LogFormat: JSON, LogGroup: !Ref Logs }}
    PermissionsBoundary: !Ref Boundary
    # Callers invoke the alias. A deployment publishes a version of each changed function and moves its alias; the
    # previous version exists until the deployment is complete, because it may still be rolled back.
    AutoPublishAlias: live
    VersionDeletionPolicy: Delete
    Environment:
      Variables:
        PLATFORM_REGION: !Ref Region
        TABLE_PREFIX: !Sub "${{Platform}}-${{Region}}-"
        SECRET_PREFIX: !Sub "${{Platform}}/${{Region}}/"
        SHARED_SECRET_PREFIX: !Sub "${{Platform}}/shared/"
        KMS_KEY: !Ref Key
        EVENT_BUS: !Sub "${{Platform}}-${{Region}}-events"
        BUCKET: !Sub "${{Platform}}-${{Region}}-files-${{AWS::AccountId}}"
        DIRECTORY_TABLE: !Ref DirectoryTableName
        API_ENDPOINTS: !Sub "us=https://us.${{ApiDomain}},eu=https://eu.${{ApiDomain}},ap=https://ap.${{ApiDomain}}"
        SHARED_ENDPOINT: !Sub "https://${{ApiDomain}}"
        MAIL_FROM: !Sub "no-reply@${{MailDomain}}"
        MAIL_CONFIGURATION_SET: !Sub "${{Platform}}-${{Region}}"
        FEEDBACK_TO: !Ref FeedbackTo
        BREACHED_PASSWORDS_URL: !Ref BreachedPasswordsUrl
        # These two variables shorten cold starts: docs/decisions/0047-shorten-start-up-by-environment.md.
        GLIBC_TUNABLES: glibc.malloc.tcache_count=127
        SMITHY_CLIENT_SDK_CUSTOM_PARTITION: /var/task/partitions.json

"#,
        Memory::Small.megabytes()
    )
}

/// The log group of an area. The name of a log stream begins with the date, the function and its version.
fn logs(area: &str) -> String {
    format!(
        "  Logs:\n    Type: AWS::Logs::LogGroup\n    Properties: {{ LogGroupName: !Sub \"/${{Platform}}/{area}\", \
         RetentionInDays: {LOG_DAYS}, KmsKeyId: !Ref Key }}\n"
    )
}

/// A metric that CloudWatch derives from log lines: the logical id of its filter, the pattern, and the value.
pub(super) struct LogMetric {
    pub(super) name: &'static str,
    pattern: &'static str,
    value: &'static str,
}

/// Defects that fail no request: a stored value that can't be read, and an email that SES refuses permanently.
pub(super) const DEFECTS: LogMetric = LogMetric {
    name: "Defects",
    pattern: r#"{ ($.defect = "*") || ($.message = "mail refused") }"#,
    value: "1",
};
/// Calls that IAM denied.
pub(super) const DENIED_CALLS: LogMetric =
    LogMetric { name: "DeniedCalls", pattern: r#"{ $.denied = "*" }"#, value: "1" };
/// The days since a secret was rotated.
pub(super) const SECRET_AGE: LogMetric =
    LogMetric { name: "SecretAge", pattern: r#"{ $.message = "secret age" }"#, value: "$.days" };
/// New passwords that were accepted without the lookup that the deployment chose.
pub(super) const FAILED_LOOKUPS: LogMetric = LogMetric {
    name: "FailedLookups",
    pattern: r#"{ $.message = "breached passwords not looked up" }"#,
    value: "1",
};

/// Renders the metric filters of an area's log group.
fn log_metrics(functions: &Functions) -> String {
    let rotates = functions.workers.iter().any(|worker| worker.has(Trigger::Rotation));
    let looks_up = |spec: &Spec| spec.uses.contains(&breached_passwords::CONTAINS);
    let looks_up = functions.operations.iter().any(|operation| looks_up(&operation.spec));
    let (ages, lookups) = (rotates.then_some(&SECRET_AGE), looks_up.then_some(&FAILED_LOOKUPS));
    [&DEFECTS, &DENIED_CALLS].into_iter().chain(ages).chain(lookups).map(log_metric).collect()
}

fn log_metric(metric: &LogMetric) -> String {
    let LogMetric { name, pattern, value } = metric;
    format!(
        r#"
  {name}:
    Type: AWS::Logs::MetricFilter
    Properties:
      LogGroupName: !Ref Logs
      FilterPattern: '{pattern}'
      MetricTransformations:
        - {{ MetricNamespace: !Ref Platform, MetricName: {name}, MetricValue: "{value}" }}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::areas;

    #[test]
    fn stack_declares_exactly_the_parameters_that_the_parent_passes() {
        let areas = areas();
        let parent = stacks(&areas);
        for (area, functions) in &areas {
            let text = template(area, functions);
            let (_, after) =
                parent.split_once(&format!("infra/stacks/{area}.yaml\n      Parameters:\n")).unwrap();
            let passed = after
                .lines()
                .map_while(|line| line.strip_prefix("        "))
                .filter_map(|line| line.split(':').next());
            let (_, declared) = text.split_once("\nParameters:\n").unwrap();
            let declared = declared
                .lines()
                .take_while(|line| !line.is_empty())
                .filter_map(|line| line.trim().split(':').next());
            assert_eq!(passed.collect::<Vec<_>>(), declared.collect::<Vec<_>>(), "{area}");
        }
    }

    #[test]
    fn failed_lookups_are_counted_where_passwords_are_set() {
        let counted = areas()
            .into_iter()
            .filter(|(area, functions)| template(area, functions).contains(&log_metric(&FAILED_LOOKUPS)));
        assert_eq!(counted.map(|(area, _)| area).collect::<Vec<_>>(), ["auth"]);
    }

    #[test]
    fn longer_name_is_no_use_of_a_parameter() {
        let names = |text| used(text).map(|Parameter(name, ..)| *name).collect::<Vec<_>>();
        assert_eq!(names("!Ref KeyRing, !Ref Boundary"), ["Boundary"]);
        assert_eq!(names("${Key} !Ref Region\n"), ["Region", "Key"]);
    }

    #[test]
    fn defect_and_denial_in_any_area_are_counted() {
        for (area, functions) in areas() {
            let text = template(area, &functions);
            for LogMetric { name, pattern, .. } in [DEFECTS, DENIED_CALLS] {
                let filter = format!(
                    "  {name}:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n      LogGroupName: !Ref Logs\n      FilterPattern: '{pattern}'\n"
                );
                assert!(text.contains(&filter), "{area}: {name}");
            }
        }
    }
}
