//! Export bundles: put together of parts ([multipart upload]), downloaded by whoever holds a link
//! ([decision 45](../../../docs/decisions/0045-bundles-are-put-together-of-parts.md)).
//!
//! [multipart upload]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html

use async_trait::async_trait;
use aws_sdk_s3::{
    Config,
    error::ProvideErrorMetadata,
    types::{CompletedMultipartUpload, CompletedPart},
};
use domain::{
    Timestamp,
    blob::{BlobKey, BundleLinks, Bundles, Completed},
    export::Format,
    ports::{Failure, Outcome},
};
use jiff::SignedDuration;

use crate::bucket::{Bucket, broken, terms, unavailable};

/// S3's word for an upload that was completed or given up before.
const NO_SUCH_UPLOAD: &str = "NoSuchUpload";
/// Its words for parts that are not those which were named.
const OTHER_PARTS: [&str; 3] = ["InvalidPart", "InvalidPartOrder", "EntityTooSmall"];
/// For browsers, and whatever is between them and the bucket.
const CACHES: &str = "private, no-store";

/// One region's bucket.
pub struct S3Bundles(Bucket);

impl S3Bundles {
    /// The bucket with this name, for a client that calls, and that may take its time over a part, and one that only signs.
    pub fn new(calling: Config, signing: Config, bucket: String) -> Self {
        Self(Bucket::new(calling, signing, bucket))
    }
}

#[async_trait]
impl Bundles for S3Bundles {
    async fn begin(&self, key: &BlobKey, format: Format) -> Outcome<String> {
        let begin = self.0.calling.create_multipart_upload().bucket(&self.0.name).key(key.as_str());
        let begun = begin.content_type(format.content_type()).send().await;
        let begun = begun.map_err(|error| unavailable(&error))?;
        begun.upload_id.ok_or_else(|| broken("an upload without an id"))
    }

    async fn put_part(&self, key: &BlobKey, upload: &str, number: u32, bytes: Vec<u8>) -> Outcome<String> {
        let put = self.0.calling.upload_part().bucket(&self.0.name).key(key.as_str()).upload_id(upload);
        let put = put.part_number(i32::try_from(number).map_err(broken)?).body(bytes.into());
        let stored = put.send().await.map_err(|error| match error.code() {
            Some(NO_SUCH_UPLOAD) => Failure::Broken("the upload was completed or given up".to_owned()),
            _ => unavailable(&error),
        })?;
        stored.e_tag.ok_or_else(|| broken("a part without an ETag"))
    }

    async fn complete(&self, key: &BlobKey, upload: &str, parts: &[String]) -> Outcome<Completed> {
        let part =
            |(number, etag): (i32, &String)| CompletedPart::builder().part_number(number).e_tag(etag).build();
        let parts = (1..).zip(parts).map(part).collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.0.calling.complete_multipart_upload().bucket(&self.0.name).key(key.as_str());
        match complete.upload_id(upload).multipart_upload(parts).send().await {
            // Completed now, or before; if it was given up before, there is nothing.
            Ok(_) => {}
            Err(error) if error.code() == Some(NO_SUCH_UPLOAD) => {}
            Err(error) if error.code().is_some_and(|code| OTHER_PARTS.contains(&code)) => {
                return Ok(Completed::Broken);
            }
            Err(error) => return Err(unavailable(&error)),
        }
        Ok(self.0.stored_length(key).await?.map_or(Completed::Broken, Completed::Yes))
    }

    async fn abort(&self, key: &BlobKey, upload: &str) -> Outcome<()> {
        let abort = self.0.calling.abort_multipart_upload().bucket(&self.0.name).key(key.as_str());
        match abort.upload_id(upload).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(NO_SUCH_UPLOAD) => Ok(()),
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn sign(
        &self,
        key: &BlobKey,
        filename: &str,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Outcome<BundleLinks> {
        let (terms, expires_at) = terms(now, valid_for)?;
        let (client, bucket) = (&self.0.signing, &self.0.name);
        let name = format!("attachment; filename=\"{filename}\"");
        let get = client.get_object().bucket(bucket).key(key.as_str());
        let get = get.response_content_disposition(&name).response_cache_control(CACHES);
        let get = get.presigned(terms.clone()).await.map_err(broken)?;
        let head = client.head_object().bucket(bucket).key(key.as_str());
        let head = head.response_content_disposition(&name).response_cache_control(CACHES);
        let head = head.presigned(terms).await.map_err(broken)?;
        Ok(BundleLinks { get: get.uri().to_owned(), head: head.uri().to_owned(), expires_at })
    }

    async fn under(&self, folder: &str, limit: usize) -> Outcome<Vec<BlobKey>> {
        let listed = self.0.list(folder, limit).await?;
        Ok(listed.into_iter().filter_map(|object| object.key).map(BlobKey::listed).collect())
    }

    async fn delete(&self, keys: &[BlobKey]) -> Outcome<()> {
        self.0.delete(keys).await
    }
}
