//! Renders the [OpenAPI 3.1](https://spec.openapis.org/oas/v3.1.1.html) document.

use std::collections::BTreeSet;

use http::StatusCode;
use kit::{Spec, access::CredentialKind, routes::Route};
use serde_json::{Map, Value, json};

use crate::{
    Functions,
    functions::Operation,
    parameters,
    problems::{self, header},
    schemas::Names,
};

/// Describes every route of `functions` that clients or services may call.
pub fn document(functions: &Functions) -> Value {
    let operations = callable(functions);
    let problem = problems::document();
    let parts = operations.iter().flat_map(|operation| operation.body.iter().chain([&operation.output]));
    let names = Names::of(parts.chain([&problem]));
    let mut schemas = Map::new();
    names.share(&problem, &mut schemas);
    let mut paths: Map<String, Value> = Map::new();
    let mut tags = BTreeSet::new();
    for operation in operations.iter().copied() {
        for route in operation.spec.routes() {
            tags.insert(area(&route.path).to_owned());
            let described = describe(operation, &route, &names, &mut schemas);
            let path = paths.entry(route.path).or_insert_with(|| json!({}));
            if let Some(path) = path.as_object_mut() {
                path.insert(route.method.as_str().to_ascii_lowercase(), described);
            }
        }
    }
    let all_codes: Vec<_> = operations.iter().copied().map(problems::of).collect();
    let mut responses = problems::shared(&all_codes);
    if operations.iter().any(|operation| operation.spec.is_for_services()) {
        responses.insert(NOT_SIGNED.to_owned(), not_signed());
    }
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Account platform",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Accounts, workspaces, API keys and their history.",
        },
        "servers": [{ "url": "/" }],
        "tags": tags.iter().map(|name| json!({ "name": name })).collect::<Value>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parameters::shared(),
            "headers": problems::headers(),
            "responses": responses,
            "securitySchemes": security_schemes(),
        },
    })
}

/// The operations without those between regions, which nobody else can call.
fn callable(functions: &Functions) -> Vec<&Operation> {
    functions.operations.iter().filter(|operation| !operation.spec.is_for_regions()).collect()
}

fn describe(operation: &Operation, route: &Route, names: &Names, schemas: &mut Map<String, Value>) -> Value {
    let spec = &operation.spec;
    let mut responses = problems::responses(&problems::of(operation));
    responses.insert(spec.success.to_string(), success(operation, names.share(&operation.output, schemas)));
    if spec.is_for_services() {
        let reference = json!({ "$ref": format!("#/components/responses/{NOT_SIGNED}") });
        responses.insert("403".to_owned(), reference);
    }
    let mut described = json!({
        "operationId": spec.operation_id(route),
        "summary": spec.summary,
        "tags": [area(&route.path)],
        "security": security(spec),
        "responses": responses,
    });
    let parameters = parameters::of(spec, operation.params.as_ref());
    let body = operation.body.as_ref().map(|body| request_body(operation, names.share(body, schemas)));
    if let Some(members) = described.as_object_mut() {
        if !parameters.is_empty() {
            members.insert("parameters".to_owned(), parameters.into());
        }
        members.extend(body.map(|body| ("requestBody".to_owned(), body)));
    }
    described
}

fn request_body(operation: &Operation, schema: Value) -> Value {
    let content = Map::from_iter([(operation.body_media_type.to_owned(), json!({ "schema": schema }))]);
    json!({ "required": !operation.body_is_optional, "content": content })
}

fn success(operation: &Operation, schema: Value) -> Value {
    let spec = &operation.spec;
    let title = StatusCode::from_u16(spec.success).ok().and_then(|status| status.canonical_reason());
    let mut headers = Map::from_iter([("X-Request-Id".to_owned(), header("RequestId"))]);
    if spec.takes_key() {
        headers.insert("RateLimit".to_owned(), header("RateLimit"));
        headers.insert("RateLimit-Policy".to_owned(), header("RateLimitPolicy"));
    }
    let takes_cursor = |params: &Value| params.pointer("/properties/cursor").is_some();
    if operation.params.as_ref().is_some_and(takes_cursor) {
        headers.insert("Link".to_owned(), header("Link"));
    }
    let mut content = Map::from_iter([("application/json".to_owned(), json!({ "schema": schema }))]);
    if let Some(essence) = operation.text_type.and_then(|media_type| media_type.split(';').next()) {
        content.insert(essence.to_owned(), json!({ "schema": { "type": "string" } }));
    }
    json!({ "description": title.unwrap_or("Success"), "headers": headers, "content": content })
}

/// The security requirements of an operation. Each entry alone is sufficient.
fn security(spec: &Spec) -> Value {
    let cookie = if spec.changes() { json!({ "cookie": [], "csrf": [] }) } else { json!({ "cookie": [] }) };
    let schemes = |kind: &CredentialKind| match kind {
        CredentialKind::Session => vec![json!({ "session": [] }), cookie.clone()],
        CredentialKind::ApiKey => vec![json!({ "apiKey": [] })],
        CredentialKind::Service => vec![json!({ "sigv4": [] })],
        // Requests between regions are not described.
        CredentialKind::Region => Vec::new(),
    };
    spec.access.credentials.iter().flat_map(schemes).collect()
}

fn security_schemes() -> Value {
    json!({
        "session": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token of a session.",
        },
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ul_ and 40 hexadecimal digits",
            "description": "An API key. It acts as the owner of its workspace.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": kit::credentials::SESSION_COOKIE,
            "description": "The session cookie of a browser.",
        },
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": "X-CSRF-Token",
            "description": "The CSRF token of the session. Required with the cookie for requests that change data.",
        },
        "sigv4": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "x-amazon-apigateway-authtype": "awsSigv4",
            "description": "AWS Signature Version 4 with the credentials of a service's IAM role, for the service name execute-api.",
        },
    })
}

/// The name of the response to a request that no service signed.
const NOT_SIGNED: &str = "NotSigned";

/// The response to a request that no service signed. API Gateway makes it, so it is no problem document.
fn not_signed() -> Value {
    let message = json!({ "message": { "type": "string" } });
    let schema = json!({ "type": "object", "properties": message, "required": ["message"] });
    json!({ "description": "Not signed by a permitted service", "content": { "application/json": { "schema": schema } } })
}

/// The tag of a path: the part of the API it belongs to.
fn area(path: &str) -> &str {
    let below = path.strip_prefix("/api").unwrap_or(path).trim_start_matches(['/', '.']);
    below.split('/').next().unwrap_or(below)
}

#[cfg(test)]
mod tests {
    use crate::samples::several;

    use super::*;

    /// The references without a target.
    fn dangling(document: &Value) -> Vec<String> {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(members) => members.iter().for_each(|(key, value)| match value.as_str() {
                    Some(place) if key == "$ref" => found.push(place.to_owned()),
                    _ => references(value, found),
                }),
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        references(document, &mut found);
        found.retain(|place| place.strip_prefix('#').and_then(|place| document.pointer(place)).is_none());
        found
    }

    #[test]
    fn every_reference_has_a_target() {
        assert_eq!(dangling(&document(&Functions::all())), [""; 0]);
    }

    #[test]
    fn operation_ids_are_unique() {
        let document = document(&Functions::all());
        let paths = document["paths"].as_object().unwrap().values();
        let operations: Vec<&Value> = paths.flat_map(|path| path.as_object().unwrap().values()).collect();
        let ids: BTreeSet<&str> = operations.iter().map(|it| it["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), operations.len());
        assert!(ids.contains("settings-update") && ids.contains("settings-update-post"));
    }

    #[test]
    fn requests_between_regions_are_left_out() {
        let all = Functions::all();
        let document = document(&all);
        let paths = document["paths"].as_object().unwrap();
        let (between, others): (Vec<_>, Vec<_>) =
            all.operations.iter().partition(|operation| operation.spec.is_for_regions());
        assert!(!between.is_empty());
        let has = |operation: &&Operation| {
            operation.spec.routes().iter().any(|route| paths.contains_key(&route.path))
        };
        assert!(!between.iter().any(has) && others.iter().all(has));
    }

    #[test]
    fn endpoint_on_several_paths_has_an_operation_on_each() {
        let document = document(&several());
        for (path, id) in [("/api/apples/{id}", "fruit-read-apples"), ("/api/pears/{id}", "fruit-read-pears")]
        {
            let operation = &document["paths"][path]["get"];
            assert_eq!(operation["operationId"], id);
            let names: Vec<&Value> =
                operation["parameters"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
            assert_eq!(names, ["id"]);
        }
        assert_eq!(document["paths"].as_object().unwrap().len(), 2);
    }

    #[test]
    fn inputs_forbid_additional_properties() {
        let all = Functions::all();
        let operations = callable(&all);
        let names = Names::of(operations.iter().filter_map(|operation| operation.body.as_ref()));
        // Providers add parameters of their own to the address of the callback, and Stripe members to its events.
        let others = ["auth-oauth-callback", "stripe-webhook"];
        let is_closed = |operation: &&&Operation| !others.contains(&operation.spec.id);
        for operation in operations.iter().filter(is_closed) {
            let mut schemas = Map::new();
            let root = operation.body.as_ref().map(|body| names.share(body, &mut schemas));
            for schema in schemas.values().chain(&root).chain(&operation.params) {
                let open = schema["type"] == "object" && schema["additionalProperties"] != false;
                assert!(!open, "{}: {schema}", operation.spec.id);
            }
        }
    }

    #[test]
    fn schema_names_are_unique() {
        let all = Functions::all();
        let operations = callable(&all);
        let parts = || operations.iter().flat_map(|it| it.body.iter().chain([&it.output]));
        let names = Names::of(parts());
        let mut seen = Map::new();
        for part in parts() {
            let mut schemas = Map::new();
            names.share(part, &mut schemas);
            for (name, schema) in schemas {
                let before = seen.insert(name.clone(), schema.clone());
                assert!(before.is_none_or(|before| before == schema), "{name} names two different schemas");
            }
        }
    }
}
