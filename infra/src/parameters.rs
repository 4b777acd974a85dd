//! The parameters of an operation: path and query parameters, `owner`, and headers.

use domain::handle;
use kit::{Spec, routes::KIND};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// All parameters of the operation `spec`.
pub fn of(spec: &Spec, params: Option<&Value>) -> Vec<Value> {
    // The path already fixes the kind.
    let is_fixed = |name: &str| name == KIND && !spec.kinds.is_empty();
    let mut found = Vec::new();
    let required: Vec<&str> = list(params, "required").filter_map(Value::as_str).collect();
    let properties = params.and_then(|params| params.get("properties")).and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten().filter(|(name, _)| !is_fixed(name)) {
        let in_path = names_in(spec.path).any(|placed| placed == name);
        let mut schema = without_null(schema);
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut parameter = json!({
            "name": name,
            "in": if in_path { "path" } else { "query" },
            "required": in_path || required.contains(&name.as_str()),
            "schema": schema,
        });
        if let (Some(text), Some(parameter)) = (description, parameter.as_object_mut()) {
            parameter.insert("description".to_owned(), text);
        }
        found.push(parameter);
    }
    if spec.takes_owner() {
        found.push(owner());
    }
    if spec.once {
        found.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
    found
}

/// The `owner` parameter, which selects the workspace.
fn owner() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    json!({
        "name": "owner",
        "in": "query",
        "required": false,
        "description": "The handle of the workspace to act in. Default: the caller's own workspace.",
        "schema": handle::lookup_schema(&mut generator).to_value(),
    })
}

/// The reusable parameters that operations reference.
pub fn shared() -> Value {
    json!({
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "Makes retries safe: requests with the same key take effect once. Keys expire after 24 hours.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                // Printable ASCII. HTTP strips leading and trailing spaces of a header value.
                "pattern": "^[!-~]([ -~]*[!-~])?$",
            },
        },
    })
}

/// The parameter names in braces of a path.
pub fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// The schema without `null`: an absent URL parameter is left out and never null.
fn without_null(schema: &Value) -> Value {
    let Some(members) = schema.as_object() else { return schema.clone() };
    let mut left = Map::new();
    for (key, value) in members {
        match (key.as_str(), value) {
            ("default", Value::Null) => {}
            ("type", Value::Array(types)) => {
                let mut types = types.iter().filter(|name| *name != "null");
                match (types.next(), types.next()) {
                    (Some(only), None) => left.insert(key.clone(), only.clone()),
                    _ => left.insert(key.clone(), value.clone()),
                };
            }
            ("anyOf" | "enum", Value::Array(choices)) => {
                let choices = choices.iter().filter(|choice| !is_null(choice)).cloned();
                left.insert(key.clone(), choices.collect());
            }
            _ => {
                left.insert(key.clone(), value.clone());
            }
        }
    }
    with_only_choice(left)
}

fn is_null(choice: &Value) -> bool {
    choice.is_null() || choice.get("type").is_some_and(|name| name == "null")
}

/// Replaces `anyOf` with one member by that member.
fn with_only_choice(mut schema: Map<String, Value>) -> Value {
    let only = match schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::Object(only)]) => only.clone(),
        _ => return Value::Object(schema),
    };
    schema.remove("anyOf");
    for (key, value) in only {
        schema.entry(key).or_insert(value);
    }
    Value::Object(schema)
}

fn list<'a>(schema: Option<&'a Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    schema.and_then(|schema| schema.get(key)).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use crate::Functions;

    use super::*;

    #[test]
    fn every_path_parameter_is_declared() {
        for operation in Functions::all().operations {
            let spec = operation.spec;
            let parameters = of(&spec, operation.params.as_ref());
            for route in spec.routes() {
                for name in names_in(&route.path) {
                    let declared =
                        |it: &&Value| it["name"] == name && it["in"] == "path" && it["required"] == true;
                    assert!(parameters.iter().any(|it| declared(&it)), "{}: {name}", spec.id);
                }
            }
        }
    }

    #[test]
    fn optional_parameter_is_not_nullable() {
        let choice =
            json!({ "anyOf": [{ "enum": ["a"], "type": "string" }, { "type": "null" }], "default": null });
        assert_eq!(without_null(&choice), json!({ "enum": ["a"], "type": "string" }));
        let text = json!({ "type": ["string", "null"], "maxLength": 5 });
        assert_eq!(without_null(&text), json!({ "type": "string", "maxLength": 5 }));
    }

    #[test]
    fn path_parameter_names_are_found() {
        assert_eq!(names_in("/api/a/{id}/b/{provider}").collect::<Vec<_>>(), ["id", "provider"]);
        assert_eq!(names_in("/api/a").count(), 0);
    }
}
