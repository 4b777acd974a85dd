//! Multipart uploads (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>).

use std::collections::BTreeMap;

use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::CompletedPart;
use s3s::{S3Result, s3_error};

use super::blob::{self, Blob, Expected, internal};
use super::records::{ObjectHeaders, Part, StoredObject, Upload};
use super::store::{Conditions, Store};
use crate::durable;
use crate::signature::hex;

/// The minimum size of all parts except the last, in bytes.
const MIN_PART_SIZE: u64 = 5 * 1024 * 1024;

impl Store {
    pub(super) fn begin(
        &self,
        bucket: &str,
        key: String,
        about: ObjectHeaders,
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

    /// Adds or replaces a part.
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

    /// Assembles the parts into an object.
    pub(super) async fn complete(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        listed: &[CompletedPart],
        only: &Conditions,
    ) -> S3Result<StoredObject> {
        let upload = self.upload(bucket, key, id)?;
        let parts = chosen(&upload, listed)?;
        let blobs = self.blobs(bucket);
        let paths = parts.iter().map(|part| blobs.join(&part.blob)).collect();
        let mut md5 = Md5::new();
        parts.iter().for_each(|part| md5.update(&part.md5));
        let etag = format!("{}-{}", hex(md5.finalize().as_ref()), parts.len());
        let whole = blob::write(&blobs, blob::chain(paths), Expected::default()).await?;
        let object = StoredObject {
            key: key.to_owned(),
            size: whole.size,
            etag,
            about: upload.about.clone(),
            tags: upload.tags.clone(),
            ..StoredObject::default()
        };
        let object = self.put(bucket, object, whole, only)?;
        self.forget(bucket, key, id)?;
        Ok(object)
    }

    /// Removes an upload and its parts.
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
        parts.split_last().is_some_and(|(_, first)| first.iter().any(|part| part.size < MIN_PART_SIZE));
    if small { Err(s3_error!(EntityTooSmall)) } else { Ok(parts) }
}
