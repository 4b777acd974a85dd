//! Buckets and objects: metadata in memory, and on disk in one JSON file per object.
//!
//! ```text
//! s3/<bucket>/bucket.json
//! s3/<bucket>/objects/<SHA-256 of the key>.json     s3/<bucket>/uploads/<id>.json
//! s3/<bucket>/blobs/<random>                        referenced by a JSON file, otherwise deleted at start
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Result, s3_error};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::blob::{self, Blob, internal};
use super::cors::Rule;
use super::records::{StoredObject, Upload};
use crate::config::TimeSource;
use crate::durable;
use crate::journal::lock;
use crate::signature::hex;
use crate::start_error::StandInError;

/// All buckets of a region.
pub(super) struct Store {
    folder: PathBuf,
    now: TimeSource,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

/// A bucket.
#[derive(Default)]
pub(super) struct Bucket {
    pub(super) created: Timestamp,
    pub(super) objects: BTreeMap<String, StoredObject>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) cors: Vec<Rule>,
}

#[derive(Default, Serialize, Deserialize)]
struct BucketFile {
    created: Timestamp,
    #[serde(default)]
    cors: Vec<Rule>,
}

/// The conditions of a conditional write.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_matches: Option<ETagCondition>,
}

impl Conditions {
    fn check(&self, there: Option<&StoredObject>) -> S3Result<()> {
        let same = |condition: &ETagCondition, object: &StoredObject| match condition {
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
    pub(super) fn open(folder: PathBuf, now: TimeSource) -> Result<Self, StandInError> {
        durable::make_folder(&folder)?;
        let mut buckets = BTreeMap::new();
        for path in entries(&folder)? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            // Without this file, the bucket is incomplete: its creation or deletion was interrupted.
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

    /// Runs a closure on a bucket.
    pub(super) fn with<T>(&self, name: &str, look: impl FnOnce(&mut Bucket) -> S3Result<T>) -> S3Result<T> {
        let mut buckets = self.buckets();
        look(buckets.get_mut(name).ok_or_else(|| s3_error!(NoSuchBucket))?)
    }

    /// The object with this key.
    pub(super) fn object(&self, bucket: &str, key: &str) -> S3Result<StoredObject> {
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
        let file = BucketFile { created, cors: Vec::new() };
        durable::write(&folder.join("bucket.json"), &file).map_err(internal)?;
        buckets.insert(name.to_owned(), Bucket { created, ..Bucket::default() });
        Ok(())
    }

    /// Sets the CORS rules of a bucket.
    pub(super) fn set_cors(&self, name: &str, cors: Vec<Rule>) -> S3Result<()> {
        let file = self.folder.join(name).join("bucket.json");
        self.with(name, |bucket| {
            let next = BucketFile { created: bucket.created, cors };
            durable::write(&file, &next).map_err(internal)?;
            bucket.cors = next.cors;
            Ok(())
        })
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

    /// Stores written bytes as the object of a key if the conditions hold. The lock on the buckets serializes writers,
    /// so exactly one of several conditional writes succeeds.
    pub(super) fn put(
        &self,
        bucket: &str,
        mut object: StoredObject,
        blob: Blob,
        only: &Conditions,
    ) -> S3Result<StoredObject> {
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

    /// Changes the metadata of an object.
    pub(super) fn change(
        &self,
        bucket: &str,
        key: &str,
        change: impl FnOnce(&mut StoredObject),
    ) -> S3Result<()> {
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

    /// Deletes an object. Deleting a missing object succeeds.
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

fn read_bucket(folder: &Path) -> Result<Bucket, StandInError> {
    let BucketFile { created, cors } = durable::read(&folder.join("bucket.json"))?;
    let objects: Vec<StoredObject> = read_all(&folder.join("objects"))?;
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
        cors,
    })
}

fn read_all<T: DeserializeOwned + Default>(folder: &Path) -> Result<Vec<T>, StandInError> {
    let files = entries(folder)?;
    let whole = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    whole.map(|path| durable::read(path)).collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StandInError> {
    let unusable = |source| StandInError::File { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(unusable)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(unusable)).collect()
}
