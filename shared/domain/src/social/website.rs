//! Rules for links to any other website.

use url::{Host, Position, Url};

use super::{
    SocialPlatform,
    name::{decoded, is_legible},
    page::scheme,
};

/// Any website. The default scheme is `https`; a Unicode host is stored as A-labels. Path, query and fragment are kept, but
/// their percent-encoded text must be UTF-8 without control or invisible characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Website {}

impl SocialPlatform for Website {
    const NAME: &'static str = "Website";
    const RULE: &'static str = "Enter a website of at most 200 characters, such as https://example.com.";
    const PATTERN: &'static str = r"^(https?://)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}(:[0-9]{1,4})?([/?#]([A-Za-z0-9._~:/?#@!$&'()*+,;=\[\]|^-]|%[2-6][0-9A-Fa-f]|%7[0-9A-Ea-e]|%[C-Fc-f][0-9A-Fa-f](%[89ABab][0-9A-Fa-f]){1,3})*)?$";

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
        let fits = fits && decoded(&url[Position::BeforePath..]).is_some_and(|rest| is_legible(&rest));
        fits.then(|| url.into())
    }
}

/// Whether the authority contains an `@`, including an `@` without credentials, which [`Url`] drops silently.
fn rest_has_credentials(rest: &str) -> bool {
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}
