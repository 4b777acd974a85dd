//! The parameters of a request: a form or a query whose names nest with brackets
//! (<https://docs.stripe.com/api>, `metadata[order]=1`).

use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::api_error::ApiError;

/// The deepest nesting of a name.
const DEPTH_LIMIT: usize = 12;

/// Parsed parameters: objects, lists for numeric or empty indexes, and strings as leaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(pub Value);

impl Params {
    /// Parses a form or a query.
    ///
    /// # Errors
    ///
    /// Fails if a name's brackets don't match, or if one name is a value and an object at once.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let mut root = Value::Object(Map::new());
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let segments = segments(&name).ok_or_else(|| malformed(&name))?;
            insert(&mut root, &segments, &value).ok_or_else(|| malformed(&name))?;
        }
        Ok(Self(with_lists(root, false)))
    }

    /// The value at a path like `items.0.price`. An empty value is `Some("")`. The empty path is the value
    /// itself.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The value at a path, which must not be missing or empty.
    ///
    /// # Errors
    ///
    /// 400 `parameter_missing` or `parameter_invalid_empty`.
    pub fn required(&self, path: &str) -> Result<&str, ApiError> {
        let param = bracketed(path);
        match self.text(path) {
            Some("") => {
                let message =
                    format!("The parameter {param} must not be empty. Provide a value or leave it out.");
                Err(ApiError::invalid_code("parameter_invalid_empty", &param, message))
            }
            Some(text) => Ok(text),
            None => {
                let message = format!("Missing required param: {param}.");
                Err(ApiError::invalid_code("parameter_missing", &param, message))
            }
        }
    }

    /// The integer at a path.
    ///
    /// # Errors
    ///
    /// 400 `parameter_invalid_integer`.
    pub fn integer(&self, path: &str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.at(path) else { return Ok(None) };
        let number = value.as_str().and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| {
            let message = format!("Invalid integer: {}", value.as_str().unwrap_or("an object"));
            ApiError::invalid_code("parameter_invalid_integer", &bracketed(path), message)
        })
    }

    /// The boolean at a path.
    ///
    /// # Errors
    ///
    /// 400 `parameter_invalid_boolean`, unless the value is `true` or `false`.
    pub fn flag(&self, path: &str) -> Result<Option<bool>, ApiError> {
        match self.at(path).map(Value::as_str) {
            None => Ok(None),
            Some(Some("true")) => Ok(Some(true)),
            Some(Some("false")) => Ok(Some(false)),
            Some(other) => {
                let message = format!("Invalid boolean: {}", other.unwrap_or("an object"));
                Err(ApiError::invalid_code("parameter_invalid_boolean", &bracketed(path), message))
            }
        }
    }

    /// The object at a path, for example `metadata`.
    pub fn map(&self, path: &str) -> Option<&Map<String, Value>> {
        self.at(path)?.as_object()
    }

    /// The items of the list at a path. An item that is a string is at the empty path of its parameters.
    pub fn list(&self, path: &str) -> Vec<Self> {
        let items = self.at(path).and_then(Value::as_array);
        items.map(|items| items.iter().cloned().map(Self).collect()).unwrap_or_default()
    }

    /// Whether a parameter was sent, with any value.
    pub fn has(&self, path: &str) -> bool {
        self.at(path).is_some()
    }

    /// Refuses top-level parameters other than these. `expand` is always allowed.
    ///
    /// # Errors
    ///
    /// 400 `parameter_unknown`.
    pub fn only(&self, allowed: &[&str]) -> Result<(), ApiError> {
        let names = self.0.as_object().into_iter().flat_map(Map::keys);
        let unknown = names.map(String::as_str).find(|name| *name != "expand" && !allowed.contains(name));
        match unknown {
            None => Ok(()),
            Some(name) => {
                let message = format!("Received unknown parameter: {name}");
                Err(ApiError::invalid_code("parameter_unknown", name, message))
            }
        }
    }

    /// One of the allowed values of a parameter.
    ///
    /// # Errors
    ///
    /// 400, if the value is another one.
    pub fn choice<'a>(&'a self, path: &str, allowed: &[&str]) -> Result<Option<&'a str>, ApiError> {
        match self.text(path) {
            Some(value) if !allowed.contains(&value) => {
                let param = bracketed(path);
                let message = format!("Invalid {param}: must be one of {}", allowed.join(", "));
                Err(ApiError::invalid(&param, message))
            }
            value => Ok(value),
        }
    }

    fn at(&self, path: &str) -> Option<&Value> {
        if path.is_empty() {
            return Some(&self.0);
        }
        path.split('.').try_fold(&self.0, |value, segment| match value {
            Value::Object(members) => members.get(segment),
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

/// A path in the form of parameter names: `items.0.price` is `items[0][price]`.
pub(crate) fn bracketed(path: &str) -> String {
    let mut segments = path.split('.');
    let first = segments.next().unwrap_or_default().to_owned();
    segments.fold(first, |name, segment| format!("{name}[{segment}]"))
}

/// Applies the parameter `metadata` to an object's metadata: an empty value removes a key, an empty parameter
/// removes all (<https://docs.stripe.com/api/metadata>).
///
/// # Errors
///
/// 400, if a key or a value is too long or nested, or if there are more than 50 keys.
pub(crate) fn merge_metadata(params: &Params, path: &str, metadata: &mut Value) -> Result<(), ApiError> {
    let param = bracketed(path);
    let mut merged = metadata.as_object().cloned().unwrap_or_default();
    match params.at(path) {
        None => (),
        Some(Value::String(text)) if text.is_empty() => merged.clear(),
        Some(Value::Object(changes)) => {
            for (key, value) in changes {
                match value.as_str() {
                    Some("") => drop(merged.remove(key)),
                    Some(text) if key.chars().count() <= 40 && text.chars().count() <= 500 => {
                        merged.insert(key.clone(), Value::from(text));
                    }
                    _ => {
                        let message =
                            "Metadata keys must not exceed 40 characters, and values 500 characters.";
                        return Err(ApiError::invalid(&format!("{param}[{key}]"), message));
                    }
                }
            }
        }
        Some(_) => return Err(ApiError::invalid(&param, "Metadata must be a set of key-value pairs.")),
    }
    if merged.len() > 50 {
        return Err(ApiError::invalid(&param, "Metadata must not exceed 50 keys."));
    }
    *metadata = Value::Object(merged);
    Ok(())
}

fn malformed(name: &str) -> ApiError {
    ApiError::invalid(name, format!("Invalid parameter name: {name}"))
}

/// The segments of a name: `a[b][0]` has `a`, `b` and `0`.
fn segments(name: &str) -> Option<Vec<&str>> {
    let Some((first, mut rest)) = name.split_once('[') else { return Some(vec![name]) };
    let mut segments = vec![first];
    loop {
        let (segment, after) = rest.split_once(']')?;
        segments.push(segment);
        if after.is_empty() {
            return (segments.len() <= DEPTH_LIMIT && !first.is_empty()).then_some(segments);
        }
        rest = after.strip_prefix('[')?;
    }
}

/// Sets a leaf in a tree of objects. An empty segment is the next free index.
fn insert(node: &mut Value, segments: &[&str], leaf: &str) -> Option<()> {
    let Some((segment, rest)) = segments.split_first() else {
        // Of a repeated name, the last value counts. A value can't replace an object.
        let is_free = node.is_null() || node.is_string();
        return is_free.then(|| *node = Value::from(leaf));
    };
    if node.is_null() {
        *node = Value::Object(Map::new());
    }
    let members = node.as_object_mut()?;
    let key = if segment.is_empty() { members.len().to_string() } else { (*segment).to_owned() };
    insert(members.entry(key).or_insert(Value::Null), rest, leaf)
}

/// Turns objects with only numeric keys into lists, except metadata.
fn with_lists(value: Value, is_metadata: bool) -> Value {
    let Value::Object(members) = value else { return value };
    let index = |key: &String| key.parse::<u32>().ok().filter(|_| !is_metadata);
    let indexes: Option<Vec<u32>> = members.keys().map(index).collect();
    match indexes {
        Some(indexes) if !indexes.is_empty() => {
            let items = members.into_iter().map(|(_, value)| with_lists(value, false));
            let mut items: Vec<(u32, Value)> = indexes.into_iter().zip(items).collect();
            items.sort_by_key(|(index, _)| *index);
            Value::Array(items.into_iter().map(|(_, value)| value).collect())
        }
        _ => Value::Object(
            members
                .into_iter()
                .map(|(key, value)| {
                    let is_metadata = key == "metadata";
                    (key, with_lists(value, is_metadata))
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Params {
        Params::parse(text).unwrap()
    }

    #[test]
    fn nested_names_become_objects_and_lists() {
        let params =
            parse("items[0][price]=p&items[1][price]=q&expand[]=a&expand[]=b&metadata[0]=x&a[b][c]=%2B+1");
        let expected = json!({
            "items": [{ "price": "p" }, { "price": "q" }], "expand": ["a", "b"],
            "metadata": { "0": "x" }, "a": { "b": { "c": "+ 1" } },
        });
        assert_eq!(params.0, expected);
        assert_eq!(params.text("items.1.price"), Some("q"));
        assert_eq!(params.list("expand")[1].text(""), Some("b"));
        assert_eq!(params.text("items.2.price"), None);
    }

    #[test]
    fn list_indexes_are_sorted_as_numbers() {
        let items: Vec<String> = (0..12).rev().map(|index| format!("i[{index}]={index}")).collect();
        let params = parse(&items.join("&"));
        assert_eq!(params.text("i.2"), Some("2"));
        assert_eq!(params.text("i.11"), Some("11"));
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in ["a[b=1", "a[b]c=1", "[a]=1", "a=1&a[b]=2", "a[b]=1&a=2"] {
            assert_eq!(Params::parse(text).unwrap_err().status, 400, "{text}");
        }
    }

    #[test]
    fn typed_values_are_checked() {
        let params = parse("n=12&bad=1.5&yes=true&no=0&empty=");
        assert_eq!(params.integer("n").unwrap(), Some(12));
        assert_eq!(params.integer("none").unwrap(), None);
        assert_eq!(params.integer("bad").unwrap_err().code, Some("parameter_invalid_integer"));
        assert_eq!(params.flag("yes").unwrap(), Some(true));
        assert_eq!(params.flag("no").unwrap_err().code, Some("parameter_invalid_boolean"));
        assert_eq!(params.required("empty").unwrap_err().code, Some("parameter_invalid_empty"));
        let missing = params.required("a.0.b").unwrap_err();
        assert_eq!((missing.code, missing.param.as_deref()), (Some("parameter_missing"), Some("a[0][b]")));
    }

    #[test]
    fn unknown_parameter_is_refused_except_expand() {
        let params = parse("expand[]=customer&amount=1&tip=2");
        assert!(params.only(&["amount", "tip"]).is_ok());
        let error = params.only(&["amount"]).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Some("parameter_unknown"), Some("tip")));
    }

    #[test]
    fn metadata_is_merged_and_unset() {
        let mut metadata = json!({ "a": "1", "b": "2" });
        merge_metadata(&parse("metadata[a]=&metadata[c]=3"), "metadata", &mut metadata).unwrap();
        assert_eq!(metadata, json!({ "b": "2", "c": "3" }));
        merge_metadata(&parse("metadata="), "metadata", &mut metadata).unwrap();
        assert_eq!(metadata, json!({}));
        let long = format!("metadata[{}]=1", "k".repeat(41));
        assert!(merge_metadata(&parse(&long), "metadata", &mut metadata).is_err());
    }
}
