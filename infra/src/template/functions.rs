//! Renders the functions of an area.

use std::fmt::Write as _;

use kit::{Spec, Trigger, WorkerSpec, spec::Memory};

use super::{quoted, triggers};
use crate::{
    Functions, pascal,
    statements::policies,
    timeouts::{REQUEST_SECONDS, worker_seconds},
};

/// Concurrent executions that are reserved for an endpoint that hashes passwords. A request occupies it for about a
/// second. The reservation is also its limit, so that a flood of sign-ins takes no more from other functions.
const RESERVED_FOR_PASSWORDS: u32 = 30;
/// Concurrent executions that are reserved for a worker, so that requests can't use them up. Queues use fewer.
const RESERVED_FOR_WORK: u32 = 5;
/// The same for the reader of the outbox stream: one execution per shard and parallel batch.
const RESERVED_FOR_STREAM: u32 = 2 * triggers::PARALLEL_BATCHES;

/// Renders all functions.
pub(super) fn functions(functions: &Functions) -> String {
    let endpoints = functions.operations.iter().map(|operation| endpoint(&operation.spec));
    let workers = functions.workers.iter().map(worker);
    endpoints.chain(workers).collect::<Vec<_>>().join("\n")
}

fn endpoint(spec: &Spec) -> String {
    let mut text = function(spec.id, spec.summary);
    if spec.memory != Memory::Small {
        let megabytes = spec.memory.megabytes();
        let _ = writeln!(
            text,
            "      MemorySize: {megabytes}\n      ReservedConcurrentExecutions: {RESERVED_FOR_PASSWORDS}"
        );
    }
    text + &policies(&spec.grants())
}

fn worker(spec: &WorkerSpec) -> String {
    let mut text = function(spec.id, spec.summary);
    let seconds = worker_seconds(spec);
    if seconds != REQUEST_SECONDS {
        let _ = writeln!(text, "      Timeout: {seconds}");
    }
    if let Some(reserved) = reserved(spec) {
        let _ = writeln!(text, "      ReservedConcurrentExecutions: {reserved}");
    }
    text.push_str(&triggers::events(spec));
    text + &policies(&spec.grants()) + &triggers::permission(spec)
}

/// The concurrent executions that are reserved for a worker. None for the authorizer, which grows with requests.
fn reserved(spec: &WorkerSpec) -> Option<u32> {
    match () {
        () if spec.has(Trigger::Authorizer) => None,
        () if spec.has(Trigger::OutboxStream) => Some(RESERVED_FOR_STREAM),
        () => Some(RESERVED_FOR_WORK),
    }
}

fn function(id: &str, summary: &str) -> String {
    format!(
        r#"  {name}:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${{Platform}}-{id}"
      Description: {summary}
      CodeUri: ../../target/lambda/{id}/
      AutoPublishAliasAllProperties: true
"#,
        name = pascal(id),
        summary = quoted(summary),
    )
}

#[cfg(test)]
mod tests {
    use crate::queues;

    use super::*;

    #[test]
    fn queues_use_less_than_the_reserved_concurrency() {
        const { assert!(queues::CONCURRENCY < RESERVED_FOR_WORK) };
    }

    #[test]
    fn every_endpoint_that_hashes_passwords_has_its_own_limit() {
        let all = Functions::all();
        let hashing = all.operations.iter().filter(|operation| operation.spec.memory == Memory::FullCpu);
        let text = functions(&all);
        let limit = format!("ReservedConcurrentExecutions: {RESERVED_FOR_PASSWORDS}\n");
        assert_eq!(text.matches(&limit).count(), hashing.count());
    }
}
