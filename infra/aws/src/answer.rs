//! HTTP responses in the wire format of each service.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::{Map, Value, json};

use crate::service::Service;

/// An error that ends a body prematurely.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A request or response body.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
/// A complete HTTP response.
pub(crate) type Answer = Response<Body>;

/// The error codes that all JSON services of AWS share. DynamoDB and SQS put them in a namespace of their own.
const SHARED: [&str; 8] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
];

/// An error of a service: a code, and usually a message.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    code: &'static str,
    message: Option<String>,
    extra: Map<String, Value>,
}

/// A refusal, and the service that determines its format.
pub(crate) type Refused = (Service, Refusal);

impl Refusal {
    /// A client error (status 400) of a JSON service.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: Some(message.into()), extra: Map::new() }
    }

    /// A client error without a message.
    pub(crate) fn bare(code: &'static str) -> Self {
        Self { status: 400, code, message: None, extra: Map::new() }
    }

    /// A server error (status 500). Logs `error`, which the response does not contain.
    pub(crate) fn internal(service: Service, error: &dyn std::fmt::Display) -> Self {
        tracing::error!(service = service.name(), %error, "stand-in failed");
        let code = match service {
            Service::DynamoDb => "InternalServerError",
            Service::Kms => "KMSInternalException",
            Service::SecretsManager => "InternalServiceError",
            Service::Ses => "InternalServiceErrorException",
            Service::Events => "InternalException",
            Service::Sqs => "InternalFailure",
            Service::S3 => "InternalError",
        };
        Self::new(code, "We encountered an internal error. Please try again.").with_status(500)
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a member to the error document.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.extra.insert(name.to_owned(), value);
        self
    }

    /// Renders the error in the format of the service.
    pub(crate) fn answer(self, service: Service) -> Answer {
        match service {
            Service::S3 => self.xml(),
            Service::Ses => self.rest_json(),
            Service::DynamoDb => self.json("application/x-amz-json-1.0", "com.amazonaws.dynamodb.v20120810#"),
            Service::Sqs => self.json("application/x-amz-json-1.0", "com.amazonaws.sqs#"),
            _ => self.json("application/x-amz-json-1.1", ""),
        }
    }

    /// `own` is the namespace of the service's own codes; without one, shared codes have none either.
    fn json(self, content_type: &'static str, own: &str) -> Answer {
        let is_shared = !own.is_empty() && SHARED.contains(&self.code);
        let space = if is_shared { "com.amazon.coral.service#" } else { own };
        let mut body = self.extra;
        body.insert("__type".to_owned(), json!(format!("{space}{}", self.code)));
        if let Some(message) = self.message {
            body.insert("message".to_owned(), json!(message));
        }
        answer(self.status, content_type, Value::Object(body).to_string())
    }

    fn rest_json(self) -> Answer {
        let mut body = self.extra;
        body.insert("message".to_owned(), json!(self.message));
        let mut answer = answer(self.status, "application/json", Value::Object(body).to_string());
        let name = HeaderName::from_static("x-amzn-errortype");
        answer.headers_mut().insert(name, HeaderValue::from_static(self.code));
        answer
    }

    fn xml(self) -> Answer {
        let message = self.message.unwrap_or_default().replace('&', "&amp;").replace('<', "&lt;");
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{message}</Message></Error>",
            self.code
        );
        answer(self.status, "application/xml", body)
    }
}

/// A successful response of a JSON service.
pub(crate) fn success(service: Service, body: &Value) -> Answer {
    let content_type = match service {
        Service::Ses => "application/json",
        Service::DynamoDb | Service::Sqs => "application/x-amz-json-1.0",
        _ => "application/x-amz-json-1.1",
    };
    answer(200, content_type, body.to_string())
}

/// A response with a request id, which every AWS response has.
pub(crate) fn answer(status: u16, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(whole(body.into()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(&crate::durable::uuid()) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    answer
}

/// A body that is already complete.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
