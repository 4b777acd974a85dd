//! A region in a temporary folder, SDK clients, and a clock that tests advance.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws::{
    AllowAll, Aws, DirectoryTable, EventRule, Fault, IamPolicy, Journal, LeadingKeys, QueueConfig,
    RedrivePolicy, SECRET_ACCESS_KEY, StandInConfig,
};
use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

/// Creates a client without retries, so that every fault is visible.
macro_rules! client {
    ($local:expr, $sdk:ident, $function:expr, $region:expr) => {
        $sdk::Config::builder()
            .behavior_version($crate::support::version())
            .region(aws_types::region::Region::new($region))
            .credentials_provider($crate::support::credentials($function))
            .endpoint_url($local.aws().endpoint())
            .http_client($local.http())
            .retry_config($crate::support::no_retries())
            .timeout_config($crate::support::timeouts())
            .build()
    };
}
pub(crate) use client;

pub const REGION: &str = "eu-central-1";

/// The directory table.
pub const DIRECTORY: &str = "directory";
/// The region that takes the writes of the directory, unless a test says otherwise.
pub const AUTHORITY: &str = "us-east-1";

/// The queue of the rules, and its dead-letter queue.
pub const EVENTS: &str = "events";
pub const DEAD_LETTERS: &str = "dead-letters";

fn queues() -> Vec<QueueConfig> {
    let queue = |name: &str, redrive| QueueConfig {
        name: name.to_owned(),
        visibility_seconds: 180,
        retention_seconds: 345_600,
        redrive,
    };
    let redrive = RedrivePolicy { queue: DEAD_LETTERS.to_owned(), max_receives: 3 };
    vec![queue(EVENTS, Some(redrive)), queue(DEAD_LETTERS, None)]
}

fn rules() -> Vec<EventRule> {
    let rule = |source: &str, detail_types: &[&str]| EventRule {
        source: source.to_owned(),
        detail_types: detail_types.iter().map(|it| (*it).to_owned()).collect(),
        queue: EVENTS.to_owned(),
    };
    vec![rule("account", &["key.created"]), rule("aws.ses", &["Email Bounced", "Email Complaint Received"])]
}

pub struct Local {
    pub aws: Option<Aws>,
    pub journal: Arc<Journal>,
    pub folder: PathBuf,
    _temporary: Option<TempDir>,
    pub external: Option<url::Url>,
    pub authority: &'static str,
    pub policy: Arc<dyn IamPolicy>,
    seconds: Arc<AtomicI64>,
    http: SharedHttpClient,
}

impl Local {
    pub async fn start() -> Self {
        let temporary = TempDir::new().unwrap();
        let mut local = Self::at(temporary.path()).await;
        local._temporary = Some(temporary);
        local
    }

    pub async fn at(folder: &Path) -> Self {
        let mut local = Self {
            aws: None,
            journal: Arc::new(Journal::new()),
            folder: folder.to_owned(),
            _temporary: None,
            external: None,
            authority: AUTHORITY,
            policy: Arc::new(AllowAll),
            seconds: Arc::new(AtomicI64::new(system_seconds())),
            http: Builder::new().build_http(),
        };
        local.begin().await;
        local
    }

    async fn begin(&mut self) {
        let seconds = Arc::clone(&self.seconds);
        let config = StandInConfig {
            region: REGION.to_owned(),
            folder: self.folder.clone(),
            mail: self.folder.join("mail/sent.ndjson"),
            directory: DirectoryTable {
                table: DIRECTORY.to_owned(),
                authority: self.authority.to_owned(),
                folder: self.folder.join("directory"),
            },
            now: Arc::new(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap()),
            external: self.external.clone(),
            journal: Arc::clone(&self.journal),
            queues: queues(),
            rules: rules(),
            policy: Arc::clone(&self.policy),
            leading_keys: LeadingKeys::default(),
        };
        self.aws = Some(aws::start(config).await.unwrap());
    }

    /// Stops the region and starts it again on the same folder.
    pub async fn restart(&mut self) {
        self.aws.take().unwrap().stop().await;
        self.begin().await;
    }

    pub fn aws(&self) -> &Aws {
        self.aws.as_ref().unwrap()
    }

    pub fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn fault(&self, fault: Value) {
        let faults: Vec<Fault> = serde_json::from_value(Value::Array(vec![fault])).unwrap();
        self.journal.set_faults(faults);
    }

    /// Takes the events that the rules put into their queue.
    pub fn events_on_bus(&self) -> Vec<Value> {
        let queues = self.aws().queues();
        let received = queues.receive(EVENTS, 100, None).unwrap();
        for message in &received {
            queues.delete(EVENTS, &message.receipt).unwrap();
        }
        received.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect()
    }

    /// Whether a file of the region contains these bytes.
    pub fn on_disk(&self, needle: &str) -> bool {
        holds(&self.folder, needle.as_bytes())
    }

    pub fn dynamodb(&self, function: &str) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::from_conf(client!(self, aws_sdk_dynamodb, function, REGION))
    }

    pub fn streams(&self, function: &str) -> aws_sdk_dynamodbstreams::Client {
        aws_sdk_dynamodbstreams::Client::from_conf(client!(self, aws_sdk_dynamodbstreams, function, REGION))
    }

    pub fn kms(&self, function: &str) -> aws_sdk_kms::Client {
        self.kms_in(function, REGION)
    }

    pub fn kms_in(&self, function: &str, region: &'static str) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::from_conf(client!(self, aws_sdk_kms, function, region))
    }

    pub fn secrets(&self, function: &str) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::from_conf(client!(self, aws_sdk_secretsmanager, function, REGION))
    }

    pub fn ses(&self, function: &str) -> aws_sdk_sesv2::Client {
        aws_sdk_sesv2::Client::from_conf(client!(self, aws_sdk_sesv2, function, REGION))
    }

    pub fn events(&self, function: &str) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::from_conf(client!(self, aws_sdk_eventbridge, function, REGION))
    }

    pub fn s3(&self, function: &str) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(client!(self, aws_sdk_s3, function, REGION))
    }

    pub fn http(&self) -> SharedHttpClient {
        self.http.clone()
    }
}

pub fn version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Credentials of a function (`region.name`) or of another caller (a name).
pub fn credentials(access_key: &str) -> Credentials {
    Credentials::new(access_key, SECRET_ACCESS_KEY, None, None, "local")
}

pub fn no_retries() -> RetryConfig {
    RetryConfig::disabled()
}

pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(std::time::Duration::from_secs(5)).build()
}

/// The error as `Code: message`.
pub fn said<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(result: Result<T, E>) -> String {
    let error = result.unwrap_err();
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => format!("{error:?}"),
    }
}

/// The error code.
pub fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(result: Result<T, E>) -> String {
    let error = result.unwrap_err();
    error.code().map_or_else(|| format!("no code: {error:?}"), str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "the SDK signs with the system time, so the tests start there")]
fn system_seconds() -> i64 {
    Timestamp::now().as_second()
}

fn holds(folder: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}
