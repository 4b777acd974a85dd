//! Converts requests to events and function results to responses, in [payload format 2.0] of API Gateway.
//!
//! [payload format 2.0]:
//! https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

use std::{collections::BTreeMap, net::IpAddr};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::signature::Signer;

/// The content types, in addition to `text/*`, whose bodies are passed as text. All other bodies are passed in base64.
/// This behaviour is undocumented, but was [measured].
///
/// [measured]: https://github.com/ministackorg/ministack/pull/766
const TEXT_TYPES: [&str; 3] = ["application/json", "application/javascript", "application/xml"];

/// A request with its route.
pub struct IncomingRequest<'a> {
    /// The request id of the gateway.
    pub id: &'a str,
    /// The time of arrival.
    pub at: Timestamp,
    /// The client's IP address.
    pub client: IpAddr,
    /// The path of the route, with `{name}` placeholders.
    pub route: &'a str,
    /// The values of the placeholders, as sent.
    pub params: Vec<(&'a str, &'a str)>,
    /// Method, URI and headers.
    pub parts: &'a Parts,
    /// The body.
    pub body: &'a Bytes,
    /// The signer, on a route with IAM authorization.
    pub signer: Option<Signer>,
}

impl IncomingRequest<'_> {
    /// The event for the function.
    pub fn event(&self) -> Bytes {
        let (method, uri) = (self.parts.method.as_str(), &self.parts.uri);
        let (path, query) = (decoded(uri.path()), uri.query().unwrap_or_default());
        let route = format!("{method} {}", self.route);
        let mut headers = headers(&self.parts.headers);
        headers.insert("x-forwarded-for".to_owned(), self.client.to_string().into());
        headers.insert("x-forwarded-proto".to_owned(), "http".into());
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let mut context = json!({
            "accountId": aws::ACCOUNT, "apiId": "local", "domainName": header("host"), "domainPrefix": "local",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": self.client,
                "userAgent": header("user-agent"),
            },
            "requestId": self.id, "routeKey": route, "stage": "$default",
            "time": self.at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": self.at.as_millisecond(),
        });
        if let (Some(signer), Some(context)) = (&self.signer, context.as_object_mut()) {
            context.insert("authorizer".to_owned(), json!({ "iam": signer.identity() }));
        }
        let mut event = json!({
            "version": "2.0", "routeKey": route, "rawPath": path, "rawQueryString": query, "headers": headers,
            "requestContext": context, "isBase64Encoded": false,
        });
        let params = self.params.iter().map(|(name, value)| (name.to_string(), decoded(value).into()));
        let cookies = cookies(&self.parts.headers);
        let (body, base64) = self.body_as_text();
        // API Gateway omits empty members.
        let maybe = [
            ("cookies", (!cookies.is_empty()).then(|| cookies.into())),
            ("queryStringParameters", some_object(parameters(query))),
            ("pathParameters", some_object(params.collect())),
            ("body", body.map(Value::from)),
            ("isBase64Encoded", Some(base64.into())),
        ];
        for (name, value) in maybe {
            if let (Some(event), Some(value)) = (event.as_object_mut(), value) {
                event.insert(name.to_owned(), value);
            }
        }
        event.to_string().into()
    }

    fn body_as_text(&self) -> (Option<String>, bool) {
        if self.body.is_empty() {
            return (None, false);
        }
        let given = self.parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = given.and_then(|given| given.split(';').next()).unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        let is_text = essence.starts_with("text/") || TEXT_TYPES.contains(&essence.as_str());
        match std::str::from_utf8(self.body) {
            Ok(text) if is_text => (Some(text.to_owned()), false),
            // JSON that is not valid UTF-8 can't be embedded as text.
            _ => (Some(BASE64_STANDARD.encode(self.body)), true),
        }
    }
}

fn some_object(members: Map<String, Value>) -> Option<Value> {
    (!members.is_empty()).then(|| members.into())
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Header names in lower case; several values of a header are joined. Cookies have their own member.
fn headers(given: &HeaderMap) -> Map<String, Value> {
    let joined = |name: &HeaderName| {
        let values: Vec<String> = given.get_all(name).iter().map(text).collect();
        (name.as_str().to_owned(), values.join(",").into())
    };
    given.keys().filter(|name| **name != header::COOKIE).map(joined).collect()
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let given: Vec<String> = headers.get_all(header::COOKIE).iter().map(text).collect();
    let pairs = given.iter().flat_map(|value| value.split(';')).map(str::trim);
    pairs.filter(|pair| !pair.is_empty()).map(str::to_owned).collect()
}

/// Query parameters; several values of a parameter are joined.
fn parameters(query: &str) -> Map<String, Value> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        parameters.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    parameters.into_iter().map(|(name, values)| (name, values.join(",").into())).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionResponse {
    status_code: u16,
    headers: Option<BTreeMap<String, String>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Converts the result of a function to a response. Returns `None` if the result is invalid.
pub fn response(answer: &[u8]) -> Option<Response<Bytes>> {
    let answer: FunctionResponse = serde_json::from_slice(answer).ok()?;
    let body = match answer.body.unwrap_or_default() {
        text if answer.is_base64_encoded => BASE64_STANDARD.decode(text).ok()?.into(),
        text => Bytes::from(text),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).ok();
    for (name, text) in answer.headers.unwrap_or_default() {
        response.headers_mut().append(HeaderName::from_bytes(name.as_bytes()).ok()?, value(&text)?);
    }
    for cookie in answer.cookies.unwrap_or_default() {
        response.headers_mut().append(header::SET_COOKIE, value(&cookie)?);
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn event(request: http::request::Builder, body: &'static [u8]) -> Value {
        event_of(request, body, None)
    }

    fn event_of(request: http::request::Builder, body: &'static [u8], signer: Option<Signer>) -> Value {
        let (parts, body) = request.body(Bytes::from_static(body)).unwrap().into_parts();
        let arrived = IncomingRequest {
            id: "id=",
            at: Timestamp::from_second(1_583_348_638).unwrap(),
            client: "192.0.2.1".parse().unwrap(),
            route: "/api/{name}",
            params: vec![("name", "a%20b%2520")],
            parts: &parts,
            body: &body,
            signer,
        };
        serde_json::from_slice(&arrived.event()).unwrap()
    }

    #[test]
    fn event_has_the_format_of_api_gateway() {
        let request = Request::post("/api/a%20b%2520?x=1&y=%20&x=2").header("Host", "api.example");
        let request = request.header("X-Two", "a").header("X-Two", "b").header("Cookie", "k=v; l=w");
        let request =
            request.header("Cookie", "m=x").header("Content-Type", "Application/JSON; charset=utf-8");
        let expected = json!({
            "version": "2.0",
            "routeKey": "POST /api/{name}",
            "rawPath": "/api/a b%20",
            "rawQueryString": "x=1&y=%20&x=2",
            "cookies": ["k=v", "l=w", "m=x"],
            "headers": {
                "host": "api.example", "x-two": "a,b", "content-type": "Application/JSON; charset=utf-8",
                "x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "http",
            },
            "queryStringParameters": { "x": "1,2", "y": " " },
            "pathParameters": { "name": "a b%20" },
            "requestContext": {
                "accountId": "000000000000", "apiId": "local", "domainName": "api.example",
                "domainPrefix": "local",
                "http": {
                    "method": "POST", "path": "/api/a b%20", "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1", "userAgent": null,
                },
                "requestId": "id=", "routeKey": "POST /api/{name}", "stage": "$default",
                "time": "04/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_000_i64,
            },
            "body": "{}",
            "isBase64Encoded": false,
        });
        assert_eq!(event(request, b"{}"), expected);
    }

    #[test]
    fn signer_is_in_the_event_of_a_signed_request_only() {
        let signed = event_of(Request::post("/internal/x"), b"{}", Some(Signer));
        let arn = "arn:aws:sts::000000000000:assumed-role/billing-service/local";
        assert_eq!(signed.pointer("/requestContext/authorizer/iam/userArn"), Some(&json!(arn)));
        assert_eq!(event(Request::post("/internal/x"), b"{}")["requestContext"].get("authorizer"), None);
    }

    #[test]
    fn empty_members_are_omitted() {
        let event = event(Request::get("/api/x"), b"");
        for member in ["cookies", "queryStringParameters", "body"] {
            assert_eq!(event.get(member), None);
        }
    }

    #[test]
    fn bodies_that_are_not_text_are_in_base64() {
        for (content_type, body, expected) in [
            ("text/plain", b"a".as_slice(), ("a", false)),
            ("application/x-www-form-urlencoded", b"a", ("YQ==", true)),
            ("application/problem+json", b"a", ("YQ==", true)),
            ("", b"a", ("YQ==", true)),
            ("application/json", b"\xff", ("/w==", true)),
        ] {
            let event = event(Request::post("/api/x").header("content-type", content_type), body);
            assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(expected.0), &json!(expected.1)));
        }
    }

    #[test]
    fn result_becomes_a_response() {
        let answer = json!({
            "statusCode": 201, "headers": { "Vary": "a,b" }, "cookies": ["a=1", "b=2"], "body": "AP9h",
            "isBase64Encoded": true,
        });
        let response = response(answer.to_string().as_bytes()).unwrap();
        assert_eq!((response.status().as_u16(), response.body().as_ref()), (201, [0, 255, b'a'].as_slice()));
        assert_eq!(response.headers().get("vary").unwrap(), "a,b");
        assert_eq!(response.headers().get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    }

    #[test]
    fn invalid_result_is_none() {
        for odd in ["", "{}", "null", r#"{"statusCode":1}"#, r#"{"statusCode":200,"headers":{"a\n":"b"}}"#] {
            assert!(response(odd.as_bytes()).is_none(), "{odd}");
        }
    }
}
