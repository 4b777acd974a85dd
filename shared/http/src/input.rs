//! Reads what the client sent into the endpoint's types, and says of every field what is wrong with it.

use bytes::Bytes;
use domain::text::Invalid;
use http::{HeaderMap, header};
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::problem::{Code, FieldError, Problem};

/// A request before it is understood.
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
}

/// What an endpoint takes.
pub trait Input: Sized + Send {
    /// Reads it.
    fn read(raw: &Raw<'_>) -> Result<Self, Problem>;
    /// Says what it looks like.
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
        InputSchemas { params: None, body: Some(generator.subschema_for::<T>().to_value()) }
    }
}

impl<T: DeserializeOwned + JsonSchema + Send> Input for Params<T> {
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        params(raw).map(Self)
    }

    fn describe(_: &mut SchemaGenerator) -> InputSchemas {
        InputSchemas { params: Some(inlined::<T>()), body: None }
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
        InputSchemas { params: Some(inlined::<Q>()), body: Some(generator.subschema_for::<B>().to_value()) }
    }
}

/// A parameter that is `true` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names say it")]
pub enum YesNo {
    True,
    False,
}

/// What to look for: up to 100 characters.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline)]
pub struct Search(#[schemars(length(max = 100))] String);

impl Search {
    /// The text in lower case.
    pub fn into_needle(self) -> String {
        self.0
    }
}

impl TryFrom<String> for Search {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        match text.chars().count() {
            ..=100 => Ok(Self(text.trim().to_lowercase())),
            _ => Err(Invalid::new("It may have 100 characters at the most.")),
        }
    }
}

/// How many rows a page has: 1 to `MOST`, 20 if it is not said.
#[derive(Debug, Clone, Copy)]
pub struct PageSize<const MOST: u16>(u16);

impl<const MOST: u16> PageSize<MOST> {
    /// The number.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl<const MOST: u16> Default for PageSize<MOST> {
    fn default() -> Self {
        Self(MOST.min(20))
    }
}

impl<'de, const MOST: u16> serde::Deserialize<'de> for PageSize<MOST> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        whole_number(from, MOST).map(Self)
    }
}

impl<const MOST: u16> JsonSchema for PageSize<MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("PageSize{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST, "default": Self::default().0 })
    }
}

/// A page's number: 1 to `MOST`.
#[derive(Debug, Clone, Copy)]
pub struct PageNumber<const MOST: u16>(u16);

impl<const MOST: u16> PageNumber<MOST> {
    /// How many rows come before it, if each page has `size`.
    pub fn skips(self, size: usize) -> usize {
        usize::from(self.0 - 1) * size
    }
}

impl<'de, const MOST: u16> serde::Deserialize<'de> for PageNumber<MOST> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        whole_number(from, MOST).map(Self)
    }
}

impl<const MOST: u16> JsonSchema for PageNumber<MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("PageNumber{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST })
    }
}

/// Reads a number from a parameter's text.
fn whole_number<'de, D: serde::Deserializer<'de>>(from: D, most: u16) -> Result<u16, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(from)?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (1..=most).contains(number));
    number.ok_or_else(|| serde::de::Error::custom(format!("It must be a whole number from 1 to {most}.")))
}

/// The schema of a time (RFC 3339 in UTC).
pub fn date_time(_: &mut SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "format": "date-time" })
}

fn inlined<T: JsonSchema>() -> Value {
    T::json_schema(&mut schemars::generate::SchemaSettings::draft2020_12().into_generator()).to_value()
}

fn no_params(raw: &Raw<'_>) -> Result<(), Problem> {
    let unknown = raw.query.iter().map(|(name, _)| unknown(name));
    let errors: Vec<FieldError> = unknown.collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
}

fn params<T: DeserializeOwned + JsonSchema>(raw: &Raw<'_>) -> Result<T, Problem> {
    let mut fields = Map::new();
    for (name, value) in raw.path.iter().chain(&raw.query) {
        if fields.insert(name.clone(), Value::String(value.clone())).is_some() {
            let message = "It is given more than once.".to_owned();
            return Err(Problem::fields(vec![FieldError { field: name.clone(), code: "INVALID", message }]));
        }
    }
    understand(fields)
}

fn body<T: DeserializeOwned + JsonSchema>(raw: &Raw<'_>) -> Result<T, Problem> {
    let content_type =
        raw.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Code::UnsupportedMediaType, "Send the body as application/json."));
    }
    match serde_json::from_slice(raw.body) {
        Ok(Value::Object(fields)) => understand(fields),
        Ok(_) => Err(Problem::new(Code::BadRequest, "The body must be a JSON object.")),
        Err(error) => {
            let place =
                format!("The body is not valid JSON (line {}, column {}).", error.line(), error.column());
            Err(Problem::new(Code::BadRequest, place))
        }
    }
}

/// Makes a `T` of fields, or says of all of them together what is wrong.
fn understand<T: DeserializeOwned + JsonSchema>(mut fields: Map<String, Value>) -> Result<T, Problem> {
    let mut errors = Vec::new();
    // Each round either ends or takes the one field away that was wrong, so that the others get their turn.
    loop {
        let error = match read_once::<T>(&fields) {
            Ok(value) if errors.is_empty() => return Ok(value),
            Ok(_) => return Err(Problem::fields(errors)),
            Err(error) => error,
        };
        let named =
            error.path().iter().next().map(ToString::to_string).filter(|name| fields.remove(name).is_some());
        let Some(field) = named else {
            errors.extend(misfits::<T>(&fields, &errors, error.inner()));
            return Err(Problem::fields(errors));
        };
        let inner = error.inner();
        let known = is_known::<T>(&field);
        errors.push(if known { invalid(&field, inner) } else { unknown(&field) });
    }
}

fn read_once<T: DeserializeOwned>(
    fields: &Map<String, Value>,
) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
    serde_path_to_error::deserialize(Value::Object(fields.clone()))
}

/// What is wrong with the fields as a whole: unknown ones and missing ones.
fn misfits<T: JsonSchema>(
    fields: &Map<String, Value>,
    already: &[FieldError],
    error: &serde_json::Error,
) -> Vec<FieldError> {
    let schema = inlined::<T>();
    let required =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let missing = required
        .filter(|name| !fields.contains_key(*name) && !already.iter().any(|error| error.field == *name))
        .map(|name| FieldError {
            field: name.to_owned(),
            code: "REQUIRED",
            message: "It is required.".into(),
        });
    let foreign = fields.keys().filter(|name| !is_known::<T>(name)).map(|name| unknown(name));
    let mut found: Vec<FieldError> = missing.chain(foreign).collect();
    if found.is_empty() && already.is_empty() {
        found.push(FieldError { field: String::new(), code: "INVALID", message: sentence(error) });
    }
    found
}

fn is_known<T: JsonSchema>(name: &str) -> bool {
    inlined::<T>().get("properties").and_then(|properties| properties.get(name)).is_some()
}

fn unknown(name: &str) -> FieldError {
    // Names come from outside: bounded, so that an answer is.
    let field = name.chars().take(64).collect();
    FieldError { field, code: "UNKNOWN", message: "There is no such field here.".into() }
}

fn invalid(field: &str, error: &serde_json::Error) -> FieldError {
    FieldError { field: field.to_owned(), code: "INVALID", message: sentence(error) }
}

/// The error's sentence. Types that are ours speak in sentences; serde's own messages quote the value that was sent,
/// which may be a secret, so all that is kept of them is what could have been sent instead.
fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.ends_with('.') && !text.starts_with("invalid ") && !text.starts_with("unknown ") {
        return text;
    }
    let choices = text.strip_prefix("unknown variant ").and_then(|text| text.rsplit_once(", expected "));
    choices.map_or_else(
        || "It has the wrong type or form.".to_owned(),
        |(_, choices)| format!("It must be {choices}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{email::EmailAddress, region::Region};

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read from the outside")]
    struct Form {
        email: EmailAddress,
        region: Region,
        count: Option<u8>,
        answer: Option<Answer>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
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
    fn a_complaint_never_repeats_what_was_sent() {
        for sent in ["hunter2", "hunter2, expected one of hunter2", "hunter2.", "a`, expected `hunter2`."] {
            let form =
                serde_json::json!({ "email": 12345678, "region": sent, "answer": sent, "count": sent });
            let text = format!("{:?}", read(&form.to_string()).unwrap_err().errors);
            assert!(!text.contains("12345678") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn whoever_chose_what_there_is_not_is_told_what_there_is() {
        let form = r#"{"email": "ada@people.example", "region": "mars", "answer": "maybe"}"#;
        let errors = read(form).unwrap_err().errors;
        let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
        assert_eq!(messages, ["It must be `yes` or `no`.", "It must be one of `us`, `eu`, `ap`."]);
    }

    #[test]
    fn broken_json_and_other_shapes_are_bad_requests() {
        for body in ["", "{", "[]", "null", "\"x\"", "{\"email\": \"\\ud800\"}", &"[".repeat(1_000)] {
            assert_eq!(read(body).unwrap_err().code, Code::BadRequest, "{body}");
        }
    }
}
