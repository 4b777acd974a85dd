//! Browser and operating system of a request, for emails.

use serde::{Deserialize, Serialize};

/// Pairs of a part of a `User-Agent` header and its name in emails. The first match counts, because most browsers also
/// name other browsers.
const BROWSERS: [(&str, &str); 13] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
    ("okhttp", "an app"),
    ("Dart/", "an app"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// A browser and a system, such as `Firefox on Windows`. Contains only words of this module and no text of the header,
/// which an attacker controls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Device(String);

impl Device {
    /// Reads a `User-Agent` header.
    pub fn of_user_agent(header: Option<&str>) -> Self {
        let header = header.unwrap_or_default();
        let find = |words: &[(&str, &'static str)]| {
            words.iter().find(|(mark, _)| header.contains(mark)).map(|(_, name)| *name)
        };
        Self(match (find(&BROWSERS), find(&SYSTEMS)) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(browser), None) => browser.to_owned(),
            (None, Some(system)) => format!("an app on {system}"),
            (None, None) => return Self::default(),
        })
    }

    /// The name for emails.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Device {
    fn default() -> Self {
        Self("an unknown device".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agent_is_reduced_to_browser_and_system() {
        for (header, wanted) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 \
                 Safari/537.36 Edg/138.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            ("curl/8.14.1", "curl"),
            ("", "an unknown device"),
        ] {
            assert_eq!(Device::of_user_agent(Some(header)).as_str(), wanted);
        }
        assert_eq!(Device::of_user_agent(None), Device::default());
    }

    #[test]
    fn mail_has_no_text_from_user_agent_header() {
        let header =
            format!("<a href=\"https://evil.example\">Firefox/1</a>\r\nBcc: x Linux {}", "x".repeat(9_000));
        assert_eq!(Device::of_user_agent(Some(&header)).as_str(), "Firefox on Linux");
    }
}
