//! Cursors: opaque and authenticated, so that a page can only begin where another page ended.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    secret::{Digest256, MacKey},
    workspace::Workspace,
};
use http::{HeaderValue, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem};

const TAG_LENGTH: usize = 16;
/// The parameters that select a page, not the list.
const PAGING: [&str; 4] = ["cursor", "page", "limit", "expand"];

/// A cursor as the client sends it, not yet verified.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Cursor(String);

impl Cursor {
    /// The link from a page of a list to the next page ([RFC 8288]): the same request with another cursor.
    ///
    /// [RFC 8288]: https://www.rfc-editor.org/rfc/rfc8288
    pub(crate) fn link_from(&self, page: &Uri) -> Result<HeaderValue, Problem> {
        let broken = |error: &dyn std::fmt::Display| Problem::internal(format!("a link: {error}"));
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(page.query().unwrap_or_default()).map_err(|error| broken(&error))?;
        let kept = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = kept.filter(|(name, _)| !["cursor", "page"].contains(name));
        let pairs: Vec<(&str, &str)> = kept.chain([("cursor", self.0.as_str())]).collect();
        let query = serde_urlencoded::to_string(pairs).map_err(|error| broken(&error))?;
        let link = format!("<{}?{query}>; rel=\"next\"", page.path());
        HeaderValue::from_str(&link).map_err(|error| broken(&error))
    }
}

/// A cursor that this list did not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid cursor for this list.")]
pub struct CursorError;

impl From<CursorError> for Problem {
    fn from(error: CursorError) -> Self {
        Self::new(Code::BadRequest, error.to_string())
    }
}

/// Makes and verifies the cursors of one list in one workspace with the same filters. A cursor of another list, or of other
/// filters, is refused.
///
/// The key derives from the workspace's wrapped data key: clients never see that, each workspace has its own, and the function
/// has read it already.
pub struct Cursors {
    key: MacKey,
    list: &'static str,
    filters: String,
}

impl Cursors {
    /// The cursors of `list` in `workspace`, as the parameters of a query filter it.
    /// `RequestContext::cursors` makes them for a request.
    pub fn new(workspace: &Workspace, list: &'static str, query: &[(String, String)]) -> Self {
        let mut filters: Vec<_> = query.iter().filter(|(name, _)| !PAGING.contains(&name.as_str())).collect();
        filters.sort();
        let filters = serde_json::json!(filters).to_string();
        Self { key: MacKey::of(&workspace.data_key.0), list, filters }
    }

    /// A cursor at `position`.
    pub fn at(&self, position: &str) -> Cursor {
        let mut bytes = Vec::from(self.tag(position));
        bytes.extend(position.as_bytes());
        Cursor(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position of a cursor that [`Cursors::at`] made.
    pub fn position<T: std::str::FromStr>(&self, cursor: &Cursor) -> Result<T, CursorError> {
        self.verified(cursor).and_then(|position| position.parse().ok()).ok_or(CursorError)
    }

    fn verified(&self, cursor: &Cursor) -> Option<String> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&cursor.0).ok()?;
        let (tag, position) = bytes.split_at_checked(TAG_LENGTH)?;
        let position = String::from_utf8(position.to_vec()).ok()?;
        let right = Digest256::of(self.tag(&position)).matches(Digest256::of(tag));
        right.then_some(position)
    }

    fn tag(&self, position: &str) -> [u8; TAG_LENGTH] {
        let full = self.key.derive(self.list, &[self.filters.as_bytes(), position.as_bytes()]);
        let mut tag = [0; TAG_LENGTH];
        tag.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_to_the_next_page_keeps_the_request_but_for_its_place() {
        let link = |page: &str| {
            let cursor = Cursor("A-_9".to_owned());
            cursor.link_from(&page.parse().unwrap()).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(link("/api/api-keys"), r#"</api/api-keys?cursor=A-_9>; rel="next""#);
        assert_eq!(
            link("/api/trash?owner=ada&page=3&search=a%20%26%3E%22b&limit=5&cursor=old"),
            r#"</api/trash?owner=ada&search=a+%26%3E%22b&limit=5&cursor=A-_9>; rel="next""#
        );
        assert_eq!(link("http://us.example/api/trash?x"), r#"</api/trash?x=&cursor=A-_9>; rel="next""#);
    }
}
