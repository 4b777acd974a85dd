//! What a person or team says about itself.

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::text::{
    Invalid, LINE_PATTERN, PARAGRAPH_PATTERN, is_plain, line, optional, paragraph, string_value,
};

/// The name shown for a user or team: one line of 1 to 64 characters. Names need not be unique.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DisplayName(String);

impl DisplayName {
    /// Reads a display name by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When it is empty, too long or holds characters that cannot be seen.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        line(input, 1, 64).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": LINE_PATTERN })
    }
}

string_value!(DisplayName);

/// The company someone works for: one line of 1 to 100 characters. Without one, an `Option` is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Company(String);

impl Company {
    /// Reads a company's name by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When it is empty, too long or holds characters that cannot be seen.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        line(input, 1, 100).map(Self)
    }

    /// The same for a field that may be left blank.
    ///
    /// # Errors
    ///
    /// When it is not blank and [`Company::parse`] refuses it.
    pub fn parse_optional(input: &str) -> Result<Option<Self>, Invalid> {
        optional(input, Self::parse)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 100, "pattern": LINE_PATTERN })
    }
}

string_value!(Company);

/// An API key's name: one line of 1 to 64 characters. Names may repeat, so that a key can be rotated under its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyName(String);

impl KeyName {
    /// Reads a key's name by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When it is empty, too long or holds characters that cannot be seen.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        line(input, 1, 64).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": LINE_PATTERN })
    }
}

string_value!(KeyName);

/// A few sentences about oneself: empty, or 10 to 500 characters on any number of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Bio(String);

impl Bio {
    /// Reads a bio by the rules of [`crate::text`]; white space alone is the empty one.
    ///
    /// # Errors
    ///
    /// When it is neither empty nor of 10 to 500 characters, or holds characters that cannot be seen.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        optional(input, |text| paragraph(text, 10, 500)).map(|text| Self(text.unwrap_or_default()))
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "anyOf": [
                { "maxLength": 0 },
                { "minLength": 10, "maxLength": 500, "pattern": PARAGRAPH_PATTERN },
            ],
        })
    }
}

string_value!(Bio);

/// An icon's background: `#` and six hexadecimal digits, stored in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct IconColor(String);

impl IconColor {
    /// Reads a colour such as `#1A2b3c`. Short forms and names of colours are refused.
    ///
    /// # Errors
    ///
    /// When it is anything else.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        match input.strip_prefix('#') {
            Some(digits) if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Ok(Self(input.to_ascii_lowercase()))
            }
            _ => Err(Invalid::new("Give the colour as # and six hexadecimal digits, such as #1a2b3c.")),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 7, "maxLength": 7, "pattern": "^#[0-9A-Fa-f]{6}$" })
    }
}

string_value!(IconColor);

/// An icon's initials: one or two letters or digits of any script, stored in upper case.
///
/// A letter whose capital is longer than one character (`ß`) stays as it is, so that two never become three.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct IconLetters(String);

impl IconLetters {
    /// Reads initials.
    ///
    /// # Errors
    ///
    /// When they are none, more than two, or not letters or digits.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        const RULE: Invalid = Invalid::new("Use one or two letters or digits.");
        let is_letter = |c: char| c.is_alphanumeric() && !is_combining_mark(c) && is_plain(c);
        let input = input.trim();
        if input.chars().nth(8).is_some() {
            return Err(RULE);
        }
        let letters: String = input.nfc().collect();
        let text: String = letters.chars().map(capital).nfc().collect();
        if matches!(text.chars().count(), 1..=2) && letters.chars().chain(text.chars()).all(is_letter) {
            Ok(Self(text))
        } else {
            Err(RULE)
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 2, "pattern": r"^[\p{L}\p{N}]{1,2}$" })
    }
}

string_value!(IconLetters);

/// A letter's capital, where that is a single character.
fn capital(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(capital), None) => capital,
        _ => letter,
    }
}

/// What the platform is used for: one of the eight answers of the onboarding form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum UseCase {
    /// Finding defects in what is made.
    #[serde(rename = "Manufacturing & QC")]
    Manufacturing,
    /// Shelves and stock.
    #[serde(rename = "Retail & Inventory")]
    Retail,
    /// Watching places.
    #[serde(rename = "Security & Surveillance")]
    Security,
    /// Medical images.
    #[serde(rename = "Healthcare & Medical")]
    Healthcare,
    /// Vehicles and robots.
    #[serde(rename = "Automotive & Robotics")]
    Automotive,
    /// Fields, plants and animals.
    #[serde(rename = "Agriculture")]
    Agriculture,
    /// Papers, theses, teaching.
    #[serde(rename = "Research & Academia")]
    Research,
    /// For oneself.
    #[serde(rename = "Personal Project")]
    Personal,
}

impl UseCase {
    /// Every answer, in the form's order.
    pub const ALL: [Self; 8] = [
        Self::Manufacturing,
        Self::Retail,
        Self::Security,
        Self::Healthcare,
        Self::Automotive,
        Self::Agriculture,
        Self::Research,
        Self::Personal,
    ];

    /// The label, which is also the name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manufacturing => "Manufacturing & QC",
            Self::Retail => "Retail & Inventory",
            Self::Security => "Security & Surveillance",
            Self::Healthcare => "Healthcare & Medical",
            Self::Automotive => "Automotive & Robotics",
            Self::Agriculture => "Agriculture",
            Self::Research => "Research & Academia",
            Self::Personal => "Personal Project",
        }
    }

    /// Reads a label.
    ///
    /// # Errors
    ///
    /// When it is none of the eight.
    pub fn parse(label: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|case| case.as_str() == label)
            .ok_or(Invalid::new("Choose one of the listed use cases."))
    }
}

impl std::fmt::Display for UseCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bio_is_empty_or_has_ten_to_five_hundred_characters() {
        assert!(Bio::parse(" \n ").unwrap().is_empty());
        assert_eq!(Bio::parse("too short").unwrap_err().0, "Use at least 10 characters.");
        assert_eq!(Bio::parse(" ten chars.\n").unwrap().as_str(), "ten chars.");
        assert!(Bio::parse(&"é".repeat(500)).is_ok() && Bio::parse(&"é".repeat(501)).is_err());
        assert_eq!(Bio::parse("first line\r\nsecond").unwrap().as_str(), "first line\nsecond");
    }

    #[test]
    fn names_hold_to_their_limits() {
        assert!(DisplayName::parse(&"n".repeat(64)).is_ok() && DisplayName::parse(&"n".repeat(65)).is_err());
        assert!(KeyName::parse(&"n".repeat(64)).is_ok() && KeyName::parse(&"n".repeat(65)).is_err());
        assert!(Company::parse(&"n".repeat(100)).is_ok() && Company::parse(&"n".repeat(101)).is_err());
        assert!(
            DisplayName::parse(" ").is_err() && KeyName::parse("").is_err() && Company::parse("\n").is_err()
        );
        assert_eq!(Company::parse_optional(" "), Ok(None));
    }

    #[test]
    fn a_colour_is_six_digits_in_lower_case() {
        assert_eq!(IconColor::parse("#1A2b3C").unwrap().as_str(), "#1a2b3c");
        for bad in
            ["", "#", "1a2b3c", "#fff", "#1a2b3g", "#1a2b3c4d", " #1a2b3c", "red", "#１a2b3c", "#é2b3c"]
        {
            assert!(IconColor::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn initials_are_one_or_two_capitals_of_any_script() {
        for (input, stored) in [
            ("a", "A"),
            ("ab", "AB"),
            (" u2 ", "U2"),
            ("é", "É"),
            ("e\u{301}o", "ÉO"),
            ("李", "李"),
            ("я", "Я"),
            ("ßß", "ßß"),
            ("ﬁx", "ﬁX"),
            ("ǆ", "Ǆ"),
            ("σς", "ΣΣ"),
        ] {
            assert_eq!(IconLetters::parse(input).unwrap().as_str(), stored, "{input}");
        }
        for bad in
            ["", " ", "abc", "a b", "-", "🙂", "a\u{301}\u{301}", "\u{345}", "\u{3164}", "a\u{200d}", "<b"]
        {
            assert!(IconLetters::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_use_case_is_called_the_same_in_the_interface_and_in_code() {
        for case in UseCase::ALL {
            assert_eq!(serde_json::to_value(case).unwrap(), case.as_str());
            assert_eq!(serde_json::from_value::<UseCase>(case.as_str().into()).unwrap(), case);
            assert_eq!(UseCase::parse(case.as_str()), Ok(case));
        }
        assert!(UseCase::parse("agriculture").is_err());
    }

    #[test]
    fn values_are_strings_in_json_and_are_checked_on_the_way_in() {
        assert_eq!(serde_json::to_value(DisplayName::parse(" Ada ").unwrap()).unwrap(), "Ada");
        let error = serde_json::from_value::<DisplayName>("a\u{202e}b".into()).unwrap_err();
        assert_eq!(error.to_string(), "Remove the invisible character; typing the text again does it.");
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_stable(input in any::<String>(), letters in "\\PC{1,2}") {
            if let Ok(bio) = Bio::parse(&input) {
                prop_assert_eq!(Bio::parse(bio.as_str()), Ok(bio.clone()));
            }
            if let Ok(name) = DisplayName::parse(&input) {
                prop_assert_eq!(DisplayName::parse(name.as_str()), Ok(name.clone()));
            }
            let _ = IconColor::parse(&input);
            if let Ok(initials) = IconLetters::parse(&letters) {
                prop_assert_eq!(IconLetters::parse(initials.as_str()), Ok(initials.clone()));
            }
        }
    }
}
