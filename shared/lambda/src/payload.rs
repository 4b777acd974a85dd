//! Converts between HTTP and API Gateway's [payload format 2.0]: events to requests, and responses to results.
//!
//! [payload format 2.0]:
//! https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

use std::{collections::BTreeMap, net::IpAddr};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use kit::{ServiceCaller, dispatch::NetworkAddress, routes::PathParams};
use lambda_http::{Body, aws_lambda_events::apigw::ApiGatewayV2httpResponse};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// The characters to encode in the query of a URI.
const QUERY: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'\\');
/// The characters to encode in the path of a URI. API Gateway decodes the path, so a percent sign is literal.
const PATH: &AsciiSet = &QUERY.add(b'%').add(b'?').add(b'^').add(b'|').add(b'[').add(b']');

/// A request as API Gateway hands it to a function. What no function looks at is passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiGatewayEvent {
    /// The decoded path.
    raw_path: String,
    /// The query as sent.
    #[serde(default)]
    raw_query_string: String,
    /// The cookies of all `Cookie` headers, one per item.
    cookies: Option<Vec<String>>,
    /// Header names in lower case; several values of a header are joined by commas.
    headers: Option<BTreeMap<String, String>>,
    /// The path parameters, decoded.
    path_parameters: Option<BTreeMap<String, String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: Context,
}

#[derive(Debug, Deserialize)]
struct Context {
    http: Http,
    /// What the gateway's authorization of the route found.
    authorizer: Option<Authorizer>,
}

#[derive(Debug, Deserialize)]
struct Authorizer {
    iam: Option<IamIdentity>,
}

/// The signer of a request to a route with IAM authorization.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IamIdentity {
    user_arn: Option<String>,
}

impl Context {
    /// The service that signed the request, if the gateway verified a signature.
    fn service(&self) -> Option<ServiceCaller> {
        let identity = self.authorizer.as_ref()?.iam.as_ref()?;
        ServiceCaller::from_arn(identity.user_arn.as_deref()?)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: Option<IpAddr>,
}

/// An event that is not a valid request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {0} in the event")]
pub struct InvalidEvent(&'static str);

impl TryFrom<ApiGatewayEvent> for Request<Bytes> {
    type Error = InvalidEvent;

    fn try_from(event: ApiGatewayEvent) -> Result<Self, InvalidEvent> {
        let service = event.request_context.service();
        let Http { method, source_ip } = event.request_context.http;
        let body = match event.body {
            Some(text) if event.is_base64_encoded => {
                BASE64_STANDARD.decode(text).map_err(|_| InvalidEvent("body"))?.into()
            }
            body => Bytes::from(body.unwrap_or_default()),
        };
        let mut request = Self::new(body);
        *request.method_mut() =
            Method::from_bytes(method.as_bytes()).map_err(|_| InvalidEvent("requestContext"))?;
        *request.uri_mut() = uri(&event.raw_path, &event.raw_query_string)?;
        *request.headers_mut() =
            headers(event.headers.unwrap_or_default(), &event.cookies.unwrap_or_default())?;
        let path = event.path_parameters.unwrap_or_default().into_iter().collect();
        request.extensions_mut().insert(PathParams(path));
        if let Some(address) = source_ip {
            request.extensions_mut().insert(NetworkAddress(address));
        }
        if let Some(service) = service {
            request.extensions_mut().insert(service);
        }
        Ok(request)
    }
}

fn uri(path: &str, query: &str) -> Result<Uri, InvalidEvent> {
    if !path.starts_with('/') {
        return Err(InvalidEvent("rawPath"));
    }
    let path = utf8_percent_encode(path, PATH);
    let uri = match query {
        "" => path.to_string(),
        query => format!("{path}?{}", utf8_percent_encode(query, QUERY)),
    };
    uri.parse().map_err(|_| InvalidEvent("rawPath"))
}

fn headers(given: BTreeMap<String, String>, cookies: &[String]) -> Result<HeaderMap, InvalidEvent> {
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).map_err(|_| InvalidEvent("headers"));
    let mut headers = HeaderMap::with_capacity(given.len() + 1);
    for (name, text) in given {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidEvent("headers"))?;
        headers.append(name, value(&text)?);
    }
    if !cookies.is_empty() {
        headers.insert(header::COOKIE, value(&cookies.join("; "))?);
    }
    Ok(headers)
}

/// The response of a function.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ApiGatewayResponse(ApiGatewayV2httpResponse);

impl From<Response<Bytes>> for ApiGatewayResponse {
    fn from(response: Response<Bytes>) -> Self {
        let (mut parts, body) = response.into_parts();
        let mut answer = ApiGatewayV2httpResponse::default();
        answer.status_code = parts.status.as_u16().into();
        // Cookies can't be joined.
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        answer.cookies = parts.headers.get_all(header::SET_COOKIE).iter().map(text).collect();
        parts.headers.remove(header::SET_COOKIE);
        // Several values of a header are joined by commas, because the format has only one value per header.
        for name in parts.headers.keys() {
            let values: Vec<&[u8]> = parts.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b","[..])) {
                answer.headers.insert(name, joined);
            }
        }
        (answer.body, answer.is_base64_encoded) = match String::from_utf8(body.into()) {
            Ok(text) => (Some(Body::Text(text)), false),
            Err(error) => (Some(Body::Binary(error.into_bytes())), true),
        };
        Self(answer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A `POST` request to `/api/x` with additional members.
    fn request(members: Value) -> Result<Request<Bytes>, InvalidEvent> {
        let mut event = json!({
            "version": "2.0", "rawPath": "/api/x", "rawQueryString": "", "isBase64Encoded": false,
            "requestContext": { "http": { "method": "POST", "sourceIp": "192.0.2.1" }, "stage": "$default" },
        });
        event.as_object_mut().unwrap().extend(members.as_object().cloned().unwrap());
        serde_json::from_value::<ApiGatewayEvent>(event).unwrap().try_into()
    }

    #[test]
    fn event_becomes_a_request_with_method_body_and_address() {
        let request = request(json!({ "body": "{}", "cookies": null, "headers": null })).unwrap();
        assert_eq!((request.method(), request.uri().to_string()), (&Method::POST, "/api/x".to_owned()));
        assert_eq!(request.body(), "{}");
        let address = request.extensions().get::<NetworkAddress>().unwrap().0;
        assert_eq!(address, "192.0.2.1".parse::<IpAddr>().unwrap());
    }

    /// The service that a request comes from, if the gateway adds this to its context.
    fn service(context: &Value) -> Option<ServiceCaller> {
        let mut members = json!({
            "http": { "method": "POST", "sourceIp": "192.0.2.1" }, "stage": "$default",
        });
        members.as_object_mut().unwrap().extend(context.as_object().cloned().unwrap());
        let request = request(json!({ "requestContext": members })).unwrap();
        request.extensions().get().cloned()
    }

    #[test]
    fn service_is_the_role_that_the_gateway_verified() {
        let arn = "arn:aws:sts::123456789012:assumed-role/billing-service/one";
        let iam = json!({
            "accessKey": "ASIAEXAMPLE", "accountId": "123456789012", "callerId": "AROAEXAMPLE:one",
            "cognitoIdentity": null, "principalOrgId": "o-example", "userArn": arn, "userId": "AROAEXAMPLE:one",
        });
        let found = service(&json!({ "authorizer": { "iam": iam } }));
        assert_eq!(found, ServiceCaller::from_arn(arn));
        assert!(found.is_some());
        for context in [
            json!({}),
            json!({ "authorizer": null }),
            json!({ "authorizer": { "iam": null } }),
            json!({ "authorizer": { "iam": { "userArn": null } } }),
            json!({ "authorizer": { "iam": { "userArn": "arn:aws:iam::123456789012:user/admin" } } }),
            json!({ "authorizer": { "lambda": { "userArn": arn } } }),
            json!({ "authorizer": { "jwt": { "claims": { "userArn": arn } } } }),
            json!({ "identity": { "userArn": arn }, "iam": iam }),
        ] {
            assert_eq!(service(&context), None, "{context}");
        }
    }

    #[test]
    fn neither_header_nor_body_brings_a_service() {
        let arn = "arn:aws:sts::123456789012:assumed-role/billing-service/one";
        let authorizer = json!({ "authorizer": { "iam": { "userArn": arn } } });
        let context = authorizer.to_string();
        let sent = json!({
            "headers": {
                "x-amzn-requestcontext": context, "requestcontext": context, "x-amz-userarn": arn,
                "authorization": format!("AWS4-HMAC-SHA256 Credential={arn}"),
            },
            "body": json!({ "requestContext": authorizer }).to_string(), "authorizer": authorizer["authorizer"],
        });
        assert!(request(sent).unwrap().extensions().get::<ServiceCaller>().is_none());
    }

    #[test]
    fn base64_body_is_decoded_and_missing_body_is_empty() {
        let binary = request(json!({ "body": "AP9h", "isBase64Encoded": true })).unwrap();
        assert_eq!(binary.body().as_ref(), [0, 255, b'a']);
        assert!(request(json!({})).unwrap().body().is_empty());
        let broken = request(json!({ "body": "?", "isBase64Encoded": true }));
        assert_eq!(broken.unwrap_err(), InvalidEvent("body"));
    }

    #[test]
    fn cookies_become_one_header() {
        let cookies = json!({ "cookies": ["a=1", "b=2; 3"], "headers": { "x-a": "1,2", "x-b": "é" } });
        let request = request(cookies).unwrap();
        assert_eq!(request.headers().get("cookie").unwrap(), "a=1; b=2; 3");
        assert_eq!(request.headers().get("x-a").unwrap(), "1,2");
        assert_eq!(request.headers().get("x-b").unwrap().as_bytes(), "é".as_bytes());
    }

    #[test]
    fn query_is_unchanged_and_path_is_decoded_once() {
        let odd = json!({
            "rawPath": "/api/é %2F?", "rawQueryString": "a=%20&a=2&b=%ff&c={|}",
            "pathParameters": { "name": "é %2F?" },
        });
        let request = request(odd).unwrap();
        assert_eq!(request.uri().path(), "/api/%C3%A9%20%252F%3F");
        assert_eq!(request.uri().query().unwrap(), "a=%20&a=2&b=%ff&c=%7B|%7D");
        let PathParams(params) = request.extensions().get().unwrap();
        assert_eq!(params, &[("name".to_owned(), "é %2F?".to_owned())]);
    }

    #[test]
    fn invalid_event_is_refused() {
        assert_eq!(request(json!({ "rawPath": "api" })).unwrap_err(), InvalidEvent("rawPath"));
        assert_eq!(request(json!({ "headers": { "x": "a\nb" } })).unwrap_err(), InvalidEvent("headers"));
        let method = json!({ "requestContext": { "http": { "method": "A B", "sourceIp": null } } });
        assert_eq!(request(method).unwrap_err(), InvalidEvent("requestContext"));
    }

    #[test]
    fn response_keeps_all_headers_and_cookies() {
        let response = Response::builder().status(201).header("vary", "a").header("vary", "b");
        let response = response.header("set-cookie", "a=1, 2").header("set-cookie", "b=2");
        let answer = ApiGatewayResponse::from(response.body(Bytes::from_static(b"{}")).unwrap());
        let expected = json!({
            "statusCode": 201, "headers": { "vary": "a,b" }, "multiValueHeaders": {}, "cookies": ["a=1, 2", "b=2"],
            "body": "{}", "isBase64Encoded": false,
        });
        assert_eq!(serde_json::to_value(answer).unwrap(), expected);
        let binary = ApiGatewayResponse::from(Response::new(Bytes::from_static(&[0, 255, b'a'])));
        let binary = serde_json::to_value(binary).unwrap();
        assert_eq!((&binary["body"], &binary["isBase64Encoded"]), (&json!("AP9h"), &json!(true)));
    }
}
