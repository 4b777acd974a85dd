//! The permissions that S3 operations need ([actions]). The path contains bucket and key; DeleteObjects lists its keys
//! in the body.
//!
//! [actions]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html

use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use url::form_urlencoded;

use super::{Context, keyed};

/// An S3 action, its resource (a bucket or `<bucket>/<key>`), and the condition keys of the request.
type FilePermission = (String, String, Context);

#[derive(Default, Deserialize)]
struct Delete {
    #[serde(rename = "Object", default)]
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "Key")]
    key: String,
}

/// The permissions that a request needs.
pub(super) fn of_files(operation: &str, parts: &Parts, body: &[u8]) -> Vec<FilePermission> {
    let path = percent_decode_str(parts.uri.path().trim_start_matches('/')).decode_utf8_lossy();
    let ask = |action: &str, on: &str, context| vec![(action.to_owned(), on.to_owned(), context)];
    match operation {
        "ListObjects" | "ListObjectsV2" => {
            ask("ListBucket", path.trim_end_matches('/'), keyed("s3:prefix", parameter(parts, "prefix")))
        }
        "DeleteObjects" => {
            let Delete { objects } = quick_xml::de::from_reader(body).unwrap_or_default();
            let bucket = path.trim_end_matches('/');
            let on = |Object { key }| ("DeleteObject".to_owned(), format!("{bucket}/{key}"), Context::new());
            objects.into_iter().map(on).collect()
        }
        // Reading the metadata of an object needs the same action.
        "HeadObject" | "GetObjectAttributes" => ask("GetObject", &path, Context::new()),
        "CopyObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            ask("PutObject", &path, Context::new())
        }
        other => ask(other, &path, Context::new()),
    }
}

fn parameter(parts: &Parts, wanted: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes());
    pairs.into_owned().find(|(name, _)| name == wanted).map(|(_, value)| value)
}
