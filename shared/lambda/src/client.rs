//! Configures SDK clients: short timeouts, little overhead per call, and a count of calls.

use std::{sync::LazyLock, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_runtime::{
    invocation_id::InvocationIdInterceptor, request_info::RequestInfoInterceptor,
    service_clock_skew::ServiceClockSkewInterceptor, user_agent::UserAgentInterceptor,
};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        endpoint::{EndpointFuture, EndpointResolverParams, ResolveEndpoint, SharedEndpointResolver},
        identity::{Identity, IdentityFuture, ResolveCachedIdentity, SharedIdentityResolver},
        interceptors::{
            Intercept,
            context::{BeforeSerializationInterceptorContextMut, BeforeTransmitInterceptorContextMut},
            disable_interceptor, dyn_dispatch_hint,
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
        stalled_stream_protection::StalledStreamProtectionConfig,
    },
};
use aws_smithy_types::{
    config_bag::{ConfigBag, FrozenLayer, Layer},
    endpoint::Endpoint as ServiceEndpoint,
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_types::{SdkConfig, region::Region, sdk_config::Builder as SdkConfigBuilder};
use http::HeaderName;

use crate::{config::ConfigError, http_client::HttpClient};

/// The timeout of an attempt of an AWS call. Retrying is faster than waiting for a slow response.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(700);
/// The timeout of an attempt in another region. Connecting alone needs two round trips of about a quarter of a second.
const FAR_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_200);
/// The timeout of an attempt in the background.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(20);
/// The timeout of a call with all its attempts, well below the three seconds of a request.
const CALL_TIMEOUT: Duration = Duration::from_millis(2_400);
const ATTEMPTS: u32 = 3;

/// The address of AWS and the credentials of the caller.
#[derive(Clone)]
pub struct AwsEndpoint {
    /// The address of a stand-in; `None` for AWS.
    pub url: Option<String>,
    /// The credentials of the caller.
    pub credentials: Credentials,
}

impl AwsEndpoint {
    /// AWS, with the credentials of the function's role.
    pub fn from_env() -> Result<Self, ConfigError> {
        let var = |name| std::env::var(name).map_err(|_| ConfigError::Missing(name));
        let token = std::env::var("AWS_SESSION_TOKEN").ok();
        let (id, secret) = (var("AWS_ACCESS_KEY_ID")?, var("AWS_SECRET_ACCESS_KEY")?);
        let credentials = Credentials::new(id, secret, token, None, "environment");
        Ok(Self { url: std::env::var("AWS_ENDPOINT_URL").ok(), credentials })
    }
}

/// The configuration of SDK clients.
pub fn sdk_config(region: &'static str, endpoint: &AwsEndpoint, http: &HttpClient) -> SdkConfig {
    config(region, endpoint, http, (ATTEMPT_TIMEOUT, CALL_TIMEOUT))
}

/// The configuration of SDK clients for a distant region.
pub fn far_sdk_config(region: &'static str, endpoint: &AwsEndpoint, http: &HttpClient) -> SdkConfig {
    config(region, endpoint, http, (FAR_ATTEMPT_TIMEOUT, CALL_TIMEOUT))
}

/// The configuration of SDK clients for background work, such as setting up regions and reading streams.
pub fn patient_sdk_config(region: &'static str, endpoint: &AwsEndpoint, http: &HttpClient) -> SdkConfig {
    config(region, endpoint, http, (BACKGROUND_TIMEOUT, BACKGROUND_TIMEOUT))
}

fn config(
    region: &'static str,
    endpoint: &AwsEndpoint,
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
        .identity_cache(FixedIdentity(endpoint.credentials.clone().into()))
        .http_client(http.sdk())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(timeouts.build())
        // Responses are small, and the attempt timeout covers stalled streams.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(retries);
    config.set_endpoint_url(endpoint.url.clone());
    config.build()
}

/// The fixed identity of a process. Lambda starts a new process for new credentials.
#[derive(Debug)]
struct FixedIdentity(Identity);

impl ResolveCachedIdentity for FixedIdentity {
    fn resolve_cached_identity<'a>(
        &'a self,
        _: SharedIdentityResolver,
        _: &'a RuntimeComponents,
        _: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        IdentityFuture::ready(Ok(self.0.clone()))
    }
}

/// The address of a service in a region.
pub fn address(service: &str, region: &str, endpoint: Option<&str>) -> String {
    endpoint.map_or_else(|| format!("https://{service}.{region}.amazonaws.com"), str::to_owned)
}

/// Sends all calls to a fixed address, without evaluating the endpoint rules of the SDK.
#[derive(Debug)]
pub struct FixedEndpoint(ServiceEndpoint);

impl FixedEndpoint {
    /// The endpoint of a service with this configuration.
    pub fn of(service: &str, config: &SdkConfig) -> SharedEndpointResolver {
        let region = config.region().map(AsRef::as_ref).unwrap_or_default();
        let url = address(service, region, config.endpoint_url());
        SharedEndpointResolver::new(Self(ServiceEndpoint::builder().url(url).build()))
    }
}

impl ResolveEndpoint for FixedEndpoint {
    fn resolve_endpoint<'a>(&'a self, _: &'a EndpointResolverParams) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(self.0.clone()))
    }
}

/// Creates the client of a service for functions. The service is named as in AWS addresses. A last argument adapts its
/// configuration.
macro_rules! client {
    ($sdk:ident, $service:literal, $config:expr $(, $adapt:path)?) => {{
        let config = $sdk::config::Builder::from($config);
        $(let config = $adapt(config);)?
        let mut config = config.push_auth_scheme($crate::signing::Signing::default());
        // Nothing disables it, so the SDK need not look that up in every call.
        config.push_interceptor($sdk::config::SharedInterceptor::permanent($crate::client::Count));
        config.set_endpoint_resolver(Some($crate::client::FixedEndpoint::of($service, $config)));
        $sdk::Client::from_conf(config.build())
    }};
}
pub(crate) use client;

/// Lambda's runtime sets this environment variable to the trace of the invocation, as the X-Ray SDKs expect.
const TRACE: &str = "_X_AMZN_TRACE_ID";
static TRACE_HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Disables what every call would pay for without use: headers that only identify the SDK and the attempt, and metrics,
/// which describe every call four times by service and operation but are not collected. Calls without operation metadata
/// are not described.
static LESS_WORK: LazyLock<FrozenLayer> = LazyLock::new(|| {
    const REASON: &str = "the services do not need it";
    let mut state = Layer::new("less work");
    state.store_put(disable_interceptor::<UserAgentInterceptor>(REASON));
    state.store_put(disable_interceptor::<RequestInfoInterceptor>(REASON));
    state.store_put(disable_interceptor::<ServiceClockSkewInterceptor>(REASON));
    state.store_put(disable_interceptor::<InvocationIdInterceptor>(REASON));
    state.unset::<Metadata>();
    state.freeze()
});

/// Counts every attempt. Sends the trace of the invocation, if X-Ray traces it, and the request id in an additional
/// field ([tracing header]).
///
/// [tracing header]: https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
#[derive(Debug)]
pub struct Count;

#[dyn_dispatch_hint]
impl Intercept for Count {
    fn name(&self) -> &'static str {
        "Count"
    }

    fn modify_before_serialization(
        &self,
        _: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.push_shared_layer(LESS_WORK.clone());
        Ok(())
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut trace = std::env::var(TRACE).unwrap_or_default();
        if let Some(request) = kit::meter::request() {
            let between = if trace.is_empty() { "" } else { ";" };
            trace.extend([between, "Request=", &request]);
        }
        if !trace.is_empty() {
            context.request_mut().headers_mut().try_insert(TRACE_HEADER.clone(), trace)?;
        }
        Ok(())
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        kit::meter::count_call();
        Ok(())
    }
}
