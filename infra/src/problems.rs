//! The problem responses of operations.

use std::collections::{BTreeMap, BTreeSet};

use domain::role::Role;
use http::StatusCode;
use kit::{
    Code, Spec,
    access::{CredentialKind, Scope},
    problem::Document,
    spec::Method::Get,
};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::{functions::Operation, schemas::SchemaPart};

/// Problem codes grouped by HTTP status.
pub type ProblemCodes = BTreeMap<u16, BTreeSet<Code>>;

/// All problems of an operation: those of dispatch, access checks and input validation, and those that the endpoint
/// declares.
pub fn of(operation: &Operation) -> ProblemCodes {
    let spec = &operation.spec;
    // Every operation refuses unknown parameters and bodies above the size limit.
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
    let mut by_status = ProblemCodes::new();
    for code in codes {
        by_status.entry(code.status()).or_default().insert(code);
    }
    by_status
}

fn of_access(spec: &Spec) -> Vec<Code> {
    let mut codes = Vec::new();
    if spec.is_private() {
        codes.push(Code::Unauthorized);
        // Only sessions have cookies.
        if spec.method != Get && spec.access.takes(CredentialKind::Session) {
            codes.push(Code::CsrfTokenRequired);
        }
    }
    if let Some(role) = spec.access.needed_role() {
        codes.push(Code::OnboardingRequired);
        if !spec.open_to_inactive {
            codes.push(Code::TeamInactive);
        }
        if role > Role::Viewer {
            codes.push(Code::Forbidden);
        }
    }
    // The API key of a team can't act as a person.
    if spec.access.scope == Scope::Person && spec.takes_key() {
        codes.push(Code::Forbidden);
    }
    if spec.access.step_up {
        codes.push(Code::StepUpRequired);
    }
    if spec.takes_owner() {
        codes.push(Code::NotFound);
    }
    if spec.takes_key() || spec.network_limit.is_some() {
        codes.push(Code::RateLimited);
    }
    codes
}

/// The problem responses of an operation, as references to the [`shared`] ones.
pub fn responses(codes: &ProblemCodes) -> Map<String, Value> {
    let reference = |codes| json!({ "$ref": format!("#/components/responses/{}", name(codes)) });
    codes.iter().map(|(status, codes)| (status.to_string(), reference(codes))).collect()
}

/// The reusable responses that operations reference, by name.
pub fn shared<'a>(all: impl IntoIterator<Item = &'a ProblemCodes>) -> Map<String, Value> {
    let sets = all.into_iter().flatten();
    sets.map(|(status, codes)| (name(codes), response(*status, codes))).collect()
}

/// The response name: `Unauthorized` for all codes, `Unauthorized.InvalidCredentials` for a single code.
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

/// A reference to one of the [`headers`].
pub fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// The reusable response headers.
pub fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The id of the request. Quote it in support requests.",
            "required": true,
            "schema": { "type": "string" },
        },
        "RetryAfter": {
            "description": "Seconds to wait before retrying.",
            "required": true,
            "schema": { "type": "integer", "minimum": 0 },
        },
        "Challenge": {
            "description": "How to authenticate (RFC 9110).",
            "schema": { "type": "string" },
        },
        "Link": {
            "description": "Link to the next page (RFC 8288): `<path?query>; rel=\"next\"`. Absent on the last page.",
            "schema": { "type": "string" },
        },
        "RateLimit": {
            "description": "The remaining quota of the API key (RateLimit header fields draft). Only for API keys.",
            "schema": { "type": "string" },
        },
        "RateLimitPolicy": {
            "description": "The quota policies of the API key (RateLimit header fields draft). Only for API keys.",
            "schema": { "type": "string" },
        },
    })
}

/// The schema of the problem document (RFC 9457).
pub fn document() -> SchemaPart {
    let settings =
        SchemaSettings::draft2020_12().with(|it| it.definitions_path = "/components/schemas".into());
    let mut generator = settings.for_serialize().into_generator();
    let root = generator.subschema_for::<Document<'static>>().to_value();
    SchemaPart::new("problem", root, &mut generator)
}
