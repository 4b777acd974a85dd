//! Lists the objects of a bucket (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>).

use s3s::S3Result;
use s3s::dto::{CommonPrefix, ETag, ListObjectsV2Input, ListObjectsV2Output, Object};

use super::api::{Api, time};
use super::records::StoredObject;

const MOST_KEYS: i32 = 1000;

impl Api {
    /// One page of a bucket, in byte order of the keys. The continuation token is the last key or common prefix of the
    /// page.
    pub(super) fn list(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        let limit = input.max_keys.unwrap_or(MOST_KEYS).clamp(0, MOST_KEYS);
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let after = input.continuation_token.clone().or(input.start_after.clone()).unwrap_or_default();
        let (mut contents, mut prefixes, mut last, mut more) = (Vec::new(), Vec::new(), None, false);
        self.store.with(&input.bucket, |bucket| {
            for (key, object) in bucket.objects.range(prefix.clone()..) {
                let Some(rest) = key.strip_prefix(&prefix) else { break };
                let cut = if delimiter.is_empty() { None } else { rest.find(&delimiter) };
                let common = cut.and_then(|at| key.get(..prefix.len() + at + delimiter.len()));
                let entry = common.unwrap_or(key);
                // A common prefix appears only once, also across pages.
                if entry <= after.as_str() || last.as_deref() == Some(entry) {
                    continue;
                }
                if contents.len() + prefixes.len() == usize::try_from(limit).unwrap_or(0) {
                    more = true;
                    break;
                }
                last = Some(entry.to_owned());
                match common {
                    Some(common) => prefixes.push(CommonPrefix { prefix: Some(common.to_owned()) }),
                    None => contents.push(listed(object)),
                }
            }
            Ok(())
        })?;
        Ok(ListObjectsV2Output {
            key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            max_keys: Some(limit),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            is_truncated: Some(more),
            next_continuation_token: if more { last } else { None },
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            ..Default::default()
        })
    }
}

fn listed(object: &StoredObject) -> Object {
    Object {
        key: Some(object.key.clone()),
        size: i64::try_from(object.size).ok(),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(time(object.modified)),
        ..Default::default()
    }
}
