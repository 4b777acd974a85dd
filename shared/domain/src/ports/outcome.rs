//! Results of port methods.

use crate::sealing::SealError;

/// Why an adapter failed. Never the caller's fault.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The service failed, throttled, or did not answer in time. The change may or may not have happened.
    #[error("{service} is unavailable: {detail}")]
    Unavailable {
        /// Which service.
        service: &'static str,
        /// The service's message, for the log.
        detail: String,
    },
    /// The service rejects the request and will reject a retry: a defect of the code or of the deployment.
    #[error("{service} rejects the request: {detail}")]
    Rejected {
        /// Which service.
        service: &'static str,
        /// The error's code, for the log.
        detail: String,
    },
    /// Concurrent writers changed the same records too often. A later retry will succeed.
    #[error("lost too many races")]
    Raced,
    /// This request was already carried out: read its idempotency record.
    #[error("already done")]
    AlreadyDone,
    /// A sealed value does not decrypt in its context: it was damaged or moved.
    #[error("a sealed value does not open")]
    Unreadable,
    /// A stored item can't be read, or a request can't be built: a defect.
    #[error("broken: {0}")]
    Broken(String),
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Unreadable => Self::Unreadable,
            SealError::Unsealable => Self::Broken(error.to_string()),
        }
    }
}

/// The result of a port method.
pub type Outcome<T> = Result<T, Failure>;

/// Whether a conditional change happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It happened.
    Yes,
    /// The record changed since it was read: read and decide again.
    Stale,
}

/// One page of a list.
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Whether more rows follow.
    pub more: bool,
}
