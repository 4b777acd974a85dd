//! Social links of a profile: typed as a name, as `@name` or as a URL, and stored in one canonical form.
//!
//! | platform | stored form |
//! |---|---|
//! | GitHub | `https://github.com/NAME` |
//! | LinkedIn | `https://www.linkedin.com/in/NAME` or `https://www.linkedin.com/company/NAME` |
//! | X | `https://x.com/NAME` |
//! | YouTube | `https://www.youtube.com/@NAME` or `https://www.youtube.com/channel/UC…` |
//! | Google Scholar | `https://scholar.google.com/citations?user=ID` |
//! | Discord | `https://discord.gg/CODE`, `https://discord.com/users/ID`, or a username, which has no URL |
//! | website | any `http` or `https` URL with a dotted host name, without credentials |
//!
//! URLs are accepted with and without scheme and `www.`, with a trailing slash, and with a query or fragment, which is
//! dropped. The existence of the page is not checked.
//!
//! LinkedIn and YouTube have names in any script. A name may be typed or percent-encoded; it is decoded, brought into
//! normalization form C, checked, and encoded again, so that each name has one stored form.

mod name;
mod page;
mod platforms;
mod website;

use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

pub use self::{
    platforms::{Discord, Github, Linkedin, Scholar, Twitter, Youtube},
    website::Website,
};
use crate::text::Invalid;

/// Maximum length of a link in characters, typed and stored, for platforms with ASCII names.
const MAX: usize = 200;

/// The links of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SocialLinks {
    /// GitHub user or organisation.
    #[serde(deserialize_with = "stored", skip_serializing_if = "Option::is_none")]
    pub github: Option<SocialLink<Github>>,
    /// LinkedIn person or company.
    #[serde(deserialize_with = "stored", skip_serializing_if = "Option::is_none")]
    pub linkedin: Option<SocialLink<Linkedin>>,
    /// X, formerly Twitter.
    #[serde(deserialize_with = "stored", skip_serializing_if = "Option::is_none")]
    pub twitter: Option<SocialLink<Twitter>>,
    /// YouTube channel.
    #[serde(deserialize_with = "stored", skip_serializing_if = "Option::is_none")]
    pub youtube: Option<SocialLink<Youtube>>,
    /// Google Scholar profile.
    #[serde(deserialize_with = "stored", skip_serializing_if = "Option::is_none")]
    pub scholar: Option<SocialLink<Scholar>>,
    /// Discord server or user.
    #[serde(deserialize_with = "stored", skip_serializing_if = "Option::is_none")]
    pub discord: Option<SocialLink<Discord>>,
    /// Any other page.
    #[serde(deserialize_with = "stored", skip_serializing_if = "Option::is_none")]
    pub website: Option<SocialLink<Website>>,
}

impl SocialLinks {
    /// Whether there are no links.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads a stored link. A blank link, or one that breaks today's rules, reads as `None`, so that a link does not make its
/// profile unreadable.
fn stored<'de, D: serde::Deserializer<'de>, P: SocialPlatform>(
    from: D,
) -> Result<Option<SocialLink<P>>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.and_then(|text| SocialLink::parse(&text).ok()))
}

/// A link on platform `P`, in its canonical form. Parsing that form gives the same link.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String", bound = "P: SocialPlatform")]
pub struct SocialLink<P>(String, PhantomData<P>);

impl<P: SocialPlatform> SocialLink<P> {
    /// Parses a typed link and trims white space.
    ///
    /// # Errors
    ///
    /// When the link is not a page of this platform. The sentence has an example.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let input = input.trim();
        let length = |text: &str| text.chars().nth(P::MAX).is_none();
        if input.is_empty() || !length(input) || input.contains(|c: char| c.is_control() || c.is_whitespace())
        {
            return Err(Invalid::new(P::RULE));
        }
        match P::canonical(input) {
            Some(form) if length(&form) => Ok(Self(form, PhantomData)),
            _ => Err(Invalid::new(P::RULE)),
        }
    }
}

impl<P> SocialLink<P> {
    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<P: SocialPlatform> TryFrom<String> for SocialLink<P> {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl<P: SocialPlatform> FromStr for SocialLink<P> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl<P> fmt::Display for SocialLink<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<P> fmt::Debug for SocialLink<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SocialLink").field(&self.0).finish()
    }
}

impl<P> Serialize for SocialLink<P> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<P: SocialPlatform> JsonSchema for SocialLink<P> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Link", P::NAME).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": P::MAX, "pattern": P::PATTERN })
    }
}

/// The rules for links of a platform.
pub trait SocialPlatform: Clone + PartialEq + Eq {
    /// The platform's name in the OpenAPI document.
    const NAME: &'static str;
    /// The error message for an invalid link.
    const RULE: &'static str;
    /// The accepted inputs as a regular expression (ECMA-262 with `u`). Almost exact for names of any script: accepts
    /// some invalid marks and percent-encodings.
    const PATTERN: &'static str;
    /// Maximum length of a link in characters, typed and stored.
    const MAX: usize = MAX;

    /// The canonical form of a trimmed, non-empty input without white space, if it is a link of this platform.
    fn canonical(input: &str) -> Option<String>;
}

#[cfg(test)]
mod tests;
