//! Maps errors of AWS services to port failures ([decision 65]). A temporary error becomes [`Failure::Unavailable`]:
//! the client retries. Any other error becomes [`Failure::Rejected`]: the service would refuse the same request again,
//! and the code or the deployment needs a fix.
//!
//! [decision 65]: ../../../docs/decisions/0065-tell-defects-from-outages.md

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use domain::ports::Failure;

/// The codes of temporary errors whose status does not reveal it ([common errors], and those of the services in use).
/// The SDK has already retried most of them.
///
/// [common errors]: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html
const TEMPORARY: [&str; 29] = [
    // Throttling.
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
    // Concurrent changes.
    "ConcurrentModificationException",
    "ReplicatedWriteConflictException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
    // Internal errors. For a part of a batch, the service returns only a code.
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
    // The request arrived too slowly.
    "RequestTimeout",
    "RequestTimeoutException",
    // The credentials of this process expired, or its clock is wrong. Another process answers the retry.
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
];

/// Maps the error of a call to a failure of `service`.
pub fn failure<E: ProvideErrorMetadata>(service: &'static str, error: &SdkError<E, HttpResponse>) -> Failure {
    let detail = |text: &str| text.to_owned();
    match error {
        SdkError::ServiceError(context) => {
            let (error, status) = (context.err(), context.raw().status().as_u16());
            report_denied(service, error.code(), error.message(), Some(status));
            classify(service, error.code(), Some(status))
        }
        SdkError::ConstructionFailure(_) => {
            Failure::Rejected { service, detail: detail("unbuildable request") }
        }
        SdkError::DispatchFailure(error) if error.is_user() => {
            Failure::Rejected { service, detail: detail("unsendable request") }
        }
        SdkError::DispatchFailure(_) => Failure::Unavailable { service, detail: detail("no connection") },
        SdkError::TimeoutError(_) => Failure::Unavailable { service, detail: detail("timeout") },
        // An invalid response, or a future variant of the error.
        _ => Failure::Unavailable { service, detail: detail("no response") },
    }
}

/// Maps the error of a part of a batch, which has a code but no status.
pub fn refused(service: &'static str, code: Option<&str>) -> Failure {
    report_denied(service, code, None, None);
    classify(service, code, None)
}

/// Logs an error of IAM, in any function, with the field `denied`: the action, if the message names it, or the service. An alarm
/// counts these lines. The rest of the message is left out: it may name resources.
fn report_denied(service: &'static str, code: Option<&str>, message: Option<&str>, status: Option<u16>) {
    // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html. Answers without a body have only a status.
    let is_denied = match code {
        Some(code) => code.contains("AccessDenied") || code == "NotAuthorized",
        None => status == Some(403),
    };
    if is_denied {
        let denied = message.and_then(action).unwrap_or(service);
        tracing::error!(denied, service, "access denied by IAM");
    }
}

/// The action in a [message of IAM], such as `dynamodb:GetItem`.
///
/// [message of IAM]: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
fn action(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("is not authorized to perform: ")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == ':' || c == '-')).unwrap_or(rest.len());
    let action = rest.get(..end)?;
    action.contains(':').then_some(action)
}

/// Maps an error that `service` returned, by its code and HTTP status.
fn classify(service: &'static str, code: Option<&str>, status: Option<u16>) -> Failure {
    let detail = match (code, status) {
        (Some(code), _) => code.to_owned(),
        (None, Some(status)) => format!("status {status}"),
        (None, None) => "unknown".to_owned(),
    };
    let is_temporary = match (code, status) {
        (Some(code), _) if TEMPORARY.contains(&code) => true,
        (_, Some(status)) => status_is_temporary(status),
        (code, None) => code.is_none(),
    };
    if is_temporary {
        Failure::Unavailable { service, detail }
    } else {
        Failure::Rejected { service, detail }
    }
}

/// Whether an error with this status is temporary unless its code says otherwise: timeouts, conflicts, throttling, and
/// server errors except 501.
fn status_is_temporary(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429) || !matches!(status, 400..=499 | 501)
}

#[cfg(test)]
mod tests {
    use std::{io::Read, sync::Arc};

    use serde_json::Value;

    use super::*;

    fn is_rejected(code: &str, status: u16) -> bool {
        matches!(classify("s", Some(code), Some(status)), Failure::Rejected { .. })
    }

    /// The log lines of an error.
    fn logged(code: Option<&str>, message: Option<&str>, status: Option<u16>) -> Vec<Value> {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_writer(Arc::new(writer));
        let report = || report_denied("dynamodb", code, message, status);
        tracing::subscriber::with_default(lines.finish(), report);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn temporary_errors_are_outages() {
        let passing = [
            ("ThrottlingException", 400),
            ("ProvisionedThroughputExceededException", 400),
            ("TransactionInProgressException", 400),
            ("TransactionConflictException", 400),
            ("TooManyRequestsException", 429),
            ("SlowDown", 503),
            ("RequestTimeout", 400),
            ("OperationAborted", 409),
            ("InternalServerError", 500),
            ("KMSInternalException", 500),
            ("KeyUnavailableException", 500),
            ("DependencyTimeoutException", 503),
            ("ExpiredTokenException", 400),
            ("ExpiredToken", 400),
            ("SomethingNew", 502),
        ];
        for (code, status) in passing {
            assert!(!is_rejected(code, status), "{code}");
        }
    }

    #[test]
    fn permanent_errors_are_defects() {
        let staying = [
            ("ValidationException", 400),
            ("AccessDeniedException", 400),
            ("AccessDenied", 403),
            ("ResourceNotFoundException", 400),
            ("NotFoundException", 400),
            ("NoSuchBucket", 404),
            ("SerializationException", 400),
            ("ItemCollectionSizeLimitExceededException", 400),
            ("IdempotentParameterMismatchException", 400),
            ("InvalidSignatureException", 400),
            ("SignatureDoesNotMatch", 403),
            ("UnrecognizedClientException", 400),
            ("InvalidCiphertextException", 400),
            ("DisabledException", 400),
            ("DecryptionFailure", 400),
            ("MessageRejected", 400),
            ("NotImplemented", 501),
            ("SomethingNew", 422),
        ];
        for (code, status) in staying {
            assert!(is_rejected(code, status), "{code}");
        }
    }

    #[test]
    fn error_without_code_is_classified_by_status() {
        for (status, rejected) in
            [(403, true), (404, true), (400, true), (409, false), (429, false), (503, false)]
        {
            let failure = classify("s3", None, Some(status));
            assert_eq!(matches!(failure, Failure::Rejected { .. }), rejected, "{status}");
            assert!(failure.to_string().ends_with(&format!("status {status}")), "{failure}");
        }
        assert!(matches!(refused("s3", None), Failure::Unavailable { .. }));
    }

    #[test]
    fn error_of_a_part_is_classified_by_code() {
        for (code, rejected) in [("AccessDenied", true), ("ValidationError", true), ("InternalError", false)]
        {
            let failure = refused("s3", Some(code));
            assert_eq!(matches!(failure, Failure::Rejected { .. }), rejected, "{code}");
        }
    }

    #[test]
    fn denied_call_is_logged_with_its_action_only() {
        let message = "User: arn:aws:sts::000000000000:assumed-role/auth-sign-in/x is not authorized to perform: \
                       dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:000000000000:table/secret-name because \
                       no identity-based policy allows the dynamodb:GetItem action";
        for (code, message, status, denied) in [
            (Some("AccessDeniedException"), Some(message), Some(400), "dynamodb:GetItem"),
            (Some("AccessDenied"), Some("Access Denied"), Some(403), "dynamodb"),
            (Some("AccessDenied"), None, None, "dynamodb"),
            (Some("com.amazonaws.x#AccessDeniedException"), None, Some(400), "dynamodb"),
            (None, None, Some(403), "dynamodb"),
            (Some("AccessDenied"), Some("is not authorized to perform: a@b.example"), Some(403), "dynamodb"),
        ] {
            let lines = logged(code, message, status);
            assert_eq!(lines.len(), 1, "{code:?}");
            assert_eq!(
                (&lines[0]["denied"], &lines[0]["level"]),
                (&denied.into(), &"ERROR".into()),
                "{code:?}"
            );
            assert!(!lines[0].to_string().contains("arn:"), "{}", lines[0]);
        }
    }

    #[test]
    fn other_errors_are_not_logged_as_denied() {
        for (code, status) in [
            (Some("ExpiredTokenException"), Some(403)),
            (Some("SignatureDoesNotMatch"), Some(403)),
            (Some("ValidationException"), Some(400)),
            (None, Some(404)),
            (None, None),
        ] {
            assert_eq!(logged(code, None, status), [Value::Null; 0], "{code:?}");
        }
    }
}
