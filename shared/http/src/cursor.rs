//! Cursors: opaque and authenticated, so that a page can only be asked for from where a page ended.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    secret::{Digest256, MacKey},
    workspace::Workspace,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem};

const TAG_LENGTH: usize = 16;

/// A cursor as the client sends it back, not yet looked at.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Cursor(String);

/// Makes and reads the cursors of one list of one workspace.
///
/// The key comes from the workspace's wrapped data key: no client ever sees that, every workspace has another, and the
/// function has it at hand.
pub struct Cursors {
    key: MacKey,
    list: &'static str,
}

impl Cursors {
    /// The cursors of `list` in `workspace`.
    pub fn new(workspace: &Workspace, list: &'static str) -> Self {
        Self { key: MacKey::of(&workspace.data_key.0), list }
    }

    /// A cursor at `position`.
    pub fn at(&self, position: &str) -> Cursor {
        let mut bytes = Vec::from(self.tag(position));
        bytes.extend(position.as_bytes());
        Cursor(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position of a cursor that [`Cursors::at`] made.
    pub fn position<T: std::str::FromStr>(&self, cursor: &Cursor) -> Result<T, Problem> {
        self.verified(cursor)
            .and_then(|position| position.parse().ok())
            .ok_or_else(|| Problem::new(Code::BadRequest, "The cursor is not one that this list gave out."))
    }

    fn verified(&self, cursor: &Cursor) -> Option<String> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&cursor.0).ok()?;
        let (tag, position) = bytes.split_at_checked(TAG_LENGTH)?;
        let position = String::from_utf8(position.to_vec()).ok()?;
        let right = Digest256::of(self.tag(&position)).matches(Digest256::of(tag));
        right.then_some(position)
    }

    fn tag(&self, position: &str) -> [u8; TAG_LENGTH] {
        let full = self.key.derive(self.list, &[position.as_bytes()]);
        let mut tag = [0; TAG_LENGTH];
        tag.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        tag
    }
}
