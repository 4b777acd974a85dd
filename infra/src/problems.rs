//! Which problems an operation may answer with, and what they look like.

use std::collections::{BTreeMap, BTreeSet};

use domain::role::Role;
use http::StatusCode;
use kit::{Access, Code, Spec, caller::needed_role, problem::Document, spec::Method::Get};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::{functions::Operation, schemas::Part};

/// Codes that share a status.
pub type Codes = BTreeMap<u16, BTreeSet<Code>>;

/// What can go wrong, by status: what dispatch, access and input bring, and what the endpoint names itself.
pub fn of(operation: &Operation) -> Codes {
    let spec = &operation.spec;
    // Unknown parameters are refused everywhere, and so are bodies above the limit.
    let mut codes = vec![
        Code::BadRequest,
        Code::ValidationError,
        Code::PayloadTooLarge,
        Code::InternalError,
        Code::Unavailable,
    ];
    codes.extend(spec.problems);
    codes.extend(of_access(spec));
    if operation.body.is_some() {
        codes.push(Code::UnsupportedMediaType);
    }
    if spec.once {
        codes.push(Code::IdempotencyKeyReused);
    }
    let mut by_status = Codes::new();
    for code in codes {
        by_status.entry(code.status()).or_default().insert(code);
    }
    by_status
}

fn of_access(spec: &Spec) -> Vec<Code> {
    let mut codes = Vec::new();
    if spec.is_private() {
        codes.push(Code::Unauthorized);
        if spec.method != Get {
            codes.push(Code::CsrfTokenRequired);
        }
        if spec.access != Access::Person {
            codes.push(Code::OnboardingRequired);
        }
    }
    if needed_role(spec.access).is_some_and(|role| role > Role::Viewer) {
        codes.push(Code::Forbidden);
    }
    if spec.takes_owner() {
        codes.push(Code::NotFound);
    }
    if spec.takes_key() {
        codes.push(Code::RateLimited);
    }
    codes
}

/// The responses of an operation with these problems, as references to [`shared`] ones.
pub fn responses(codes: &Codes) -> Map<String, Value> {
    let reference = |codes| json!({ "$ref": format!("#/components/responses/{}", name(codes)) });
    codes.iter().map(|(status, codes)| (status.to_string(), reference(codes))).collect()
}

/// The responses that operations refer to, by name.
pub fn shared<'a>(all: impl IntoIterator<Item = &'a Codes>) -> Map<String, Value> {
    let sets = all.into_iter().flatten();
    sets.map(|(status, codes)| (name(codes), response(*status, codes))).collect()
}

/// `Unauthorized` alone, `Unauthorized.InvalidCredentials` together.
fn name(codes: &BTreeSet<Code>) -> String {
    codes.iter().map(|code| format!("{code:?}")).collect::<Vec<_>>().join(".")
}

fn response(status: u16, codes: &BTreeSet<Code>) -> Value {
    let title =
        StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let mut headers = Map::from_iter([("X-Request-Id".to_owned(), header("RequestId"))]);
    match status {
        401 => drop(headers.insert("WWW-Authenticate".to_owned(), header("Challenge"))),
        429 | 503 => drop(headers.insert("Retry-After".to_owned(), header("RetryAfter"))),
        _ => {}
    }
    json!({
        "description": format!("{title}: {}", codes.join(", ")),
        "headers": headers,
        "content": { "application/problem+json": { "schema": {
            "allOf": [{ "$ref": "#/components/schemas/Problem" }],
            "properties": { "status": { "const": status }, "code": { "enum": codes } },
        } } },
    })
}

/// A reference to one of [`headers`].
pub fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// The headers that responses refer to.
pub fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "Names the request in our logs.",
            "required": true,
            "schema": { "type": "string" },
        },
        "RetryAfter": {
            "description": "When to try again, in seconds.",
            "required": true,
            "schema": { "type": "integer", "minimum": 0 },
        },
        "Challenge": {
            "description": "How to authenticate (RFC 9110).",
            "schema": { "type": "string" },
        },
        "RateLimit": {
            "description": "What is left of an API key's window (the RateLimit header fields draft). Only to keys.",
            "schema": { "type": "string" },
        },
        "RateLimitPolicy": {
            "description": "An API key's windows (the RateLimit header fields draft). Only to keys.",
            "schema": { "type": "string" },
        },
    })
}

/// The schema of every problem document.
pub fn document() -> Part {
    let settings =
        SchemaSettings::draft2020_12().with(|it| it.definitions_path = "/components/schemas".into());
    let mut generator = settings.for_serialize().into_generator();
    let root = generator.subschema_for::<Document<'static>>().to_value();
    Part::new("problem", root, &mut generator)
}
