//! Retries of `SendEmail`.

use aws_sdk_sesv2::{error::ProvideErrorMetadata, operation::send_email::SendEmailError};
use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext,
    retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority},
};

/// Retries throttling only. The classifiers of the SDK also retry timeouts, broken connections and server errors, after which
/// the mail may have been sent.
#[derive(Debug)]
pub(crate) struct OnlyThrottling;

/// The codes of throttling
/// ([errors](https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html)).
const THROTTLING: [&str; 3] = ["TooManyRequestsException", "ThrottlingException", "Throttling"];

impl ClassifyRetry for OnlyThrottling {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        let refused = error.as_operation_error().and_then(|error| error.downcast_ref::<SendEmailError>());
        match refused.and_then(ProvideErrorMetadata::code) {
            Some(code) if THROTTLING.contains(&code) => RetryAction::throttling_error(),
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "OnlyThrottling"
    }

    /// The last, and therefore the one that decides.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
