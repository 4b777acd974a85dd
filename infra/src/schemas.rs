//! The shared schemas of the OpenAPI document and their names.
//!
//! Types of different endpoints may have the same name. A name with the same schema everywhere stays;
//! otherwise the operation's name is prepended.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use serde_json::{Map, Value};

const PLACE: &str = "#/components/schemas/";

/// A schema with the definitions it references.
#[derive(Clone)]
pub struct SchemaPart {
    /// The name of the operation, in Pascal case.
    operation: String,
    /// The schema itself.
    root: Value,
    definitions: Map<String, Value>,
}

impl SchemaPart {
    /// Takes the schema `root` of `operation` and the definitions that `generator` collected.
    pub fn new(operation: &str, root: Value, generator: &mut SchemaGenerator) -> Self {
        Self { operation: crate::pascal(operation), root, definitions: generator.take_definitions(true) }
    }
}

/// The distinct schemas behind each name.
pub struct Names(BTreeMap<String, BTreeSet<String>>);

impl Names {
    /// Collects the names of all `parts`.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a SchemaPart>) -> Self {
        let mut meanings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for part in parts {
            for (name, schema) in &part.definitions {
                let meaning = spelled_out(schema, &part.definitions).to_string();
                meanings.entry(name.clone()).or_default().insert(meaning);
            }
        }
        Self(meanings)
    }

    fn name(&self, operation: &str, name: &str) -> String {
        match self.0.get(name) {
            Some(meanings) if meanings.len() > 1 => format!("{operation}{name}"),
            _ => name.to_owned(),
        }
    }

    /// Adds the definitions of `part` to `schemas` under their final names. Returns the schema that references them.
    pub fn share(&self, part: &SchemaPart, schemas: &mut Map<String, Value>) -> Value {
        let renamed = |name: &str| self.name(&part.operation, name);
        for (name, schema) in &part.definitions {
            schemas.insert(
                renamed(name),
                with_refs(schema, &|name| Value::String(format!("{PLACE}{}", renamed(name)))),
            );
        }
        with_refs(&part.root, &|name| Value::String(format!("{PLACE}{}", renamed(name))))
    }
}

/// The schema with every reference replaced by its definition.
fn spelled_out(schema: &Value, definitions: &Map<String, Value>) -> Value {
    with_refs(schema, &|name| {
        // The definition itself is removed, so that recursive types terminate.
        let mut others = definitions.clone();
        others.remove(name).map_or(Value::Null, |schema| spelled_out(&schema, &others))
    })
}

/// The schema with every reference replaced by `instead(name)`.
fn with_refs(schema: &Value, instead: &dyn Fn(&str) -> Value) -> Value {
    let member = |(key, value): (&String, &Value)| {
        let name = value.as_str().filter(|_| key == "$ref").and_then(|place| place.strip_prefix(PLACE));
        (key.clone(), name.map_or_else(|| with_refs(value, instead), instead))
    };
    match schema {
        Value::Object(members) => members.iter().map(member).collect(),
        Value::Array(items) => items.iter().map(|item| with_refs(item, instead)).collect(),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part(operation: &str, definitions: Value) -> SchemaPart {
        let root = json!({ "$ref": "#/components/schemas/Page" });
        SchemaPart {
            operation: operation.to_owned(),
            root,
            definitions: definitions.as_object().unwrap().clone(),
        }
    }

    #[test]
    fn ambiguous_schema_name_is_prefixed() {
        let page = json!({ "items": { "$ref": "#/components/schemas/Row" } });
        let same = json!({ "type": "string" });
        let one = part("KeysList", json!({ "Page": page, "Row": { "type": "object" }, "Plan": same }));
        let two = part("TeamsList", json!({ "Page": page, "Row": { "type": "array" }, "Plan": same }));
        let (names, mut schemas) = (Names::of([&one, &two]), Map::new());
        // The two pages read the same but reference different schemas.
        assert_eq!(names.share(&one, &mut schemas), json!({ "$ref": "#/components/schemas/KeysListPage" }));
        assert_eq!(names.share(&two, &mut schemas), json!({ "$ref": "#/components/schemas/TeamsListPage" }));
        let found: Vec<&str> = schemas.keys().map(String::as_str).collect();
        assert_eq!(found, ["KeysListPage", "KeysListRow", "Plan", "TeamsListPage", "TeamsListRow"]);
        assert_eq!(schemas["TeamsListPage"]["items"]["$ref"], "#/components/schemas/TeamsListRow");
    }
}
