//! What a function is built from: each port over its SDK client. Only the ports that a function asks for are linked.

use std::sync::{Arc, OnceLock};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;
use domain::{
    entropy::Entropy,
    ports::{
        Accounts, AddressHashes, ApiKeys, Bus, Codes, Consumed, Directory, History, Mailer, PasswordResets,
        Sessions, SignUps, Throttles, TokenKeys, Vault, Workspaces,
    },
    region::Region,
};
use kit::{Clock, Kit, Ports, limits::Leases, token::Verifier};
use store::Store;

use crate::{
    client::{Count, Endpoint, far_sdk_config, http_client, sdk_config},
    config::{Config, ConfigError},
    regions::HttpRegions,
    system::{OsEntropy, SystemClock},
};

/// A function's beginning.
pub struct Boot {
    config: Config,
    sdk: SdkConfig,
    /// Of the directory's authority, which may be in another region.
    authority: SdkConfig,
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
        Ok(Self::new(config, &endpoint, &endpoint, http_client(), clock, entropy))
    }

    /// With everything given: `authority` is where AWS is in the directory's authority.
    pub fn new(
        config: Config,
        endpoint: &Endpoint,
        authority: &Endpoint,
        http: SharedHttpClient,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            sdk: sdk_config(config.region.aws(), endpoint, http.clone()),
            authority: far_sdk_config(Region::AUTHORITY.aws(), authority, http),
            regions: Arc::new(HttpRegions::new(config.endpoints.clone())),
            config,
            clock,
            entropy,
            dynamodb: OnceLock::new(),
            store: OnceLock::new(),
            directory: OnceLock::new(),
            secrets: OnceLock::new(),
        }
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
        self.dynamodb.get_or_init(|| dynamodb(&self.sdk)).clone()
    }

    fn names(&self) -> Arc<store::Directory> {
        let make = || {
            let (replica, authority) = (self.dynamodb(), dynamodb(&self.authority));
            Arc::new(store::Directory::new(replica, authority, self.config.directory_table.clone()))
        };
        Arc::clone(self.directory.get_or_init(make))
    }

    fn secrets(&self) -> Arc<keys::Secrets> {
        let make = || {
            let config = aws_sdk_secretsmanager::config::Builder::from(&self.sdk).interceptor(Count).build();
            let client = aws_sdk_secretsmanager::Client::from_conf(config);
            let Config { region, secret_prefix, shared_secret_prefix, .. } = &self.config;
            Arc::new(keys::Secrets::new(client, *region, secret_prefix.clone(), shared_secret_prefix.clone()))
        };
        Arc::clone(self.secrets.get_or_init(make))
    }
}

fn dynamodb(sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(sdk).interceptor(Count).build();
    aws_sdk_dynamodb::Client::from_conf(config)
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

    fn directory(&self) -> Arc<dyn Directory> {
        self.names()
    }

    fn vault(&self) -> Arc<dyn Vault> {
        let config = aws_sdk_kms::config::Builder::from(&self.sdk).interceptor(Count).build();
        let client = aws_sdk_kms::Client::from_conf(config);
        let (key, entropy) = (self.config.kms_key.clone(), Arc::clone(&self.entropy));
        Arc::new(keys::KmsVault::new(client, key, self.config.region, entropy))
    }

    fn token_keys(&self) -> Arc<dyn TokenKeys> {
        self.secrets()
    }

    fn address_hashes(&self) -> Arc<dyn AddressHashes> {
        self.secrets()
    }

    fn codes(&self) -> Arc<dyn Codes> {
        self.secrets()
    }

    fn mailer(&self) -> Arc<dyn Mailer> {
        let config = aws_sdk_sesv2::config::Builder::from(&self.sdk).interceptor(Count).build();
        Arc::new(mail::SesMailer::new(
            aws_sdk_sesv2::Client::from_conf(config),
            self.config.mail_from.clone(),
        ))
    }

    fn bus(&self) -> Arc<dyn Bus> {
        let config = aws_sdk_eventbridge::config::Builder::from(&self.sdk).interceptor(Count).build();
        let client = aws_sdk_eventbridge::Client::from_conf(config);
        Arc::new(events::EventBridge::new(client, self.config.event_bus.clone()))
    }

    fn consumed(&self) -> Arc<dyn Consumed> {
        self.store()
    }
}
