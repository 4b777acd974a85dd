//! Where ranges of breached passwords are.

use std::fmt;

use crate::config::safe;

/// The URL of a service's ranges, for example `https://api.pwnedpasswords.com/range/`: HTTPS, or this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeUrl(String);

impl RangeUrl {
    /// Reads a URL, with or without the slash at its end. `None` if it is no URL for ranges.
    pub fn parse(text: &str) -> Option<Self> {
        let url = safe(text).ok().filter(|url| !url.contains(['?', '#']))?;
        Some(Self(format!("{}/", url.trim_end_matches('/'))))
    }

    /// The URL of the range with this prefix.
    pub fn of(&self, prefix: &str) -> String {
        format!("{}{prefix}", self.0)
    }
}

impl fmt::Display for RangeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_follows_the_url_with_one_slash() {
        for text in ["https://api.pwnedpasswords.com/range/", "https://api.pwnedpasswords.com/range"] {
            let url = RangeUrl::parse(text).unwrap();
            assert_eq!(url.of("ABCDE"), "https://api.pwnedpasswords.com/range/ABCDE");
            assert_eq!(RangeUrl::parse(&url.to_string()), Some(url));
        }
        assert_eq!(
            RangeUrl::parse("http://127.0.0.1:4000").unwrap().of("ABCDE"),
            "http://127.0.0.1:4000/ABCDE"
        );
    }

    #[test]
    fn url_that_is_not_safe_or_has_a_query_is_refused() {
        for text in [
            "",
            "off",
            "http://ranges.example/",
            "https://somebody@ranges.example/",
            "https://ranges.example/?prefix=",
            "https://ranges.example/#",
        ] {
            assert_eq!(RangeUrl::parse(text), None, "{text}");
        }
    }
}
