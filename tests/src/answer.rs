//! An answer, as tests look at it.

use reqwest::{Response, header::HeaderMap};
use serde_json::Value;

/// A status, headers and a body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; `null` if the body is not JSON.
    pub body: Value,
}

impl Answer {
    /// Takes a response in.
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body }
    }

    /// The status and, of a problem, its code: `401 UNAUTHORIZED`.
    pub fn brief(&self) -> String {
        match self.body.get("code").and_then(Value::as_str) {
            Some(code) if self.status >= 400 => format!("{} {code}", self.status),
            _ => self.status.to_string(),
        }
    }

    /// Itself, if the status is this; else the test fails and shows the body.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// A member of the body, by JSON pointer.
    pub fn at(&self, pointer: &str) -> &Value {
        self.body.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// A member of the body that is a text.
    pub fn text_at(&self, pointer: &str) -> String {
        self.at(pointer)
            .as_str()
            .unwrap_or_else(|| panic!("no text at {pointer} in {}", self.text))
            .to_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What a problem says of its fields: `email INVALID, region REQUIRED`.
    pub fn complaints(&self) -> String {
        let errors = self.at("/errors").as_array().cloned().unwrap_or_default();
        let text = |error: &Value, name: &str| {
            error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let list: Vec<String> =
            errors.iter().map(|error| format!("{} {}", text(error, "field"), text(error, "code"))).collect();
        list.join(", ")
    }
}
