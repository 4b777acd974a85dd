//! The objects of a bucket.

use std::sync::LazyLock;

use async_trait::async_trait;
use aws_sdk_s3::{
    Client, Config,
    error::{ProvideErrorMetadata, SdkError},
    types::{Delete, Object, ObjectIdentifier},
};
use domain::{
    blob::{BlobKey, Blobs, Icons},
    ports::{Failure, Outcome},
};

use crate::broken;

/// The maximum number of keys in `DeleteObjects` and `ListObjectsV2`.
const MAX_KEYS: usize = 1_000;
/// The S3 error code for an upload that was already completed or aborted.
pub const NO_SUCH_UPLOAD: &str = "NoSuchUpload";

const SERVICE: &str = "s3";

/// A client that is created on first use, because parsing the AWS partitions takes time.
type Lazy = LazyLock<Client, Box<dyn FnOnce() -> Client + Send + Sync>>;

/// The bucket of one region.
pub struct S3Blobs {
    /// The client for requests with a waiting caller.
    quick: Lazy,
    /// The client for background calls, with a long timeout.
    pub(crate) patient: Lazy,
    pub(crate) bucket: String,
}

impl S3Blobs {
    /// The bucket with this name. `quick` configures calls with a waiting caller. `patient` configures calls that may
    /// take longer, such as deleting a thousand objects or aborting an upload with many parts.
    pub fn new(quick: Config, patient: Config, bucket: String) -> Self {
        let lazy = |config| Lazy::new(Box::new(|| Client::from_conf(config)));
        Self { quick: lazy(quick), patient: lazy(patient), bucket }
    }

    /// The first objects with the prefix, in key order. Listings are strongly consistent.
    async fn list(&self, client: &Client, prefix: &str, limit: usize) -> Outcome<Vec<Object>> {
        let limit = i32::try_from(limit.min(MAX_KEYS)).map_err(broken)?;
        let list = client.list_objects_v2().bucket(&self.bucket).prefix(prefix).max_keys(limit);
        let page = list.send().await.map_err(|error| failure(&error))?;
        Ok(page.contents.unwrap_or_default())
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn stored_length(&self, key: &BlobKey) -> Outcome<Option<u64>> {
        let first = self.list(&self.quick, key.as_str(), 1).await?.into_iter().next();
        // A longer key with the same prefix sorts after this one.
        let found = first.filter(|object| object.key() == Some(key.as_str()));
        let length = |size: i64| u64::try_from(size).map_err(broken);
        let size = |object: Object| object.size().ok_or_else(|| broken("object without size"));
        found.map(size).transpose()?.map(length).transpose()
    }

    async fn under(&self, folder: &str, limit: usize) -> Outcome<Vec<BlobKey>> {
        let listed = self.list(&self.patient, folder, limit).await?;
        let key =
            |object: Object| object.key.map(BlobKey::listed).ok_or_else(|| broken("object without key"));
        listed.into_iter().map(key).collect()
    }

    async fn delete(&self, keys: &[BlobKey]) -> Outcome<()> {
        for chunk in keys.chunks(MAX_KEYS) {
            let identifier = |key: &BlobKey| ObjectIdentifier::builder().key(key.as_str()).build();
            let objects: Result<Vec<_>, _> = chunk.iter().map(identifier).collect();
            let delete = Delete::builder().set_objects(Some(objects.map_err(broken)?)).quiet(true);
            let delete = delete.build().map_err(broken)?;
            let request = self.patient.delete_objects().bucket(&self.bucket).delete(delete);
            let answer = request.send().await.map_err(|error| failure(&error))?;
            // Errors of single keys are in a successful response.
            if let Some(error) = answer.errors().first() {
                return Err(aws_errors::refused(SERVICE, error.code()));
            }
        }
        Ok(())
    }

    async fn abort(&self, key: &BlobKey, upload: &str) -> Outcome<()> {
        let abort = self.patient.abort_multipart_upload().bucket(&self.bucket).key(key.as_str());
        match abort.upload_id(upload).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(NO_SUCH_UPLOAD) => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }
}

#[async_trait]
impl Icons for S3Blobs {
    async fn put(&self, key: &BlobKey, png: Vec<u8>) -> Outcome<()> {
        let put = self.quick.put_object().bucket(&self.bucket).key(key.as_str()).content_type("image/png");
        put.body(png.into()).send().await.map(|_| ()).map_err(|error| failure(&error))
    }
}

/// Maps an error of a whole request to a failure.
pub fn failure<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Failure {
    aws_errors::failure(SERVICE, error)
}
