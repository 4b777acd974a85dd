//! S3: signs uploads and downloads ([presigned URLs]), looks after what was uploaded, and puts bundles together.
//!
//! How long an object is, is read from a list of one ([ListObjectsV2]) and not from the object's head: S3 says only to whom
//! may list that an object is missing, and whoever may read its head may read its content
//! ([decision 41](../../../docs/decisions/0041-uploads-go-to-the-bucket-by-signed-requests.md)).
//!
//! [presigned URLs]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
//! [ListObjectsV2]: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html

mod bucket;
mod bundles;

use async_trait::async_trait;
use aws_sdk_s3::Config;
use domain::{
    Timestamp,
    blob::{BlobKey, Blobs, PresignedPut},
    ports::Outcome,
};
use jiff::SignedDuration;

use crate::bucket::{Bucket, broken, terms};
pub use crate::bundles::S3Bundles;

/// One region's bucket.
pub struct S3Blobs(Bucket);

impl S3Blobs {
    /// The bucket with this name, for a client that calls, and one that only signs: what is done with a call on its way (it
    /// is counted, and traced) must not be done with what is signed for somebody else to send.
    pub fn new(calling: Config, signing: Config, bucket: String) -> Self {
        Self(Bucket::new(calling, signing, bucket))
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
        let (terms, expires_at) = terms(now, valid_for)?;
        // Each of these becomes a header that is signed.
        let put = self.0.signing.put_object().bucket(&self.0.name).key(key.as_str());
        let put = put.content_type(content_type).content_length(i64::try_from(length).map_err(broken)?);
        let signed = put.if_none_match("*").presigned(terms).await.map_err(broken)?;
        let headers = signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(PresignedPut { url: signed.uri().to_owned(), headers, expires_at })
    }

    async fn stored_length(&self, key: &BlobKey) -> Outcome<Option<u64>> {
        self.0.stored_length(key).await
    }

    async fn delete(&self, keys: &[BlobKey]) -> Outcome<()> {
        self.0.delete(keys).await
    }
}
