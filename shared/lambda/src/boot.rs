//! What a function is built from: each port over its SDK client. Only the ports that a function asks for are linked.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_types::SdkConfig;
use bytes::Bytes;
use domain::{
    blob::{Blobs, Bundles, Presigner},
    entropy::Entropy,
    ports::{
        Accounts, AddressHashes, ApiKeys, Bus, Codes, Consumed, Deletions, Directory, Exports, History,
        Inventory, Mailer, PasswordResets, Purges, Resources, Rotations, Sessions, SignUps, Throttles,
        TokenKeys, Trash, Uploads, Vault, Workspaces,
    },
    region::Region,
};
use futures::future::join_all;
use kit::{Clock, Kit, Ports, limits::Leases, token::Verifier};
use store::Store;

use crate::{
    client::{Count, Endpoint, address, client, far_sdk_config, patient_sdk_config, sdk_config},
    config::{Config, ConfigError},
    http_client::HttpClient,
    regions::HttpRegions,
    system::{OsEntropy, SystemClock},
};

/// Connecting during INIT gets this long: whoever is slower is connected to by the first request.
const CONNECTING: Duration = Duration::from_secs(1);

/// A function's beginning.
pub struct Boot {
    config: Config,
    endpoint: Endpoint,
    http: HttpClient,
    /// The services that every request calls.
    certain: Mutex<BTreeSet<&'static str>>,
    sdk: Arc<SdkConfig>,
    /// Of the directory's authority, which may be in another region.
    authority: Arc<SdkConfig>,
    regions: Arc<HttpRegions>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    store: OnceLock<Arc<Store>>,
    directory: OnceLock<Arc<store::Directory>>,
    secrets: OnceLock<Arc<keys::Secrets>>,
}

impl Boot {
    /// As Lambda starts it: everything from the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let (config, endpoint) = (Config::from_env()?, Endpoint::from_env()?);
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        Ok(Self::new(config, &endpoint, &endpoint, &HttpClient::from_env()?, clock, entropy))
    }

    /// With everything given: `authority` is where AWS is in the directory's authority.
    pub fn new(
        config: Config,
        endpoint: &Endpoint,
        authority: &Endpoint,
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

    /// Connects to what the function was built to call every time. Lambda gives a function a full processor until it is
    /// ready for its first request, and nobody waits for it then.
    pub async fn connect(&self) {
        let services = std::mem::take(&mut *self.certain.lock().unwrap_or_else(PoisonError::into_inner));
        let connect = |service| async move {
            let url = address(service, self.config.region.aws(), self.endpoint.url.as_deref());
            // What AWS's load balancers ask. Any answer will do, and none: the first request then connects.
            let Ok(ping) = http::Request::get(format!("{url}/ping")).body(Bytes::new()) else { return };
            let _ = tokio::time::timeout(CONNECTING, self.http.send(ping)).await;
        };
        join_all(services.into_iter().map(connect)).await;
    }

    fn is_certain(&self, service: &'static str) {
        self.certain.lock().unwrap_or_else(PoisonError::into_inner).insert(service);
    }

    /// The time.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// A worker's run, beginning now.
    pub fn job(&self) -> kit::Job {
        kit::Job { now: self.clock.now(), region: self.config.region, entropy: Arc::clone(&self.entropy) }
    }

    fn store(&self) -> Arc<Store> {
        let make = || Arc::new(Store::new(self.dynamodb(), self.config.table_prefix.clone()));
        Arc::clone(self.store.get_or_init(make))
    }

    /// The one client of this region's tables.
    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.is_certain("dynamodb");
        self.dynamodb.get_or_init(|| client!(aws_sdk_dynamodb, "dynamodb", &*self.sdk)).clone()
    }

    fn names(&self) -> Arc<store::Directory> {
        let make = || {
            let sdk = Arc::clone(&self.authority);
            let authority = move || client!(aws_sdk_dynamodb, "dynamodb", &*sdk);
            Arc::new(store::Directory::new(self.dynamodb(), authority, self.config.directory_table.clone()))
        };
        Arc::clone(self.directory.get_or_init(make))
    }

    fn secrets(&self) -> Arc<keys::Secrets> {
        let make = || {
            let clock = Arc::clone(&self.clock);
            let now = Arc::new(move || clock.now());
            let (sdk, names) = (Arc::clone(&self.sdk), self.config.secret_names());
            let client = move || client!(aws_sdk_secretsmanager, "secretsmanager", &*sdk);
            Arc::new(keys::Secrets::new(client, self.config.region, names, now))
        };
        Arc::clone(self.secrets.get_or_init(make))
    }

    /// For calls that take longer, and that nobody waits for.
    fn patient(&self) -> SdkConfig {
        patient_sdk_config(self.config.region.aws(), &self.endpoint, &self.http)
    }

    fn s3(&self, sdk: &SdkConfig) -> aws_sdk_s3::config::Builder {
        // A bucket's name in a stand-in's host would be looked up by DNS. Directory buckets have sessions; this is none.
        aws_sdk_s3::config::Builder::from(sdk)
            .force_path_style(self.endpoint.url.is_some())
            .disable_s3_express_session_auth(true)
            .interceptor(Count)
    }
}

impl Ports for Boot {
    fn kit(&self) -> Kit {
        let store = self.store();
        Kit {
            region: self.config.region,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            tokens: Verifier::new(self.names()),
            sessions: store.clone(),
            workspaces: store.clone(),
            keys: store.clone(),
            windows: store.clone(),
            leases: Leases::default(),
            receipts: store,
            directory: self.names(),
            regions: self.regions.clone(),
            forwarding: self.secrets(),
            refusals_after: self.config.refusals_after,
        }
    }

    fn sign_ups(&self) -> Arc<dyn SignUps> {
        self.store()
    }

    fn accounts(&self) -> Arc<dyn Accounts> {
        self.store()
    }

    fn sessions(&self) -> Arc<dyn Sessions> {
        self.store()
    }

    fn password_resets(&self) -> Arc<dyn PasswordResets> {
        self.store()
    }

    fn throttles(&self) -> Arc<dyn Throttles> {
        self.store()
    }

    fn workspaces(&self) -> Arc<dyn Workspaces> {
        self.store()
    }

    fn api_keys(&self) -> Arc<dyn ApiKeys> {
        self.store()
    }

    fn history(&self) -> Arc<dyn History> {
        self.store()
    }

    fn resources(&self) -> Arc<dyn Resources> {
        self.store()
    }

    fn trash(&self) -> Arc<dyn Trash> {
        self.store()
    }

    fn uploads(&self) -> Arc<dyn Uploads> {
        self.store()
    }

    fn purges(&self) -> Arc<dyn Purges> {
        self.store()
    }

    fn directory(&self) -> Arc<dyn Directory> {
        self.names()
    }

    fn vault(&self) -> Arc<dyn Vault> {
        let sdk = Arc::clone(&self.sdk);
        let client = move || client!(aws_sdk_kms, "kms", &*sdk);
        let (key, entropy) = (self.config.kms_key.clone(), Arc::clone(&self.entropy));
        Arc::new(keys::KmsVault::new(client, key, self.config.region, entropy))
    }

    fn token_keys(&self) -> Arc<dyn TokenKeys> {
        self.is_certain("secretsmanager");
        self.secrets()
    }

    fn address_hashes(&self) -> Arc<dyn AddressHashes> {
        self.is_certain("secretsmanager");
        self.secrets()
    }

    fn codes(&self) -> Arc<dyn Codes> {
        self.is_certain("secretsmanager");
        self.secrets()
    }

    fn rotations(&self) -> Arc<dyn Rotations> {
        let client = client!(aws_sdk_secretsmanager, "secretsmanager", &*self.sdk);
        let names = self.config.secret_names();
        Arc::new(keys::SecretRotations::new(client, self.config.region, names, Arc::clone(&self.entropy)))
    }

    fn mailer(&self) -> Arc<dyn Mailer> {
        self.is_certain("email");
        let client = client!(aws_sdk_sesv2, "email", &*self.sdk);
        Arc::new(mail::SesMailer::new(client, self.config.mail_from.clone()))
    }

    fn bus(&self) -> Arc<dyn Bus> {
        self.is_certain("events");
        let client = client!(aws_sdk_eventbridge, "events", &*self.sdk);
        Arc::new(events::EventBridge::new(client, self.config.event_bus.clone()))
    }

    fn consumed(&self) -> Arc<dyn Consumed> {
        self.store()
    }

    fn presigner(&self) -> Arc<dyn Presigner> {
        let (region, name) = (self.config.region.aws(), &self.config.bucket);
        let bucket = self.endpoint.url.as_ref().map_or_else(
            || format!("https://{name}.s3.{region}.amazonaws.com"),
            |endpoint| format!("{endpoint}/{name}"),
        );
        Arc::new(blobs::S3Presigner::new(self.endpoint.credentials.clone(), region, bucket))
    }

    /// Not certain to be called, and a bucket has a host of its own.
    fn blobs(&self) -> Arc<dyn Blobs> {
        let (quick, patient) = (self.s3(&self.sdk).build(), self.s3(&self.patient()).build());
        Arc::new(blobs::S3Blobs::new(quick, patient, self.config.bucket.clone()))
    }

    /// The same. A part of a bundle takes longer than other calls, and nobody waits for it.
    fn bundles(&self) -> Arc<dyn Bundles> {
        // What is sent is signed with its SHA-256, which S3 compares; and of an upload whose parts have checksums S3 wants
        // them all again in the end.
        let config =
            self.s3(&self.patient()).request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        Arc::new(blobs::S3Bundles::new(config.build(), self.config.bucket.clone()))
    }

    fn exports(&self) -> Arc<dyn Exports> {
        self.store()
    }

    fn inventory(&self) -> Arc<dyn Inventory> {
        self.store()
    }

    fn deletions(&self) -> Arc<dyn Deletions> {
        self.store()
    }
}
