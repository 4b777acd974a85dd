//! The parameters of a query or of a form body.

use std::collections::BTreeSet;

use url::form_urlencoded;

/// The parameters of a query or of a form body. A parameter without a value counts as absent ([RFC 6749, section 3.1]).
///
/// [RFC 6749, section 3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-3.1
pub struct OAuthForm(Vec<(String, String)>);

impl OAuthForm {
    /// Reads `name=value` pairs.
    pub fn parse(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text).into_owned();
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The value of a parameter; the first one, if it is repeated.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// The value of a parameter that is not repeated.
    pub fn get_only(&self, name: &str) -> Option<&str> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether a parameter is repeated. The protocol forbids it.
    pub fn has_repeated(&self) -> bool {
        let mut seen = BTreeSet::new();
        self.0.iter().any(|(name, _)| !seen.insert(name.as_str()))
    }

    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_empty_ones_left_out() {
        let form = OAuthForm::parse(b"scope=openid+email&name=%E8%8A%B1&state=&state=s");
        assert_eq!(form.get("scope"), Some("openid email"));
        assert_eq!(form.get("name"), Some("花"));
        assert_eq!(form.get_only("state"), Some("s"));
        assert_eq!(form.get("nonce"), None);
        assert!(!form.has_repeated());
    }

    #[test]
    fn repeated_parameter_is_noticed() {
        let form = OAuthForm::parse(b"state=1&state=2");
        assert_eq!((form.get("state"), form.get_only("state")), (Some("1"), None));
        assert!(form.has_repeated());
    }
}
