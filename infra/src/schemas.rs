//! The schemas that the OpenAPI document shares, and their names.
//!
//! Types of different endpoints have the same names (`Form`, `Row`). A name that means one thing everywhere stays; one
//! that means several gets its operation's in front.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use serde_json::{Map, Value};

const PLACE: &str = "#/components/schemas/";

/// A schema with the definitions that it refers to.
#[derive(Clone)]
pub struct Part {
    /// Whose it is.
    operation: String,
    /// The schema.
    root: Value,
    definitions: Map<String, Value>,
}

impl Part {
    /// The schema `root` of `operation`, with the definitions that `generator` met.
    pub fn new(operation: &str, root: Value, generator: &mut SchemaGenerator) -> Self {
        Self { operation: crate::pascal(operation), root, definitions: generator.take_definitions(true) }
    }
}

/// What the names mean.
pub struct Names(BTreeMap<String, BTreeSet<String>>);

impl Names {
    /// The names of all `parts`.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Self {
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

    /// Puts a part's definitions into `schemas`, under their names there, and gives the schema that refers to them.
    pub fn share(&self, part: &Part, schemas: &mut Map<String, Value>) -> Value {
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

/// The schema with every definition in the place of its reference.
fn spelled_out(schema: &Value, definitions: &Map<String, Value>) -> Value {
    with_refs(schema, &|name| {
        // Without itself, so that a type that contains itself ends.
        let mut others = definitions.clone();
        others.remove(name).map_or(Value::Null, |schema| spelled_out(&schema, &others))
    })
}

/// The schema with something else in the place of each name that it refers to.
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

    fn part(operation: &str, definitions: Value) -> Part {
        let root = json!({ "$ref": "#/components/schemas/Page" });
        Part { operation: operation.to_owned(), root, definitions: definitions.as_object().unwrap().clone() }
    }

    #[test]
    fn a_name_that_means_one_thing_stays_and_another_is_told_apart() {
        let page = json!({ "items": { "$ref": "#/components/schemas/Row" } });
        let same = json!({ "type": "string" });
        let one = part("KeysList", json!({ "Page": page, "Row": { "type": "object" }, "Plan": same }));
        let two = part("TeamsList", json!({ "Page": page, "Row": { "type": "array" }, "Plan": same }));
        let (names, mut schemas) = (Names::of([&one, &two]), Map::new());
        // The two pages read the same, but what they refer to does not.
        assert_eq!(names.share(&one, &mut schemas), json!({ "$ref": "#/components/schemas/KeysListPage" }));
        assert_eq!(names.share(&two, &mut schemas), json!({ "$ref": "#/components/schemas/TeamsListPage" }));
        let found: Vec<&str> = schemas.keys().map(String::as_str).collect();
        assert_eq!(found, ["KeysListPage", "KeysListRow", "Plan", "TeamsListPage", "TeamsListRow"]);
        assert_eq!(schemas["TeamsListPage"]["items"]["$ref"], "#/components/schemas/TeamsListRow");
    }
}
