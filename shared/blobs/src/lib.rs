//! S3: signs uploads and downloads ([presigned URLs]), manages uploaded objects, and writes export bundles. Each is a
//! separate port, so that the linker removes unused code; the presigner needs no S3 client.
//!
//! The length of an object is read with [ListObjectsV2] instead of HeadObject: S3 reports a missing object only to
//! callers with the list permission, and permission to read the head includes permission to read the content ([decision
//! 41](../../../docs/decisions/0041-upload-with-signed-requests.md)).
//!
//! [presigned URLs]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
//! [ListObjectsV2]: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html

mod bucket;
mod bundles;
mod presigner;

pub use crate::{bucket::S3Blobs, bundles::S3Bundles, presigner::S3Presigner};

/// The failure of an invalid request or response.
fn broken(error: impl std::fmt::Display) -> domain::ports::Failure {
    domain::ports::Failure::Broken(format!("object storage: {error}"))
}
