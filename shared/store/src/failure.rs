//! What DynamoDB's errors mean to a port.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain::ports::Failure;

/// Every refusal that is not a failed condition: tried often enough by the client, so now it is the caller's to retry.
pub fn unavailable<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> Failure {
    let detail = match &error {
        SdkError::ServiceError(context) => context.err().code().unwrap_or("unknown").to_owned(),
        SdkError::TimeoutError(_) => "timeout".to_owned(),
        SdkError::DispatchFailure(_) => "no connection".to_owned(),
        _ => "no answer".to_owned(),
    };
    Failure::Unavailable { service: "dynamodb", detail }
}
