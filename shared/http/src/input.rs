//! Reads a request into the endpoint's types, and reports the error of every field.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderMap, header};
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    json::{self, Parsed},
    problem::{Code, FieldError, Problem, shortened},
};

/// A request before it is deserialized.
pub struct Raw<'a> {
    /// The values of the path's `{name}`s.
    pub path: &'a [(String, String)],
    /// The query, without the question mark and without `owner`.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a Bytes,
}

/// The schemas of an endpoint's input, for the OpenAPI document.
#[derive(Default)]
pub struct InputSchemas {
    /// Of the path's and the query's parameters: an object.
    pub params: Option<Value>,
    /// Of the body.
    pub body: Option<Value>,
    /// The media type of the body. Absent: JSON.
    pub body_media_type: Option<&'static str>,
    /// Whether the body may be left out.
    pub body_is_optional: bool,
}

/// The input of an endpoint.
pub trait Input: Sized + Send {
    /// Reads the input.
    fn read(raw: &Raw<'_>) -> Result<Self, Problem>;
    /// Its schemas.
    fn describe(generator: &mut SchemaGenerator) -> InputSchemas;
}

/// A JSON body.
pub struct Body<T>(pub T);

/// Parameters of path and query.
pub struct Params<T>(pub T);

impl Input for () {
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        no_params(raw)
    }

    fn describe(_: &mut SchemaGenerator) -> InputSchemas {
        InputSchemas::default()
    }
}

impl<T: DeserializeOwned + JsonSchema + Send> Input for Body<T> {
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        no_params(raw)?;
        body(raw).map(Self)
    }

    fn describe(generator: &mut SchemaGenerator) -> InputSchemas {
        InputSchemas { body: Some(generator.subschema_for::<T>().to_value()), ..InputSchemas::default() }
    }
}

impl<T: DeserializeOwned + JsonSchema + Send> Input for Params<T> {
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        params(raw).map(Self)
    }

    fn describe(_: &mut SchemaGenerator) -> InputSchemas {
        InputSchemas { params: Some(inlined::<T>()), ..InputSchemas::default() }
    }
}

impl<Q, B> Input for (Params<Q>, Body<B>)
where
    Q: DeserializeOwned + JsonSchema + Send,
    B: DeserializeOwned + JsonSchema + Send,
{
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        Ok((Params(params(raw)?), Body(body(raw)?)))
    }

    fn describe(generator: &mut SchemaGenerator) -> InputSchemas {
        let body = Some(generator.subschema_for::<B>().to_value());
        InputSchemas { params: Some(inlined::<Q>()), body, ..InputSchemas::default() }
    }
}

/// The schema of a time (RFC 3339 in UTC).
pub fn date_time(_: &mut SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "format": "date-time" })
}

/// The schema of a time that may be absent or `null`.
pub fn optional_date_time(_: &mut SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "null"], "format": "date-time" })
}

fn inlined<T: JsonSchema>() -> Value {
    T::json_schema(&mut schemars::generate::SchemaSettings::draft2020_12().into_generator()).to_value()
}

fn no_params(raw: &Raw<'_>) -> Result<(), Problem> {
    let errors: Vec<FieldError> = raw.query.iter().map(|(name, _)| unknown(name)).collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
}

fn params<T: DeserializeOwned + JsonSchema>(raw: &Raw<'_>) -> Result<T, Problem> {
    let (mut fields, mut repeated) = (Map::new(), Vec::new());
    for (name, value) in raw.path.iter().chain(&raw.query) {
        if fields.insert(name.clone(), Value::String(value.clone())).is_some() {
            repeated.push(invalid(name, "Specify this parameter only once."));
        }
    }
    understand(fields, repeated)
}

fn body<T: DeserializeOwned + JsonSchema>(raw: &Raw<'_>) -> Result<T, Problem> {
    refuse_compressed(raw)?;
    let content_type =
        raw.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Code::UnsupportedMediaType, "Send the body as application/json."));
    }
    match json::parse(raw.body) {
        Ok(Parsed { value: Value::Object(fields), repeated }) => {
            let repeated = repeated.iter().map(|name| invalid(name, "Specify this field only once."));
            understand(fields, repeated.collect())
        }
        Ok(_) => Err(Problem::new(Code::BadRequest, "The body must be a JSON object.")),
        Err(error) => {
            let place =
                format!("The body is not valid JSON (line {}, column {}).", error.line(), error.column());
            Err(Problem::new(Code::BadRequest, place))
        }
    }
}

/// Refuses a compressed body.
pub fn refuse_compressed(raw: &Raw<'_>) -> Result<(), Problem> {
    if is_plain(raw.headers) {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "Compressed bodies are not supported. Send the body without Content-Encoding.",
    ))
}

/// Deserializes the fields of a body in another format than JSON, or lists the errors of all of them. `repeated` names fields that
/// were sent several times.
pub fn fields_of<T: DeserializeOwned + JsonSchema>(
    fields: Map<String, Value>,
    repeated: &[String],
) -> Result<T, Problem> {
    let repeated = repeated.iter().map(|name| invalid(name, "Specify this field only once."));
    understand(fields, repeated.collect())
}

/// Whether a body is not compressed.
fn is_plain(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    codings.all(|coding| {
        let coding = coding.trim_ascii();
        coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
    })
}

/// Deserializes fields, or lists the errors of all of them after those that were found `already`.
fn understand<T: DeserializeOwned + JsonSchema>(
    fields: Map<String, Value>,
    already: Vec<FieldError>,
) -> Result<T, Problem> {
    match T::deserialize(&fields) {
        Ok(value) if already.is_empty() => Ok(value),
        _ => Err(Problem::fields(complaints::<T>(fields, already))),
    }
}

/// The errors of fields that are no `T`. The work is linear in the request: unknown fields are set aside at once, and a type has
/// a fixed number of known ones.
fn complaints<T: DeserializeOwned + JsonSchema>(
    mut fields: Map<String, Value>,
    mut errors: Vec<FieldError>,
) -> Vec<FieldError> {
    let schema = inlined::<T>();
    let is_known =
        |name: &str| schema.get("properties").and_then(|properties| properties.get(name)).is_some();
    let mut foreign = Vec::new();
    fields.retain(|name, _| {
        let keep = is_known(name);
        if !keep {
            foreign.push(unknown(name));
        }
        keep
    });
    let mut wrong = BTreeSet::new();
    let whole = loop {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(&fields) else { break None };
        // Removes the invalid field, to find the errors of the others.
        let field = error.path().iter().next().map(ToString::to_string);
        let Some(field) = field.filter(|field| fields.remove(field).is_some()) else { break Some(error) };
        errors.push(invalid(&field, sentence(error.inner())));
        wrong.insert(field);
    };
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let missing = required.filter_map(Value::as_str);
    let missing = missing.filter(|name| !fields.contains_key(*name) && !wrong.contains(*name));
    errors.extend(missing.map(|name| FieldError {
        field: name.to_owned(),
        code: "REQUIRED",
        message: "This field is required.".to_owned(),
    }));
    errors.append(&mut foreign);
    if let (Some(error), true) = (whole, errors.is_empty()) {
        errors.push(invalid("", sentence(error.inner())));
    }
    errors
}

fn unknown(name: &str) -> FieldError {
    FieldError { field: shortened(name), code: "UNKNOWN", message: "Unknown field.".to_owned() }
}

fn invalid(field: &str, message: impl Into<String>) -> FieldError {
    FieldError { field: shortened(field), code: "INVALID", message: message.into() }
}

/// The error's sentence. Our own types report sentences. Serde's messages quote the value, which may be a secret, so only the
/// list of allowed values is kept of them.
fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.ends_with('.') && !text.starts_with("invalid ") && !text.starts_with("unknown ") {
        return text;
    }
    let choices = text.strip_prefix("unknown variant ").and_then(|text| text.rsplit_once(", expected "));
    choices.map_or_else(|| "Wrong type or format.".to_owned(), |(_, choices)| format!("Use {choices}."))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use domain::{email::EmailAddress, region::Region};

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read from the outside")]
    struct Form {
        email: EmailAddress,
        region: Region,
        count: Option<u8>,
        answer: Option<Answer>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Answer {
        Yes,
        No,
    }

    fn read(body: &str) -> Result<Form, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap());
        let raw = Raw {
            path: &[],
            query: Vec::new(),
            headers: &headers,
            body: &Bytes::copy_from_slice(body.as_bytes()),
        };
        Body::<Form>::read(&raw).map(|body| body.0)
    }

    fn complaints(body: &str) -> Vec<(String, &'static str)> {
        read(body).unwrap_err().errors.into_iter().map(|error| (error.field, error.code)).collect()
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let found = complaints(r#"{"email": "nope", "region": "mars", "count": -1, "x": 1}"#);
        for expected in [("email", "INVALID"), ("region", "INVALID"), ("count", "INVALID"), ("x", "UNKNOWN")]
        {
            assert!(found.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} in {found:?}");
        }
        assert_eq!(found.len(), 4);
        assert_eq!(complaints("{}"), [("email".into(), "REQUIRED"), ("region".into(), "REQUIRED")]);
    }

    #[test]
    fn first_twenty_problems_are_reported_in_short() {
        let many = |count: usize| {
            let field = |n: usize| format!(r#""{n:04}{}": {n}"#, "x".repeat(200));
            format!("{{{}}}", (0..count).map(field).collect::<Vec<_>>().join(","))
        };
        let problem = read(&many(4_000)).unwrap_err();
        assert_eq!(problem.errors.len(), 20);
        assert!(problem.errors.iter().all(|error| error.field.chars().count() <= 65));
        assert!(problem.sentence.ends_with("Only the first 20 problems are listed."), "{}", problem.sentence);
        let known = complaints(&many(4_000).replacen('{', r#"{"count": -1, "#, 1));
        assert_eq!(
            known[..3],
            [("count", "INVALID"), ("email", "REQUIRED"), ("region", "REQUIRED")]
                .map(|(name, code)| (name.to_owned(), code))
        );
        assert!(!read(&many(18)).unwrap_err().sentence.contains("first 20"));
    }

    #[test]
    fn repeated_field_is_refused_by_name() {
        let form = r#"{"email": "ada@people.example", "region": "us", "email": "eve@people.example"}"#;
        assert_eq!(complaints(form), [("email".into(), "INVALID")]);
        assert_eq!(complaints(r#"{"x": {"y": 1, "y": 2}}"#)[0], ("x.y".into(), "INVALID"));
    }

    #[test]
    fn compressed_body_is_an_unsupported_media_type() {
        let read = |codings: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
            for coding in codings {
                headers.append(header::CONTENT_ENCODING, coding.parse().unwrap());
            }
            let body = Bytes::from_static(br#"{"email": "ada@people.example", "region": "us"}"#);
            let raw = Raw { path: &[], query: Vec::new(), headers: &headers, body: &body };
            Body::<Form>::read(&raw).map(|_| ()).map_err(|problem| problem.code)
        };
        for codings in [&["gzip"][..], &["identity, br"], &["identity", "deflate"], &["x"]] {
            assert_eq!(read(codings), Err(Code::UnsupportedMediaType), "{codings:?}");
        }
        for codings in [&[][..], &["identity"], &["Identity, "], &[""]] {
            assert_eq!(read(codings), Ok(()), "{codings:?}");
        }
    }

    #[test]
    fn a_complaint_never_repeats_what_was_sent() {
        for sent in ["hunter2", "hunter2, expected one of hunter2", "hunter2.", "a`, expected `hunter2`."] {
            let form =
                serde_json::json!({ "email": 12345678, "region": sent, "answer": sent, "count": sent });
            let text = format!("{:?}", read(&form.to_string()).unwrap_err().errors);
            assert!(!text.contains("12345678") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn invalid_enum_value_lists_allowed_values() {
        let form = r#"{"email": "ada@people.example", "region": "mars", "answer": "maybe"}"#;
        let errors = read(form).unwrap_err().errors;
        let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
        assert_eq!(messages, ["Use `yes` or `no`.", "Use one of `us`, `eu`, `ap`."]);
    }

    #[test]
    fn broken_json_and_other_shapes_are_bad_requests() {
        for body in ["", "{", "[]", "null", "\"x\"", "{\"email\": \"\\ud800\"}", &"[".repeat(1_000)] {
            assert_eq!(read(body).unwrap_err().code, Code::BadRequest, "{body}");
        }
    }
}
