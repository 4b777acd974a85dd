//! Files: names in the store, and ports to the store.
//!
//! File content does not pass through functions. A client sends a file with a signed request directly to the store.
//! Functions only read the size of files and delete files.

use std::fmt::Display;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{
    export::{Export, Format},
    id::{IconId, UserId, WorkspaceId},
    ports::outcome::Outcome,
};

/// Prefix of all file names in the store.
pub const FOLDER: &str = "files/";
/// Prefix of all export bundles in the store.
pub const BUNDLES: &str = "exports/";
/// Prefix of all pictures of users and teams in the store.
pub const ICONS: &str = "icons/";
/// Maximum size of one `PUT` request in bytes: 5 GiB ([S3's limit]).
///
/// [S3's limit]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html
pub const LARGEST_PUT: u64 = 5 * 1024 * 1024 * 1024;

/// A file's name in the store. Each name is used once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

impl BlobKey {
    /// The name for an upload into a workspace: `files/<workspace>/<upload>`.
    pub fn of_upload(workspace: WorkspaceId, upload: impl Display) -> Self {
        Self(format!("{FOLDER}{workspace}/{upload}"))
    }

    /// Prefix of all files of a workspace.
    pub fn files_of(workspace: WorkspaceId) -> String {
        format!("{FOLDER}{workspace}/")
    }

    /// The name of an export bundle: `exports/<user>/<job>.zip`.
    pub fn of_export(export: &Export) -> Self {
        Self(format!("{}{}.{}", Self::bundles_of(export.user), export.id, export.format.extension()))
    }

    /// Prefix of all export bundles of a user.
    pub fn bundles_of(user: UserId) -> String {
        format!("{BUNDLES}{user}/")
    }

    /// The name of a picture: `icons/<workspace>/<icon>`.
    pub fn of_icon(workspace: WorkspaceId, icon: IconId) -> Self {
        Self(format!("{}{icon}", Self::icons_of(workspace)))
    }

    /// Prefix of all pictures of a workspace.
    pub fn icons_of(workspace: WorkspaceId) -> String {
        format!("{ICONS}{workspace}/")
    }

    /// The picture that this is the name of, if it is one.
    pub fn icon(&self) -> Option<IconId> {
        self.0.strip_prefix(ICONS)?.split_once('/')?.1.parse().ok()
    }

    /// A name that the store listed.
    pub fn listed(name: String) -> Self {
        Self(name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A signed `PUT` request that works once. The URL is a bearer secret: it has no `Debug` and belongs only in the
/// response to its requester.
pub struct PresignedPut {
    /// The URL.
    pub url: String,
    /// Headers to send unchanged. (Browsers set `content-length` themselves.)
    pub headers: Vec<(String, String)>,
    /// Expiry of the request.
    pub expires_at: Timestamp,
}

/// Signed download requests. Both URLs are bearer secrets and have no `Debug`.
pub struct BundleLinks {
    /// For a `GET` request, complete or in ranges.
    pub get: String,
    /// For a `HEAD` request, because a signature covers the method.
    pub head: String,
    /// Expiry of the requests.
    pub expires_at: Timestamp,
}

/// Signs requests for clients to send. Signing makes no call. The signer needs the permission at the time of the
/// client's request, and a function's credentials may expire before the signed request does.
///
/// A signed request expires after `valid_for` from `now`: whole seconds, at most one week.
pub trait Presigner: Send + Sync {
    /// Signs a `PUT` of a file with exactly this media type and size in bytes. The store refuses another type, another
    /// size, and an existing file.
    fn put(
        &self,
        key: &BlobKey,
        content_type: &str,
        length: u64,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Outcome<PresignedPut>;

    /// Signs a download of a bundle under this file name, with headers that prevent caching.
    fn get(
        &self,
        key: &BlobKey,
        filename: &str,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Outcome<BundleLinks>;

    /// Signs a `GET` of a picture, which browsers show as a PNG and as nothing else, and may keep.
    fn icon(&self, key: &BlobKey, now: Timestamp, valid_for: SignedDuration) -> Outcome<String>;
}

/// The store of pictures.
#[async_trait]
pub trait Icons: Send + Sync {
    /// Stores a PNG under a new name.
    async fn put(&self, key: &BlobKey, png: Vec<u8>) -> Outcome<()>;
}

/// The store of files and bundles.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Size of a file in bytes; `None` if the file does not exist. Strongly consistent.
    async fn stored_length(&self, key: &BlobKey) -> Outcome<Option<u64>>;
    /// The first `limit` names (at most 1,000) that begin with `folder`.
    async fn under(&self, folder: &str, limit: usize) -> Outcome<Vec<BlobKey>>;
    /// Deletes files. Idempotent: missing files are ignored. A failure may leave some files deleted.
    async fn delete(&self, keys: &[BlobKey]) -> Outcome<()>;
    /// Aborts the upload of an incomplete bundle and removes its parts. Idempotent.
    async fn abort(&self, key: &BlobKey, upload: &str) -> Outcome<()>;
}

/// Writes export bundles in parts ([multipart upload]). A bundle is not readable until it is complete.
///
/// [multipart upload]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
#[async_trait]
pub trait Bundles: Send + Sync {
    /// Starts a bundle. Returns the id of its upload.
    async fn begin(&self, key: &BlobKey, format: Format) -> Outcome<String>;
    /// Stores or replaces a part. Returns the part's tag. Parts count from 1, and all but the last have at least 5 MiB.
    /// Fails with [`Failure::Broken`](crate::ports::Failure::Broken) if the bundle was completed or aborted.
    async fn put_part(&self, key: &BlobKey, upload: &str, number: u32, bytes: Vec<u8>) -> Outcome<String>;
    /// Completes the bundle from these parts, in this order. Idempotent.
    async fn complete(&self, key: &BlobKey, upload: &str, parts: &[String]) -> Outcome<Completed>;
}

/// The result of completing a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completed {
    /// The bundle is complete and has this size in bytes.
    Yes(u64),
    /// Parts are missing or differ from the named ones. The bundle must be written again.
    Broken,
}
