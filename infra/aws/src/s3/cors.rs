//! Evaluates the [CORS] rules of buckets. A preflight request is unsigned, and only its CORS headers matter.
//!
//! [CORS]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap,
    HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::request::Parts;
use s3s::dto::CORSRule;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Refusal, answer};
use crate::service::{Service, header};

const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
const NO_MATCH: &str = "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, \
                        request method / Access-Control-Request-Method or Access-Control-Request-Headers are not \
                        whitelisted by the resource's CORS spec.";

/// A CORS rule of a bucket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Rule {
    id: Option<String>,
    origins: Vec<String>,
    methods: Vec<String>,
    headers: Vec<String>,
    exposed: Vec<String>,
    max_age: Option<i32>,
}

impl From<CORSRule> for Rule {
    fn from(rule: CORSRule) -> Self {
        Self {
            id: rule.id,
            origins: rule.allowed_origins,
            methods: rule.allowed_methods,
            headers: rule.allowed_headers.unwrap_or_default(),
            exposed: rule.expose_headers.unwrap_or_default(),
            max_age: rule.max_age_seconds,
        }
    }
}

impl From<Rule> for CORSRule {
    fn from(rule: Rule) -> Self {
        let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        Self {
            id: rule.id,
            allowed_origins: rule.origins,
            allowed_methods: rule.methods,
            allowed_headers: some(rule.headers),
            expose_headers: some(rule.exposed),
            max_age_seconds: rule.max_age,
        }
    }
}

impl Rule {
    fn covers(&self, origin: &str, method: &str, headers: &[String]) -> bool {
        let is_allowed = |header: &String| {
            self.headers.iter().any(|allowed| matches(&allowed.to_ascii_lowercase(), header))
        };
        self.origins.iter().any(|allowed| matches(allowed, origin))
            && self.methods.iter().any(|allowed| allowed == method)
            && headers.iter().all(is_allowed)
    }

    /// The CORS response headers for this origin.
    fn grant(&self, origin: &str) -> HeaderMap {
        let mut grant = HeaderMap::new();
        let everybody = self.origins.iter().any(|allowed| allowed == "*");
        add(&mut grant, ACCESS_CONTROL_ALLOW_ORIGIN, if everybody { "*" } else { origin });
        add(&mut grant, ACCESS_CONTROL_ALLOW_METHODS, &self.methods.join(", "));
        add(&mut grant, ACCESS_CONTROL_EXPOSE_HEADERS, &self.exposed.join(", "));
        if !everybody {
            add(&mut grant, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        if let Some(seconds) = self.max_age {
            add(&mut grant, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        add(&mut grant, VARY, VARIES);
        grant
    }
}

/// Whether the text matches a pattern with at most one `*`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// Answers a preflight request to a bucket with these rules.
pub(super) fn preflight(rules: &[Rule], parts: &Parts) -> Answer {
    let refused =
        |status, code, message: &str| Refusal::new(code, message).with_status(status).answer(Service::S3);
    let Some(origin) = header(parts, ORIGIN.as_str()) else {
        return refused(400, "BadRequest", "Insufficient information. Origin request header needed.");
    };
    let Some(method) = header(parts, "access-control-request-method") else {
        return refused(400, "BadRequest", "Invalid Access-Control-Request-Method: null");
    };
    let headers = header(parts, "access-control-request-headers").unwrap_or_default();
    let headers: Vec<String> = headers.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    let headers: Vec<String> = headers.into_iter().filter(|name| !name.is_empty()).collect();
    if rules.is_empty() {
        return refused(403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.");
    }
    let Some(rule) = rules.iter().find(|rule| rule.covers(origin, method, &headers)) else {
        return refused(403, "AccessForbidden", NO_MATCH);
    };
    let mut allowed = answer(200, "application/xml", String::new());
    allowed.headers_mut().extend(rule.grant(origin));
    add(allowed.headers_mut(), ACCESS_CONTROL_ALLOW_HEADERS, &headers.join(", "));
    allowed
}

/// The CORS headers of a response, if one of the bucket's rules covers the request. Without them, browsers hide the response from the
/// page.
pub(super) fn grant(rules: &[Rule], parts: &Parts) -> HeaderMap {
    let Some(origin) = header(parts, ORIGIN.as_str()) else { return HeaderMap::new() };
    let rule = rules.iter().find(|rule| rule.covers(origin, parts.method.as_str(), &[]));
    rule.map(|rule| rule.grant(origin)).unwrap_or_default()
}
