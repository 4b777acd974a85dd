//! Determines the caller and the operation from the signature, target and path of a request.

use http::request::Parts;

use crate::answer::{Refusal, Refused};
use crate::service::{Service, header};
use crate::signature::Signature;

/// The caller and the operation of a request, known before its body is read.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) function: String,
    /// The region in which the function runs; `None` for callers that are no functions.
    pub(crate) home: Option<String>,
    /// The region of the signature.
    pub(crate) region: String,
    pub(crate) request: Option<String>,
}

impl Caller {
    /// The IAM action, for example `dynamodb:GetItem`.
    pub(crate) fn action(&self) -> String {
        format!("{}:{}", self.service.name(), self.operation)
    }
}

/// A request whose headers have been read.
pub(crate) struct Request {
    pub(crate) caller: Caller,
    pub(crate) signature: Signature,
    pub(crate) parts: Parts,
}

/// Reads the credential scope and the operation. The signature is verified later, when the body is available.
pub(crate) fn classify(parts: Parts, region: &str) -> Result<Request, Refused> {
    let guess = Service::guess(&parts);
    let signature = Signature::read(&parts, guess)?;
    let Some(service) = Service::named(&signature.service) else {
        let message = format!("Credential should be scoped to correct service, not '{}'.", signature.service);
        return Err((guess, Refusal::new("InvalidSignatureException", message)));
    };
    if signature.region != region {
        return Err((service, wrong_region(service, &signature.region, region)));
    }
    let operation = match service {
        Service::S3 => s3_operation(&parts).to_owned(),
        Service::Ses => ses_operation(&parts).to_owned(),
        _ => target(&parts).ok_or((service, Refusal::bare("UnknownOperationException")))?,
    };
    let (home, function) = parse_access_key(&signature.access_key);
    let caller = Caller {
        service,
        operation,
        function,
        home,
        region: signature.region.clone(),
        request: trace(&parts),
    };
    Ok(Request { caller, signature, parts })
}

/// The region of the signature, if the request has one.
pub(crate) fn region_of(parts: &Parts) -> Option<String> {
    Signature::read(parts, Service::guess(parts)).ok().map(|signature| signature.region)
}

/// Parses an access key id: `<region>.<function>` for functions, a name without a dot for other callers.
fn parse_access_key(access_key: &str) -> (Option<String>, String) {
    match access_key.split_once('.') {
        Some((home, function)) => (Some(home.to_owned()), function.to_owned()),
        None => (None, access_key.to_owned()),
    }
}

fn wrong_region(service: Service, given: &str, expected: &str) -> Refusal {
    match service {
        Service::S3 => Refusal::new(
            "AuthorizationHeaderMalformed",
            format!(
                "The authorization header is malformed; the region '{given}' is wrong; expecting '{expected}'"
            ),
        ),
        Service::Ses => {
            Refusal::new("InvalidSignatureException", "Credential should be scoped to a valid region.")
                .with_status(403)
        }
        _ => Refusal::new(
            "InvalidSignatureException",
            format!("Credential should be scoped to a valid region, not '{given}'."),
        ),
    }
}

fn target(parts: &Parts) -> Option<String> {
    let (_, operation) = header(parts, "x-amz-target")?.rsplit_once('.')?;
    (!operation.is_empty()).then(|| operation.to_owned())
}

/// Takes the request id from `Root=1-…;Parent=…;Sampled=0;Request=…`. The functions add the last field.
fn trace(parts: &Parts) -> Option<String> {
    let mut fields = header(parts, "x-amzn-trace-id")?.split(';');
    fields.find_map(|field| field.trim().strip_prefix("Request=")).map(str::to_owned)
}

fn ses_operation(parts: &Parts) -> &'static str {
    match (parts.method.as_str(), parts.uri.path()) {
        ("POST", "/v2/email/outbound-emails") => "SendEmail",
        _ => "UnknownOperation",
    }
}

fn s3_operation(parts: &Parts) -> &'static str {
    let query: Vec<&str> = parts
        .uri
        .query()
        .unwrap_or("")
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
        .collect();
    let has = |name: &str| query.contains(&name);
    let path = parts.uri.path().trim_start_matches('/');
    let key = path.split_once('/').map_or("", |(_, key)| key);
    match (path.is_empty(), key.is_empty()) {
        (true, _) => "ListBuckets",
        (false, true) => bucket_operation(parts.method.as_str(), has),
        (false, false) => {
            object_operation(parts.method.as_str(), has, parts.headers.contains_key("x-amz-copy-source"))
        }
    }
}

fn bucket_operation(method: &str, has: impl Fn(&str) -> bool) -> &'static str {
    match method {
        "GET" if has("uploads") => "ListMultipartUploads",
        "GET" if has("location") => "GetBucketLocation",
        "GET" if has("cors") => "GetBucketCORS",
        "GET" if has("lifecycle") => "GetBucketLifecycleConfiguration",
        "GET" if has("versions") => "ListObjectVersions",
        "GET" if has("list-type") => "ListObjectsV2",
        "GET" => "ListObjects",
        "PUT" if has("cors") => "PutBucketCORS",
        "PUT" if has("lifecycle") => "PutBucketLifecycleConfiguration",
        "PUT" => "CreateBucket",
        // S3 has no IAM action for deleting CORS rules; it requires PutBucketCORS.
        "DELETE" if has("cors") => "PutBucketCORS",
        "DELETE" if has("lifecycle") => "DeleteBucketLifecycle",
        "DELETE" => "DeleteBucket",
        "HEAD" => "HeadBucket",
        "POST" if has("delete") => "DeleteObjects",
        _ => "UnknownOperation",
    }
}

fn object_operation(method: &str, has: impl Fn(&str) -> bool, copies: bool) -> &'static str {
    match method {
        "GET" if has("uploadId") => "ListParts",
        "GET" if has("tagging") => "GetObjectTagging",
        "GET" if has("attributes") => "GetObjectAttributes",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "PUT" if has("partNumber") && copies => "UploadPartCopy",
        "PUT" if has("partNumber") => "UploadPart",
        "PUT" if has("tagging") => "PutObjectTagging",
        "PUT" if copies => "CopyObject",
        "PUT" => "PutObject",
        "POST" if has("uploads") => "CreateMultipartUpload",
        "POST" if has("uploadId") => "CompleteMultipartUpload",
        "DELETE" if has("uploadId") => "AbortMultipartUpload",
        "DELETE" if has("tagging") => "DeleteObjectTagging",
        "DELETE" => "DeleteObject",
        _ => "UnknownOperation",
    }
}
