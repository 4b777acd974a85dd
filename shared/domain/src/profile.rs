//! Profiles of users and teams.

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::text::{
    Invalid, LINE_PATTERN, PARAGRAPH_PATTERN, is_plain, line, optional, paragraph, string_value,
};

/// A display name: one line of 1 to 64 characters. Need not be unique.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DisplayName(String);

impl DisplayName {
    /// Parses a display name by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When the name is empty, too long or contains invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        line(input, 1, 64).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": LINE_PATTERN })
    }
}

string_value!(DisplayName);

/// A company: one line of 1 to 100 characters. `None` in an `Option` if empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Company(String);

impl Company {
    /// Parses a company by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When the company is empty, too long or contains invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        line(input, 1, 100).map(Self)
    }

    /// Parses a company that may be blank.
    ///
    /// # Errors
    ///
    /// When the text is not blank and [`Company::parse`] refuses it.
    pub fn parse_optional(input: &str) -> Result<Option<Self>, Invalid> {
        optional(input, Self::parse)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 100, "pattern": LINE_PATTERN })
    }
}

string_value!(Company);

/// The name of an API key: one line of 1 to 64 characters. Need not be unique, so that a rotated key can keep its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyName(String);

impl KeyName {
    /// Parses a name by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When the name is empty, too long or contains invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        line(input, 1, 64).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": LINE_PATTERN })
    }
}

string_value!(KeyName);

/// A biography: empty, or 10 to 500 characters on any number of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Bio(String);

impl Bio {
    /// Parses a biography by the rules of [`crate::text`]. White space alone gives an empty biography.
    ///
    /// # Errors
    ///
    /// When the text is neither empty nor 10 to 500 characters long, or contains invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        optional(input, |text| paragraph(text, 10, 500)).map(|text| Self(text.unwrap_or_default()))
    }

    /// Whether the biography is empty.
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
    /// Parses a colour such as `#1A2b3c`. Refuses short forms and names.
    ///
    /// # Errors
    ///
    /// When the format is wrong.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        match input.strip_prefix('#') {
            Some(digits) if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Ok(Self(input.to_ascii_lowercase()))
            }
            _ => Err(Invalid::new("Use # and six hexadecimal digits, such as #1a2b3c.")),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 7, "maxLength": 7, "pattern": "^#[0-9A-Fa-f]{6}$" })
    }
}

string_value!(IconColor);

/// An icon's initials: one or two letters or digits of any script, stored in upper case.
///
/// A letter whose upper case is longer than one character (`ß`) is unchanged, so that two letters never become three.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct IconLetters(String);

impl IconLetters {
    /// Parses initials.
    ///
    /// # Errors
    ///
    /// When there are none or more than two, or when they are not letters or digits.
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

/// The upper case of a letter, if it is a single character.
fn capital(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(capital), None) => capital,
        _ => letter,
    }
}

/// The use case: one of the eight options of the onboarding form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum UseCase {
    /// Quality control in production.
    #[serde(rename = "Manufacturing & QC")]
    Manufacturing,
    /// Shelves and inventory.
    #[serde(rename = "Retail & Inventory")]
    Retail,
    /// Security cameras.
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
    /// Research and teaching.
    #[serde(rename = "Research & Academia")]
    Research,
    /// Personal projects.
    #[serde(rename = "Personal Project")]
    Personal,
}

impl UseCase {
    /// All options, in the form's order.
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

    /// The label in the interface and in the API.
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

    /// Parses a label.
    ///
    /// # Errors
    ///
    /// When the label is not one of the eight.
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
    fn bio_is_empty_or_has_10_to_500_characters() {
        assert!(Bio::parse(" \n ").unwrap().is_empty());
        assert_eq!(Bio::parse("too short").unwrap_err().0, "Use at least 10 characters.");
        assert_eq!(Bio::parse(" ten chars.\n").unwrap().as_str(), "ten chars.");
        assert!(Bio::parse(&"é".repeat(500)).is_ok() && Bio::parse(&"é".repeat(501)).is_err());
        assert_eq!(Bio::parse("first line\r\nsecond").unwrap().as_str(), "first line\nsecond");
    }

    #[test]
    fn name_limits_are_enforced() {
        assert!(DisplayName::parse(&"n".repeat(64)).is_ok() && DisplayName::parse(&"n".repeat(65)).is_err());
        assert!(KeyName::parse(&"n".repeat(64)).is_ok() && KeyName::parse(&"n".repeat(65)).is_err());
        assert!(Company::parse(&"n".repeat(100)).is_ok() && Company::parse(&"n".repeat(101)).is_err());
        assert!(
            DisplayName::parse(" ").is_err() && KeyName::parse("").is_err() && Company::parse("\n").is_err()
        );
        assert_eq!(Company::parse_optional(" "), Ok(None));
    }

    #[test]
    fn colour_has_six_lower_case_digits() {
        assert_eq!(IconColor::parse("#1A2b3C").unwrap().as_str(), "#1a2b3c");
        for bad in
            ["", "#", "1a2b3c", "#fff", "#1a2b3g", "#1a2b3c4d", " #1a2b3c", "red", "#１a2b3c", "#é2b3c"]
        {
            assert!(IconColor::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn initials_are_one_or_two_upper_case_characters() {
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
    fn use_case_labels_match_serialized_names() {
        for case in UseCase::ALL {
            assert_eq!(serde_json::to_value(case).unwrap(), case.as_str());
            assert_eq!(serde_json::from_value::<UseCase>(case.as_str().into()).unwrap(), case);
            assert_eq!(UseCase::parse(case.as_str()), Ok(case));
        }
        assert!(UseCase::parse("agriculture").is_err());
    }

    #[test]
    fn json_strings_are_validated_when_read() {
        assert_eq!(serde_json::to_value(DisplayName::parse(" Ada ").unwrap()).unwrap(), "Ada");
        let error = serde_json::from_value::<DisplayName>("a\u{202e}b".into()).unwrap_err();
        assert_eq!(error.to_string(), "Remove the invisible character, for example by retyping the text.");
    }

    proptest! {
        #[test]
        fn parsed_values_are_stable(input in any::<String>(), letters in "\\PC{1,2}") {
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
