//! What is in a bucket.

use std::sync::LazyLock;

use async_trait::async_trait;
use aws_sdk_s3::{
    Client, Config,
    error::{ProvideErrorMetadata, SdkError},
    types::{Delete, Object, ObjectIdentifier},
};
use domain::{
    blob::{BlobKey, Blobs},
    ports::{Failure, Outcome},
};

use crate::broken;

/// What `DeleteObjects` takes, and `ListObjectsV2` gives, at the most.
const KEYS: usize = 1_000;
/// S3's word for an upload that was completed or given up before.
pub const NO_SUCH_UPLOAD: &str = "NoSuchUpload";

/// A client that is made when it is first needed: making one reads a list of AWS's regions.
type Lazy = LazyLock<Client, Box<dyn FnOnce() -> Client + Send + Sync>>;

/// One region's bucket.
pub struct S3Blobs {
    /// For what a request waits for.
    quick: Lazy,
    /// For what S3 may take its time over, and nobody waits for.
    pub(crate) patient: Lazy,
    pub(crate) bucket: String,
}

impl S3Blobs {
    /// The bucket with this name. What a request waits for is done by a client with the configuration `quick`; to remove a
    /// thousand objects, or an upload of many parts, may take longer.
    pub fn new(quick: Config, patient: Config, bucket: String) -> Self {
        let lazy = |config| Lazy::new(Box::new(|| Client::from_conf(config)));
        Self { quick: lazy(quick), patient: lazy(patient), bucket }
    }

    /// The first objects whose keys begin with `prefix`, in the order of their keys. Whatever was put before is seen.
    async fn list(&self, client: &Client, prefix: &str, limit: usize) -> Outcome<Vec<Object>> {
        let limit = i32::try_from(limit.min(KEYS)).map_err(broken)?;
        let list = client.list_objects_v2().bucket(&self.bucket).prefix(prefix).max_keys(limit);
        let page = list.send().await.map_err(|error| unavailable(&error))?;
        Ok(page.contents.unwrap_or_default())
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn stored_length(&self, key: &BlobKey) -> Outcome<Option<u64>> {
        let first = self.list(&self.quick, key.as_str(), 1).await?.into_iter().next();
        // A longer key begins with this one too, but comes after it.
        let found = first.filter(|object| object.key() == Some(key.as_str()));
        let length = |size: i64| u64::try_from(size).map_err(broken);
        found.and_then(|object| object.size()).map(length).transpose()
    }

    async fn under(&self, folder: &str, limit: usize) -> Outcome<Vec<BlobKey>> {
        let listed = self.list(&self.patient, folder, limit).await?;
        Ok(listed.into_iter().filter_map(|object| object.key).map(BlobKey::listed).collect())
    }

    async fn delete(&self, keys: &[BlobKey]) -> Outcome<()> {
        for chunk in keys.chunks(KEYS) {
            let identifier = |key: &BlobKey| ObjectIdentifier::builder().key(key.as_str()).build();
            let objects: Result<Vec<_>, _> = chunk.iter().map(identifier).collect();
            let delete = Delete::builder().set_objects(Some(objects.map_err(broken)?)).quiet(true);
            let delete = delete.build().map_err(broken)?;
            let request = self.patient.delete_objects().bucket(&self.bucket).delete(delete);
            let answer = request.send().await.map_err(|error| unavailable(&error))?;
            // Said of single keys, in an answer that is a success.
            if let Some(error) = answer.errors().first() {
                return Err(refused(error.code()));
            }
        }
        Ok(())
    }

    async fn abort(&self, key: &BlobKey, upload: &str) -> Outcome<()> {
        let abort = self.patient.abort_multipart_upload().bucket(&self.bucket).key(key.as_str());
        match abort.upload_id(upload).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(NO_SUCH_UPLOAD) => Ok(()),
            Err(error) => Err(unavailable(&error)),
        }
    }
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
