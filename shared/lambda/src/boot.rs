//! Creates the dependencies of a function: each port with its SDK client. Unused ports are not linked.

mod auth;
mod directory;
mod files;
mod messages;
mod privacy;
mod resources;
mod secrets;
mod workspaces;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use aws_types::SdkConfig;
use bytes::Bytes;
use domain::{entropy::Entropy, region::Region};
use futures::future::join_all;
use kit::{
    Clock, Ports, RegionClient, Services, rate_counters::Leases, refused_networks::RefusedNetworks,
    token::Verifier,
};
use store::Store;

use crate::{
    client::{AwsEndpoint, Count, address, client, far_sdk_config, patient_sdk_config, sdk_config},
    config::{Config, ConfigError},
    http_client::HttpClient,
    regions::HttpRegions,
    system::{OsEntropy, SystemClock},
};

/// The maximum time to connect during INIT. The first request establishes connections that take longer.
const CONNECTING: Duration = Duration::from_secs(1);

/// The runtime environment of a function.
pub struct FunctionRuntime {
    config: Config,
    endpoint: AwsEndpoint,
    http: HttpClient,
    /// The services that every request calls.
    certain: Mutex<BTreeSet<&'static str>>,
    sdk: Arc<SdkConfig>,
    /// The configuration for the directory's authority, which may be in another region.
    authority: Arc<SdkConfig>,
    regions: Arc<HttpRegions>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    store: OnceLock<Arc<Store>>,
    directory: OnceLock<Arc<store::DirectoryStore>>,
    secrets: OnceLock<Arc<keys::Secrets>>,
}

impl FunctionRuntime {
    /// Reads the configuration from the environment, as Lambda sets it.
    pub fn from_env() -> Result<Self, ConfigError> {
        let (config, endpoint) = (Config::from_env()?, AwsEndpoint::from_env()?);
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        Ok(Self::new(config, &endpoint, &endpoint, &HttpClient::from_env()?, clock, entropy))
    }

    /// Uses the given configuration. `authority` is the AWS endpoint of the directory's authority.
    pub fn new(
        config: Config,
        endpoint: &AwsEndpoint,
        authority: &AwsEndpoint,
        http: &HttpClient,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            sdk: Arc::new(sdk_config(config.region.aws(), endpoint, http)),
            authority: Arc::new(far_sdk_config(Region::AUTHORITY.aws(), authority, http)),
            regions: Arc::new(HttpRegions::new(config.endpoints.clone(), http.clone())),
            config,
            endpoint: endpoint.clone(),
            http: http.clone(),
            certain: Mutex::default(),
            clock,
            entropy,
            dynamodb: OnceLock::new(),
            store: OnceLock::new(),
            directory: OnceLock::new(),
            secrets: OnceLock::new(),
        }
    }

    /// Connects to the services that every request calls. During INIT, Lambda gives a function a full CPU, and no
    /// request is waiting.
    pub async fn connect(&self) {
        let services = std::mem::take(&mut *self.certain.lock().unwrap_or_else(PoisonError::into_inner));
        let connect = |service| async move {
            let url = address(service, self.config.region.aws(), self.endpoint.url.as_deref());
            // The health check path of AWS load balancers. Any response will do; on failure, the first request
            // connects.
            let Ok(ping) = http::Request::get(format!("{url}/ping")).body(Bytes::new()) else { return };
            let _ = tokio::time::timeout(CONNECTING, self.http.send(ping)).await;
        };
        join_all(services.into_iter().map(connect)).await;
    }

    fn is_certain(&self, service: &'static str) {
        self.certain.lock().unwrap_or_else(PoisonError::into_inner).insert(service);
    }

    /// The clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The context of a worker's run that starts now.
    pub fn job(&self) -> kit::RunContext {
        kit::RunContext {
            now: self.clock.now(),
            region: self.config.region,
            entropy: Arc::clone(&self.entropy),
        }
    }

    fn store(&self) -> Arc<Store> {
        let make = || Arc::new(Store::new(self.dynamodb(), self.config.table_prefix.clone()));
        Arc::clone(self.store.get_or_init(make))
    }

    /// The shared client of this region's tables.
    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.is_certain("dynamodb");
        self.dynamodb.get_or_init(|| client!(aws_sdk_dynamodb, "dynamodb", &*self.sdk)).clone()
    }

    fn names(&self) -> Arc<store::DirectoryStore> {
        let make = || {
            let sdk = Arc::clone(&self.authority);
            let authority = move || client!(aws_sdk_dynamodb, "dynamodb", &*sdk);
            Arc::new(store::DirectoryStore::new(
                self.dynamodb(),
                authority,
                self.config.directory_table.clone(),
            ))
        };
        Arc::clone(self.directory.get_or_init(make))
    }

    fn secrets(&self) -> Arc<keys::Secrets> {
        let make = || {
            let clock = Arc::clone(&self.clock);
            let now = Arc::new(move || clock.now());
            let (sdk, names) = (Arc::clone(&self.sdk), self.config.secret_names());
            let client = move || client!(aws_sdk_secretsmanager, "secretsmanager", &*sdk);
            Arc::new(keys::Secrets::new(client, self.config.region, names, now, Arc::clone(&self.entropy)))
        };
        Arc::clone(self.secrets.get_or_init(make))
    }

    /// The configuration of background calls with long timeouts.
    fn patient(&self) -> SdkConfig {
        patient_sdk_config(self.config.region.aws(), &self.endpoint, &self.http)
    }

    fn s3(&self, sdk: &SdkConfig) -> aws_sdk_s3::config::Builder {
        // Virtual-hosted buckets of a stand-in would need a DNS lookup. Sessions exist only for directory buckets.
        aws_sdk_s3::config::Builder::from(sdk)
            .force_path_style(self.endpoint.url.is_some())
            .disable_s3_express_session_auth(true)
            .interceptor(Count)
    }
}

impl Ports for FunctionRuntime {
    fn services(&self) -> Services {
        let store = self.store();
        Services {
            region: self.config.region,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            tokens: Verifier::new(self.names()),
            sessions: store.clone(),
            workspaces: store.clone(),
            keys: store.clone(),
            windows: store.clone(),
            leases: Leases::default(),
            throttles: store.clone(),
            addresses: self.secrets(),
            refused: RefusedNetworks::default(),
            receipts: store,
            directory: self.names(),
            regions: self.regions.clone(),
            forwarding: self.secrets(),
            refusals_after: self.config.refusals_after,
        }
    }

    fn region_client(&self) -> RegionClient {
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        RegionClient::new(self.regions.clone(), self.secrets(), clock, entropy)
    }
}
