//! Bodies of requests: JSON, and forms with a picture.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// The member that marks a body as a form.
const FORM: &str = "multipart/form-data";
const BOUNDARY: &str = "----a-line-that-is-in-no-picture";
/// A PNG of one red pixel.
const RED: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

/// A form with a small picture and other fields, as the body of a fixture.
pub fn icon_form(fields: Value) -> Value {
    json!({ FORM: fields })
}

/// A PNG of one red pixel.
pub fn red_pixel() -> Vec<u8> {
    BASE64_STANDARD.decode(RED).unwrap()
}

/// A request with a body: JSON, or a form.
pub fn with_body(request: RequestBuilder, body: &Value) -> RequestBuilder {
    match body.get(FORM) {
        None => request.json(body),
        Some(fields) => {
            let fields = fields.as_object().unwrap();
            let texts: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
            with_picture(request, &red_pixel(), &texts)
        }
    }
}

/// A request with a form that has this picture.
pub fn with_picture(request: RequestBuilder, picture: &[u8], fields: &[(&str, &str)]) -> RequestBuilder {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(head.into_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"me.gif\"\r\nContent-Type:          text/html\r\n\r\n"
    );
    body.extend([head.as_bytes(), picture, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat());
    request.header("content-type", format!("{FORM}; boundary={BOUNDARY}")).body(body)
}
