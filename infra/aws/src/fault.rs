//! Planned faults: failures of calls that tests inject.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::answer::Refusal;
use crate::request::Caller;
use crate::service::Service;

/// A planned fault. Counts the matching calls and applies to `times` calls from the `nth` on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The name of the service in signatures and IAM: `dynamodb`, `kms`, `secretsmanager`, `ses`, `events`, `sqs`, `s3`.
    pub service: String,
    /// Matches only this operation.
    #[serde(default)]
    pub operation: Option<String>,
    /// Matches only calls signed for this region.
    #[serde(default)]
    pub region: Option<String>,
    /// Matches only calls of this function.
    #[serde(default)]
    pub function: Option<String>,
    /// The first matching call to fail, starting at 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// The number of calls to fail; 0 for all subsequent calls.
    #[serde(default = "one")]
    pub times: u64,
    /// Matches only calls before this time of the local clock.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Matches only calls whose body contains this text, such as an address.
    #[serde(default)]
    pub containing: Option<String>,
    /// The delay of a `late` response in milliseconds.
    #[serde(default)]
    pub millis: u64,
    /// The kind of failure.
    pub kind: FaultKind,
}

fn one() -> u64 {
    1
}

/// The kind of failure of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The credentials have expired. The call is not applied, and the SDK does not retry it.
    Refused,
    /// Access is denied, as by a missing grant. The call is not applied.
    Denied,
    /// The request is invalid. The call is not applied.
    Validation,
    /// The call is applied, and the connection breaks before the response.
    LostResponse,
    /// The throttling error of the service. The call is not applied.
    Throttled,
    /// The internal error of the service. The call is not applied.
    Error,
    /// No response until the caller disconnects, for at most 30 seconds. The call is not applied.
    Stall,
    /// A batch is returned unprocessed. Batch operations only.
    Unprocessed,
    /// The call is applied at once, and its response comes after `millis`.
    Late,
    /// SES refuses the recipient permanently: it is on the suppression list of the account. SES only.
    Rejected,
    /// Another transaction is in progress on the same items. DynamoDB writes and transactions only.
    Conflict,
}

/// A fault of the plan and the number of calls that it matched.
pub(crate) struct ArmedFault {
    fault: Fault,
    met: u64,
}

impl From<Fault> for ArmedFault {
    fn from(fault: Fault) -> Self {
        Self { fault, met: 0 }
    }
}

impl ArmedFault {
    /// Counts the call if it matches. Returns the kind of failure if the fault applies.
    pub(crate) fn counts(&mut self, caller: &Caller, body: &[u8], now: Timestamp) -> Option<StruckBy> {
        let fault = &self.fault;
        let same = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        let matches = fault.service == caller.service.name()
            && same(&fault.operation, &caller.operation)
            && same(&fault.region, &caller.region)
            && same(&fault.function, &caller.function)
            && fault.until.is_none_or(|until| now < until)
            && fault.containing.as_deref().is_none_or(|text| contains(body, text))
            && applies(fault.kind, caller);
        if !matches {
            return None;
        }
        self.met += 1;
        let first = fault.nth.max(1);
        let due = self.met >= first && (fault.times == 0 || self.met - first < fault.times);
        due.then(|| StruckBy { kind: fault.kind, delay: Duration::from_millis(fault.millis) })
    }
}

/// A fault that applies to a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StruckBy {
    pub(crate) kind: FaultKind,
    pub(crate) delay: Duration,
}

fn contains(body: &[u8], text: &str) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether the service can fail this call in this way.
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
        FaultKind::Rejected => caller.service == Service::Ses,
        _ => true,
    }
}

/// The response that a fault produces.
pub(crate) enum FaultResponse {
    Refused(Refusal),
    Answered(Value),
    /// A response in the XML format of S3.
    AnsweredXml(&'static str),
}

/// The response of a fault in place of the service. `None` if the fault produces no response.
pub(crate) fn answer(kind: FaultKind, caller: &Caller, body: &[u8]) -> Option<FaultResponse> {
    let refusal = match kind {
        FaultKind::LostResponse | FaultKind::Stall | FaultKind::Late => return None,
        FaultKind::Unprocessed if caller.service == Service::S3 => {
            return Some(FaultResponse::AnsweredXml(UNDELETED));
        }
        FaultKind::Unprocessed => return Some(FaultResponse::Answered(unprocessed(caller, body))),
        FaultKind::Refused => expired(caller.service),
        FaultKind::Denied => denied(caller, &caller.action()),
        FaultKind::Validation => invalid(caller.service),
        FaultKind::Throttled => throttled(caller.service),
        FaultKind::Error => Refusal::internal(caller.service, &"planned fault"),
        FaultKind::Rejected => {
            Refusal::new("MessageRejected", "Email address is on the suppression list of your account.")
        }
        FaultKind::Conflict => conflict(caller, body),
    };
    Some(FaultResponse::Refused(refusal))
}

/// The S3 response to DeleteObjects when a key could not be deleted. Its status is 200.
const UNDELETED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult \
    xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Error><Key>some</Key><Code>InternalError</Code>\
    <Message>We encountered an internal error. Please try again.</Message></Error></DeleteResult>";

/// The IAM error if no policy allows an action.
pub(crate) fn denied(caller: &Caller, action: &str) -> Refusal {
    let message = format!(
        "User: arn:aws:sts::{}:assumed-role/{function}/{function} is not authorized to perform: {action} \
         because no identity-based policy allows the {action} action",
        crate::account::ACCOUNT,
        function = caller.function,
    );
    match caller.service {
        Service::S3 => Refusal::new("AccessDenied", message).with_status(403),
        Service::Ses => Refusal::new("AccessDeniedException", message).with_status(403),
        _ => Refusal::new("AccessDeniedException", message),
    }
}

fn expired(service: Service) -> Refusal {
    let message = "The security token included in the request is expired";
    match service {
        Service::S3 => Refusal::new("ExpiredToken", "The provided token has expired."),
        Service::Ses => Refusal::new("ExpiredTokenException", message).with_status(403),
        _ => Refusal::new("ExpiredTokenException", message),
    }
}

fn invalid(service: Service) -> Refusal {
    match service {
        Service::S3 => Refusal::new("InvalidRequest", "The request is not valid."),
        Service::Ses => Refusal::new("BadRequestException", "The request is not valid."),
        _ => Refusal::new("ValidationException", "1 validation error detected"),
    }
}

fn throttled(service: Service) -> Refusal {
    match service {
        // The error of on-demand tables.
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
