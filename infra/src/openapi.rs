//! The [OpenAPI 3.1](https://spec.openapis.org/oas/v3.1.1.html) document.

use std::collections::BTreeSet;

use http::StatusCode;
use kit::{Spec, routes::Route};
use serde_json::{Map, Value, json};

use crate::{
    Functions,
    functions::Operation,
    parameters,
    problems::{self, header},
    schemas::Names,
};

/// The document that describes every route of `functions`.
pub fn document(functions: &Functions) -> Value {
    let problem = problems::document();
    let parts =
        functions.operations.iter().flat_map(|operation| operation.body.iter().chain([&operation.output]));
    let names = Names::of(parts.chain([&problem]));
    let mut schemas = Map::new();
    names.share(&problem, &mut schemas);
    let mut paths: Map<String, Value> = Map::new();
    let mut tags = BTreeSet::new();
    for operation in &functions.operations {
        for route in operation.spec.routes() {
            tags.insert(area(&route.path).to_owned());
            let described = describe(operation, &route, &names, &mut schemas);
            let path = paths.entry(route.path).or_insert_with(|| json!({}));
            if let Some(path) = path.as_object_mut() {
                path.insert(route.method.as_str().to_ascii_lowercase(), described);
            }
        }
    }
    let all_codes: Vec<_> = functions.operations.iter().map(problems::of).collect();
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
            "responses": problems::shared(&all_codes),
            "securitySchemes": security_schemes(),
        },
    })
}

fn describe(operation: &Operation, route: &Route, names: &Names, schemas: &mut Map<String, Value>) -> Value {
    let spec = &operation.spec;
    let mut responses = problems::responses(&problems::of(operation));
    responses.insert(spec.success.to_string(), success(spec, names.share(&operation.output, schemas)));
    let mut described = json!({
        "operationId": spec.operation_id(route),
        "summary": spec.summary,
        "tags": [area(&route.path)],
        "security": security(spec),
        "responses": responses,
    });
    let parameters = parameters::of(spec, operation.params.as_ref());
    let body = operation.body.as_ref().map(|body| request_body(names.share(body, schemas)));
    if let Some(members) = described.as_object_mut() {
        if !parameters.is_empty() {
            members.insert("parameters".to_owned(), parameters.into());
        }
        members.extend(body.map(|body| ("requestBody".to_owned(), body)));
    }
    described
}

fn request_body(schema: Value) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

fn success(spec: &Spec, schema: Value) -> Value {
    let title = StatusCode::from_u16(spec.success).ok().and_then(|status| status.canonical_reason());
    let mut headers = Map::from_iter([("X-Request-Id".to_owned(), header("RequestId"))]);
    if spec.takes_key() {
        headers.insert("RateLimit".to_owned(), header("RateLimit"));
        headers.insert("RateLimit-Policy".to_owned(), header("RateLimitPolicy"));
    }
    json!({
        "description": title.unwrap_or("Success"),
        "headers": headers,
        "content": { "application/json": { "schema": schema } },
    })
}

/// The credentials that an operation takes, each entry enough by itself.
fn security(spec: &Spec) -> Value {
    if !spec.is_private() {
        return json!([]);
    }
    let cookie = if spec.changes() { json!({ "cookie": [], "csrf": [] }) } else { json!({ "cookie": [] }) };
    let mut ways = vec![json!({ "session": [] }), cookie];
    if spec.takes_key() {
        ways.push(json!({ "apiKey": [] }));
    }
    ways.into()
}

fn security_schemes() -> Value {
    json!({
        "session": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A session's access token.",
        },
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ul_ and 40 hexadecimal digits",
            "description": "An API key; it acts as the owner of its workspace.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": kit::caller::SESSION_COOKIE,
            "description": "A browser's session.",
        },
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": "X-CSRF-Token",
            "description": "The session's CSRF token, which goes with the cookie where something is changed.",
        },
    })
}

/// The part of the API that a path belongs to.
fn area(path: &str) -> &str {
    let below = path.strip_prefix("/api").unwrap_or(path).trim_start_matches(['/', '.']);
    below.split('/').next().unwrap_or(below)
}

#[cfg(test)]
mod tests {
    use crate::samples::several;

    use super::*;

    /// The parts that are referred to but not there.
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
    fn nothing_is_referred_to_that_is_not_there() {
        assert_eq!(dangling(&document(&Functions::all())), [""; 0]);
    }

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let document = document(&Functions::all());
        let paths = document["paths"].as_object().unwrap().values();
        let operations: Vec<&Value> = paths.flat_map(|path| path.as_object().unwrap().values()).collect();
        let ids: BTreeSet<&str> = operations.iter().map(|it| it["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), operations.len());
        assert!(ids.contains("settings-update") && ids.contains("settings-update-post"));
    }

    #[test]
    fn an_endpoint_on_several_paths_is_an_operation_on_each() {
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
    fn inputs_are_closed() {
        let all = Functions::all();
        let names = Names::of(all.operations.iter().filter_map(|operation| operation.body.as_ref()));
        for operation in &all.operations {
            let mut schemas = Map::new();
            let root = operation.body.as_ref().map(|body| names.share(body, &mut schemas));
            for schema in schemas.values().chain(&root).chain(&operation.params) {
                let open = schema["type"] == "object" && schema["additionalProperties"] != false;
                assert!(!open, "{}: {schema}", operation.spec.id);
            }
        }
    }

    #[test]
    fn a_name_is_never_given_to_two_schemas() {
        let all = Functions::all();
        let parts = || all.operations.iter().flat_map(|it| it.body.iter().chain([&it.output]));
        let names = Names::of(parts());
        let mut seen = Map::new();
        for part in parts() {
            let mut schemas = Map::new();
            names.share(part, &mut schemas);
            for (name, schema) in schemas {
                let before = seen.insert(name.clone(), schema.clone());
                assert!(before.is_none_or(|before| before == schema), "{name} means two things");
            }
        }
    }
}
