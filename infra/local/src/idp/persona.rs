//! The identities that users sign in as.

use ring::digest;

use super::form::OAuthForm;

/// The longest address or name, in characters.
const TEXT_LIMIT: usize = 320;

/// The longest subject ([OpenID Connect Core, section 2]).
///
/// [OpenID Connect Core, section 2]: https://openid.net/specs/openid-connect-core-1_0.html#IDToken
const SUBJECT_LIMIT: usize = 255;

/// The greatest number that JSON readers of every language keep exactly: 2^53 - 1.
const NUMBER_LIMIT: u64 = (1 << 53) - 1;

/// The identities that the page offers: subject, address, name, and whether the address is verified.
const BUILT_IN: [(&str, &str, &str, bool); 4] = [
    ("1001", "ada@example.com", "Ada Lovelace", true),
    ("1002", "bob@example.com", "Bob Green", false),
    ("1003", "grace@company.example", "Grace Hopper", true),
    ("1004", "hanako@example.com", "山田 花子", true),
];

/// An identity at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persona {
    /// The identifier at the provider; at GitHub a number.
    pub subject: String,
    /// Its address, if it has one.
    pub email: Option<String>,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Whether the provider has verified the address.
    pub verified: bool,
}

impl Persona {
    /// The identities that the page offers.
    pub fn built_in() -> impl Iterator<Item = Self> {
        BUILT_IN.into_iter().map(|(subject, email, name, verified)| Self {
            subject: subject.to_owned(),
            email: Some(email.to_owned()),
            name: Some(name.to_owned()),
            verified,
        })
    }

    /// The identity that a form names, or what is wrong with it. Without a subject, the address decides on it, so that the same
    /// address is the same identity again.
    pub fn from_form(form: &OAuthForm, numbered: bool) -> Result<Self, &'static str> {
        let text = |name| form.get(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let (email, name) = (text("email"), text("name"));
        let is_text =
            |text: &String| text.chars().count() <= TEXT_LIMIT && !text.chars().any(char::is_control);
        if !email.iter().chain(&name).all(is_text) {
            return Err(
                "Use at most 320 characters for the address and the name, without control characters.",
            );
        }
        let subject = text("subject").or_else(|| email.as_deref().map(subject_of));
        let subject = subject.ok_or("Provide a subject or an address.")?;
        if numbered && !is_number(&subject) {
            return Err("Use a number from 1 to 9007199254740991 as the subject.");
        }
        if subject.len() > SUBJECT_LIMIT || !subject.chars().all(|c| c.is_ascii_graphic()) {
            return Err("Use at most 255 visible ASCII characters as the subject.");
        }
        Ok(Self { subject, email, name, verified: form.get("verified") == Some("on") })
    }

    /// The subject as a number, as GitHub has it.
    pub fn number(&self) -> u64 {
        self.subject.parse().unwrap_or_default()
    }

    /// The account's name at GitHub, unique by its number.
    pub fn login(&self) -> String {
        let local = self.email.as_deref().and_then(|email| email.split('@').next()).unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = local.chars().map(plain).collect();
        match name.trim_matches('-') {
            "" => format!("user-{}", self.subject),
            name => format!("{name}-{}", self.subject),
        }
    }
}

/// The subject of an address: a number of 48 bits.
fn subject_of(email: &str) -> String {
    let hash = digest::digest(&digest::SHA256, email.to_lowercase().as_bytes());
    let number = hash.as_ref().iter().take(6).fold(0, |number, byte| (number << 8) | u64::from(*byte));
    number.max(1).to_string()
}

fn is_number(subject: &str) -> bool {
    subject.parse::<u64>().is_ok_and(|it| (1..=NUMBER_LIMIT).contains(&it) && it.to_string() == subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idp::testing::form;

    #[test]
    fn typed_identity_is_read() {
        let typed = form(&[("subject", "7"), ("email", " eve@example.com "), ("verified", "on")], &[]);
        let eve = Persona::from_form(&typed, true).unwrap();
        assert_eq!((eve.number(), eve.email.as_deref()), (7, Some("eve@example.com")));
        assert_eq!((eve.name.as_deref(), eve.verified), (None, true));
        assert_eq!(eve.login(), "eve-7");
    }

    #[test]
    fn address_without_a_subject_is_the_same_identity_again() {
        let subject = |email| Persona::from_form(&form(&[("email", email)], &[]), true).unwrap().subject;
        assert_eq!(subject("eve@example.com"), subject("EVE@example.com"));
        assert_ne!(subject("eve@example.com"), subject("eva@example.com"));
    }

    #[test]
    fn identity_without_subject_and_address_is_refused() {
        assert!(Persona::from_form(&form(&[("name", "Eve")], &[]), false).is_err());
        assert!(Persona::from_form(&form(&[("name", "Eve"), ("subject", "eve")], &[]), false).is_ok());
    }

    #[test]
    fn subject_must_be_a_number_at_github_only() {
        for (subject, number) in [
            ("1", true),
            ("0", false),
            ("+1", false),
            ("01", false),
            ("9007199254740992", false),
            ("eve", false),
        ] {
            let typed = form(&[("subject", subject)], &[]);
            assert_eq!(Persona::from_form(&typed, true).is_ok(), number, "{subject}");
            assert!(Persona::from_form(&typed, false).is_ok(), "{subject}");
        }
        let long = "a".repeat(SUBJECT_LIMIT + 1);
        for subject in [long.as_str(), "山田", "a b"] {
            assert!(Persona::from_form(&form(&[("subject", subject)], &[]), false).is_err(), "{subject}");
        }
    }

    #[test]
    fn long_texts_and_control_characters_are_refused() {
        let long = "a".repeat(TEXT_LIMIT + 1);
        for name in [long.as_str(), "Eve\u{7}", "Eve\nEve"] {
            let typed = form(&[("subject", "1"), ("name", name)], &[]);
            assert!(Persona::from_form(&typed, false).is_err(), "{name}");
        }
    }
}
