//! Implements the S3 operations.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use url::form_urlencoded;

use super::blob::{self, Expected};
use super::cors::Rule;
use super::records::{Checksums, ObjectHeaders, StoredObject};
use super::store::{Conditions, Store};

/// The S3 stand-in, called by s3s.
pub(super) struct Api {
    pub(super) store: Arc<Store>,
    pub(super) region: String,
}

const MAX_KEY_LENGTH: usize = 1024;

#[async_trait::async_trait]
impl S3 for Api {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.store.create_bucket(&req.input.bucket)?;
        let location = Some(format!("/{}", req.input.bucket));
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.store.delete_bucket(&req.input.bucket)?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn put_bucket_cors(
        &self,
        req: S3Request<PutBucketCorsInput>,
    ) -> S3Result<S3Response<PutBucketCorsOutput>> {
        let rules = req.input.cors_configuration.cors_rules.into_iter().map(Rule::from);
        self.store.set_cors(&req.input.bucket, rules.collect())?;
        Ok(S3Response::new(PutBucketCorsOutput::default()))
    }

    async fn get_bucket_cors(
        &self,
        req: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        let rules = self.store.with(&req.input.bucket, |bucket| Ok(bucket.cors.clone()))?;
        if rules.is_empty() {
            return Err(s3_error!(NoSuchCORSConfiguration));
        }
        let cors_rules = Some(rules.into_iter().map(CORSRule::from).collect());
        Ok(S3Response::new(GetBucketCorsOutput { cors_rules }))
    }

    async fn delete_bucket_cors(
        &self,
        req: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
        self.store.set_cors(&req.input.bucket, Vec::new())?;
        Ok(S3Response::new(DeleteBucketCorsOutput::default()))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.store.with(&req.input.bucket, |_| Ok(()))?;
        let bucket_region = Some(self.region.clone());
        Ok(S3Response::new(HeadBucketOutput { bucket_region, ..Default::default() }))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.store.buckets();
        let one = |(name, bucket): (&String, &super::store::Bucket)| Bucket {
            name: Some(name.clone()),
            creation_date: Some(time(bucket.created)),
            bucket_region: None,
        };
        let buckets = Some(buckets.iter().map(one).collect());
        Ok(S3Response::new(ListBucketsOutput { buckets, ..Default::default() }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        if input.key.len() > MAX_KEY_LENGTH {
            return Err(s3_error!(KeyTooLongError));
        }
        self.store.with(&input.bucket, |_| Ok(()))?;
        let expected = Expected {
            length: None,
            md5: input.content_md5,
            algorithm: input.checksum_algorithm.map(|algorithm| algorithm.as_str().to_owned()),
            checksum: Checksum {
                checksum_crc32: input.checksum_crc32,
                checksum_crc32c: input.checksum_crc32c,
                checksum_sha1: input.checksum_sha1,
                checksum_sha256: input.checksum_sha256,
                checksum_crc64nvme: input.checksum_crc64nvme,
                checksum_type: None,
            },
            trailers: req.trailing_headers,
        };
        let body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let blob = blob::write(&self.store.blobs(&input.bucket), body, expected).await?;
        let object = StoredObject {
            key: input.key,
            size: blob.size,
            etag: blob.etag(),
            sums: Checksums::from(&blob.checksum),
            tags: tags(input.tagging.as_deref())?,
            about: ObjectHeaders {
                content_type: input.content_type,
                content_encoding: input.content_encoding,
                content_disposition: input.content_disposition,
                content_language: input.content_language,
                cache_control: input.cache_control,
                metadata: input.metadata.into_iter().flatten().collect(),
            },
            ..StoredObject::default()
        };
        let only = Conditions { matches: input.if_match, none_matches: input.if_none_match };
        let object = self.store.put(&input.bucket, object, blob, &only)?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(object.etag)),
            checksum_crc32: object.sums.crc32,
            checksum_crc32c: object.sums.crc32c,
            checksum_sha1: object.sums.sha1,
            checksum_sha256: object.sums.sha256,
            checksum_crc64nvme: object.sums.crc64nvme,
            ..Default::default()
        }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let object = self.store.object(&input.bucket, &input.key)?;
        if let Some(ETagCondition::ETag(wanted)) = &input.if_match
            && wanted.value() != object.etag
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let range = match &input.range {
            Some(range) => range.check(object.size)?,
            None => 0..object.size,
        };
        let content_range = input
            .range
            .is_some()
            .then(|| format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), object.size));
        let length = range.end - range.start;
        let whole = length == object.size;
        let body = blob::read(&self.store.blobs(&input.bucket).join(&object.blob), range).await?;
        let (about, sums) = (object.about, if whole { object.sums } else { Checksums::default() });
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(body),
            cache_control: input.response_cache_control.or(about.cache_control),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_crc64nvme: sums.crc64nvme,
            content_disposition: input.response_content_disposition.or(about.content_disposition),
            content_encoding: input.response_content_encoding.or(about.content_encoding),
            content_language: input.response_content_language.or(about.content_language),
            content_length: i64::try_from(length).ok(),
            content_range,
            content_type: input.response_content_type.or(about.content_type),
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(time(object.modified)),
            metadata: Some(about.metadata.into_iter().collect()),
            tag_count: i32::try_from(object.tags.len()).ok().filter(|count| *count > 0),
            ..Default::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let object = self.store.object(&input.bucket, &input.key)?;
        let (about, sums) = (object.about, object.sums);
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: input.response_cache_control.or(about.cache_control),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_crc64nvme: sums.crc64nvme,
            content_disposition: input.response_content_disposition.or(about.content_disposition),
            content_encoding: input.response_content_encoding.or(about.content_encoding),
            content_language: input.response_content_language.or(about.content_language),
            content_length: i64::try_from(object.size).ok(),
            content_type: input.response_content_type.or(about.content_type),
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(time(object.modified)),
            metadata: Some(about.metadata.into_iter().collect()),
            ..Default::default()
        }))
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = req.input;
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let source = self.store.object(bucket, key)?;
        let from = self.store.blobs(bucket).join(&source.blob);
        self.store.with(&input.bucket, |_| Ok(()))?;
        let body = blob::chain(vec![from]);
        let blob = blob::write(&self.store.blobs(&input.bucket), body, Expected::default()).await?;
        let mut object = StoredObject { key: input.key, etag: blob.etag(), ..source };
        if input.metadata_directive.is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE)
        {
            object.about = ObjectHeaders {
                content_type: input.content_type,
                content_encoding: input.content_encoding,
                content_disposition: input.content_disposition,
                content_language: input.content_language,
                cache_control: input.cache_control,
                metadata: input.metadata.into_iter().flatten().collect(),
            };
        }
        let object = self.store.put(&input.bucket, object, blob, &Conditions::default())?;
        let result = CopyObjectResult {
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(time(object.modified)),
            ..Default::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() }))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.store.delete(&req.input.bucket, &req.input.key)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let Delete { objects, quiet } = req.input.delete;
        if objects.len() > 1000 {
            return Err(s3_error!(MalformedXML));
        }
        let mut deleted = Vec::new();
        for object in objects {
            self.store.delete(&req.input.bucket, &object.key)?;
            deleted.push(DeletedObject { key: Some(object.key), ..Default::default() });
        }
        let deleted = if quiet == Some(true) { None } else { Some(deleted) };
        Ok(S3Response::new(DeleteObjectsOutput { deleted, ..Default::default() }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.list(req.input).map(S3Response::new)
    }

    async fn put_object_tagging(
        &self,
        req: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let input = req.input;
        let pairs = input
            .tagging
            .tag_set
            .into_iter()
            .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
        let pairs = checked_tags(pairs.collect())?;
        self.store.change(&input.bucket, &input.key, |object| object.tags = pairs)?;
        Ok(S3Response::new(PutObjectTaggingOutput::default()))
    }

    async fn get_object_tagging(
        &self,
        req: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let object = self.store.object(&req.input.bucket, &req.input.key)?;
        let tag = |(key, value)| Tag { key: Some(key), value: Some(value) };
        let tag_set = object.tags.into_iter().map(tag).collect();
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: None }))
    }

    async fn delete_object_tagging(
        &self,
        req: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        self.store.change(&req.input.bucket, &req.input.key, |object| object.tags.clear())?;
        Ok(S3Response::new(DeleteObjectTaggingOutput::default()))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        let about = ObjectHeaders {
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            content_disposition: input.content_disposition,
            content_language: input.content_language,
            cache_control: input.cache_control,
            metadata: input.metadata.into_iter().flatten().collect(),
        };
        let tags = tags(input.tagging.as_deref())?;
        let id = self.store.begin(&input.bucket, input.key.clone(), about, tags)?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = req.input;
        self.store.upload(&input.bucket, &input.key, &input.upload_id)?;
        let expected = Expected {
            length: None,
            md5: input.content_md5,
            algorithm: input.checksum_algorithm.map(|algorithm| algorithm.as_str().to_owned()),
            checksum: Checksum {
                checksum_crc32: input.checksum_crc32,
                checksum_crc32c: input.checksum_crc32c,
                checksum_sha1: input.checksum_sha1,
                checksum_sha256: input.checksum_sha256,
                checksum_crc64nvme: input.checksum_crc64nvme,
                checksum_type: None,
            },
            trailers: req.trailing_headers,
        };
        let body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let blob = blob::write(&self.store.blobs(&input.bucket), body, expected).await?;
        let (etag, sum) = (blob.etag(), Checksums::from(&blob.checksum));
        self.store.add(&input.bucket, &input.key, &input.upload_id, input.part_number, blob)?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            checksum_crc32: sum.crc32,
            checksum_crc32c: sum.crc32c,
            checksum_sha1: sum.sha1,
            checksum_sha256: sum.sha256,
            checksum_crc64nvme: sum.crc64nvme,
            ..Default::default()
        }))
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let upload = self.store.upload(&input.bucket, &input.key, &input.upload_id)?;
        let part = |(number, part): (i32, super::records::Part)| Part {
            part_number: Some(number),
            e_tag: Some(ETag::Strong(part.etag)),
            size: i64::try_from(part.size).ok(),
            ..Default::default()
        };
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            parts: Some(upload.parts.into_iter().map(part).collect()),
            is_truncated: Some(false),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let listed = input.multipart_upload.and_then(|listed| listed.parts).unwrap_or_default();
        let only = Conditions { matches: input.if_match, none_matches: input.if_none_match };
        let object = self.store.complete(&input.bucket, &input.key, &input.upload_id, &listed, &only).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(object.key),
            e_tag: Some(ETag::Strong(object.etag)),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.store.forget(&req.input.bucket, &req.input.key, &req.input.upload_id)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

fn tags(header: Option<&str>) -> S3Result<Vec<(String, String)>> {
    checked_tags(form_urlencoded::parse(header.unwrap_or("").as_bytes()).into_owned().collect())
}

fn checked_tags(tags: Vec<(String, String)>) -> S3Result<Vec<(String, String)>> {
    let fits = |(key, value): &(String, String)| (1..=128).contains(&key.len()) && value.len() <= 256;
    match tags.len() <= 10 && tags.iter().all(fits) {
        true => Ok(tags),
        false => Err(s3_error!(InvalidTag)),
    }
}

pub(super) fn time(at: jiff::Timestamp) -> Timestamp {
    let since = Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    Timestamp::from(SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH))
}
