//! Redirects of a browser, with cookies.

use http::{HeaderName, HeaderValue, header};
use kit::Output;
use schemars::JsonSchema;
use serde::Serialize;

/// The browser goes to another page.
#[derive(Serialize, JsonSchema)]
pub struct Redirected {
    /// The address of the page, as in the header `Location`.
    location: String,
    #[serde(skip)]
    cookies: Vec<String>,
}

impl Redirected {
    /// A redirect to a page.
    pub fn to(location: String) -> Self {
        Self { location, cookies: Vec::new() }
    }

    /// The same, with a `Set-Cookie` value.
    pub fn setting(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }
}

impl Output for Redirected {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let cookies = self.cookies.iter().map(|cookie| (header::SET_COOKIE, cookie));
        let all = std::iter::once((header::LOCATION, &self.location)).chain(cookies);
        all.filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?))).collect()
    }
}
