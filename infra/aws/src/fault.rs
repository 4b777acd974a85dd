//! Planned faults: the ways in which a call to AWS goes wrong.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::answer::Refusal;
use crate::request::Caller;
use crate::service::Service;

/// One planned fault. It counts the calls that match it and strikes from the `nth` on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The service as in a signature and in IAM: `dynamodb`, `kms`, `secretsmanager`, `ses`, `events`, `s3`.
    pub service: String,
    /// Only this operation.
    #[serde(default)]
    pub operation: Option<String>,
    /// Only calls signed for this region.
    #[serde(default)]
    pub region: Option<String>,
    /// Only calls of this function.
    #[serde(default)]
    pub function: Option<String>,
    /// The first matching call that it strikes, from 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many calls it strikes; 0 for all that follow.
    #[serde(default = "one")]
    pub times: u64,
    /// What happens.
    pub kind: FaultKind,
}

fn one() -> u64 {
    1
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Access is denied; nothing is applied.
    Refused,
    /// It is applied, and the connection breaks before the answer.
    LostResponse,
    /// The service's throttling error; nothing is applied.
    Throttled,
    /// The service's internal error; nothing is applied.
    Error,
    /// No answer comes until the caller hangs up, or 30 seconds pass; nothing is applied.
    Stall,
    /// A batch comes back unprocessed. Batches only.
    Unprocessed,
    /// Another transaction is under way on the same items. DynamoDB's writes and transactions only.
    Conflict,
}

/// A fault and the calls it has counted.
pub(crate) struct Armed {
    fault: Fault,
    met: u64,
}

impl From<Fault> for Armed {
    fn from(fault: Fault) -> Self {
        Self { fault, met: 0 }
    }
}

impl Armed {
    /// Counts the call if it matches, and says what strikes it.
    pub(crate) fn counts(&mut self, caller: &Caller) -> Option<FaultKind> {
        let fault = &self.fault;
        let same = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        let matches = fault.service == caller.service.name()
            && same(&fault.operation, &caller.operation)
            && same(&fault.region, &caller.region)
            && same(&fault.function, &caller.function)
            && applies(fault.kind, caller);
        if !matches {
            return None;
        }
        self.met += 1;
        let first = fault.nth.max(1);
        let due = self.met >= first && (fault.times == 0 || self.met - first < fault.times);
        due.then_some(fault.kind)
    }
}

/// Whether the service can answer this call in that way at all.
fn applies(kind: FaultKind, caller: &Caller) -> bool {
    let operation = caller.operation.as_str();
    match kind {
        FaultKind::Unprocessed => {
            matches!(
                (caller.service, operation),
                (Service::DynamoDb, "BatchGetItem" | "BatchWriteItem")
                    | (Service::Events, "PutEvents")
                    | (Service::S3, "DeleteObjects")
            )
        }
        FaultKind::Conflict => {
            caller.service == Service::DynamoDb
                && matches!(
                    operation,
                    "TransactWriteItems" | "TransactGetItems" | "PutItem" | "UpdateItem" | "DeleteItem"
                )
        }
        _ => true,
    }
}

/// What a caller sees of a fault that is an answer.
pub(crate) enum Struck {
    Refused(Refusal),
    Answered(Value),
    /// In S3's format.
    AnsweredXml(&'static str),
}

/// The answer that a fault gives in the service's place, if it gives one.
pub(crate) fn answer(kind: FaultKind, caller: &Caller, body: &[u8]) -> Option<Struck> {
    let refusal = match kind {
        FaultKind::LostResponse | FaultKind::Stall => return None,
        FaultKind::Unprocessed if caller.service == Service::S3 => {
            return Some(Struck::AnsweredXml(UNDELETED));
        }
        FaultKind::Unprocessed => return Some(Struck::Answered(unprocessed(caller, body))),
        FaultKind::Refused => denied(caller, &caller.action()),
        FaultKind::Throttled => throttled(caller.service),
        FaultKind::Error => Refusal::internal(caller.service, &"planned fault"),
        FaultKind::Conflict => conflict(caller, body),
    };
    Some(Struck::Refused(refusal))
}

/// The answer to a request to delete several keys when one of them could not be: a success.
const UNDELETED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult \
    xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Error><Key>some</Key><Code>InternalError</Code>\
    <Message>We encountered an internal error. Please try again.</Message></Error></DeleteResult>";

/// What IAM says when no policy allows an action.
pub(crate) fn denied(caller: &Caller, action: &str) -> Refusal {
    let message = format!(
        "User: arn:aws:sts::{}:assumed-role/{function}/{function} is not authorized to perform: {action} \
         because no identity-based policy allows the {action} action",
        crate::ACCOUNT,
        function = caller.function,
    );
    match caller.service {
        Service::S3 => Refusal::new("AccessDenied", message).with_status(403),
        Service::Ses => Refusal::new("AccessDeniedException", message).with_status(403),
        _ => Refusal::new("AccessDeniedException", message),
    }
}

fn throttled(service: Service) -> Refusal {
    match service {
        // On-demand tables throttle with this one.
        Service::DynamoDb => Refusal::new(
            "ThrottlingException",
            "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your \
             table or index so please try again shortly.",
        ),
        Service::Kms => Refusal::new(
            "ThrottlingException",
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
        ),
        Service::Ses => {
            Refusal::new("TooManyRequestsException", "Maximum sending rate exceeded.").with_status(429)
        }
        Service::S3 => Refusal::new("SlowDown", "Please reduce your request rate.").with_status(503),
        _ => Refusal::new("ThrottlingException", "Rate exceeded"),
    }
}

fn conflict(caller: &Caller, body: &[u8]) -> Refusal {
    if !caller.operation.starts_with("Transact") {
        return Refusal::new("TransactionConflictException", "Transaction is ongoing for the item");
    }
    let request: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let items = request.get("TransactItems").and_then(Value::as_array).map_or(1, Vec::len);
    let reason = json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" });
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        vec!["TransactionConflict"; items].join(", ")
    );
    Refusal::new("TransactionCanceledException", message)
        .with("CancellationReasons", vec![reason; items].into())
}

fn unprocessed(caller: &Caller, body: &[u8]) -> Value {
    let request: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let asked = request.get("RequestItems").cloned().unwrap_or_else(|| json!({}));
    match caller.operation.as_str() {
        "BatchGetItem" => json!({ "Responses": {}, "UnprocessedKeys": asked }),
        "BatchWriteItem" => json!({ "UnprocessedItems": asked }),
        _ => {
            let entries = request.get("Entries").and_then(Value::as_array).map_or(0, Vec::len);
            let failed = json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "Internal failure" });
            json!({ "FailedEntryCount": entries, "Entries": vec![failed; entries] })
        }
    }
}
