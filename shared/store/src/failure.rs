//! DynamoDB's errors as failures of a port.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain::ports::Failure;

pub const SERVICE: &str = "dynamodb";

/// An error that is not a failed condition.
pub fn failure<E: ProvideErrorMetadata>(error: SdkError<E>) -> Failure {
    aws_errors::failure(SERVICE, &error)
}
