//! Files: what they are called, and the port to where they are kept.
//!
//! Their bytes pass no function. Whoever uploads one is given a signed request for that one file and sends it to the store
//! directly; functions only look how long it became, and delete it.

use std::fmt::Display;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{id::WorkspaceId, ports::Outcome};

/// What the keys of all files begin with, and of nothing else in the store.
pub const FOLDER: &str = "files/";
/// The most bytes that one request can put: 5 GiB ([S3's limit]).
///
/// [S3's limit]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html
pub const LARGEST_PUT: u64 = 5 * 1024 * 1024 * 1024;

/// A file's name in the store. It is used once: no second file ever gets it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

impl BlobKey {
    /// The file that an upload into a workspace makes: `files/<workspace>/<upload>`.
    pub fn of_upload(workspace: WorkspaceId, upload: impl Display) -> Self {
        Self(format!("{FOLDER}{workspace}/{upload}"))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A `PUT` that whoever holds it may make, once. The URL is a bearer secret: it has no `Debug`, and belongs in the answer to
/// whoever asked for it and nowhere else.
pub struct PresignedPut {
    /// Where to.
    pub url: String,
    /// The headers that it must be sent with, exactly so. (A browser sets `content-length` by itself.)
    pub headers: Vec<(String, String)>,
    /// When the store begins to refuse it.
    pub expires_at: Timestamp,
}

/// Where files are kept.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Signs a `PUT` of a file of exactly this type and length, in bytes. The store refuses another type, another length, a
    /// file that is there already, and, from `valid_for` (whole seconds, a week at the most) after `now` on, everything.
    /// Nobody is asked, so that it costs no call. Whoever signs it must be allowed to put the file when it arrives, and a
    /// function's credentials may end before `valid_for` does.
    async fn presign_put(
        &self,
        key: &BlobKey,
        content_type: &str,
        length: u64,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Outcome<PresignedPut>;

    /// How many bytes a file has; none if it is not there. Whatever was put before is seen.
    async fn stored_length(&self, key: &BlobKey) -> Outcome<Option<u64>>;

    /// Deletes files. One that is not there is as good as deleted. After a failure some may be gone and some not.
    async fn delete(&self, keys: &[BlobKey]) -> Outcome<()>;
}
