//! Feedback: text that anybody sends to the operators of the deployment, who receive it by mail.
//!
//! The text is personal data. It is stored until it is mailed and reaches no log: its types have no `Debug`.

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    email::EmailAddress,
    id::FeedbackId,
    text::{Invalid, TABBED_PATTERN, string_value, tabbed_paragraph},
    time::after,
};

/// How long feedback is stored that is not mailed.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Maximum number of characters.
const MOST: usize = 5_000;

/// A topic of feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum FeedbackKind {
    /// Something does not work.
    Bug,
    /// A wish.
    Idea,
    /// Something is liked.
    Praise,
    /// Anything else.
    Other,
}

impl FeedbackKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Bug, Self::Idea, Self::Praise, Self::Other];

    /// The name, as in requests and in the subject of the mail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bug => "bug",
            Self::Idea => "idea",
            Self::Praise => "praise",
            Self::Other => "other",
        }
    }
}

/// The text of feedback: 1 to 5,000 characters on any number of lines.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FeedbackText(String);

impl FeedbackText {
    /// Parses a text by the rules of [`crate::text`]. A tab becomes a space.
    ///
    /// # Errors
    ///
    /// When the text is empty, too long or contains invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        tabbed_paragraph(input, 1, MOST).map(Self)
    }

    /// The text, for the mail.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": MOST, "pattern": TABBED_PATTERN })
    }
}

string_value!(@input FeedbackText);

/// For the stored record only.
impl Serialize for FeedbackText {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

/// Feedback that waits to be mailed.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserFeedback {
    /// The id.
    pub id: FeedbackId,
    /// The topic.
    pub kind: FeedbackKind,
    /// The text.
    pub text: FeedbackText,
    /// The address for an answer, as the sender states it. Nothing verifies it, and no mail goes to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<EmailAddress>,
    /// When it was received.
    pub at: Timestamp,
}

impl UserFeedback {
    /// When it expires.
    pub fn expires_at(&self) -> Timestamp {
        after(self.at, KEPT)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(input: &str) -> Result<String, Invalid> {
        FeedbackText::parse(input).map(|text| text.expose().to_owned())
    }

    #[test]
    fn text_has_1_to_5000_characters() {
        assert!(parsed("").is_err() && parsed(" \n\t ").is_err());
        assert_eq!(parsed(" x\n").as_deref(), Ok("x"));
        assert!(parsed(&"é".repeat(5_000)).is_ok() && parsed(&"e\u{301}".repeat(5_000)).is_ok());
        assert_eq!(parsed(&"é".repeat(5_001)), Err(Invalid::new("Use at most 5000 characters.")));
    }

    #[test]
    fn lines_and_tabs_are_accepted_and_control_characters_refused() {
        assert_eq!(parsed("one\r\n\ttwo\tthree\rfour").as_deref(), Ok("one\n two three\nfour"));
        for bad in ["a\0b", "a\u{1b}[31mb", "a\u{7f}", "a\u{85}b", "a\u{202e}b", "a\u{200b}b"] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn kinds_match_serialized_names() {
        for kind in FeedbackKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    proptest! {
        #[test]
        fn parsed_text_is_stable(input in any::<String>()) {
            if let Ok(text) = parsed(&input) {
                prop_assert_eq!(parsed(&text), Ok(text.clone()));
            }
        }
    }
}
