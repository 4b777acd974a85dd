//! Uploads: clients send files of datasets and models directly to the store.

use jiff::{SignedDuration, Timestamp};
use schemars::{Schema, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    activity::Actor,
    blob::LARGEST_PUT,
    entitlements::Entitlements,
    id::{UploadId, WorkspaceId},
    resource::{Kind, ResourceId},
    text::{Invalid, LINE_PATTERN, line, string_value},
    time,
};

/// Lifetime of the upload URL.
pub const SENT_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// Time in which an upload can be completed. Expired uploads are removed; no upload is in transit by then.
pub const COMPLETED_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// A file's name: one line of 1 to 255 characters without slashes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FileName(String);

impl FileName {
    /// Parses a name by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When the name is empty, too long, or contains a slash or invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let name = line(input, 1, 255)?;
        if name.contains(['/', '\\']) || name == "." || name == ".." {
            return Err(Invalid::new("Provide the file name only, without folders."));
        }
        Ok(Self(name))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string", "minLength": 1, "maxLength": 255, "pattern": LINE_PATTERN,
            "not": { "anyOf": [{ "pattern": r"[/\\]" }, { "enum": [".", ".."] }] },
        })
    }
}

string_value!(FileName);

/// A media type, such as `text/plain; charset=utf-8` ([RFC 9110, section 8.3.1]): up to 255 characters. Part of a
/// signed request, so it has one canonical form: lower-case names, one space before each parameter, and quotes only
/// where needed.
///
/// [RFC 9110, section 8.3.1]: https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ContentType(String);

impl ContentType {
    /// Maximum length in characters, as sent and in canonical form.
    const MAX: usize = 255;

    /// Parses a media type.
    ///
    /// # Errors
    ///
    /// When the text is not a media type, or repeats a parameter.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let fits = |text: &str| text.len() <= Self::MAX;
        let canonical = if fits(input) { Self::canonical(input).filter(|text| fits(text)) } else { None };
        canonical
            .map(Self)
            .ok_or(Invalid::new("Use a media type, such as application/zip or text/plain; charset=utf-8."))
    }

    fn canonical(input: &str) -> Option<String> {
        let end = input.find(';').unwrap_or(input.len());
        let (essence, mut rest) = input.split_at_checked(end)?;
        let (main, sub) = essence.trim_matches(BLANK).split_once('/')?;
        if !is_type_name(main) || !is_type_name(sub) {
            return None;
        }
        let mut text = format!("{main}/{sub}").to_ascii_lowercase();
        let mut names = Vec::new();
        while let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start_matches(BLANK);
            if rest.is_empty() || rest.starts_with(';') {
                continue;
            }
            let (name, after) = rest.split_once('=')?;
            let name = name.to_ascii_lowercase();
            let (value, after) = parameter_value(after)?;
            if !is_token(&name) || names.contains(&name) {
                return None;
            }
            text = format!("{text}; {name}={}", quoted_if_needed(&value));
            names.push(name);
            rest = after.trim_start_matches(BLANK);
        }
        rest.is_empty().then_some(text)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "maxLength": Self::MAX, "pattern": CONTENT_TYPE_PATTERN })
    }
}

/// White space allowed around a parameter.
const BLANK: [char; 2] = [' ', '\t'];

/// [`ContentType`] as a regular expression for the OpenAPI document. Does not detect repeated parameters.
const CONTENT_TYPE_PATTERN: &str = concat!(
    r"^[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]*/[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]*",
    r"([ \t]*;[ \t]*([A-Za-z0-9!#$%&'*+\-.^_`|~]+=([A-Za-z0-9!#$%&'*+\-.^_`|~]+",
    r#"|"( ?([!#-\[\]-~]|\\[!-~]))* ?"))?)*[ \t]*$"#,
);

/// A type's or subtype's name (RFC 6838).
fn is_type_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    name.bytes().all(plain) && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// A token (RFC 9110): the name of a parameter, or its value without quotes.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Splits a text into its first value, without quotes, and the rest.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at_checked(text.find([';', ' ', '\t']).unwrap_or(text.len()))?;
        return is_token(value).then(|| (value.to_owned(), rest));
    };
    let (mut value, mut letters) = (String::new(), quoted.chars());
    loop {
        let letter = match letters.next()? {
            '"' => return Some((value, letters.as_str())),
            '\\' => letters.next()?,
            letter => letter,
        };
        // Signatures treat several spaces as one.
        if !matches!(letter, ' '..='~') || (letter == ' ' && value.ends_with(' ')) {
            return None;
        }
        value.push(letter);
    }
}

fn quoted_if_needed(value: &str) -> String {
    if is_token(value) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""))
}

string_value!(ContentType);

/// The state of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The client may send the file.
    Begun,
    /// The file exists and counts.
    Complete,
    /// The upload expired. The file, if it exists, is being removed.
    Swept,
}

/// The upload of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The id of the upload, and then of the file.
    pub id: UploadId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The dataset or model that the file belongs to.
    pub asset: ResourceId,
    /// File name. Need not be unique: each upload creates a new file.
    pub name: FileName,
    /// Media type.
    pub content_type: ContentType,
    /// Size in bytes. Until completion, the size that the client declared and the signature enforces.
    pub bytes: u64,
    /// The user or key that started the upload.
    pub by: Actor,
    /// Start time, in milliseconds.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub begun_at: Timestamp,
    /// The state.
    pub state: State,
}

impl Upload {
    /// Time at which an incomplete upload is removed.
    pub fn swept_at(&self) -> Timestamp {
        time::after(self.begun_at, COMPLETED_WITHIN)
    }

    /// Remaining lifetime of the upload URL; `None` if expired.
    pub fn sent_within(&self, now: Timestamp) -> Option<SignedDuration> {
        let left = time::after(self.begun_at, SENT_WITHIN).duration_since(now);
        (self.state == State::Begun && left.as_secs() > 0).then_some(left)
    }

    /// Whether the upload can be completed.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == State::Begun && now < self.swept_at()
    }
}

/// The file is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// The plan does not allow files of this size.
    #[error("The plan does not allow files of this size")]
    ForPlan,
    /// The file does not fit into one request to the store.
    #[error("The file must not exceed 5 GiB. Split the file.")]
    ForOneRequest,
}

/// Whether the workspace's entitlements and the storage allow a file of this size.
pub fn fits(kind: Kind, bytes: u64, entitlements: Entitlements) -> Result<(), TooLarge> {
    if kind == Kind::Dataset && entitlements.dataset_upload_bytes.is_some_and(|most| bytes > most) {
        return Err(TooLarge::ForPlan);
    }
    if bytes > LARGEST_PUT { Err(TooLarge::ForOneRequest) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn file_name_has_no_path() {
        for valid in ["best.pt", "データ.zip", "a b.txt", "..a"] {
            assert_eq!(FileName::parse(valid).unwrap().as_str(), valid);
        }
        for bad in ["", ".", "..", "a/b", "a\\b", "a\nb", "a\u{0}b", &"a".repeat(256)] {
            assert!(FileName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn media_type_has_one_canonical_form() {
        for (given, kept) in [
            ("Application/ZIP", "application/zip"),
            ("text/plain;charset=utf-8", "text/plain; charset=utf-8"),
            ("text/plain \t;\tCharset=\"utf-8\" ", "text/plain; charset=utf-8"),
            ("text/plain;", "text/plain"),
            ("a/b; ; c=d;;", "a/b; c=d"),
            ("multipart/mixed; boundary=\"a b;c=d\"; x=Y", "multipart/mixed; boundary=\"a b;c=d\"; x=Y"),
            ("a/b; c=\"\"", "a/b; c=\"\""),
            (r#"a/b; c="\d\"\\""#, r#"a/b; c="d\"\\""#),
        ] {
            let parsed = ContentType::parse(given).unwrap_or_else(|_| panic!("{given}"));
            assert_eq!(parsed.as_str(), kept);
            assert_eq!(ContentType::parse(kept), Ok(parsed), "{kept}");
        }
    }

    #[test]
    fn malformed_media_type_is_refused() {
        for bad in [
            "",
            "zip",
            "a/",
            "/b",
            "a/b/c",
            "a/b; q",
            "a/b; =1",
            "a/b; q=",
            "a/b; q =1",
            "a/b; q= 1",
            "a/b; q=1 2",
            "a/b; q=\"1",
            "a/b; q=\"1\"2",
            "a/b; q=\"1  2\"",
            "a/b; q=\"\u{7f}\"",
            "a/b; q=\"\\\r\n\"",
            "a/b; q=ä",
            "a/b; q=1; Q=2",
            "a/b, c/d",
            "a/b\r\nx: y",
            "a/b; q=1\r\nx: y",
            "ä/b",
            &format!("a/{}", "b".repeat(254)),
            // The canonical form is longer.
            &format!("a/b{}", (10..52).map(|n| format!(";p{n}=1")).collect::<String>()),
        ] {
            assert!(ContentType::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn media_type_is_stable(input in r#"[Aa!]/[Bb](([ \t]?;[ \t]?)([cC]|d)?=?("[ -~]{0,8}"|[e;]{0,3}))*"#) {
            if let Ok(parsed) = ContentType::parse(&input) {
                proptest::prop_assert!(parsed.as_str().bytes().all(|byte| (0x20..0x7f).contains(&byte)));
                proptest::prop_assert_eq!(ContentType::parse(parsed.as_str()), Ok(parsed));
            }
        }
    }

    #[test]
    fn file_size_is_limited_by_plan_and_by_one_request() {
        let (free, pro) = (Plan::Free.entitlements(), Plan::Pro.entitlements());
        assert_eq!(fits(Kind::Dataset, LARGEST_PUT, free), Ok(()));
        assert_eq!(fits(Kind::Dataset, 10_000_000_000, free), Err(TooLarge::ForOneRequest));
        assert_eq!(fits(Kind::Dataset, 10_000_000_001, free), Err(TooLarge::ForPlan));
        assert_eq!(fits(Kind::Dataset, 10_000_000_001, pro), Err(TooLarge::ForOneRequest));
        assert_eq!(fits(Kind::Model, 10_000_000_001, free), Err(TooLarge::ForOneRequest));
    }
}
