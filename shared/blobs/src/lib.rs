//! S3: signs uploads ([presigned URLs]), and looks after what was uploaded.
//!
//! How long an object is, is read from a list of one ([ListObjectsV2]) and not from the object's head: S3 says only to whom
//! may list that an object is missing, and whoever may read its head may read its content
//! ([decision 41](../../../docs/decisions/0041-uploads-go-to-the-bucket-by-signed-requests.md)).
//!
//! [presigned URLs]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
//! [ListObjectsV2]: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client, Config,
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    types::{Delete, ObjectIdentifier},
};
use domain::{
    Timestamp,
    blob::{BlobKey, Blobs, PresignedPut},
    ports::{Failure, Outcome},
};
use jiff::SignedDuration;

/// What `DeleteObjects` takes at the most.
const KEYS: usize = 1_000;

/// A client that is made when it is first needed: making one reads a list of AWS's regions.
type Lazy = LazyLock<Client, Box<dyn FnOnce() -> Client + Send + Sync>>;

/// One region's bucket.
pub struct S3Blobs {
    calling: Lazy,
    signing: Lazy,
    bucket: String,
}

impl S3Blobs {
    /// The bucket with this name, for a client that calls, and one that only signs: what is done with a call on its way (it
    /// is counted, and traced) must not be done with what is signed for somebody else to send.
    pub fn new(calling: Config, signing: Config, bucket: String) -> Self {
        let lazy = |config| Lazy::new(Box::new(|| Client::from_conf(config)));
        Self { calling: lazy(calling), signing: lazy(signing), bucket }
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn presign_put(
        &self,
        key: &BlobKey,
        content_type: &str,
        length: u64,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Outcome<PresignedPut> {
        // The signature says whole seconds.
        let from = Timestamp::from_second(now.as_second()).map_err(broken)?;
        let valid_for = SignedDuration::from_secs(valid_for.as_secs());
        let expires_at = from.checked_add(valid_for).map_err(broken)?;
        let terms = PresigningConfig::builder()
            .start_time(system_time(from)?)
            .expires_in(Duration::try_from(valid_for).map_err(broken)?);
        // Each of these becomes a header that is signed.
        let put = self.signing.put_object().bucket(&self.bucket).key(key.as_str()).content_type(content_type);
        let put = put.content_length(i64::try_from(length).map_err(broken)?).if_none_match("*");
        let signed = put.presigned(terms.build().map_err(broken)?).await.map_err(broken)?;
        let headers = signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(PresignedPut { url: signed.uri().to_owned(), headers, expires_at })
    }

    async fn stored_length(&self, key: &BlobKey) -> Outcome<Option<u64>> {
        let list = self.calling.list_objects_v2().bucket(&self.bucket).prefix(key.as_str()).max_keys(1);
        let page = list.send().await.map_err(|error| unavailable(&error))?;
        // A longer key begins with this one too, but comes after it.
        let found = page.contents().first().filter(|object| object.key() == Some(key.as_str()));
        let length = |size: i64| u64::try_from(size).map_err(broken);
        found.and_then(|object| object.size()).map(length).transpose()
    }

    async fn delete(&self, keys: &[BlobKey]) -> Outcome<()> {
        for chunk in keys.chunks(KEYS) {
            let identifier = |key: &BlobKey| ObjectIdentifier::builder().key(key.as_str()).build();
            let objects: Result<Vec<_>, _> = chunk.iter().map(identifier).collect();
            let delete = Delete::builder().set_objects(Some(objects.map_err(broken)?)).quiet(true);
            let delete = delete.build().map_err(broken)?;
            let request = self.calling.delete_objects().bucket(&self.bucket).delete(delete);
            let answer = request.send().await.map_err(|error| unavailable(&error))?;
            // Said of single keys, in an answer that is a success.
            if let Some(error) = answer.errors().first() {
                return Err(refused(error.code()));
            }
        }
        Ok(())
    }
}

fn system_time(time: Timestamp) -> Outcome<SystemTime> {
    let since = Duration::try_from(time.as_duration()).map_err(broken)?;
    SystemTime::UNIX_EPOCH.checked_add(since).ok_or_else(|| broken("too late"))
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Broken(format!("a file's terms: {error}"))
}

/// Tried often enough by the client, so now it is the caller's to retry.
fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Failure {
    match error {
        SdkError::ServiceError(context) => refused(context.err().code()),
        SdkError::TimeoutError(_) => refused(Some("timeout")),
        _ => refused(Some("no answer")),
    }
}

fn refused(code: Option<&str>) -> Failure {
    Failure::Unavailable { service: "s3", detail: code.unwrap_or("unknown").to_owned() }
}
