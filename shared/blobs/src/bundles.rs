//! Writes export bundles with [multipart uploads] ([decision
//! 45](../../../docs/decisions/0045-assemble-bundles-from-parts.md)).
//!
//! [multipart uploads]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html

use async_trait::async_trait;
use aws_sdk_s3::{
    Config,
    error::ProvideErrorMetadata,
    types::{CompletedMultipartUpload, CompletedPart},
};
use domain::{
    blob::{BlobKey, Blobs, Bundles, Completed},
    export::Format,
    ports::{Failure, Outcome},
};

use crate::{
    broken,
    bucket::{NO_SUCH_UPLOAD, S3Blobs, failure},
};

/// The S3 error codes for parts that differ from those in the request.
const OTHER_PARTS: [&str; 3] = ["InvalidPart", "InvalidPartOrder", "EntityTooSmall"];

/// The bucket of one region.
pub struct S3Bundles(S3Blobs);

impl S3Bundles {
    /// The bucket with this name. The timeout of `config` must allow for the upload of a part.
    pub fn new(config: Config, bucket: String) -> Self {
        Self(S3Blobs::new(config.clone(), config, bucket))
    }
}

#[async_trait]
impl Bundles for S3Bundles {
    async fn begin(&self, key: &BlobKey, format: Format) -> Outcome<String> {
        let begin = self.0.patient.create_multipart_upload().bucket(&self.0.bucket).key(key.as_str());
        let begun = begin.content_type(format.content_type()).send().await;
        let begun = begun.map_err(|error| failure(&error))?;
        begun.upload_id.ok_or_else(|| broken("upload without id"))
    }

    async fn put_part(&self, key: &BlobKey, upload: &str, number: u32, bytes: Vec<u8>) -> Outcome<String> {
        let put = self.0.patient.upload_part().bucket(&self.0.bucket).key(key.as_str()).upload_id(upload);
        let put = put.part_number(i32::try_from(number).map_err(broken)?).body(bytes.into());
        let stored = put.send().await.map_err(|error| match error.code() {
            Some(NO_SUCH_UPLOAD) => Failure::Broken("the upload was completed or given up".to_owned()),
            _ => failure(&error),
        })?;
        stored.e_tag.ok_or_else(|| broken("part without ETag"))
    }

    async fn complete(&self, key: &BlobKey, upload: &str, parts: &[String]) -> Outcome<Completed> {
        let part =
            |(number, etag): (i32, &String)| CompletedPart::builder().part_number(number).e_tag(etag).build();
        let parts = (1..).zip(parts).map(part).collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.0.patient.complete_multipart_upload().bucket(&self.0.bucket).key(key.as_str());
        match complete.upload_id(upload).multipart_upload(parts).send().await {
            // The upload was completed, now or earlier. If it was aborted earlier, the object is missing.
            Ok(_) => {}
            Err(error) if error.code() == Some(NO_SUCH_UPLOAD) => {}
            Err(error) if error.code().is_some_and(|code| OTHER_PARTS.contains(&code)) => {
                return Ok(Completed::Broken);
            }
            Err(error) => return Err(failure(&error)),
        }
        Ok(self.0.stored_length(key).await?.map_or(Completed::Broken, Completed::Yes))
    }
}
