//! Errors of SDK clients as text.

/// An error with its causes.
pub fn why(error: impl std::error::Error) -> String {
    aws_sdk_dynamodb::error::DisplayErrorContext(error).to_string()
}
