//! Multipart uploads (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>).

use std::collections::BTreeMap;

use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::CompletedPart;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::blob::{self, Blob, Promised, internal};
use super::store::{About, Conditions, Object, Store};
use crate::durable;
use crate::signature::hex;

/// All parts but the last have at least this.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

/// An upload under way.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) about: About,
    pub(super) tags: Vec<(String, String)>,
    pub(super) parts: BTreeMap<i32, Part>,
}

/// One part of it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) blob: String,
    pub(super) size: u64,
    pub(super) etag: String,
    md5: Vec<u8>,
}

impl Store {
    pub(super) fn begin(
        &self,
        bucket: &str,
        key: String,
        about: About,
        tags: Vec<(String, String)>,
    ) -> S3Result<String> {
        let id = durable::uuid();
        let upload = Upload { id: id.clone(), key, about, tags, parts: BTreeMap::new() };
        self.save(bucket, upload)?;
        Ok(id)
    }

    pub(super) fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
        self.with(bucket, |bucket| {
            let upload = bucket.uploads.get(id).filter(|upload| upload.key == key);
            upload.cloned().ok_or_else(|| s3_error!(NoSuchUpload))
        })
    }

    /// Adds a part, or replaces it.
    pub(super) fn add(&self, bucket: &str, key: &str, id: &str, number: i32, blob: Blob) -> S3Result<()> {
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(
                InvalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive"
            ));
        }
        let (file, blobs) = (self.upload_file(bucket, id), self.blobs(bucket));
        self.with(bucket, |bucket| {
            let there = bucket.uploads.get_mut(id).filter(|upload| upload.key == key);
            let upload = there.ok_or_else(|| s3_error!(NoSuchUpload))?;
            let mut next = upload.clone();
            let part = Part { blob: blob.name(), size: blob.size, etag: blob.etag(), md5: blob.md5.clone() };
            let old = next.parts.insert(number, part);
            durable::write(&file, &next).map_err(internal)?;
            blob.keep();
            *upload = next;
            if let Some(old) = old {
                blob::remove(&blobs.join(old.blob));
            }
            Ok(())
        })
    }

    /// Puts the parts together.
    pub(super) async fn complete(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        listed: &[CompletedPart],
        only: &Conditions,
    ) -> S3Result<Object> {
        let upload = self.upload(bucket, key, id)?;
        let parts = chosen(&upload, listed)?;
        let blobs = self.blobs(bucket);
        let paths = parts.iter().map(|part| blobs.join(&part.blob)).collect();
        let mut md5 = Md5::new();
        parts.iter().for_each(|part| md5.update(&part.md5));
        let etag = format!("{}-{}", hex(md5.finalize().as_ref()), parts.len());
        let whole = blob::write(&blobs, blob::chain(paths), Promised::default()).await?;
        let object = Object {
            key: key.to_owned(),
            size: whole.size,
            etag,
            about: upload.about.clone(),
            tags: upload.tags.clone(),
            ..Object::default()
        };
        let object = self.put(bucket, object, whole, only)?;
        self.forget(bucket, key, id)?;
        Ok(object)
    }

    /// Ends an upload, and what it has.
    pub(super) fn forget(&self, bucket: &str, key: &str, id: &str) -> S3Result<()> {
        let upload = self.upload(bucket, key, id)?;
        let (file, blobs) = (self.upload_file(bucket, id), self.blobs(bucket));
        self.with(bucket, |bucket| {
            bucket.uploads.remove(id);
            std::fs::remove_file(&file).map_err(internal)
        })?;
        upload.parts.values().for_each(|part| blob::remove(&blobs.join(&part.blob)));
        Ok(())
    }

    fn save(&self, bucket: &str, upload: Upload) -> S3Result<()> {
        let file = self.upload_file(bucket, &upload.id);
        self.with(bucket, |bucket| {
            durable::write(&file, &upload).map_err(internal)?;
            bucket.uploads.insert(upload.id.clone(), upload);
            Ok(())
        })
    }
}

fn chosen<'a>(upload: &'a Upload, listed: &[CompletedPart]) -> S3Result<Vec<&'a Part>> {
    if listed.is_empty() {
        return Err(s3_error!(MalformedXML));
    }
    if !listed.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(s3_error!(InvalidPartOrder));
    }
    let find = |wanted: &CompletedPart| {
        let part = wanted.part_number.and_then(|number| upload.parts.get(&number));
        let same = |part: &&Part| wanted.e_tag.as_ref().is_none_or(|etag| etag.value() == part.etag);
        part.filter(same).ok_or_else(|| s3_error!(InvalidPart))
    };
    let parts: Vec<&Part> = listed.iter().map(find).collect::<S3Result<_>>()?;
    let small =
        parts.split_last().is_some_and(|(_, first)| first.iter().any(|part| part.size < SMALLEST_PART));
    if small { Err(s3_error!(EntityTooSmall)) } else { Ok(parts) }
}
