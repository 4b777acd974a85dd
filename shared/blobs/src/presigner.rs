//! Creates [presigned URLs] with the signer of the SDK.
//!
//! [presigned URLs]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use domain::{
    Timestamp,
    blob::{BlobKey, BundleLinks, PresignedPut, Presigner},
    ports::Outcome,
};
use jiff::SignedDuration;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::broken;

/// The maximum validity of a presigned URL
/// ([S3](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)).
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// `Cache-Control` of downloads, for browsers and intermediate caches.
const CACHES: &str = "private, no-store";
/// `Cache-Control` of pictures, whose names are never used for another.
const ICON_CACHES: &str = "public, max-age=31536000, immutable";
/// The characters to encode in a query: all but the [unreserved
/// characters](https://www.rfc-editor.org/rfc/rfc3986#section-2.3).
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The characters to encode in a path. Slashes of a key separate path segments.
const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/');

/// The bucket of one region.
pub struct S3Presigner {
    credentials: Credentials,
    region: &'static str,
    bucket: String,
}

impl S3Presigner {
    /// A presigner with these credentials. `bucket` is the URL of the bucket without a trailing slash.
    pub fn new(credentials: Credentials, region: &'static str, bucket: String) -> Self {
        Self { credentials, region, bucket }
    }

    /// The presigned URL of a request with these headers.
    fn sign(
        &self,
        (method, key, query): (&str, &BlobKey, &[(&str, &str)]),
        headers: &[(&str, &str)],
        (from, valid_for): (SystemTime, Duration),
    ) -> Outcome<String> {
        let mut url = format!("{}/{}", self.bucket, utf8_percent_encode(key.as_str(), IN_PATH));
        for (name, value) in query {
            add(&mut url, name, value);
        }
        // S3 differs from other services in these settings.
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(valid_for);
        let identity = self.credentials.clone().into();
        let terms = SigningParams::builder().identity(&identity).region(self.region).name("s3").time(from);
        let terms = terms.settings(settings).build().map_err(broken)?.into();
        let request =
            SignableRequest::new(method, &url, headers.iter().copied(), SignableBody::UnsignedPayload);
        let (signed, _) = sign(request.map_err(broken)?, &terms).map_err(broken)?.into_parts();
        for (name, value) in signed.params() {
            add(&mut url, name, value);
        }
        Ok(url)
    }
}

impl Presigner for S3Presigner {
    fn put(
        &self,
        key: &BlobKey,
        content_type: &str,
        length: u64,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Outcome<PresignedPut> {
        let (terms, expires_at) = terms(now, valid_for)?;
        let length = length.to_string();
        let headers = [("content-type", content_type), ("content-length", &length), ("if-none-match", "*")];
        let url = self.sign(("PUT", key, &[]), &headers, terms)?;
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Ok(PresignedPut { url, headers, expires_at })
    }

    fn get(
        &self,
        key: &BlobKey,
        filename: &str,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Outcome<BundleLinks> {
        let (terms, expires_at) = terms(now, valid_for)?;
        let name = format!("attachment; filename=\"{filename}\"");
        let query = [("response-cache-control", CACHES), ("response-content-disposition", &name)];
        let get = self.sign(("GET", key, &query), &[], terms)?;
        let head = self.sign(("HEAD", key, &query), &[], terms)?;
        Ok(BundleLinks { get, head, expires_at })
    }

    fn icon(&self, key: &BlobKey, now: Timestamp, valid_for: SignedDuration) -> Outcome<String> {
        let (terms, _) = terms(now, valid_for)?;
        let query = [
            ("response-cache-control", ICON_CACHES),
            ("response-content-disposition", "inline"),
            ("response-content-type", "image/png"),
        ];
        self.sign(("GET", key, &query), &[], terms)
    }
}

/// Appends a query parameter to a URL.
fn add(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    url.push_str(name);
    url.push('=');
    url.extend(utf8_percent_encode(value, IN_QUERY));
}

/// The start and validity of a signature, and the time of its expiry, all in whole seconds.
fn terms(now: Timestamp, valid_for: SignedDuration) -> Outcome<((SystemTime, Duration), Timestamp)> {
    if valid_for > WEEK {
        return Err(broken("validity exceeds a week"));
    }
    let from = Timestamp::from_second(now.as_second()).map_err(broken)?;
    let valid_for = SignedDuration::from_secs(valid_for.as_secs());
    let expires_at = from.checked_add(valid_for).map_err(broken)?;
    let since = Duration::try_from(from.as_duration()).map_err(broken)?;
    let start = SystemTime::UNIX_EPOCH.checked_add(since).ok_or_else(|| broken("time out of range"))?;
    Ok(((start, Duration::try_from(valid_for).map_err(broken)?), expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The presigner of the [example in the S3
    /// documentation](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html).
    fn example() -> S3Presigner {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None, "an example");
        S3Presigner::new(credentials, "us-east-1", "https://examplebucket.s3.amazonaws.com".to_owned())
    }

    #[test]
    fn example_of_the_documentation_has_its_signature() {
        let key = BlobKey::listed("test.txt".to_owned());
        let day = (SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600), Duration::from_secs(86_400));
        let url = example().sign(("GET", &key, &[]), &[], day).unwrap();
        let (place, query) = url.split_once('?').unwrap();
        assert_eq!(place, "https://examplebucket.s3.amazonaws.com/test.txt");
        let mut parameters: Vec<&str> = query.split('&').collect();
        parameters.sort_unstable();
        assert_eq!(
            parameters,
            [
                "X-Amz-Algorithm=AWS4-HMAC-SHA256",
                "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request",
                "X-Amz-Date=20130524T000000Z",
                "X-Amz-Expires=86400",
                "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
                "X-Amz-SignedHeaders=host",
            ]
        );
    }

    #[test]
    fn special_characters_in_keys_and_names_are_encoded() {
        let key = BlobKey::listed("exports/a b?c#d%2F+é".to_owned());
        let links = example().get(&key, "a&b=\"c\".zip", Timestamp::UNIX_EPOCH, WEEK).unwrap();
        let place = "https://examplebucket.s3.amazonaws.com/exports/a%20b%3Fc%23d%252F%2B%C3%A9?";
        let name = "response-content-disposition=attachment%3B%20filename%3D%22a%26b%3D%22c%22.zip%22&";
        for url in [&links.get, &links.head] {
            assert!(url.starts_with(place) && url.contains(name), "{url}");
        }
        assert_ne!(links.get, links.head);
    }
}
