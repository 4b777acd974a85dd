//! Objects and multipart uploads, as they are stored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use s3s::dto::Checksum;
use serde::{Deserialize, Serialize};

/// An object.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct StoredObject {
    pub(super) key: String,
    pub(super) blob: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    pub(super) about: ObjectHeaders,
    pub(super) tags: Vec<(String, String)>,
    pub(super) sums: Checksums,
}

/// The headers and metadata of an object.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct ObjectHeaders {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// The checksums that the client sent.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Checksums {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) crc64nvme: Option<String>,
}

impl From<&Checksum> for Checksums {
    fn from(sum: &Checksum) -> Self {
        Self {
            crc32: sum.checksum_crc32.clone(),
            crc32c: sum.checksum_crc32c.clone(),
            sha1: sum.checksum_sha1.clone(),
            sha256: sum.checksum_sha256.clone(),
            crc64nvme: sum.checksum_crc64nvme.clone(),
        }
    }
}

/// A multipart upload in progress.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) about: ObjectHeaders,
    pub(super) tags: Vec<(String, String)>,
    pub(super) parts: BTreeMap<i32, Part>,
}

/// A part of a multipart upload.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) blob: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) md5: Vec<u8>,
}
