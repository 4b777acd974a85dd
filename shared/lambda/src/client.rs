//! SDK clients: tight time limits, and a count of every call.

use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_runtime::{
    invocation_id::InvocationIdInterceptor, request_info::RequestInfoInterceptor,
    service_clock_skew::ServiceClockSkewInterceptor, user_agent::UserAgentInterceptor,
};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut},
            disable_interceptor, dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
        stalled_stream_protection::StalledStreamProtectionConfig,
    },
};
use aws_smithy_types::{
    config_bag::{ConfigBag, Layer},
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_types::{SdkConfig, region::Region, sdk_config::Builder as SdkConfigBuilder};

use crate::{config::ConfigError, http_client::HttpClient};

/// One attempt of an AWS call gets this long: a slow answer is cheaper to ask for again than to wait for.
const ATTEMPT: Duration = Duration::from_millis(700);
/// One to another region: connecting alone takes two trips around half the world, about half a second.
const FAR_ATTEMPT: Duration = Duration::from_millis(1_200);
/// Nobody waits for this one.
const PATIENT: Duration = Duration::from_secs(20);
/// All attempts of a call together get this long, well inside a request's three seconds.
const CALL: Duration = Duration::from_millis(2_400);
const ATTEMPTS: u32 = 3;

/// Where AWS is and who calls it.
#[derive(Clone)]
pub struct Endpoint {
    /// A stand-in's address; absent, AWS itself.
    pub url: Option<String>,
    /// The caller.
    pub credentials: Credentials,
}

impl Endpoint {
    /// AWS, as the function's role.
    pub fn from_env() -> Result<Self, ConfigError> {
        let var = |name| std::env::var(name).map_err(|_| ConfigError::Missing(name));
        let token = std::env::var("AWS_SESSION_TOKEN").ok();
        let (id, secret) = (var("AWS_ACCESS_KEY_ID")?, var("AWS_SECRET_ACCESS_KEY")?);
        let credentials = Credentials::new(id, secret, token, None, "environment");
        Ok(Self { url: std::env::var("AWS_ENDPOINT_URL").ok(), credentials })
    }
}

/// What every SDK client is made with.
pub fn sdk_config(region: &'static str, endpoint: &Endpoint, http: &HttpClient) -> SdkConfig {
    config(region, endpoint, http, (ATTEMPT, CALL))
}

/// The same for a region that may be far away.
pub fn far_sdk_config(region: &'static str, endpoint: &Endpoint, http: &HttpClient) -> SdkConfig {
    config(region, endpoint, http, (FAR_ATTEMPT, CALL))
}

/// The same for what no request waits for: setting regions up, reading streams, looking into tables.
pub fn patient_sdk_config(region: &'static str, endpoint: &Endpoint, http: &HttpClient) -> SdkConfig {
    config(region, endpoint, http, (PATIENT, PATIENT))
}

fn config(
    region: &'static str,
    endpoint: &Endpoint,
    http: &HttpClient,
    (attempt, call): (Duration, Duration),
) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(call);
    let retries =
        RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(40));
    let mut config = SdkConfigBuilder::default()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(endpoint.credentials.clone()))
        .http_client(http.sdk())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(timeouts.build())
        // Answers are small, and an attempt that stalls meets its time limit.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(retries);
    config.set_endpoint_url(endpoint.url.clone());
    config.build()
}

/// Lambda's runtime puts the invocation's trace here, as X-Ray's SDKs expect it.
const TRACE: &str = "_X_AMZN_TRACE_ID";

/// Counts each attempt that goes out. It goes under the invocation's trace, if X-Ray traces it, and names the request that
/// it is for in a field of our own ([tracing header]).
///
/// [tracing header]: https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
#[derive(Debug)]
pub struct Count;

#[dyn_dispatch_hint]
impl Intercept for Count {
    fn name(&self) -> &'static str {
        "Count"
    }

    /// Leaves out the headers that only say which SDK calls, and which attempt this is: they would be written, signed and
    /// hashed for every call.
    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        const NOBODY_READS_IT: &str = "the services do not need it";
        let mut state = Layer::new("headers left out");
        state.store_put(disable_interceptor::<UserAgentInterceptor>(NOBODY_READS_IT));
        state.store_put(disable_interceptor::<RequestInfoInterceptor>(NOBODY_READS_IT));
        state.store_put(disable_interceptor::<ServiceClockSkewInterceptor>(NOBODY_READS_IT));
        state.store_put(disable_interceptor::<InvocationIdInterceptor>(NOBODY_READS_IT));
        config.push_layer(state);
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(request) = kit::meter::count_call() {
            let trace = std::env::var(TRACE).map(|trace| format!("{trace};")).unwrap_or_default();
            let headers = context.request_mut().headers_mut();
            headers.insert("x-amzn-trace-id", format!("{trace}Request={request}"));
        }
        Ok(())
    }
}
