//! Rules for links to GitHub, LinkedIn, X, YouTube, Google Scholar and Discord.

use super::{
    MAX, SocialPlatform,
    name::Name,
    page::{Page, without_at},
};

/// GitHub: letters, digits and single inner hyphens, at most 39.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Github {}

impl SocialPlatform for Github {
    const NAME: &'static str = "GitHub";
    const RULE: &'static str = "Enter a GitHub user or organisation, such as https://github.com/octocat.";
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

/// A character of a name as a regular expression: a letter, digit or mark of any script, as typed or percent-encoded, or
/// one of this punctuation.
macro_rules! any_script {
    ($punctuation:literal) => {
        concat!(r"([\p{L}\p{M}\p{N}", $punctuation, "]|%[C-Fc-f][0-9A-Fa-f](%[89ABab][0-9A-Fa-f]){1,3})")
    };
}

/// LinkedIn: 3 to 100 letters of any script, digits, `-` or `_`; a name alone is a person's. Letters beyond ASCII are
/// stored percent-encoded, as browsers copy them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linkedin {}

impl SocialPlatform for Linkedin {
    const NAME: &'static str = "LinkedIn";
    const RULE: &'static str =
        "Enter a LinkedIn person or company, such as https://www.linkedin.com/in/name or company/name.";
    const PATTERN: &'static str = concat!(
        r"^((https?://)?([a-z]{2,3}\.)?linkedin\.com/(in|company)/|(in|company)/|@)?",
        any_script!("_-"),
        "{3,100}/?$",
    );
    /// A hundred characters of four bytes, three for each when encoded.
    const MAX: usize = 100 * 4 * 3 + MAX;

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
            [name] if !page.on_host => ("in", without_at(name).unwrap_or(name)),
            _ => return None,
        };
        let name = Name::read(name, "-_")?;
        (3..=100)
            .contains(&name.length())
            .then(|| format!("https://www.linkedin.com/{kind}/{}", name.encoded()))
    }
}

/// X: at most 15 letters, digits or `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Twitter {}

impl SocialPlatform for Twitter {
    const NAME: &'static str = "X";
    const RULE: &'static str = "Enter an X account, such as https://x.com/name.";
    const PATTERN: &'static str =
        r"^((https?://)?((www|mobile|m)\.)?(x|twitter)\.com/)?@?[A-Za-z0-9_]{1,15}/?$";

    fn canonical(input: &str) -> Option<String> {
        let page = Page::read(input, |host| matches!(host, "x.com" | "twitter.com"))?;
        let name = page.name()?;
        let fits = name.len() <= 15 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        fits.then(|| format!("https://x.com/{name}"))
    }
}

/// YouTube: a handle of 3 to 30 letters of any script, digits, `-`, `_` or `.`, the ends no punctuation; or a channel's
/// id, `UC` and 22 characters. Letters beyond ASCII are stored percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Youtube {}

impl SocialPlatform for Youtube {
    const NAME: &'static str = "YouTube";
    const RULE: &'static str = "Enter a YouTube channel, such as https://www.youtube.com/@name.";
    const PATTERN: &'static str = concat!(
        r"^(((https?://)?((www|m)\.)?youtube\.com/channel/)?UC[A-Za-z0-9_-]{22}/?|((https?://)?((www|m)\.)?youtube\.com/@|@)?",
        any_script!(""),
        any_script!("._-"),
        "{1,28}",
        any_script!(""),
        "/?)$",
    );
    /// Thirty characters of four bytes, three for each when encoded.
    const MAX: usize = 30 * 4 * 3 + MAX;

    fn canonical(input: &str) -> Option<String> {
        let page = Page::read(input, |host| host == "youtube.com")?;
        let name = match page.path.as_slice() {
            ["channel", id] => return is_channel(id).then(|| channel(id)),
            [id] if !page.on_host && is_channel(id) => return Some(channel(id)),
            [name] if page.on_host => without_at(name)?,
            [name] => without_at(name).unwrap_or(name),
            _ => return None,
        };
        let name = Name::read(name, "-_.")?;
        let fits = (3..=30).contains(&name.length()) && name.has_letters_at_both_ends();
        fits.then(|| format!("https://www.youtube.com/@{}", name.encoded()))
    }
}

fn is_channel(id: &str) -> bool {
    id.len() == 24 && id.starts_with("UC") && id.bytes().all(is_id)
}

fn channel(id: &str) -> String {
    format!("https://www.youtube.com/channel/{id}")
}

/// Google Scholar: a profile's id of 12 letters, digits, `-` or `_`, on any of Google's country hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scholar {}

impl SocialPlatform for Scholar {
    const NAME: &'static str = "Scholar";
    const RULE: &'static str =
        "Enter a Google Scholar profile, such as https://scholar.google.com/citations?user=AbCdEfGhIjKl.";
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

impl SocialPlatform for Discord {
    const NAME: &'static str = "Discord";
    const RULE: &'static str = "Enter a Discord invite, such as https://discord.gg/code, or a username.";
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

fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
