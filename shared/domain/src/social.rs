//! Links to a person's or team's pages elsewhere: typed as a name, as `@name` or as a URL, stored as one canonical form.
//!
//! | platform | stored form |
//! |---|---|
//! | GitHub | `https://github.com/NAME` |
//! | LinkedIn | `https://www.linkedin.com/in/NAME` or `https://www.linkedin.com/company/NAME` |
//! | X | `https://x.com/NAME` |
//! | YouTube | `https://www.youtube.com/@NAME` or `https://www.youtube.com/channel/UC…` |
//! | Google Scholar | `https://scholar.google.com/citations?user=ID` |
//! | Discord | `https://discord.gg/CODE`, `https://discord.com/users/ID`, or a user name, which has no URL |
//! | website | any `http` or `https` URL with a dotted host name, without credentials |
//!
//! URLs are taken with and without their scheme and `www.`, with a slash at the end, and with a query or fragment, which
//! is dropped. Whether the page exists is not asked.

use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use url::{Host, Url};

use crate::text::{Invalid, blank_as_none};

/// The longest link in characters, as typed and as stored.
pub const MAX: usize = 200;

/// The links of a profile. A blank one reads as none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SocialLinks {
    /// GitHub user or organisation.
    #[serde(deserialize_with = "blank_as_none", skip_serializing_if = "Option::is_none")]
    pub github: Option<SocialLink<Github>>,
    /// LinkedIn person or company.
    #[serde(deserialize_with = "blank_as_none", skip_serializing_if = "Option::is_none")]
    pub linkedin: Option<SocialLink<Linkedin>>,
    /// X, formerly Twitter.
    #[serde(deserialize_with = "blank_as_none", skip_serializing_if = "Option::is_none")]
    pub twitter: Option<SocialLink<Twitter>>,
    /// YouTube channel.
    #[serde(deserialize_with = "blank_as_none", skip_serializing_if = "Option::is_none")]
    pub youtube: Option<SocialLink<Youtube>>,
    /// Google Scholar profile.
    #[serde(deserialize_with = "blank_as_none", skip_serializing_if = "Option::is_none")]
    pub scholar: Option<SocialLink<Scholar>>,
    /// Discord server or user.
    #[serde(deserialize_with = "blank_as_none", skip_serializing_if = "Option::is_none")]
    pub discord: Option<SocialLink<Discord>>,
    /// Any other page.
    #[serde(deserialize_with = "blank_as_none", skip_serializing_if = "Option::is_none")]
    pub website: Option<SocialLink<Website>>,
}

impl SocialLinks {
    /// Whether there is no link at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A link on platform `P`, in its canonical form. Parsing that form gives the same link.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String", bound = "P: Platform")]
pub struct SocialLink<P>(String, PhantomData<P>);

impl<P: Platform> SocialLink<P> {
    /// Reads what a person typed or pasted; white space around it is dropped.
    ///
    /// # Errors
    ///
    /// When it is no page of this platform; the sentence shows what one looks like.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let input = input.trim();
        let length = |text: &str| text.chars().nth(MAX).is_none();
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

impl<P: Platform> TryFrom<String> for SocialLink<P> {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl<P: Platform> FromStr for SocialLink<P> {
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

impl<P: Platform> JsonSchema for SocialLink<P> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Link", P::NAME).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX, "pattern": P::PATTERN })
    }
}

/// What a link may look like on one platform.
pub trait Platform: Clone + PartialEq + Eq {
    /// The platform's name in the OpenAPI document.
    const NAME: &'static str;
    /// What is said to a person whose link was refused.
    const RULE: &'static str;
    /// The accepted inputs as a regular expression (ECMA-262).
    const PATTERN: &'static str;

    /// The canonical form of a trimmed, non-empty input without white space, if it is a link of this platform.
    fn canonical(input: &str) -> Option<String>;
}

/// GitHub: letters, digits and single inner hyphens, at most 39.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Github {}

impl Platform for Github {
    const NAME: &'static str = "GitHub";
    const RULE: &'static str = "Give a GitHub user or organisation, such as https://github.com/octocat.";
    const PATTERN: &'static str =
        r"^((https?://)?(www\.)?github\.com/|@)?(?![A-Za-z0-9-]{40})[A-Za-z0-9]+(-[A-Za-z0-9]+)*/?$";

    fn canonical(input: &str) -> Option<String> {
        let page = Page::read(input, |host| host == "github.com")?;
        let name = page.name()?;
        let fits = name.len() <= 39
            && name
                .split('-')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        fits.then(|| format!("https://github.com/{name}"))
    }
}

/// LinkedIn: 3 to 100 letters, digits, `-` or `_`; a name alone is a person's. Letters beyond ASCII are stored
/// percent-encoded, as browsers copy them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linkedin {}

impl Platform for Linkedin {
    const NAME: &'static str = "LinkedIn";
    const RULE: &'static str =
        "Give a LinkedIn person or company, such as https://www.linkedin.com/in/name or company/name.";
    const PATTERN: &'static str = r"^((https?://)?([a-z]{2,3}\.)?linkedin\.com/(in|company)/|(in|company)/|@)?([A-Za-z0-9_-]|%[C-Fc-f][0-9A-Fa-f](%[89ABab][0-9A-Fa-f]){1,3}){3,100}/?$";

    fn canonical(input: &str) -> Option<String> {
        let page = Page::read(input, |host| match host.strip_suffix("linkedin.com") {
            Some(country) => {
                country.is_empty()
                    || matches!(country.len(), 3..=4)
                        && country
                            .strip_suffix('.')
                            .is_some_and(|code| code.bytes().all(|b| b.is_ascii_lowercase()))
            }
            None => false,
        })?;
        let (kind, name) = match page.path.as_slice() {
            ["in", name] => ("in", *name),
            ["company", name] => ("company", *name),
            [name] if !page.on_host => ("in", name.strip_prefix('@').unwrap_or(name)),
            _ => return None,
        };
        let (name, length) = encoded(name, "-_")?;
        (3..=100).contains(&length).then(|| format!("https://www.linkedin.com/{kind}/{name}"))
    }
}

/// X: at most 15 letters, digits or `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Twitter {}

impl Platform for Twitter {
    const NAME: &'static str = "X";
    const RULE: &'static str = "Give an X account, such as https://x.com/name.";
    const PATTERN: &'static str =
        r"^((https?://)?((www|mobile|m)\.)?(x|twitter)\.com/)?@?[A-Za-z0-9_]{1,15}/?$";

    fn canonical(input: &str) -> Option<String> {
        let page = Page::read(input, |host| matches!(host, "x.com" | "twitter.com"))?;
        let name = page.name()?;
        let fits = name.len() <= 15 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        fits.then(|| format!("https://x.com/{name}"))
    }
}

/// YouTube: a handle of 3 to 30 letters, digits, `-`, `_` or `.`, the ends letters or digits; or a channel's id, `UC`
/// and 22 characters. Letters beyond ASCII are stored percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Youtube {}

impl Platform for Youtube {
    const NAME: &'static str = "YouTube";
    const RULE: &'static str = "Give a YouTube channel, such as https://www.youtube.com/@name.";
    const PATTERN: &'static str = r"^(((https?://)?((www|m)\.)?youtube\.com/channel/)?UC[A-Za-z0-9_-]{22}/?|((https?://)?((www|m)\.)?youtube\.com/@|@)?([A-Za-z0-9]|%[C-Fc-f][0-9A-Fa-f](%[89ABab][0-9A-Fa-f]){1,3})([A-Za-z0-9._-]|%[C-Fc-f][0-9A-Fa-f](%[89ABab][0-9A-Fa-f]){1,3}){1,28}([A-Za-z0-9]|%[C-Fc-f][0-9A-Fa-f](%[89ABab][0-9A-Fa-f]){1,3})/?)$";

    fn canonical(input: &str) -> Option<String> {
        let page = Page::read(input, |host| host == "youtube.com")?;
        let name = match page.path.as_slice() {
            ["channel", id] => return is_channel(id).then(|| channel(id)),
            [id] if !page.on_host && is_channel(id) => return Some(channel(id)),
            [name] if page.on_host => name.strip_prefix('@')?,
            [name] => name.strip_prefix('@').unwrap_or(name),
            _ => return None,
        };
        let (name, length) = encoded(name, "-_.")?;
        let fits =
            (3..=30).contains(&length) && !name.starts_with(PUNCTUATION) && !name.ends_with(PUNCTUATION);
        fits.then(|| format!("https://www.youtube.com/@{name}"))
    }
}

const PUNCTUATION: [char; 3] = ['-', '_', '.'];

fn is_channel(id: &str) -> bool {
    id.len() == 24 && id.starts_with("UC") && id.bytes().all(is_id)
}

fn channel(id: &str) -> String {
    format!("https://www.youtube.com/channel/{id}")
}

/// Google Scholar: a profile's id of 12 letters, digits, `-` or `_`, on any of Google's country hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scholar {}

impl Platform for Scholar {
    const NAME: &'static str = "Scholar";
    const RULE: &'static str =
        "Give a Google Scholar profile, such as https://scholar.google.com/citations?user=AbCdEfGhIjKl.";
    const PATTERN: &'static str = r"^((https?://)?scholar\.google\.[a-z]{2,3}(\.[a-z]{2})?/citations\?([a-z]{1,4}=[A-Za-z0-9_-]*&)*user=[A-Za-z0-9_-]{12}(&[a-z]+=[A-Za-z0-9_-]*)*|@?[A-Za-z0-9_-]{12})$";

    fn canonical(input: &str) -> Option<String> {
        let is_id = |id: &&str| id.len() == 12 && id.bytes().all(is_id);
        let page = Page::read(input, |host| {
            host.strip_prefix("scholar.google.").is_some_and(|country| {
                country.len() <= 6 && country.split('.').all(|part| matches!(part.len(), 2..=3))
            })
        })?;
        let id = match page.path.as_slice() {
            ["citations"] if page.on_host => {
                page.query.split('&').filter_map(|pair| pair.strip_prefix("user=")).find(is_id)?
            }
            [_] if !page.on_host => page.name().filter(is_id)?,
            _ => return None,
        };
        Some(format!("https://scholar.google.com/citations?user={id}"))
    }
}

/// Discord: an invite to a server, a user's id of 17 to 20 digits, or a user name of 2 to 32 letters, digits, `_` or
/// single `.`, stored in lower case as Discord does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discord {}

impl Platform for Discord {
    const NAME: &'static str = "Discord";
    const RULE: &'static str = "Give a Discord invite, such as https://discord.gg/code, or a user name.";
    const PATTERN: &'static str = r"^((https?://)?(www\.)?(discord\.gg|discord(app)?\.com/invite)/[A-Za-z0-9-]{2,32}/?|(https?://)?(www\.)?discord(app)?\.com/users/[0-9]{17,20}/?|@?(?!.*\.\.)[A-Za-z0-9_.]{2,32})$";

    fn canonical(input: &str) -> Option<String> {
        let page = Page::read(input, |host| matches!(host, "discord.gg" | "discord.com" | "discordapp.com"))?;
        let is_code = |code: &str| {
            (2..=32).contains(&code.len())
                && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        match page.path.as_slice() {
            [code] if page.host == "discord.gg" && is_code(code) => {
                Some(format!("https://discord.gg/{code}"))
            }
            ["invite", code] if page.on_host && page.host != "discord.gg" && is_code(code) => {
                Some(format!("https://discord.gg/{code}"))
            }
            ["users", id]
                if page.on_host && matches!(id.len(), 17..=20) && id.bytes().all(|b| b.is_ascii_digit()) =>
            {
                Some(format!("https://discord.com/users/{id}"))
            }
            [_] if !page.on_host => {
                let name = page.name()?.to_ascii_lowercase();
                let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
                let fits =
                    (2..=32).contains(&name.len()) && name.bytes().all(of_name) && !name.contains("..");
                fits.then_some(name)
            }
            _ => None,
        }
    }
}

/// Any page of one's own. Without a scheme it is `https`; a host in Unicode is stored as A-labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Website {}

impl Platform for Website {
    const NAME: &'static str = "Website";
    const RULE: &'static str = "Give a website of at most 200 characters, such as https://example.com.";
    const PATTERN: &'static str = r"^(https?://)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}(:[0-9]{1,4})?([/?#][A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]|^-]*)?$";

    fn canonical(input: &str) -> Option<String> {
        if input.contains('\\') {
            return None;
        }
        let (secure, rest) = match (scheme("https://", input), scheme("http://", input)) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => (true, input),
        };
        if rest.starts_with('/') {
            return None;
        }
        let url = Url::parse(&format!("{}://{rest}", if secure { "https" } else { "http" })).ok()?;
        let Some(Host::Domain(host)) = url.host() else { return None };
        let (names, top) = host.rsplit_once('.')?;
        let named = top.starts_with("xn--") || top.bytes().all(|byte| byte.is_ascii_alphabetic());
        let label = |label: &str| {
            matches!(label.len(), 1..=63)
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let fits = top.len() >= 2 && named && names.split('.').all(label) && !rest_has_credentials(rest);
        fits.then(|| url.into())
    }
}

/// Whether there is an `@` before the path; also one with nothing before it, which [`Url`] drops silently.
fn rest_has_credentials(rest: &str) -> bool {
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

/// An input taken apart: a page on the platform's host, or something without a host.
struct Page<'a> {
    on_host: bool,
    /// In lower case without `www.`, `m.` or `mobile.`; empty when the input has none.
    host: String,
    path: Vec<&'a str>,
    query: &'a str,
}

impl<'a> Page<'a> {
    /// `None` for a URL on another host.
    fn read(input: &'a str, is_host: impl FnOnce(&str) -> bool) -> Option<Self> {
        let bare = scheme("https://", input).or_else(|| scheme("http://", input));
        let rest = bare.unwrap_or(input);
        let (host, tail) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
        let host = host.to_ascii_lowercase();
        let host = ["www.", "mobile.", "m."].iter().find_map(|sub| host.strip_prefix(sub)).unwrap_or(&host);
        let on_host = is_host(host);
        if bare.is_some() && !on_host {
            return None;
        }
        let tail = if on_host { tail.split('#').next().unwrap_or_default() } else { input };
        let (path, query) = if on_host { tail.split_once('?').unwrap_or((tail, "")) } else { (tail, "") };
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        Some(Self { on_host, host: if on_host { host.to_owned() } else { String::new() }, path, query })
    }

    /// The only part of the path, without an `@` before it.
    fn name(&self) -> Option<&'a str> {
        match self.path.as_slice() {
            [name] => Some(name.strip_prefix('@').unwrap_or(name)).filter(|name| !name.is_empty()),
            _ => None,
        }
    }
}

/// What follows a scheme, in whatever case that is written.
fn scheme<'a>(scheme: &str, input: &'a str) -> Option<&'a str> {
    let (start, rest) = input.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// A name with its letters beyond ASCII percent-encoded in capitals, and how many characters it has. Takes letters as
/// such or already encoded; of other characters only those in `also`.
fn encoded(name: &str, also: &str) -> Option<(String, usize)> {
    let (mut text, mut length, mut rest) = (String::new(), 0, name);
    while let Some(c) = rest.chars().next() {
        let used = if c == '%' {
            let used = escape(rest)?;
            text.push_str(&rest.get(..used)?.to_ascii_uppercase());
            used
        } else if c.is_ascii_alphanumeric() || also.contains(c) {
            text.push(c);
            1
        } else if !c.is_ascii() && c.is_alphanumeric() {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
            c.len_utf8()
        } else {
            return None;
        };
        rest = rest.get(used..)?;
        length += 1;
    }
    Some((text, length))
}

/// The length of one percent-encoded character beyond ASCII: a lead byte and one to three more.
fn escape(text: &str) -> Option<usize> {
    let byte = |at: usize| {
        let digits = text.get(at..at + 3)?.strip_prefix('%')?;
        if digits.starts_with('+') { None } else { u8::from_str_radix(digits, 16).ok() }
    };
    byte(0).filter(|lead| *lead >= 0xc0)?;
    let more = (1..=3).take_while(|n| byte(n * 3).is_some_and(|next| (0x80..0xc0).contains(&next))).count();
    (more > 0).then_some(3 * (more + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check<P: Platform>(good: &[(&str, &str)], bad: &[&str]) {
        for (input, stored) in good {
            let link = SocialLink::<P>::parse(input).unwrap_or_else(|error| panic!("{input}: {error}"));
            assert_eq!(link.as_str(), *stored, "{input}");
            assert_eq!(SocialLink::<P>::parse(stored).as_ref(), Ok(&link), "{input}");
        }
        for input in bad.iter().chain(&["", " ", "@", "/", "?", "a b", "https://", "\0"]) {
            assert_eq!(SocialLink::<P>::parse(input), Err(Invalid::new(P::RULE)), "{input:?}");
        }
    }

    #[test]
    fn github_takes_names_and_urls() {
        let octocat = "https://github.com/octocat";
        check::<Github>(
            &[
                ("octocat", octocat),
                (" @octocat ", octocat),
                ("github.com/octocat", octocat),
                ("HTTP://WWW.GitHub.com/octocat/", octocat),
                ("https://github.com/octocat?tab=repos#x", octocat),
                ("a-B-9", "https://github.com/a-B-9"),
                (&"a".repeat(39), &format!("https://github.com/{}", "a".repeat(39))),
            ],
            &[
                "-a",
                "a-",
                "a--b",
                "a_b",
                "octo.cat",
                "github.com",
                "https://github.com/",
                "https://github.com/a/b",
                "https://github.com.evil.example/a",
                "https://github.com@evil.example/a",
                "javascript:alert(1)",
                "a/b",
                "https://gist.github.com/a",
                "окто",
                &"a".repeat(40),
                "https://github.com/a%20b",
                "//github.com/a",
            ],
        );
    }

    #[test]
    fn linkedin_takes_people_and_companies() {
        let ada = "https://www.linkedin.com/in/ada-lovelace";
        check::<Linkedin>(
            &[
                ("ada-lovelace", ada),
                ("@ada-lovelace", ada),
                ("in/ada-lovelace", ada),
                ("linkedin.com/in/ada-lovelace/", ada),
                ("https://de.linkedin.com/in/ada-lovelace?originalSubdomain=de", ada),
                ("https://www.linkedin.com/in/ada-lovelace", ada),
                ("company/acme", "https://www.linkedin.com/company/acme"),
                ("https://linkedin.com/company/acme", "https://www.linkedin.com/company/acme"),
                ("in/jürgen", "https://www.linkedin.com/in/j%C3%BCrgen"),
                ("in/j%c3%bcrgen", "https://www.linkedin.com/in/j%C3%BCrgen"),
            ],
            &[
                "ab",
                "https://www.linkedin.com/ada-lovelace",
                "https://www.linkedin.com/feed/",
                "in/a%2Fb",
                "in/abc%00",
                "https://evillinkedin.com/in/ada",
                "https://a.b.linkedin.com/in/ada",
                "in/ada/x",
                "abc%c3",
                "abc%",
                "abc%c3%+8",
            ],
        );
    }

    #[test]
    fn x_takes_both_of_its_hosts() {
        let ada = "https://x.com/Ada_1";
        check::<Twitter>(
            &[
                ("Ada_1", ada),
                ("@Ada_1", ada),
                ("https://twitter.com/Ada_1", ada),
                ("mobile.twitter.com/@Ada_1/", ada),
                ("x.com/Ada_1?s=20", ada),
            ],
            &["ada-1", "a234567890123456", "x.com", "https://x.com/ada/status/1", "https://netflix.com/ada"],
        );
    }

    #[test]
    fn youtube_takes_handles_and_channel_ids() {
        let (name, id) =
            ("https://www.youtube.com/@ada.l", "https://www.youtube.com/channel/UC-9-kyTW8ZkZNDHQJ6FgpwQ");
        check::<Youtube>(
            &[
                ("ada.l", name),
                ("@ada.l", name),
                ("youtube.com/@ada.l", name),
                ("https://m.youtube.com/@ada.l/?app=x", name),
                ("UC-9-kyTW8ZkZNDHQJ6FgpwQ", id),
                ("https://youtube.com/channel/UC-9-kyTW8ZkZNDHQJ6FgpwQ", id),
                ("@한국어", "https://www.youtube.com/@%ED%95%9C%EA%B5%AD%EC%96%B4"),
            ],
            &[
                "ab",
                ".ada",
                "ada_",
                "https://www.youtube.com/ada",
                "https://www.youtube.com/watch?v=abc",
                "a".repeat(31).as_str(),
                "https://www.youtube.com/channel/UCshort",
                "https://youtu.be/abc",
            ],
        );
    }

    #[test]
    fn scholar_takes_profiles_of_every_country() {
        let stored = "https://scholar.google.com/citations?user=AbC-_fGhIjKl";
        check::<Scholar>(
            &[
                ("AbC-_fGhIjKl", stored),
                ("https://scholar.google.co.uk/citations?hl=en&user=AbC-_fGhIjKl&oi=ao", stored),
                ("scholar.google.de/citations?user=AbC-_fGhIjKl#x", stored),
            ],
            &[
                "short",
                "https://scholar.google.com/citations?hl=en",
                "https://scholar.google.com/AbC-_fGhIjKl",
                "https://scholar.google.evil.example/citations?user=AbC-_fGhIjKl",
                "https://google.com/citations?user=AbC-_fGhIjKl",
            ],
        );
    }

    #[test]
    fn discord_takes_invites_users_and_names() {
        let invite = "https://discord.gg/AbC-12";
        check::<Discord>(
            &[
                ("https://discord.gg/AbC-12", invite),
                ("discord.com/invite/AbC-12", invite),
                ("https://discordapp.com/invite/AbC-12/", invite),
                (
                    "https://discord.com/users/80351110224678912",
                    "https://discord.com/users/80351110224678912",
                ),
                ("Ada.L_1", "ada.l_1"),
                ("@ada", "ada"),
            ],
            &[
                "a",
                "ada..l",
                "Ada#1234",
                "https://discord.com/AbC",
                "https://discord.gg/invite/AbC",
                "discord.gg",
                "invite/AbC",
                "https://discord.com/users/1",
                "users/80351110224678912",
                "https://discord.com/channels/1/2",
            ],
        );
    }

    #[test]
    fn a_website_is_a_web_page_on_a_named_host() {
        check::<Website>(
            &[
                ("example.com", "https://example.com/"),
                ("HTTP://Example.com", "http://example.com/"),
                ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c#d"),
                ("example.com:8080", "https://example.com:8080/"),
                ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
                ("example.com/@ada", "https://example.com/@ada"),
                ("example.com/?u=http://x", "https://example.com/?u=http://x"),
            ],
            &[
                "localhost",
                "https://localhost:8080",
                "https://127.0.0.1",
                "https://[::1]/",
                "https://2130706433",
                "https://0x7f.1",
                "ftp://example.com",
                "mailto:a@example.com",
                "javascript:alert(1)",
                "data:text/html,x",
                "https://a:b@example.com",
                "https://@example.com",
                "https:///example.com",
                "https:example.com",
                "https://exa mple.com",
                "https:\\\\example.com",
                "https://-a.com",
                "https://example.com.",
                "https://a..com",
                "example.c",
                &format!("https://example.com/{}", "a".repeat(181)),
            ],
        );
        assert!(SocialLink::<Website>::parse(&format!("https://example.com/{}", "a".repeat(180))).is_ok());
    }

    #[test]
    fn a_page_elsewhere_is_no_page_of_the_platform() {
        fn check<P: Platform>(name: &str) {
            for host in [
                "https://evil.example/",
                "http://evil.example/",
                "evil.example/",
                "https://evil.example/?",
                "//",
            ] {
                assert!(SocialLink::<P>::parse(name).is_ok(), "{name}");
                assert!(SocialLink::<P>::parse(&format!("{host}{name}")).is_err(), "{host}{name}");
            }
        }
        check::<Github>("octocat");
        check::<Linkedin>("in/octocat");
        check::<Twitter>("octocat");
        check::<Youtube>("@octocat");
        check::<Scholar>("AbC-_fGhIjKl");
        check::<Discord>("octocat");
    }

    #[test]
    fn a_form_with_blanks_reads_as_links_left_out() {
        let json = r#"{"github": "@octocat", "linkedin": "", "website": " ", "discord": null}"#;
        let links: SocialLinks = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&links).unwrap(), r#"{"github":"https://github.com/octocat"}"#);
        assert!(!links.is_empty() && SocialLinks::default().is_empty());
        let error =
            serde_json::from_str::<SocialLinks>(r#"{"twitter": "not a name"}"#).unwrap_err().to_string();
        assert!(error.starts_with(Twitter::RULE), "{error}");
    }

    fn stable<P: Platform + fmt::Debug>(input: &str) {
        if let Ok(link) = SocialLink::<P>::parse(input) {
            assert_eq!(SocialLink::<P>::parse(link.as_str()).as_ref(), Ok(&link), "{input:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn any_string_is_answered_and_the_stored_form_is_stable(
            input in prop_oneof![
                any::<String>(),
                "@?[A-Za-z0-9._%/-]{1,30}",
                "(https?://)?(www\\.)?(github\\.com|x\\.com|linkedin\\.com/(in|company)|youtube\\.com|discord\\.(gg|com))/@?\\PC{1,12}",
                "(https?://)?[a-zäé0-9.-]{1,12}\\.[a-z]{2,5}(:[0-9]{1,5})?(/\\PC{0,12})?(\\?\\PC{0,9})?(#\\PC{0,9})?",
            ]
        ) {
            stable::<Github>(&input);
            stable::<Linkedin>(&input);
            stable::<Twitter>(&input);
            stable::<Youtube>(&input);
            stable::<Scholar>(&input);
            stable::<Discord>(&input);
            stable::<Website>(&input);
        }

        #[test]
        fn what_the_schemas_allow_is_accepted(
            github in "((https?://)?(www\\.)?github\\.com/|@)?[A-Za-z0-9]{1,12}(-[A-Za-z0-9]{1,12}){0,2}/?",
            linkedin in "((https?://)?([a-z]{2,3}\\.)?linkedin\\.com/(in|company)/|(in|company)/|@)?([A-Za-z0-9_-]|%[C-Fc-f][0-9A-Fa-f](%[89ABab][0-9A-Fa-f]){1,3}){3,10}/?",
            x in "((https?://)?((www|mobile|m)\\.)?(x|twitter)\\.com/)?@?[A-Za-z0-9_]{1,15}/?",
            youtube in "((https?://)?((www|m)\\.)?youtube\\.com/@|@)?[A-Za-z0-9][A-Za-z0-9._-]{1,28}[A-Za-z0-9]/?",
            scholar in "(https?://)?scholar\\.google\\.[a-z]{2,3}(\\.[a-z]{2})?/citations\\?([a-z]{1,4}=[A-Za-z0-9_-]{0,3}&){0,2}user=[A-Za-z0-9_-]{12}(&[a-z]{1,3}=[A-Za-z0-9_-]{0,3}){0,2}|@?[A-Za-z0-9_-]{12}",
            discord in "((https?://)?(www\\.)?(discord\\.gg|discord(app)?\\.com/invite)/[A-Za-z0-9-]{2,32}/?|(https?://)?(www\\.)?discord(app)?\\.com/users/[0-9]{17,20}/?|@?[A-Za-z0-9_]{2,32})",
            website in "(https?://)?([A-Za-wyz0-9]([A-Za-z0-9-]{0,9}[A-Za-z0-9])?\\.){1,3}[A-Za-z]{2,9}(:[0-9]{1,4})?([/?#][A-Za-z0-9._~:/?#@!$&'()*+,;=%\\[\\]|^-]{0,19})?",
        ) {
            prop_assert!(SocialLink::<Github>::parse(&github).is_ok(), "{}", github);
            prop_assert!(SocialLink::<Linkedin>::parse(&linkedin).is_ok(), "{}", linkedin);
            prop_assert!(SocialLink::<Twitter>::parse(&x).is_ok(), "{}", x);
            prop_assert!(SocialLink::<Youtube>::parse(&youtube).is_ok(), "{}", youtube);
            prop_assert!(SocialLink::<Scholar>::parse(&scholar).is_ok(), "{}", scholar);
            prop_assert!(SocialLink::<Discord>::parse(&discord).is_ok(), "{}", discord);
            prop_assert!(SocialLink::<Website>::parse(&website).is_ok(), "{}", website);
        }
    }
}
