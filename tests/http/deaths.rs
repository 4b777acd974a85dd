//! Where and how a worker is killed: before or after any of its calls.

use domain::region::Region;
use tests::{Value, json};

/// One of a worker's calls: the nth of its operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    service: String,
    operation: String,
    place: usize,
}

/// Which of them each of these calls is.
pub fn numbered(calls: &[Value]) -> Vec<Call> {
    let mut numbered: Vec<Call> = Vec::new();
    for call in calls {
        let (service, operation) = (call["service"].as_str().unwrap(), call["operation"].as_str().unwrap());
        let same = numbered.iter().filter(|other| other.service == service && other.operation == operation);
        let place = same.count() + 1;
        numbered.push(Call { service: service.to_owned(), operation: operation.to_owned(), place });
    }
    numbered
}

/// At every call, before it and, if it changes something, after it; at one of each sort, in every other way.
pub fn deaths(calls: &[Call]) -> Vec<(Call, &'static str)> {
    const READS: [&str; 5] = ["Query", "GetItem", "BatchGetItem", "ListObjectsV2", "GetSecretValue"];
    let each = calls.iter().flat_map(|call| {
        let after = (!READS.contains(&call.operation.as_str())).then_some("lost-response");
        std::iter::once("refused").chain(after).map(|kind| (call.clone(), kind))
    });
    let first = calls.iter().filter(|call| call.place == 1);
    let others = first.flat_map(|call| {
        let batch = call.operation.starts_with("Batch").then_some("unprocessed");
        let write = call.operation.starts_with("Transact").then_some("conflict");
        let kinds = ["throttled", "error", "stall"].into_iter().chain(batch).chain(write);
        kinds.map(|kind| (call.clone(), kind))
    });
    each.chain(others).collect()
}

/// All calls of a worker in a region fail from the `nth` of these on.
pub fn struck(function: &str, region: Region, call: &Call, kind: &str) -> Value {
    json!({
        "service": call.service, "operation": call.operation, "region": region, "function": function,
        "nth": call.place, "times": 0, "kind": kind,
    })
}

/// Everything that a worker does in a region fails.
pub fn held_back(function: &str, region: Region) -> [Value; 2] {
    ["dynamodb", "s3"].map(|service| {
        json!({ "service": service, "region": region, "function": function, "times": 0, "kind": "refused" })
    })
}

/// Whether a worker made a call in a region.
pub fn is_of(function: &str, region: Region, call: &Value) -> bool {
    call["function"] == function && call["region"] == region.aws()
}
