//! The form that uploads a picture.

use bytes::Bytes;
use domain::{
    profile::{IconColor, IconLetters},
    settings::Change,
};
use http::header;
use kit::{
    Code, Input, Problem,
    input::{InputSchemas, Raw, fields_of, refuse_compressed},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::multipart::{self, MultipartError};

/// The name of the field with the file.
const IMAGE: &str = "image";

/// A picture, and perhaps the colour and initials that are shown where pictures are not.
pub struct IconForm {
    /// The file.
    pub image: Bytes,
    /// The other fields.
    pub fields: IconFields,
}

/// The fields of the form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IconFields {
    /// A PNG, JPEG or WebP file with at most 4096 × 4096 pixels. Its centre is stored as a PNG of 256 × 256 pixels, without metadata.
    #[schemars(schema_with = "file")]
    #[expect(dead_code, reason = "the content stays where it is in the body")]
    image: bool,
    /// A new icon colour. Empty: removes the colour.
    #[serde(default)]
    #[schemars(schema_with = "text::<IconColor>", skip_serializing_if = "Option::is_none")]
    pub icon_color: Option<Change<IconColor>>,
    /// New initials. Empty: removes the initials.
    #[serde(default)]
    #[schemars(schema_with = "text::<IconLetters>", skip_serializing_if = "Option::is_none")]
    pub icon_letter: Option<Change<IconLetters>>,
}

fn file(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "binary" })
}

/// A value or empty text: a form has no `null`.
fn text<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [generator.subschema_for::<T>(), { "type": "string", "maxLength": 0 }] })
}

impl Input for IconForm {
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        <() as Input>::read(raw)?;
        refuse_compressed(raw)?;
        let content_type = raw.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let parts = multipart::parts(content_type.unwrap_or_default(), raw.body).map_err(refused)?;
        let (mut image, mut fields, mut repeated) = (None, Map::new(), Vec::new());
        for part in parts {
            let value = if part.name == IMAGE {
                image = Some(raw.body.slice_ref(part.content));
                Value::Bool(true)
            } else {
                // A value that is no text fits no field.
                str::from_utf8(part.content).map_or(Value::Null, Value::from)
            };
            if fields.insert(part.name.clone(), value).is_some() {
                repeated.push(part.name);
            }
        }
        let fields = fields_of(fields, &repeated)?;
        Ok(Self { image: image.unwrap_or_default(), fields })
    }

    fn describe(generator: &mut SchemaGenerator) -> InputSchemas {
        let body = Some(generator.subschema_for::<IconFields>().to_value());
        InputSchemas { body, body_media_type: Some("multipart/form-data"), ..InputSchemas::default() }
    }
}

fn refused(error: MultipartError) -> Problem {
    let code = match error {
        MultipartError::MediaType => Code::UnsupportedMediaType,
        MultipartError::Malformed => Code::BadRequest,
    };
    Problem::new(code, error.to_string())
}
