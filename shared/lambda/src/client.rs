//! SDK clients: tight time limits, little work for each call, and a count of it.

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
        .identity_cache(Same(endpoint.credentials.clone().into()))
        .http_client(http.sdk())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(timeouts.build())
        // Answers are small, and an attempt that stalls meets its time limit.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(retries);
    config.set_endpoint_url(endpoint.url.clone());
    config.build()
}

/// The one identity of a process: for other credentials, Lambda starts another.
#[derive(Debug)]
struct Same(Identity);

impl ResolveCachedIdentity for Same {
    fn resolve_cached_identity<'a>(
        &'a self,
        _: SharedIdentityResolver,
        _: &'a RuntimeComponents,
        _: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        IdentityFuture::ready(Ok(self.0.clone()))
    }
}

/// A service's address in a region.
pub fn address(service: &str, region: &str, endpoint: Option<&str>) -> String {
    endpoint.map_or_else(|| format!("https://{service}.{region}.amazonaws.com"), str::to_owned)
}

/// Sends all calls to one address. The SDK would work it out by rules for every kind of region.
#[derive(Debug)]
pub struct At(ServiceEndpoint);

impl At {
    /// A service, where this configuration says.
    pub fn of(service: &str, config: &SdkConfig) -> SharedEndpointResolver {
        let region = config.region().map(AsRef::as_ref).unwrap_or_default();
        let url = address(service, region, config.endpoint_url());
        SharedEndpointResolver::new(Self(ServiceEndpoint::builder().url(url).build()))
    }
}

impl ResolveEndpoint for At {
    fn resolve_endpoint<'a>(&'a self, _: &'a EndpointResolverParams) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(self.0.clone()))
    }
}

/// The client of a service, by the name that it has in addresses, with this configuration, for functions.
macro_rules! client {
    ($sdk:ident, $service:literal, $config:expr) => {{
        let config = $sdk::config::Builder::from($config).interceptor($crate::client::Count);
        let mut config = config.push_auth_scheme($crate::signing::Signing::default());
        config.set_endpoint_resolver(Some($crate::client::At::of($service, $config)));
        $sdk::Client::from_conf(config.build())
    }};
}
pub(crate) use client;

/// Lambda's runtime puts the invocation's trace here, as X-Ray's SDKs expect it.
const TRACE: &str = "_X_AMZN_TRACE_ID";

/// Leaves out the headers that only say which SDK calls, and which attempt this is: they would be written, signed and hashed
/// for every call.
static FEWER_HEADERS: LazyLock<FrozenLayer> = LazyLock::new(|| {
    const NOBODY_READS_IT: &str = "the services do not need it";
    let mut state = Layer::new("fewer headers");
    state.store_put(disable_interceptor::<UserAgentInterceptor>(NOBODY_READS_IT));
    state.store_put(disable_interceptor::<RequestInfoInterceptor>(NOBODY_READS_IT));
    state.store_put(disable_interceptor::<ServiceClockSkewInterceptor>(NOBODY_READS_IT));
    state.store_put(disable_interceptor::<InvocationIdInterceptor>(NOBODY_READS_IT));
    state.freeze()
});

/// The SDK describes each of its measurements by service and operation, four times a call. Nobody collects them, and one that
/// does not know its operation is not described.
static NO_MEASUREMENTS: LazyLock<FrozenLayer> = LazyLock::new(|| {
    let mut state = Layer::new("no measurements");
    state.unset::<Metadata>();
    state.freeze()
});

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

    fn modify_before_serialization(
        &self,
        _: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.push_shared_layer(FEWER_HEADERS.clone());
        Ok(())
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.push_shared_layer(NO_MEASUREMENTS.clone());
        let mut trace = std::env::var(TRACE).unwrap_or_default();
        if let Some(request) = kit::meter::request() {
            let between = if trace.is_empty() { "" } else { ";" };
            trace.extend([between, "Request=", &request]);
        }
        if !trace.is_empty() {
            context.request_mut().headers_mut().try_insert("x-amzn-trace-id", trace)?;
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
