//! What S3's operations ask IAM for ([actions]). The path names bucket and key, and a request to delete several keys names
//! those in its body.
//!
//! [actions]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html

use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use url::form_urlencoded;

use super::{Context, keyed};

/// An action of S3, the bucket or `<bucket>/<key>` that it is on, and the request's condition keys.
type OnFile = (String, String, Context);

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

/// What a request asks for.
pub(super) fn of_files(operation: &str, parts: &Parts, body: &[u8]) -> Vec<OnFile> {
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
        // What there is to be read of an object takes the same.
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
