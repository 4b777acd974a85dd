//! Reads and sets members of API objects, which are JSON values.

use serde_json::{Map, Value};

use crate::{
    api_error::ApiError,
    params::{Params, merge_metadata},
};

/// The string at a JSON pointer; empty if there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a JSON pointer; 0 if there is none.
pub(crate) fn integer(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// Whether the boolean at a JSON pointer is true.
pub(crate) fn is_true(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The elements of the array at a JSON pointer; none if there is no array.
pub(crate) fn elements<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Sets a member of an object.
pub(crate) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}

/// Sets the value at a JSON pointer to a place that exists.
pub(crate) fn set_at(object: &mut Value, pointer: &str, value: impl Into<Value>) {
    if let Some(place) = object.pointer_mut(pointer) {
        *place = value.into();
    }
}

/// One object with the members of all parts.
pub(crate) fn merged<const N: usize>(parts: [Value; N]) -> Value {
    let mut all = Map::new();
    for part in parts {
        if let Value::Object(members) = part {
            all.extend(members);
        }
    }
    Value::Object(all)
}

/// Applies the parameter `metadata` to an object.
///
/// # Errors
///
/// 400, if the metadata is invalid.
pub(crate) fn update_metadata(object: &mut Value, params: &Params) -> Result<(), ApiError> {
    let mut metadata = object.get("metadata").cloned().unwrap_or_default();
    merge_metadata(params, "metadata", &mut metadata)?;
    set(object, "metadata", metadata);
    Ok(())
}

/// The earlier values of the members that differ: `previous_attributes` of an event.
pub(crate) fn previous(before: &Value, after: &Value) -> Option<Value> {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return None };
    let changed = before.iter().filter(|(name, value)| after.get(*name) != Some(*value));
    let changed: Map<_, _> = changed.map(|(name, value)| (name.clone(), value.clone())).collect();
    (!changed.is_empty()).then_some(Value::Object(changed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn previous_of_equal_objects_is_none() {
        assert_eq!(previous(&json!({"a": 1}), &json!({"a": 1})), None);
    }

    #[test]
    fn previous_holds_only_changed_members() {
        let before = json!({"status": "active", "id": "sub_1"});
        let after = json!({"status": "past_due", "id": "sub_1", "extra": 1});
        assert_eq!(previous(&before, &after), Some(json!({"status": "active"})));
    }

    #[test]
    fn missing_members_have_defaults() {
        let object = json!({"a": {"b": "x", "n": 7}});
        assert_eq!((text(&object, "/a/b"), text(&object, "/a/c")), ("x", ""));
        assert_eq!((integer(&object, "/a/n"), integer(&object, "/a/b")), (7, 0));
        assert!(elements(&object, "/a").is_empty() && !is_true(&object, "/a"));
    }
}
