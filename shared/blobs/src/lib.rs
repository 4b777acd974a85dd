//! S3: signs uploads and downloads ([presigned URLs]), looks after what was uploaded, and puts bundles together. Each is a port
//! of its own, so that a function has only as much of it in its program as it uses; what only signs has no client of S3's.
//!
//! How long an object is, is read from a list of one ([ListObjectsV2]) and not from the object's head: S3 says only to whom
//! may list that an object is missing, and whoever may read its head may read its content
//! ([decision 41](../../../docs/decisions/0041-uploads-go-to-the-bucket-by-signed-requests.md)).
//!
//! [presigned URLs]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
//! [ListObjectsV2]: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html

mod bucket;
mod bundles;
mod presigner;

pub use crate::{bucket::S3Blobs, bundles::S3Bundles, presigner::S3Presigner};

/// What can't be asked.
fn broken(error: impl std::fmt::Display) -> domain::ports::Failure {
    domain::ports::Failure::Broken(format!("a file's terms: {error}"))
}
