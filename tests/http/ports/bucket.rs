//! The bucket of `eu`, and functions that call it, each with a role of its own.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use aws::{Journal, LeadingKeys};
use domain::{Timestamp, region::Region};
use kit::Grant;
use lambda::{Config, FunctionRuntime, HttpClient, OsEntropy, SystemClock};
use local::policy::Roles;
use tempfile::TempDir;
use tests::Value;

use super::at;

const NAME: &str = "account-eu-files";

/// The bucket, on stand-ins of its own.
pub struct Bucket {
    aws: aws::Aws,
    journal: Arc<Journal>,
    now: Arc<AtomicI64>,
    folder: TempDir,
}

impl Bucket {
    /// An empty bucket, and functions with these grants.
    pub async fn start(grants: impl IntoIterator<Item = (&'static str, Vec<Grant>)>) -> Self {
        let (folder, journal) = (TempDir::new().unwrap(), Arc::new(Journal::new()));
        let now = Arc::new(AtomicI64::new(at(0).as_second()));
        let clock = Arc::clone(&now);
        let aws = aws::start(aws::StandInConfig {
            region: Region::Eu.aws().to_owned(),
            folder: folder.path().join("eu"),
            mail: folder.path().join("mail.ndjson"),
            directory: aws::DirectoryTable {
                table: "directory".to_owned(),
                authority: Region::Us.aws().to_owned(),
                folder: folder.path().join("directory"),
            },
            now: Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap()),
            external: None,
            journal: Arc::clone(&journal),
            queues: Vec::new(),
            rules: Vec::new(),
            policy: Arc::new(Roles::new(grants, LeadingKeys::default())),
            leading_keys: LeadingKeys::default(),
        });
        let bucket = Self { aws: aws.await.unwrap(), journal, now, folder };
        let sdk = lambda::patient_sdk_config(
            Region::Eu.aws(),
            &bucket.endpoint(local::outsider("tests")),
            &HttpClient::new().unwrap(),
        );
        let config = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(NAME).send().await.unwrap();
        bucket
    }

    fn endpoint(&self, credentials: aws_credential_types::Credentials) -> lambda::AwsEndpoint {
        lambda::AwsEndpoint { url: Some(self.aws.endpoint().to_owned()), credentials }
    }

    /// What a function is built from that runs in `home`.
    pub fn boot(&self, home: Region, function: &str) -> FunctionRuntime {
        let variable = |name: &str| match name {
            "PLATFORM_REGION" => "eu",
            "AWS_REGION" => "eu-central-1",
            "BUCKET" => NAME,
            "API_ENDPOINTS" => "us=http://us,eu=http://eu,ap=http://ap",
            "FEEDBACK_TO" | "BREACHED_PASSWORDS_URL" => "",
            _ => "account-eu-",
        };
        let config =
            Config::read(|name| Some(variable(name).to_owned()).filter(|_| !name.ends_with("MILLIS")));
        let endpoint = self.endpoint(local::credentials(home, function));
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        let http = HttpClient::new().unwrap();
        FunctionRuntime::new(config.unwrap(), &endpoint, &endpoint, &http, clock, entropy)
    }

    /// Moves the clock.
    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Plans faults.
    pub fn fault(&self, faults: Value) {
        self.journal.set_faults(serde_json::from_value(faults).unwrap());
    }

    /// What a function asked of S3, and what came of it.
    pub fn asked(&self, function: &str) -> Vec<(String, u16)> {
        let mut calls = self.journal.calls_since(0);
        calls.retain(|call| call.function == function);
        calls.into_iter().map(|call| (call.operation, call.status)).collect()
    }

    /// The files that hold the bucket's objects and their metadata.
    pub fn on_disk(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("eu/s3").join(NAME);
        ["blobs", "objects", "uploads"].iter().flat_map(|part| files(&folder.join(part))).collect()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
