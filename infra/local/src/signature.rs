//! IAM authorization of the routes for other services: verifies Signature Version 4 as API Gateway does ([signing]).
//!
//! The expected signature is made by `aws-sigv4`, with which the SDK signs, from the parts of the request that its signature covers.
//!
//! [signing]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use domain::Timestamp;
use http::{header, request::Parts};
use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

/// The access key id of the one service that can sign. Fixed, like its secret: whatever calls the local platform is configured
/// once, and the platform listens to this machine only.
pub const SERVICE_ACCESS_KEY_ID: &str = "local-service";
/// The secret access key of the same service.
pub const SERVICE_SECRET_ACCESS_KEY: &str = "local-service-secret";
/// The name of its role.
pub const SERVICE_ROLE: &str = "billing-service";

/// The name of API Gateway in a signature.
const SERVICE: &str = "execute-api";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The header with the time of signing.
const DATE: &str = "x-amz-date";
/// A signature is valid for this long before and after its time.
const VALID: SignedDuration = SignedDuration::from_mins(5);

/// Why a request to a route with IAM authorization is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureError {
    /// It is not signed.
    Missing,
    /// The signature is not of this request, of this time, or of the service.
    Invalid,
}

/// The verified signer of a request: the one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer;

impl Signer {
    /// The identity, as API Gateway passes it to a function.
    pub fn identity(self) -> Value {
        let (account, id) = (aws::ACCOUNT, "AROALOCALSERVICE:local");
        json!({
            "accessKey": SERVICE_ACCESS_KEY_ID, "accountId": account, "callerId": id, "cognitoIdentity": null,
            "principalOrgId": null, "userArn": format!("arn:aws:sts::{account}:assumed-role/{SERVICE_ROLE}/local"),
            "userId": id,
        })
    }
}

/// The credentials of the service.
pub fn service_credentials() -> Credentials {
    Credentials::new(SERVICE_ACCESS_KEY_ID, SERVICE_SECRET_ACCESS_KEY, None, None, "local")
}

/// Verifies the signature of a request that arrived at this time in an AWS region.
pub fn verify(parts: &Parts, body: &Bytes, region: &str, now: Timestamp) -> Result<Signer, SignatureError> {
    let mut given = parts.headers.get_all(header::AUTHORIZATION).iter();
    let value = given.next().ok_or(SignatureError::Missing)?;
    let signature = value.to_str().ok().filter(|_| given.next().is_none()).and_then(Signature::read);
    let is_valid = signature.and_then(|signature| signature.is_valid(parts, body, region, now));
    is_valid.filter(|is_valid| *is_valid).map(|_| Signer).ok_or(SignatureError::Invalid)
}

/// The fields of an `Authorization` header.
struct Signature<'a> {
    credential: &'a str,
    headers: Vec<&'a str>,
    given: &'a str,
}

impl<'a> Signature<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let fields: Vec<&str> = text.strip_prefix(ALGORITHM)?.split(',').map(str::trim).collect();
        let field = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name));
        Some(Self {
            credential: field("Credential=")?,
            headers: field("SignedHeaders=")?.split(';').collect(),
            given: field("Signature=")?,
        })
    }

    /// Whether the service made this signature for this request. `None` if a part is missing.
    fn is_valid(&self, parts: &Parts, body: &Bytes, region: &str, now: Timestamp) -> Option<bool> {
        let date = parts.headers.get(DATE)?.to_str().ok()?;
        let at = DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
        let at = TimeZone::UTC.to_timestamp(at).ok()?;
        let (day, _) = date.split_once('T')?;
        let scope = format!("{SERVICE_ACCESS_KEY_ID}/{day}/{region}/{SERVICE}/aws4_request");
        let is_recent = now.duration_since(at).abs() <= VALID;
        if self.credential != scope || !is_recent || !self.covers(parts) {
            return Some(false);
        }
        let expected = self.expected(parts, body, region, at)?;
        Some(expected.as_bytes().ct_eq(self.given.as_bytes()).into())
    }

    /// Whether the signature covers the host, the time and every other header of AWS.
    fn covers(&self, parts: &Parts) -> bool {
        let is_signed = |name: &str| self.headers.contains(&name);
        let mut of_aws = parts.headers.keys().filter(|name| name.as_str().starts_with("x-amz-"));
        is_signed(header::HOST.as_str()) && is_signed(DATE) && of_aws.all(|name| is_signed(name.as_str()))
    }

    /// The signature that the service would make.
    fn expected(&self, parts: &Parts, body: &Bytes, region: &str, at: Timestamp) -> Option<String> {
        let mut headers = Vec::new();
        // The signer adds the time itself.
        for name in self.headers.iter().filter(|name| **name != DATE) {
            // A header that is signed and missing would leave nothing to compare.
            parts.headers.get(*name)?;
            for value in parts.headers.get_all(*name) {
                headers.push((*name, value.to_str().ok()?));
            }
        }
        // The host is among the headers: this one only completes the address.
        let uri = format!("http://local{}", parts.uri.path_and_query()?);
        let identity = Identity::from(service_credentials());
        let mut settings = SigningSettings::default();
        // Of the headers, exactly those that the service signed are here.
        settings.excluded_headers = None;
        let params = SigningParams::builder().identity(&identity).region(region).name(SERVICE);
        let params = params.time(SystemTime::try_from(at).ok()?).settings(settings).build().ok()?.into();
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new(parts.method.as_str(), uri, headers.into_iter(), body).ok()?;
        let (_, signature) = sign(request, &params).ok()?.into_parts();
        Some(signature)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    const REGION: &str = "eu-central-1";
    const BODY: &[u8] = br#"{"plan":"pro"}"#;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn request() -> Request<Bytes> {
        let request = Request::post("/internal/x?b=2&a=%20").header("host", "127.0.0.1:9002");
        let request = request.header("content-type", "application/json").header("user-agent", "billing/1");
        request.body(Bytes::from_static(BODY)).unwrap()
    }

    /// The request, signed at second 0 with these credentials for a service of a region.
    fn signed(credentials: Credentials, region: &str, service: &str) -> Request<Bytes> {
        let mut request = request();
        let identity = Identity::from(credentials);
        let params = SigningParams::builder().identity(&identity).region(region).name(service);
        let params = params.time(SystemTime::try_from(at(0)).unwrap()).settings(SigningSettings::default());
        let params = params.build().unwrap().into();
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let uri = format!("http://127.0.0.1:9002{}", request.uri());
        let signable = SignableRequest::new("POST", uri, headers, SignableBody::Bytes(BODY)).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        request
    }

    fn right() -> Request<Bytes> {
        signed(service_credentials(), REGION, SERVICE)
    }

    fn verified(request: Request<Bytes>, now: i64) -> Result<Signer, SignatureError> {
        let (parts, body) = request.into_parts();
        verify(&parts, &body, REGION, at(now))
    }

    #[test]
    fn signature_of_the_service_is_valid_for_five_minutes() {
        for second in [-300, 0, 300] {
            assert_eq!(verified(right(), second), Ok(Signer), "{second}");
        }
        for second in [-301, 301] {
            assert_eq!(verified(right(), second), Err(SignatureError::Invalid), "{second}");
        }
    }

    #[test]
    fn other_credentials_regions_and_services_are_refused() {
        let key = |id: &str, secret: &str| Credentials::new(id, secret, None, None, "test");
        for (credentials, region, service) in [
            (key(SERVICE_ACCESS_KEY_ID, "another"), REGION, SERVICE),
            (key("another", SERVICE_SECRET_ACCESS_KEY), REGION, SERVICE),
            (service_credentials(), "us-east-1", SERVICE),
            (service_credentials(), REGION, "dynamodb"),
        ] {
            assert_eq!(verified(signed(credentials, region, service), 0), Err(SignatureError::Invalid));
        }
    }

    #[test]
    fn changed_request_is_refused() {
        let changes: [fn(&mut Request<Bytes>); 9] = [
            |request| *request.body_mut() = Bytes::from_static(b"{}"),
            |request| *request.method_mut() = http::Method::GET,
            |request| *request.uri_mut() = "/internal/y?b=2&a=%20".parse().unwrap(),
            |request| *request.uri_mut() = "/internal/x?b=2".parse().unwrap(),
            |request| *request.uri_mut() = "/internal/x?b=2&a=%20&c".parse().unwrap(),
            |request| change(request, "host", "other.example"),
            |request| change(request, DATE, "20260921T141321Z"),
            |request| change(request, "x-amz-security-token", "token"),
            |request| drop(request.headers_mut().remove("content-type")),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut request = right();
            assert_eq!(verified(right(), 0), Ok(Signer));
            change(&mut request);
            assert_eq!(verified(request, 0), Err(SignatureError::Invalid), "{n}");
        }
    }

    fn change(request: &mut Request<Bytes>, name: &'static str, value: &'static str) {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }

    #[test]
    fn order_of_the_query_and_unsigned_headers_do_not_matter() {
        let mut request = right();
        *request.uri_mut() = "/internal/x?a=%20&b=2".parse().unwrap();
        change(&mut request, "user-agent", "a proxy");
        assert_eq!(verified(request, 0), Ok(Signer));
    }

    #[test]
    fn unsigned_host_is_refused() {
        let mut request = right();
        let value = request.headers()[header::AUTHORIZATION].to_str().unwrap().replace(";host", "");
        request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
        assert_eq!(verified(request, 0), Err(SignatureError::Invalid));
    }

    #[test]
    fn request_without_a_signature_is_refused() {
        assert_eq!(verified(request(), 0), Err(SignatureError::Missing));
        for other in
            ["Bearer token", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=, Signature="]
        {
            let mut request = right();
            request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_str(other).unwrap());
            assert_eq!(verified(request, 0), Err(SignatureError::Invalid), "{other}");
        }
        let mut twice = right();
        let value = twice.headers()[header::AUTHORIZATION].clone();
        twice.headers_mut().append(header::AUTHORIZATION, value);
        assert_eq!(verified(twice, 0), Err(SignatureError::Invalid));
    }
}
