//! Uploads: a file of a dataset or a model goes from the client straight to storage.

use jiff::{SignedDuration, Timestamp};
use schemars::{Schema, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    activity::Actor,
    blob::LARGEST_PUT,
    id::{UploadId, WorkspaceId},
    plan::Limits,
    resource::{Kind, ResourceId},
    text::{Invalid, LINE_PATTERN, line, string_value},
    time,
};

/// How long a file can be sent after it was asked for.
pub const SENT_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// How long an upload can be completed. After that it is swept; by then nothing is on its way any more.
pub const COMPLETED_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// A file's name: one line of 1 to 255 characters without slashes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FileName(String);

impl FileName {
    /// Reads a name by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or holds a slash or characters that cannot be seen.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let name = line(input, 1, 255)?;
        if name.contains(['/', '\\']) || name == "." || name == ".." {
            return Err(Invalid::new("Give the file's name alone, without folders."));
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

/// A media type without parameters, as in `application/zip` (RFC 6838): up to 127 characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ContentType(String);

impl ContentType {
    /// Reads a media type; capitals are folded.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let is_name = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            name.bytes().all(plain) && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        };
        match input.split_once('/') {
            Some((main, sub)) if input.len() <= 127 && is_name(main) && is_name(sub) => {
                Ok(Self(input.to_ascii_lowercase()))
            }
            _ => Err(Invalid::new("It must be a media type, as in application/zip.")),
        }
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string", "maxLength": 127,
            "pattern": r"^[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]*/[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]*$",
        })
    }
}

string_value!(ContentType);

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The client may send the file.
    Begun,
    /// The file is there and counts.
    Complete,
    /// It was never completed: the file, if there is one, is being removed.
    Swept,
}

/// The upload of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The upload's id, and then the file's.
    pub id: UploadId,
    /// Whose.
    pub workspace: WorkspaceId,
    /// The dataset or model that it belongs to.
    pub asset: ResourceId,
    /// What it is called. Names may repeat: each upload is a file of its own.
    pub name: FileName,
    /// What is in it.
    pub content_type: ContentType,
    /// How large it is. Until it is complete: as the client said; the signature takes no other.
    pub bytes: u64,
    /// Who asked.
    pub by: Actor,
    /// When it was asked for, to the millisecond.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub begun_at: Timestamp,
    /// How far it is.
    pub state: State,
}

impl Upload {
    /// When it is swept, unless it is complete by then.
    pub fn swept_at(&self) -> Timestamp {
        time::after(self.begun_at, COMPLETED_WITHIN)
    }

    /// How long the file can still be sent; `None` if no longer.
    pub fn sent_within(&self, now: Timestamp) -> Option<SignedDuration> {
        let left = time::after(self.begun_at, SENT_WITHIN).duration_since(now);
        (self.state == State::Begun && left.as_secs() > 0).then_some(left)
    }

    /// Whether it can be completed.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == State::Begun && now < self.swept_at()
    }
}

/// Why a file is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// The plan takes no files of this size.
    #[error("The plan takes no files of this size")]
    ForPlan,
    /// It does not fit into one request to the storage.
    #[error("A file may have 5 GiB at the most; split it up")]
    ForOneRequest,
}

/// Whether a plan with these limits, and the storage, take a file of this size.
pub fn fits(kind: Kind, bytes: u64, limits: Limits) -> Result<(), TooLarge> {
    if kind == Kind::Dataset && bytes > limits.dataset_upload_bytes {
        return Err(TooLarge::ForPlan);
    }
    if bytes > LARGEST_PUT { Err(TooLarge::ForOneRequest) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn a_files_name_leads_nowhere_else() {
        for good in ["best.pt", "データ.zip", "a b.txt", "..a"] {
            assert_eq!(FileName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "a\\b", "a\nb", "a\u{0}b", &"a".repeat(256)] {
            assert!(FileName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_media_type_is_two_names() {
        assert_eq!(ContentType::parse("Application/ZIP").unwrap().as_str(), "application/zip");
        for bad in [
            "",
            "zip",
            "a/",
            "/b",
            "a/b/c",
            "a/b; q=1",
            "a/b\r\nx: y",
            "ä/b",
            &format!("a/{}", "b".repeat(127)),
        ] {
            assert!(ContentType::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_datasets_file_is_as_large_as_the_plan_and_one_request_let_it_be() {
        let (free, pro) = (Plan::Free.limits(), Plan::Pro.limits());
        assert_eq!(fits(Kind::Dataset, LARGEST_PUT, free), Ok(()));
        assert_eq!(fits(Kind::Dataset, 10_000_000_000, free), Err(TooLarge::ForOneRequest));
        assert_eq!(fits(Kind::Dataset, 10_000_000_001, free), Err(TooLarge::ForPlan));
        assert_eq!(fits(Kind::Dataset, 10_000_000_001, pro), Err(TooLarge::ForOneRequest));
        assert_eq!(fits(Kind::Model, 10_000_000_001, free), Err(TooLarge::ForOneRequest));
    }
}
