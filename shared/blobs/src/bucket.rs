//! One region's bucket: what is done there with files and bundles alike.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::{
    Client, Config,
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    types::{Delete, Object, ObjectIdentifier},
};
use domain::{
    Timestamp,
    blob::BlobKey,
    ports::{Failure, Outcome},
};
use jiff::SignedDuration;

/// What `DeleteObjects` takes, and `ListObjectsV2` gives, at the most.
const KEYS: usize = 1_000;

/// A client that is made when it is first needed: making one reads a list of AWS's regions.
type Lazy = LazyLock<Client, Box<dyn FnOnce() -> Client + Send + Sync>>;

/// The bucket.
pub struct Bucket {
    /// The client that calls.
    pub calling: Lazy,
    /// The client that only signs.
    pub signing: Lazy,
    /// The bucket's name.
    pub name: String,
}

impl Bucket {
    /// The bucket with this name, for these clients.
    pub fn new(calling: Config, signing: Config, name: String) -> Self {
        let lazy = |config| Lazy::new(Box::new(|| Client::from_conf(config)));
        Self { calling: lazy(calling), signing: lazy(signing), name }
    }

    /// The first objects whose keys begin with `prefix`, in the order of their keys. Whatever was put before is seen.
    pub async fn list(&self, prefix: &str, limit: usize) -> Outcome<Vec<Object>> {
        let limit = i32::try_from(limit.min(KEYS)).map_err(broken)?;
        let list = self.calling.list_objects_v2().bucket(&self.name).prefix(prefix).max_keys(limit);
        let page = list.send().await.map_err(|error| unavailable(&error))?;
        Ok(page.contents.unwrap_or_default())
    }

    /// How many bytes an object has; none if it is not there.
    pub async fn stored_length(&self, key: &BlobKey) -> Outcome<Option<u64>> {
        let first = self.list(key.as_str(), 1).await?.into_iter().next();
        // A longer key begins with this one too, but comes after it.
        let found = first.filter(|object| object.key() == Some(key.as_str()));
        let length = |size: i64| u64::try_from(size).map_err(broken);
        found.and_then(|object| object.size()).map(length).transpose()
    }

    /// Deletes objects. One that is not there is as good as deleted.
    pub async fn delete(&self, keys: &[BlobKey]) -> Outcome<()> {
        for chunk in keys.chunks(KEYS) {
            let identifier = |key: &BlobKey| ObjectIdentifier::builder().key(key.as_str()).build();
            let objects: Result<Vec<_>, _> = chunk.iter().map(identifier).collect();
            let delete = Delete::builder().set_objects(Some(objects.map_err(broken)?)).quiet(true);
            let delete = delete.build().map_err(broken)?;
            let request = self.calling.delete_objects().bucket(&self.name).delete(delete);
            let answer = request.send().await.map_err(|error| unavailable(&error))?;
            // Said of single keys, in an answer that is a success.
            if let Some(error) = answer.errors().first() {
                return Err(refused(error.code()));
            }
        }
        Ok(())
    }
}

/// What a signature says of time, and when what it signs begins to be refused. It says whole seconds.
pub fn terms(now: Timestamp, valid_for: SignedDuration) -> Outcome<(PresigningConfig, Timestamp)> {
    let from = Timestamp::from_second(now.as_second()).map_err(broken)?;
    let valid_for = SignedDuration::from_secs(valid_for.as_secs());
    let expires_at = from.checked_add(valid_for).map_err(broken)?;
    let terms = PresigningConfig::builder()
        .start_time(system_time(from)?)
        .expires_in(Duration::try_from(valid_for).map_err(broken)?);
    Ok((terms.build().map_err(broken)?, expires_at))
}

fn system_time(time: Timestamp) -> Outcome<SystemTime> {
    let since = Duration::try_from(time.as_duration()).map_err(broken)?;
    SystemTime::UNIX_EPOCH.checked_add(since).ok_or_else(|| broken("too late"))
}

/// What can't be asked.
pub fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Broken(format!("a file's terms: {error}"))
}

/// Tried often enough by the client, so now it is the caller's to retry.
pub fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Failure {
    match error {
        SdkError::ServiceError(context) => refused(context.err().code()),
        SdkError::TimeoutError(_) => refused(Some("timeout")),
        _ => refused(Some("no answer")),
    }
}

fn refused(code: Option<&str>) -> Failure {
    Failure::Unavailable { service: "s3", detail: code.unwrap_or("unknown").to_owned() }
}
