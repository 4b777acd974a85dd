//! Renders a function and a log group for every endpoint and worker.

use std::fmt::Write as _;

use kit::{Spec, Trigger, WorkerSpec, routes::Route, spec::Memory};

use super::{quoted, triggers};
use crate::{Functions, pascal, statements::policies};

/// The timeout of endpoints in seconds, as in the template's `Globals`.
pub const REQUEST_SECONDS: u32 = 5;
/// The timeout of background work in seconds.
pub(super) const WORK_SECONDS: u32 = 60;
/// The retention of logs in days. Logs are for debugging; permanent records are in tables.
const LOG_DAYS: u32 = 30;

/// Renders all functions.
pub(super) fn functions(functions: &Functions) -> String {
    let endpoints = functions.operations.iter().map(|operation| endpoint(&operation.spec));
    let workers = functions.workers.iter().map(worker);
    endpoints.chain(workers).collect::<Vec<_>>().join("\n")
}

/// The timeout of a worker in seconds. An authorizer delays requests and has the timeout of an endpoint.
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
    text + &policies(&spec.grants()) + &logs(spec.id)
}

fn worker(spec: &WorkerSpec) -> String {
    let mut text = function(spec.id, spec.summary);
    let seconds = worker_seconds(spec);
    if seconds != REQUEST_SECONDS {
        let _ = writeln!(text, "      Timeout: {seconds}");
    }
    text.push_str(&triggers::events(spec));
    text + &policies(&spec.grants()) + &triggers::permission(spec) + &logs(spec.id)
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
    fn template_globals_match_timeout_and_memory() {
        let template = include_str!("../../../template.yaml");
        let (globals, _) = template.split_once("\nResources:\n").unwrap();
        assert!(globals.contains(&format!("\n    Timeout: {REQUEST_SECONDS}\n")));
        assert!(globals.contains(&format!("\n    MemorySize: {}\n", Memory::Small.megabytes())));
    }

    /// Otherwise two workers could write the same bundle.
    #[test]
    fn export_lease_outlasts_the_worker_timeout() {
        let lease = domain::export::LEASE.as_secs();
        let exports = kit::worker("x", Trigger::Bus, "", &[]);
        assert!(i64::from(worker_seconds(&exports)) < lease, "{lease}");
    }

    #[test]
    fn endpoint_on_several_paths_is_one_function() {
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
    fn every_function_has_its_own_log_group() {
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
