//! Files with the bytes of objects and parts. Each file is written once under a random name and verified against the
//! client's checksums.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Result, TrailingHeaders, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::durable;
use crate::signature::hex;

const CHUNK: usize = 64 * 1024;

/// The length and checksums that the client sent.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) length: Option<i64>,
    /// The MD5 digest in base64.
    pub(super) md5: Option<String>,
    pub(super) algorithm: Option<String>,
    pub(super) checksum: Checksum,
    pub(super) trailers: Option<TrailingHeaders>,
}

/// A written file. Dropping it deletes the file unless [`Blob::keep`] was called.
pub(super) struct Blob {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) md5: Vec<u8>,
    pub(super) checksum: Checksum,
    kept: bool,
}

impl Drop for Blob {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.path);
        }
    }
}

impl Blob {
    /// The name of the file.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Keeps the file.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }

    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
    }
}

/// Deletes a file. Open readers can still read it.
pub(super) fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "a blob was not deleted");
    }
}

/// Writes a body to a new file in the folder.
pub(super) async fn write<S, E>(folder: &Path, mut body: S, expected: Expected) -> S3Result<Blob>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    let path = folder.join(durable::uuid());
    let mut file = File::create(&path).await.map_err(internal)?;
    let mut blob = Blob { path, size: 0, md5: Vec::new(), checksum: Checksum::default(), kept: false };
    let (mut md5, mut sums) = (Md5::new(), hasher(&expected));
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
        md5.update(&chunk);
        sums.update(&chunk);
        blob.size += chunk.len() as u64;
        file.write_all(&chunk).await.map_err(internal)?;
    }
    file.flush().await.map_err(internal)?;
    file.sync_all().await.map_err(internal)?;
    blob.md5 = md5.finalize().as_ref().to_vec();
    blob.checksum = sums.finalize();
    check(&blob, expected)?;
    Ok(blob)
}

/// Computes only the expected checksums.
fn hasher(expected: &Expected) -> ChecksumHasher {
    let wants = |name: &str, given: &Option<String>| {
        given.is_some() || expected.algorithm.as_deref().is_some_and(|algorithm| algorithm == name)
    };
    let sum = &expected.checksum;
    ChecksumHasher {
        crc32: wants("CRC32", &sum.checksum_crc32).then(Default::default),
        crc32c: wants("CRC32C", &sum.checksum_crc32c).then(Default::default),
        sha1: wants("SHA1", &sum.checksum_sha1).then(Default::default),
        sha256: wants("SHA256", &sum.checksum_sha256).then(Default::default),
        crc64nvme: wants("CRC64NVME", &sum.checksum_crc64nvme).then(Default::default),
    }
}

fn check(blob: &Blob, expected: Expected) -> S3Result<()> {
    if expected.length.is_some_and(|length| u64::try_from(length) != Ok(blob.size)) {
        return Err(s3_error!(IncompleteBody));
    }
    if expected.md5.is_some_and(|md5| md5 != BASE64_STANDARD.encode(&blob.md5)) {
        return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."));
    }
    // A streamed body sends its checksum in trailers.
    let trailers = expected.trailers.and_then(|trailers| trailers.take()).unwrap_or_default();
    let trailer = |name: &str| trailers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (given, is) = (expected.checksum, &blob.checksum);
    let pairs = [
        (given.checksum_crc32.or_else(|| trailer("x-amz-checksum-crc32")), &is.checksum_crc32),
        (given.checksum_crc32c.or_else(|| trailer("x-amz-checksum-crc32c")), &is.checksum_crc32c),
        (given.checksum_sha1.or_else(|| trailer("x-amz-checksum-sha1")), &is.checksum_sha1),
        (given.checksum_sha256.or_else(|| trailer("x-amz-checksum-sha256")), &is.checksum_sha256),
        (given.checksum_crc64nvme.or_else(|| trailer("x-amz-checksum-crc64nvme")), &is.checksum_crc64nvme),
    ];
    match pairs.iter().all(|(given, is)| given.is_none() || is.is_none() || given == *is) {
        true => Ok(()),
        false => Err(s3_error!(BadDigest, "The checksum you specified did not match what we received.")),
    }
}

/// Reads a range of a file.
pub(super) async fn read(path: &Path, range: Range<u64>) -> S3Result<StreamingBlob> {
    let mut file = File::open(path).await.map_err(internal)?;
    file.seek(SeekFrom::Start(range.start)).await.map_err(internal)?;
    let left = range.end.saturating_sub(range.start);
    let chunks = stream::try_unfold((file, left), |(mut file, left)| async move {
        let size = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let mut chunk = vec![0; size];
        let read = file.read(&mut chunk).await?;
        if read == 0 {
            return std::io::Result::Ok(None);
        }
        chunk.truncate(read);
        Ok(Some((Bytes::from(chunk), (file, left.saturating_sub(read as u64)))))
    });
    Ok(StreamingBlob::wrap(chunks))
}

/// The concatenated bytes of several files.
pub(super) fn chain(paths: Vec<PathBuf>) -> impl Stream<Item = Result<Bytes, String>> + Unpin {
    let files = stream::iter(paths).then(|path| async move {
        let size = tokio::fs::metadata(&path).await.map_or(0, |metadata| metadata.len());
        read(&path, 0..size).await
    });
    Box::pin(files.flat_map(|opened| match opened {
        Ok(blob) => blob.map(|chunk| chunk.map_err(|error| error.to_string())).left_stream(),
        Err(error) => stream::iter([Err(error.to_string())]).right_stream(),
    }))
}

pub(super) fn internal(error: impl std::fmt::Display) -> s3s::S3Error {
    tracing::error!(%error, "S3 failed");
    s3_error!(InternalError)
}
