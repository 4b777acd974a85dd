//! Verifies AWS Signature Version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//!
//! The age of signed headers is not verified, because the local clock may differ from the clock of the SDK. Presigned
//! URLs expire by the local clock.

use std::borrow::Cow;
use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use http::header::HeaderName;
use http::request::Parts;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use crate::account::SECRET_ACCESS_KEY;
use crate::answer::{Refusal, Refused};
use crate::service::{Service, header};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A signature that is not verified yet.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
    date: String,
    headers: Vec<String>,
    given: String,
    /// Whether the signature is in the URL (a presigned URL).
    presigned: bool,
}

impl Signature {
    /// Parses the `Authorization` header, or the query of a presigned URL.
    pub(crate) fn read(parts: &Parts, guess: Service) -> Result<Self, Refused> {
        let query = query(parts);
        let from_query =
            |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string());
        let (credential, headers, given, presigned) =
            match (header(parts, "authorization"), from_query("X-Amz-Credential")) {
                (Some(text), _) => {
                    let Some(fields) = text.strip_prefix(ALGORITHM) else {
                        return Err((guess, incomplete(guess)));
                    };
                    let field =
                        |name| fields.split(',').find_map(|f| f.trim().strip_prefix(name)).map(str::to_owned);
                    (field("Credential="), field("SignedHeaders="), field("Signature="), false)
                }
                (None, Some(credential)) => {
                    (Some(credential), from_query("X-Amz-SignedHeaders"), from_query("X-Amz-Signature"), true)
                }
                (None, None) => return Err((guess, unsigned(guess))),
            };
        let read = || {
            let credential = credential?;
            let mut scope = credential.rsplit('/');
            let (end, service, region, date) = (scope.next()?, scope.next()?, scope.next()?, scope.next()?);
            let access_key = scope.next()?;
            (end == "aws4_request" && !access_key.is_empty()).then_some(())?;
            Some(Self {
                access_key: access_key.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
                date: date.to_owned(),
                headers: headers?.split(';').map(str::to_owned).collect(),
                given: given?,
                presigned,
            })
        };
        read().ok_or_else(|| (guess, incomplete(guess)))
    }

    /// Verifies the signature of a request to a JSON service, including its body.
    pub(crate) fn check(&self, service: Service, parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
        let at = header(parts, "x-amz-date").unwrap_or("");
        self.compare(service, parts, at, &hex(&Sha256::digest(body)))
    }

    /// Whether the request uses a presigned URL.
    pub(crate) fn is_presigned(&self) -> bool {
        self.presigned
    }

    /// Verifies the signature and expiry of a presigned S3 URL.
    pub(crate) fn check_presigned(&self, parts: &Parts, now: Timestamp) -> Result<(), Refusal> {
        let query = query(parts);
        let value = |name: &str| query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
        let at = value("X-Amz-Date");
        let expires = value("X-Amz-Expires").parse::<i64>().ok().filter(|n| (0..=604_800).contains(n));
        let begins =
            DateTime::strptime("%Y%m%dT%H%M%SZ", at).ok().and_then(|t| TimeZone::UTC.to_timestamp(t).ok());
        let (Some(expires), Some(begins)) = (expires, begins) else {
            let message = "X-Amz-Expires must be a number of seconds up to a week, and X-Amz-Date a time";
            return Err(Refusal::new("AuthorizationQueryParametersError", message));
        };
        let age = now.as_second() - begins.as_second();
        if age > expires {
            return Err(Refusal::new("AccessDenied", "Request has expired").with_status(403));
        }
        if age < -900 {
            return Err(Refusal::new("AccessDenied", "Request is not valid yet").with_status(403));
        }
        self.covers(parts)?;
        self.compare(Service::S3, parts, at, "UNSIGNED-PAYLOAD")
    }

    /// Checks that the signature covers [the required headers]: the host and all `x-amz-` headers.
    ///
    /// [the required headers]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    fn covers(&self, parts: &Parts) -> Result<(), Refusal> {
        let is_signed = |name: &str| self.headers.iter().any(|signed| signed == name);
        let mut names = parts.headers.keys().map(HeaderName::as_str);
        match is_signed("host") && names.all(|name| !name.starts_with("x-amz-") || is_signed(name)) {
            true => Ok(()),
            false => {
                let message = "There were headers present in the request which were not signed";
                Err(Refusal::new("AccessDenied", message).with_status(403))
            }
        }
    }

    fn compare(&self, service: Service, parts: &Parts, at: &str, payload: &str) -> Result<(), Refusal> {
        let request = self.canonical(service, parts, payload);
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let text = format!("{ALGORITHM}\n{at}\n{scope}\n{}", hex(&Sha256::digest(request)));
        let key = [self.date.as_str(), &self.region, &self.service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{SECRET_ACCESS_KEY}").into_bytes(), |key, part| mac(&key, part.as_bytes()));
        let right = hex(&mac(&key, text.as_bytes()));
        match right.as_bytes().ct_eq(self.given.as_bytes()).into() {
            true => Ok(()),
            false => Err(mismatch(service)),
        }
    }

    fn canonical(&self, service: Service, parts: &Parts, payload: &str) -> String {
        let path = parts.uri.path();
        // S3 signs the path as sent; other services sign the path after encoding it once more.
        let path = if service == Service::S3 { path.to_owned() } else { encode(path, true) };
        let mut pairs: Vec<String> = query(parts)
            .iter()
            .filter(|(name, _)| name != "X-Amz-Signature")
            .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
            .collect();
        pairs.sort();
        let mut text = format!("{}\n{path}\n{}\n", parts.method, pairs.join("&"));
        for name in &self.headers {
            let values: Vec<String> = parts
                .headers
                .get_all(name)
                .iter()
                .map(|value| {
                    String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" ")
                })
                .collect();
            // Writing to a String can't fail.
            let _ = writeln!(text, "{name}:{}", values.join(","));
        }
        let _ = write!(text, "\n{}\n{payload}", self.headers.join(";"));
        text
    }
}

fn query(parts: &Parts) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    // In a signed URL, `%20` is a space and `+` is a literal plus.
    let text = parts.uri.query().unwrap_or("").replace('+', "%2B");
    form_urlencoded::parse(text.as_bytes()).into_owned().map(|(k, v)| (k.into(), v.into())).collect()
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn encode(text: &str, keep_slash: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte))
            }
            b'/' if keep_slash => encoded.push('/'),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unsigned(service: Service) -> Refusal {
    match service {
        Service::S3 => Refusal::new("AccessDenied", "Access Denied").with_status(403),
        Service::DynamoDb => Refusal::new(
            "MissingAuthenticationTokenException",
            "Request must contain either a valid (registered) AWS access key ID or X.509 certificate.",
        ),
        Service::Ses => Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token")
            .with_status(403),
        _ => Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token"),
    }
}

fn incomplete(service: Service) -> Refusal {
    match service {
        Service::S3 => {
            Refusal::new("AuthorizationHeaderMalformed", "The authorization that you provided is not valid.")
        }
        _ => Refusal::new(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.",
        ),
    }
}

fn mismatch(service: Service) -> Refusal {
    let message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                   Access Key and signing method. Consult the service documentation for details.";
    match service {
        Service::S3 => Refusal::new("SignatureDoesNotMatch", message).with_status(403),
        Service::Ses => Refusal::new("InvalidSignatureException", message).with_status(403),
        _ => Refusal::new("InvalidSignatureException", message),
    }
}
