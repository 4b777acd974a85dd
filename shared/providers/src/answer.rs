//! Results of calls to providers.

use domain::{
    ports::{Failure, Outcome},
    provider::AuthorizationError,
};

/// Why there is no result: a failure of AWS or a defect, or what the provider says.
pub enum ProviderError {
    /// AWS failed, or there is a defect.
    Failed(Failure),
    /// The provider gave no identity.
    Authorization(AuthorizationError),
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<AuthorizationError> for ProviderError {
    fn from(error: AuthorizationError) -> Self {
        Self::Authorization(error)
    }
}

/// The result of a step.
pub type Answer<T> = Result<T, ProviderError>;

/// Separates failures from answers.
pub fn separate<T>(answer: Answer<T>) -> Outcome<Result<T, AuthorizationError>> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(ProviderError::Authorization(error)) => Ok(Err(error)),
        Err(ProviderError::Failed(failure)) => Err(failure),
    }
}
