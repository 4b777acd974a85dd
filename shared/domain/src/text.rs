//! Text that people type: one rule for names, companies, descriptions and key names.
//!
//! - White space around it is dropped, and what is left is brought into Unicode normalisation form C ([UAX 15]), so
//!   that what looks the same is stored the same. Line ends become `\n`.
//! - Lengths are in characters (Unicode scalar values), counted after that.
//! - Refused: control characters, unassigned and private-use code points, and invisible characters, among them every
//!   one that changes the direction of what stands around it (`U+202A`–`U+202E`, `U+2066`–`U+2069`).
//! - A text starts with a character that can be seen: never with a combining mark, never with nothing but zero width.
//! - Joiners (`U+200C`, `U+200D`) and variation selectors, which emoji and many scripts need, are allowed where they
//!   act on a neighbour.
//! - A line break is allowed in a [`paragraph`] only.
//!
//! [UAX 15]: https://www.unicode.org/reports/tr15/

use std::borrow::Cow;

use serde::Deserialize;
use unicode_normalization::{
    UnicodeNormalization,
    char::{is_combining_mark, is_public_assigned},
};

/// Why a value was refused: a sentence that the person who typed it can act on. It never repeats the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub Cow<'static, str>);

impl Invalid {
    /// A fixed sentence.
    pub const fn new(sentence: &'static str) -> Self {
        Self(Cow::Borrowed(sentence))
    }
}

/// [`line`] as a regular expression (ECMA-262 with `u`) for the OpenAPI document. All but exact: it lets
/// the few letters and marks pass that show as nothing (such as Hangul fillers).
pub const LINE_PATTERN: &str =
    r"^[\p{L}\p{N}\p{P}\p{S}](\p{Zs}*([\p{L}\p{M}\p{N}\p{P}\p{S}]|[\u200c\u200d][\p{L}\p{N}\p{P}\p{S}]))*$";

/// [`paragraph`] as a regular expression, as exact as [`LINE_PATTERN`].
pub const PARAGRAPH_PATTERN: &str = r"^[\p{L}\p{N}\p{P}\p{S}]([\p{Zs}\n]*([\p{L}\p{M}\p{N}\p{P}\p{S}]|[\u200c\u200d][\p{L}\p{N}\p{P}\p{S}]))*$";

/// One line of `min` to `max` characters.
///
/// # Errors
///
/// When the text breaks a rule of this module.
pub fn line(input: &str, min: usize, max: usize) -> Result<String, Invalid> {
    let text = normal(input, max)?;
    if text.contains(['\n', '\r']) {
        return Err(Invalid::new("Write it on one line."));
    }
    checked(text, min, max)
}

/// Any number of lines, `min` to `max` characters in all.
///
/// # Errors
///
/// When the text breaks a rule of this module.
pub fn paragraph(input: &str, min: usize, max: usize) -> Result<String, Invalid> {
    let text = normal(input, max)?.replace("\r\n", "\n").replace('\r', "\n");
    checked(text, min, max)
}

/// A text that may be left out: white space alone is `None`, anything else must parse.
///
/// # Errors
///
/// What `parse` says about a text that is not blank.
pub fn optional<T>(
    input: &str,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<Option<T>, Invalid> {
    if input.trim().is_empty() { Ok(None) } else { parse(input).map(Some) }
}

/// For `#[serde(default, deserialize_with = "domain::text::blank_as_none")]`: a form's way of leaving a field out.
/// `null`, `""` and white space are `None`.
///
/// # Errors
///
/// When the value is no string, or one that `T` refuses.
pub fn blank_as_none<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: TryFrom<String, Error = Invalid>,
{
    match Option::<String>::deserialize(from)? {
        Some(text) if !text.trim().is_empty() => {
            T::try_from(text).map(Some).map_err(serde::de::Error::custom)
        }
        _ => Ok(None),
    }
}

/// Whether a character can be seen or is a space: no control, no format, no unassigned or private code point.
pub(crate) fn is_plain(c: char) -> bool {
    !c.is_control() && !is_invisible(c) && is_public_assigned(c)
}

/// The trimmed text in form C. Composing shortens a text at most to a quarter, so a longer one is refused unread.
fn normal(input: &str, max: usize) -> Result<String, Invalid> {
    let input = input.trim();
    if input.chars().nth(max.saturating_mul(4)).is_some() {
        return Err(too_long(max));
    }
    if input.is_ascii() {
        // That is in form C.
        return Ok(input.to_owned());
    }
    Ok(input.nfc().collect::<String>().trim().to_owned())
}

fn checked(text: String, min: usize, max: usize) -> Result<String, Invalid> {
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let fits = match before {
            None => is_plain(c) && !is_joiner(c) && !is_combining_mark(c) && c != BRAILLE_BLANK,
            Some(before) if is_joiner(c) => {
                !is_joiner(before) && (is_combining_mark(before) || rest.peek().copied().is_some_and(is_seen))
            }
            Some(before) if is_selector(c) => !is_selector(before) && !is_joiner(before),
            Some(before) if is_combining_mark(c) => is_plain(c) && !is_joiner(before),
            Some(_) => c == '\n' || is_plain(c),
        };
        if !fits {
            return Err(unfit(c));
        }
        before = Some(c);
    }
    let length = text.chars().count();
    match length {
        0 if min > 0 => Err(Invalid::new("Write something here.")),
        _ if length < min => Err(Invalid(format!("Use at least {min} characters.").into())),
        _ if length > max => Err(too_long(max)),
        _ => Ok(text),
    }
}

/// Looks blank, but is a symbol to Unicode; stands for a space in braille.
const BRAILLE_BLANK: char = '\u{2800}';

fn is_seen(c: char) -> bool {
    is_plain(c) && !c.is_whitespace() && !is_combining_mark(c)
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Unicode's `Default_Ignorable_Code_Point` without joiners and selectors, and the separators and annotation marks
/// that show as nothing.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

fn unfit(c: char) -> Invalid {
    Invalid::new(if c.is_control() {
        "Remove the control character (a tab, for example)."
    } else if is_invisible(c) || is_joiner(c) || is_selector(c) {
        "Remove the invisible character; typing the text again does it."
    } else if is_public_assigned(c) {
        "Start with a character that can be seen."
    } else {
        "Remove the character that is not part of Unicode."
    })
}

fn too_long(max: usize) -> Invalid {
    Invalid(format!("Use at most {max} characters.").into())
}

/// What every value type that is a string shares: reading it back from serde through its own `parse`, and showing
/// its schema in place. The type has `parse(&str)` and `schema() -> schemars::Schema`.
macro_rules! string_value {
    ($type:ident) => {
        $crate::text::string_value!(@input $type);

        impl $type {
            /// The text in its stored form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }
    };
    (@input $type:ident) => {
        impl TryFrom<String> for $type {
            type Error = $crate::text::Invalid;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::text::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                Self::schema()
            }
        }
    };
}
pub(crate) use string_value;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_every_script_pass_unchanged() {
        for name in [
            "Ada",
            "Zoë Müller",
            "Ñandú",
            "李小龍",
            "محمد",
            "עברית",
            "นามสกุล",
            "हिन्दी",
            "한국어",
            "Ωμέγα",
            "a",
            "👩\u{200d}🔬 Lab",
            "❤\u{fe0f}\u{200d}🔥",
            "می\u{200c}خواهم",
            "葛\u{e0100}城",
            "東京\u{3000}太郎",
            "x (y) – z!",
        ] {
            assert_eq!(line(name, 1, 64).as_deref(), Ok(name), "{name}");
        }
    }

    #[test]
    fn white_space_around_is_dropped_and_the_rest_composed() {
        assert_eq!(line(" \t\u{a0}Ada\u{2003}\n", 1, 64).as_deref(), Ok("Ada"));
        assert_eq!(line("Zoe\u{308}", 4, 64).unwrap_err().0, "Use at least 4 characters.");
        assert_eq!(line("Zoe\u{308}", 3, 3).as_deref(), Ok("Zo\u{eb}"));
        assert_eq!(paragraph("\r\none\r\ntwo\rthree\n", 1, 64).as_deref(), Ok("one\ntwo\nthree"));
    }

    #[test]
    fn what_cannot_be_seen_or_misleads_is_refused() {
        for bad in [
            "",
            "   ",
            "\u{200b}",
            "\u{200d}",
            "\u{fe0f}",
            "\u{200d}\u{200d}",
            "\u{2800}",
            "\u{3164}",
            "\u{115f}a",
            "\u{301}a",
            "a\u{202e}b",
            "a\u{202a}",
            "a\u{2066}b\u{2069}",
            "a\u{200f}b",
            "a\u{ad}b",
            "a\u{feff}b",
            "a\u{200d}",
            "a\u{200d} b",
            "a\u{200d}\u{200d}b",
            "a\u{fe0f}\u{fe0f}",
            "a\tb",
            "a\0b",
            "a\u{85}b",
            "a\nb",
            "a\u{2028}b",
            "a\u{e000}",
            "a\u{378}",
            "a\u{ffff}",
            "a\u{f0000}",
            "a\u{e0041}",
            "🏴\u{e0067}\u{e007f}",
        ] {
            assert!(line(bad, 1, 64).is_err(), "{bad:?}");
        }
        assert!(paragraph("a\tb", 1, 64).is_err());
        assert!(paragraph("a\n\u{301}b\n\nc", 1, 64).is_ok());
    }

    #[test]
    fn lengths_are_characters_after_normalising() {
        assert!(line(&"é".repeat(64), 1, 64).is_ok());
        assert!(line(&"e\u{301}".repeat(64), 1, 64).is_ok());
        assert_eq!(line(&"é".repeat(65), 1, 64), Err(Invalid::new("Use at most 64 characters.")));
        assert_eq!(line(&"é".repeat(1_000_000), 1, 64), Err(Invalid::new("Use at most 64 characters.")));
        assert_eq!(line("", 0, 64).as_deref(), Ok(""));
    }

    #[test]
    fn blank_optional_texts_are_none() {
        assert_eq!(optional(" \n", |text| line(text, 1, 9)), Ok(None));
        assert_eq!(optional(" a ", |text| line(text, 1, 9)), Ok(Some("a".to_owned())));
        assert!(optional("\u{200b}", |text| line(text, 1, 9)).is_err());
    }

    proptest! {
        #[test]
        fn any_string_is_answered_and_what_is_accepted_is_stable(input in any::<String>()) {
            for parse in [line, paragraph] {
                if let Ok(text) = parse(&input, 1, 64) {
                    prop_assert_eq!(parse(&text, 1, 64), Ok(text.clone()));
                    prop_assert!((1..=64).contains(&text.chars().count()));
                }
            }
        }

        #[test]
        fn printable_ascii_always_passes(input in "[!-~]([ -~]{0,62}[!-~])?") {
            prop_assert_eq!(line(&input, 1, 64), Ok(input.clone()));
        }
    }
}
