//! A function and its log group for every endpoint and worker.

use std::fmt::Write as _;

use kit::{Spec, Trigger, WorkerSpec, routes::Route, spec::Memory};

use super::{quoted, triggers};
use crate::{Functions, pascal, statements::policies};

/// How long a request may take, in seconds: what `Globals` says.
pub const REQUEST_SECONDS: u32 = 5;
/// How long work may take that nobody waits for, in seconds.
pub(super) const WORK_SECONDS: u32 = 60;
/// How long logs are kept. They are for finding out what went wrong; what must be known later is in a table.
const LOG_DAYS: u32 = 30;

/// All of them.
pub(super) fn functions(functions: &Functions) -> String {
    let endpoints = functions.operations.iter().map(|operation| endpoint(&operation.spec));
    let workers = functions.workers.iter().map(worker);
    endpoints.chain(workers).collect::<Vec<_>>().join("\n")
}

/// How long a worker may take, in seconds: one that stands in a request's way no longer than an endpoint.
pub fn worker_seconds(spec: &WorkerSpec) -> u32 {
    if spec.has(Trigger::Authorizer) { REQUEST_SECONDS } else { WORK_SECONDS }
}

fn endpoint(spec: &Spec) -> String {
    let mut text = function(spec.id, spec.summary);
    if spec.memory != Memory::Small {
        let _ = writeln!(text, "      MemorySize: {}", spec.memory.megabytes());
    }
    text.push_str("      Events:\n");
    for Route { method, path, kind } in spec.routes() {
        let method = method.as_str();
        let _ = write!(
            text,
            "        {name}{kind}:\n          Type: HttpApi\n          \
             Properties: {{ ApiId: !Ref Api, Method: {method}, Path: {path} }}\n",
            name = pascal(&method.to_ascii_lowercase()),
            kind = kind.map(pascal).unwrap_or_default(),
            path = quoted(&path),
        );
    }
    text + &policies(&spec.all_grants()) + &logs(spec.id)
}

fn worker(spec: &WorkerSpec) -> String {
    let mut text = function(spec.id, spec.summary);
    let seconds = worker_seconds(spec);
    if seconds != REQUEST_SECONDS {
        let _ = writeln!(text, "      Timeout: {seconds}");
    }
    text.push_str(&triggers::events(spec));
    text + &policies(spec.grants) + &triggers::permission(spec) + &logs(spec.id)
}

fn function(id: &str, summary: &str) -> String {
    format!(
        r"  {name}:
    Type: AWS::Serverless::Function
    Properties:
      Description: {summary}
      CodeUri: target/lambda/{id}/
      LoggingConfig: {{ LogGroup: !Ref {name}Logs }}
",
        name = pascal(id),
        summary = quoted(summary),
    )
}

fn logs(id: &str) -> String {
    format!(
        r#"
  {name}Logs:
    Type: AWS::Logs::LogGroup
    Properties: {{ LogGroupName: !Sub "/${{AWS::StackName}}/{id}", RetentionInDays: {LOG_DAYS}, KmsKeyId: !GetAtt Key.Arn }}
"#,
        name = pascal(id),
    )
}

#[cfg(test)]
mod tests {
    use crate::samples::several;

    use super::*;

    #[test]
    fn a_request_ends_when_the_template_says() {
        let template = include_str!("../../../template.yaml");
        let (globals, _) = template.split_once("\nResources:\n").unwrap();
        assert!(globals.contains(&format!("\n    Timeout: {REQUEST_SECONDS}\n")));
        assert!(globals.contains(&format!("\n    MemorySize: {}\n", Memory::Small.megabytes())));
    }

    /// Otherwise two would write the same bundle.
    #[test]
    fn an_export_is_let_go_of_after_the_run_that_had_it_was_ended() {
        let lease = domain::export::LEASE.as_secs();
        let exports = kit::worker("x", Trigger::Bus(&domain::outbox::Notice::EXPORTING), "", &[]);
        assert!(i64::from(worker_seconds(&exports)) < lease, "{lease}");
    }

    #[test]
    fn an_endpoint_on_several_paths_is_one_function_with_an_event_for_each() {
        let text = functions(&several());
        assert_eq!(text.matches("Type: AWS::Serverless::Function\n").count(), 1);
        for (event, path) in [("GetApples", "/api/apples/{id}"), ("GetPears", "/api/pears/{id}")] {
            let properties = format!("{{ ApiId: !Ref Api, Method: GET, Path: \"{path}\" }}\n");
            let event =
                format!("        {event}:\n          Type: HttpApi\n          Properties: {properties}");
            assert!(text.contains(&event), "{text}");
        }
    }

    #[test]
    fn every_function_writes_into_a_log_group_of_its_own() {
        let all = Functions::all();
        let text = functions(&all);
        let ids = all.operations.iter().map(|operation| operation.spec.id);
        for id in ids.chain(all.workers.iter().map(|worker| worker.id)) {
            let name = pascal(id);
            assert!(text.contains(&format!("LoggingConfig: {{ LogGroup: !Ref {name}Logs }}\n")), "{id}");
            assert!(text.contains(&format!("\n  {name}Logs:\n    Type: AWS::Logs::LogGroup\n")), "{id}");
        }
    }
}
