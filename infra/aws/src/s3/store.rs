//! Buckets and objects: everything known of them in memory and, one JSON file an object, on disk.
//!
//! ```text
//! s3/<bucket>/bucket.json
//! s3/<bucket>/objects/<SHA-256 of the key>.json     s3/<bucket>/uploads/<id>.json
//! s3/<bucket>/blobs/<random>                        named by one of those, or else left over and deleted at start
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use s3s::dto::{Checksum, ETag, ETagCondition};
use s3s::{S3Result, s3_error};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::blob::{self, Blob, internal};
use super::uploads::Upload;
use crate::journal::lock;
use crate::signature::hex;
use crate::{Now, StartError, durable};

/// All buckets of a region.
pub(super) struct Store {
    folder: PathBuf,
    now: Now,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

/// One bucket.
#[derive(Default)]
pub(super) struct Bucket {
    pub(super) created: Timestamp,
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) uploads: BTreeMap<String, Upload>,
}

#[derive(Default, Serialize, Deserialize)]
struct BucketFile {
    created: Timestamp,
}

/// One object.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) blob: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    pub(super) about: About,
    pub(super) tags: Vec<(String, String)>,
    pub(super) sums: Sums,
}

/// What a writer says about an object.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// Checksums that were sent with it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) crc64nvme: Option<String>,
}

impl From<&Checksum> for Sums {
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

/// What has to be so for a write to happen.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_matches: Option<ETagCondition>,
}

impl Conditions {
    fn check(&self, there: Option<&Object>) -> S3Result<()> {
        let same = |condition: &ETagCondition, object: &Object| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => ETag::Strong(object.etag.clone()).strong_cmp(etag),
        };
        if let Some(condition) = &self.matches {
            match there {
                None => return Err(s3_error!(NoSuchKey)),
                Some(object) if !same(condition, object) => return Err(s3_error!(PreconditionFailed)),
                Some(_) => {}
            }
        }
        match (&self.none_matches, there) {
            (Some(condition), Some(object)) if same(condition, object) => Err(s3_error!(PreconditionFailed)),
            _ => Ok(()),
        }
    }
}

impl Store {
    pub(super) fn open(folder: PathBuf, now: Now) -> Result<Self, StartError> {
        durable::make_folder(&folder)?;
        let mut buckets = BTreeMap::new();
        for path in entries(&folder)? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            // Without it the bucket was never made, or is half deleted.
            if path.join("bucket.json").exists() {
                buckets.insert(name.to_owned(), read_bucket(&path)?);
            }
        }
        Ok(Self { folder, now, buckets: Mutex::new(buckets) })
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(super) fn buckets(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        lock(&self.buckets)
    }

    /// Looks into a bucket.
    pub(super) fn with<T>(&self, name: &str, look: impl FnOnce(&mut Bucket) -> S3Result<T>) -> S3Result<T> {
        let mut buckets = self.buckets();
        look(buckets.get_mut(name).ok_or_else(|| s3_error!(NoSuchBucket))?)
    }

    /// The object of that key.
    pub(super) fn object(&self, bucket: &str, key: &str) -> S3Result<Object> {
        self.with(bucket, |bucket| bucket.objects.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey)))
    }

    pub(super) fn blobs(&self, bucket: &str) -> PathBuf {
        self.folder.join(bucket).join("blobs")
    }

    pub(super) fn upload_file(&self, bucket: &str, id: &str) -> PathBuf {
        self.folder.join(bucket).join("uploads").join(format!("{id}.json"))
    }

    fn object_file(&self, bucket: &str, key: &str) -> PathBuf {
        self.folder.join(bucket).join("objects").join(format!("{}.json", hex(&Sha256::digest(key))))
    }

    pub(super) fn create_bucket(&self, name: &str) -> S3Result<()> {
        let mut buckets = self.buckets();
        if buckets.contains_key(name) {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        let folder = self.folder.join(name);
        for inner in ["blobs", "objects", "uploads"] {
            std::fs::create_dir_all(folder.join(inner)).map_err(internal)?;
        }
        let created = self.now();
        durable::write(&folder.join("bucket.json"), &BucketFile { created }).map_err(internal)?;
        buckets.insert(name.to_owned(), Bucket { created, ..Bucket::default() });
        Ok(())
    }

    pub(super) fn delete_bucket(&self, name: &str) -> S3Result<()> {
        let mut buckets = self.buckets();
        let bucket = buckets.get(name).ok_or_else(|| s3_error!(NoSuchBucket))?;
        if !bucket.objects.is_empty() {
            return Err(s3_error!(BucketNotEmpty));
        }
        let folder = self.folder.join(name);
        std::fs::remove_file(folder.join("bucket.json")).map_err(internal)?;
        std::fs::remove_dir_all(folder).map_err(internal)?;
        buckets.remove(name);
        Ok(())
    }

    /// Makes written bytes the object of a key, if the conditions hold. All writers of a bucket pass here one
    /// at a time, so of several conditional ones a single one wins.
    pub(super) fn put(
        &self,
        bucket: &str,
        mut object: Object,
        blob: Blob,
        only: &Conditions,
    ) -> S3Result<Object> {
        let blobs = self.blobs(bucket);
        let file = self.object_file(bucket, &object.key);
        self.with(bucket, |bucket| {
            only.check(bucket.objects.get(&object.key))?;
            object.modified = self.now();
            object.blob = blob.name();
            durable::write(&file, &object).map_err(internal)?;
            blob.keep();
            if let Some(old) = bucket.objects.insert(object.key.clone(), object.clone()) {
                blob::remove(&blobs.join(old.blob));
            }
            Ok(object)
        })
    }

    /// Changes what is known of an object.
    pub(super) fn change(&self, bucket: &str, key: &str, change: impl FnOnce(&mut Object)) -> S3Result<()> {
        let file = self.object_file(bucket, key);
        self.with(bucket, |bucket| {
            let object = bucket.objects.get_mut(key).ok_or_else(|| s3_error!(NoSuchKey))?;
            let mut next = object.clone();
            change(&mut next);
            durable::write(&file, &next).map_err(internal)?;
            *object = next;
            Ok(())
        })
    }

    /// Deletes an object. There is no harm in deleting nothing.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> S3Result<()> {
        let (file, blobs) = (self.object_file(bucket, key), self.blobs(bucket));
        self.with(bucket, |bucket| {
            if let Some(object) = bucket.objects.get(key) {
                std::fs::remove_file(&file).map_err(internal)?;
                blob::remove(&blobs.join(&object.blob));
                bucket.objects.remove(key);
            }
            Ok(())
        })
    }
}

fn read_bucket(folder: &Path) -> Result<Bucket, StartError> {
    let BucketFile { created } = durable::read(&folder.join("bucket.json"))?;
    let objects: Vec<Object> = read_all(&folder.join("objects"))?;
    let uploads: Vec<Upload> = read_all(&folder.join("uploads"))?;
    let mut named: BTreeSet<&str> = objects.iter().map(|object| object.blob.as_str()).collect();
    named.extend(uploads.iter().flat_map(|upload| upload.parts.values()).map(|part| part.blob.as_str()));
    for path in entries(&folder.join("blobs"))? {
        if !path.file_name().and_then(|name| name.to_str()).is_some_and(|name| named.contains(name)) {
            blob::remove(&path);
        }
    }
    Ok(Bucket {
        created,
        objects: objects.into_iter().map(|object| (object.key.clone(), object)).collect(),
        uploads: uploads.into_iter().map(|upload| (upload.id.clone(), upload)).collect(),
    })
}

fn read_all<T: DeserializeOwned + Default>(folder: &Path) -> Result<Vec<T>, StartError> {
    let files = entries(folder)?;
    let whole = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    whole.map(|path| durable::read(path)).collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StartError> {
    let unusable = |source| StartError::File { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(unusable)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(unusable)).collect()
}
