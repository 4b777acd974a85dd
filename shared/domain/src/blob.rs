//! Files: what they are called, and the ports to where they are kept.
//!
//! Their bytes pass no function. Whoever uploads one is given a signed request for that one file and sends it to the store
//! directly; functions only look how long it became, and delete it.

use std::fmt::Display;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{
    export::{Export, Format},
    id::{UserId, WorkspaceId},
    ports::Outcome,
};

/// What the keys of all files begin with, and of nothing else in the store.
pub const FOLDER: &str = "files/";
/// What the keys of all export bundles begin with, and of nothing else in the store.
pub const BUNDLES: &str = "exports/";
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

    /// What the names of all files of a workspace begin with.
    pub fn files_of(workspace: WorkspaceId) -> String {
        format!("{FOLDER}{workspace}/")
    }

    /// The bundle that an export makes: `exports/<user>/<job>.zip`.
    pub fn of_export(export: &Export) -> Self {
        Self(format!("{}{}.{}", Self::bundles_of(export.user), export.id, export.format.extension()))
    }

    /// What the names of all bundles of a user begin with.
    pub fn bundles_of(user: UserId) -> String {
        format!("{BUNDLES}{user}/")
    }

    /// A name that a list told.
    pub fn listed(name: String) -> Self {
        Self(name)
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

/// Requests that whoever holds them may make until they expire. Both URLs are bearer secrets, and have no `Debug`.
pub struct BundleLinks {
    /// For a `GET`, whole or in ranges.
    pub get: String,
    /// For a `HEAD`: a signature holds for one method.
    pub head: String,
    /// When the store begins to refuse them.
    pub expires_at: Timestamp,
}

/// Signs requests for others to send: nobody is asked, so it costs no call. Whoever signs one must be allowed what it asks for
/// when it arrives, and a function's credentials may end before the request does.
///
/// A request is refused from `valid_for` (whole seconds, a week at the most) after `now` on.
pub trait Presigner: Send + Sync {
    /// A `PUT` of a file of exactly this type and length, in bytes. The store refuses another type, another length, and a file
    /// that is there already.
    fn put(
        &self,
        key: &BlobKey,
        content_type: &str,
        length: u64,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Outcome<PresignedPut>;

    /// A download of a bundle under this name, to be saved and not kept by caches.
    fn get(
        &self,
        key: &BlobKey,
        filename: &str,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Outcome<BundleLinks>;
}

/// What is in the store, files and bundles alike.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// How many bytes a file has; none if it is not there. Whatever was put before is seen.
    async fn stored_length(&self, key: &BlobKey) -> Outcome<Option<u64>>;
    /// Names that begin with `folder`, the first `limit` (1,000 at the most).
    async fn under(&self, folder: &str, limit: usize) -> Outcome<Vec<BlobKey>>;
    /// Deletes files. One that is not there is as good as deleted. After a failure some may be gone and some not.
    async fn delete(&self, keys: &[BlobKey]) -> Outcome<()>;
    /// Gives a bundle up that is not complete: nothing of it stays. One that is not there any more is as good as given up.
    async fn abort(&self, key: &BlobKey, upload: &str) -> Outcome<()>;
}

/// Writes export bundles. One comes to be part by part ([multipart upload]); until it is complete, there is nothing to be had
/// of it.
///
/// [multipart upload]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
#[async_trait]
pub trait Bundles: Send + Sync {
    /// Begins a bundle: the id of its upload.
    async fn begin(&self, key: &BlobKey, format: Format) -> Outcome<String>;
    /// Stores a part, or replaces it: what it is known by. Parts count from 1, and all but the last have 5 MiB at least. If the
    /// bundle was completed or given up, that is [`Failure::Broken`](crate::ports::Failure::Broken).
    async fn put_part(&self, key: &BlobKey, upload: &str, number: u32, bytes: Vec<u8>) -> Outcome<String>;
    /// Makes the bundle of its parts, in this order. Done again, it is still done.
    async fn complete(&self, key: &BlobKey, upload: &str, parts: &[String]) -> Outcome<Completed>;
}

/// What came of completing a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completed {
    /// It is there, with so many bytes.
    Yes(u64),
    /// Its parts are not those that were named, or gone: it has to be written anew.
    Broken,
}
