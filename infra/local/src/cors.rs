//! The CORS configuration of the API, as an HTTP API of API Gateway applies it ([documentation]).
//!
//! With a configuration, the gateway answers preflights itself, on every path, and never tells a page of another origin more
//! than a status. For a request with an allowed `Origin`, it adds its CORS headers to the function's response, and replaces those
//! of the function. Errors of the gateway itself get none: the documentation promises them for integrations only.
//!
//! The documentation does not say what a preflight of another origin gets. Here, as observed with HTTP APIs, it is 204
//! without CORS headers, so that the browser refuses the request. Methods and headers are not compared either: the response lists
//! the allowed ones, and the browser compares.
//!
//! [documentation]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    },
    request::Parts,
};
use infra::cors::{API_EXPOSED, API_HEADERS, API_METHODS, MAX_AGE};

/// The headers that the gateway owns once CORS is configured.
const OWNED: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// The CORS configuration of a region's API: none if there is no allowed origin.
#[derive(Debug, Clone)]
pub struct ApiCors(Vec<String>);

impl ApiCors {
    /// The configuration for these allowed origins.
    pub fn new(origins: &[String]) -> Self {
        Self(origins.to_vec())
    }

    /// The answer to a preflight. `None` without a configuration: routes decide then.
    pub fn preflight(&self, parts: &Parts) -> Option<Response> {
        if parts.method != Method::OPTIONS || self.0.is_empty() {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if let (Some(origin), true) =
            (self.allowed(&parts.headers), parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD))
        {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            add(headers, ACCESS_CONTROL_ALLOW_METHODS, &API_METHODS.join(","));
            add(headers, ACCESS_CONTROL_ALLOW_HEADERS, &API_HEADERS.join(","));
            add(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &API_EXPOSED.join(","));
            add(headers, ACCESS_CONTROL_MAX_AGE, &MAX_AGE.to_string());
        }
        Some(response)
    }

    /// The function's response to this request, with the gateway's CORS headers.
    pub fn grant(&self, request: &HeaderMap, mut response: Response) -> Response {
        if self.0.is_empty() {
            return response;
        }
        let headers = response.headers_mut();
        for name in OWNED {
            headers.remove(name);
        }
        if let Some(origin) = self.allowed(request) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            add(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &API_EXPOSED.join(","));
        }
        response
    }

    /// The origin of a request, if it is one of the list.
    fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        headers.get(ORIGIN).filter(|origin| self.0.iter().any(|allowed| *origin == allowed.as_str()))
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://app.example";

    fn answer(origins: &[&str], request: http::request::Builder) -> Response {
        let cors = ApiCors::new(&origins.iter().map(ToString::to_string).collect::<Vec<_>>());
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut answered = Response::new(Body::empty());
        answered.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        cors.preflight(&parts).unwrap_or_else(|| cors.grant(&parts.headers, answered))
    }

    fn origin_of(response: &Response) -> Option<&str> {
        response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn functions_cannot_allow_an_origin_once_there_is_a_list() {
        let from = |origin: &str| http::Request::get("/").header(ORIGIN, origin);
        assert_eq!(origin_of(&answer(&[PAGE], from(PAGE))), Some(PAGE));
        assert_eq!(origin_of(&answer(&[PAGE], from("https://evil.example"))), None);
        assert_eq!(origin_of(&answer(&[PAGE], http::Request::get("/"))), None);
        assert_eq!(
            origin_of(&answer(&[], from("https://evil.example"))),
            Some("*"),
            "without CORS, functions decide"
        );
    }

    #[test]
    fn preflight_without_its_two_headers_allows_nothing() {
        let options = || http::Request::options("/");
        for request in [
            options(),
            options().header(ORIGIN, PAGE),
            options().header(ACCESS_CONTROL_REQUEST_METHOD, "GET"),
            options().header(ORIGIN, "null").header(ACCESS_CONTROL_REQUEST_METHOD, "GET"),
        ] {
            let answer = answer(&[PAGE], request);
            assert_eq!((answer.status(), answer.headers().len()), (StatusCode::NO_CONTENT, 0));
        }
    }
}
