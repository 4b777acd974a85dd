//! Typed text: one rule for names, companies, descriptions and key names.
//!
//! - White space at both ends is removed, and the rest is brought into Unicode normalisation form C ([UAX 15]), so that
//!   text that looks the same is stored the same. Line ends become `\n`.
//! - Lengths are in characters (Unicode scalar values), counted after that.
//! - Refused: control characters, unassigned and private-use code points, and invisible characters, among them every
//!   one that changes the direction of what stands around it (`U+202A`–`U+202E`, `U+2066`–`U+2069`).
//! - A text starts with a visible character: not with a combining mark or with zero-width characters only.
//! - Joiners (`U+200C`, `U+200D`) and variation selectors, which emoji and many scripts need, are allowed where they
//!   act on a neighbour.
//! - Tag characters (`U+E0020`–`U+E007F`) are allowed in the flags of a country's subdivisions only ([UTS 51], `ED-14a`):
//!   a black flag, three to six tags, and the cancel tag. Anywhere else they would hide text.
//! - A line break is allowed in a [`paragraph`] only, a tab in a [`tabbed_paragraph`] only.
//!
//! [UAX 15]: https://www.unicode.org/reports/tr15/
//! [UTS 51]: https://www.unicode.org/reports/tr51/

use std::{borrow::Cow, iter::Peekable, str::Chars};

use serde::Deserialize;
use unicode_normalization::{
    UnicodeNormalization,
    char::{is_combining_mark, is_public_assigned},
};

/// The reason for refusing a value: a sentence with advice for the person who typed it. Never contains the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub Cow<'static, str>);

impl Invalid {
    /// A fixed sentence.
    pub const fn new(sentence: &'static str) -> Self {
        Self(Cow::Borrowed(sentence))
    }
}

/// The flag of a subdivision as a regular expression. Contains the characters themselves, because not every ECMA-262
/// implementation supports `\u{…}`.
macro_rules! flag {
    () => {
        "\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}"
    };
}

/// The first character of a text, and the next after white space or another character, as regular expressions.
macro_rules! seen {
    (first) => {
        concat!("(", flag!(), r"|[\p{L}\p{N}\p{P}\p{S}])")
    };
    (next) => {
        concat!("(", flag!(), r"|[\p{L}\p{M}\p{N}\p{P}\p{S}]|[\u200c\u200d][\p{L}\p{N}\p{P}\p{S}])")
    };
}

/// [`line`] as a regular expression (ECMA-262 with `u`) for the OpenAPI document. Almost exact: accepts the few letters
/// and marks that are invisible (such as Hangul fillers).
pub const LINE_PATTERN: &str = concat!("^", seen!(first), r"(\p{Zs}*", seen!(next), ")*$");

/// [`paragraph`] as a regular expression, as exact as [`LINE_PATTERN`].
pub const PARAGRAPH_PATTERN: &str = concat!("^", seen!(first), r"([\p{Zs}\n]*", seen!(next), ")*$");

/// [`tabbed_paragraph`] as a regular expression, as exact as [`LINE_PATTERN`].
pub const TABBED_PATTERN: &str = concat!("^", seen!(first), r"([\p{Zs}\n\t]*", seen!(next), ")*$");

/// One line of `min` to `max` characters.
///
/// # Errors
///
/// When the text breaks a rule of this module.
pub fn line(input: &str, min: usize, max: usize) -> Result<String, Invalid> {
    let text = normal(input, max)?;
    if text.contains(['\n', '\r']) {
        return Err(Invalid::new("Remove the line break."));
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

/// The same for text that may be pasted from a terminal: a tab becomes a space.
///
/// # Errors
///
/// When the text breaks a rule of this module.
pub fn tabbed_paragraph(input: &str, min: usize, max: usize) -> Result<String, Invalid> {
    paragraph(&input.replace('\t', " "), min, max)
}

/// An optional text: white space alone is `None`, anything else is parsed.
///
/// # Errors
///
/// The error of `parse`.
pub fn optional<T>(
    input: &str,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<Option<T>, Invalid> {
    if input.trim().is_empty() { Ok(None) } else { parse(input).map(Some) }
}

/// For `#[serde(default, deserialize_with = "domain::text::blank_as_none")]`: lets forms omit a field. `null`, `""` and
/// white space are `None`.
///
/// # Errors
///
/// When the value is not a string, or `T` refuses it.
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

/// Whether a character is visible or a space: no control, format, unassigned or private-use code point.
pub(crate) fn is_plain(c: char) -> bool {
    !c.is_control() && !is_invisible(c) && is_public_assigned(c)
}

/// The trimmed text in form C. Composition shortens a text at most to a quarter, so a longer text is refused without
/// reading it.
fn normal(input: &str, max: usize) -> Result<String, Invalid> {
    let input = input.trim();
    if input.chars().nth(max.saturating_mul(4)).is_some() {
        return Err(too_long(max));
    }
    if input.is_ascii() {
        // ASCII is in form C.
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
        if c == BLACK_FLAG && rest.peek().copied().is_some_and(is_tag) && !skip_subdivision(&mut rest) {
            return Err(unfit(CANCEL_TAG));
        }
        before = Some(c);
    }
    let length = text.chars().count();
    match length {
        0 if min > 0 => Err(Invalid::new("This field must not be empty.")),
        _ if length < min => Err(Invalid(format!("Use at least {min} characters.").into())),
        _ if length > max => Err(too_long(max)),
        _ => Ok(text),
    }
}

/// A space in braille: looks blank, but is a symbol in Unicode.
const BRAILLE_BLANK: char = '\u{2800}';

/// The first emoji and the last character of a subdivision's flag.
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..=CANCEL_TAG)
}

/// Skips the tags after a black flag: letters and digits of a subdivision, and the cancel tag. Returns `false` if the
/// tags are invalid.
fn skip_subdivision(rest: &mut Peekable<Chars<'_>>) -> bool {
    let is_of_code = |c: &char| matches!(*c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    let length = std::iter::from_fn(|| rest.next_if(is_of_code)).count();
    (3..=6).contains(&length) && rest.next_if_eq(&CANCEL_TAG).is_some()
}

fn is_seen(c: char) -> bool {
    is_plain(c) && !c.is_whitespace() && !is_combining_mark(c)
}

pub(crate) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

pub(crate) fn is_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Unicode's `Default_Ignorable_Code_Point` without joiners and selectors, plus separators, annotation marks, the placeholder
/// of an embedded object, and the musical null note.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{1d159}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

fn unfit(c: char) -> Invalid {
    Invalid::new(if c.is_control() {
        "Remove the control character (a tab, for example)."
    } else if is_invisible(c) || is_joiner(c) || is_selector(c) {
        "Remove the invisible character, for example by retyping the text."
    } else if is_public_assigned(c) {
        "Start with a visible character."
    } else {
        "Remove the character that Unicode does not define."
    })
}

fn too_long(max: usize) -> Invalid {
    Invalid(format!("Use at most {max} characters.").into())
}

/// Implementations shared by all string value types: deserialization through `parse`, and an inline schema. The type
/// has `parse(&str)` and `schema() -> schemars::Schema`.
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
    fn names_in_all_scripts_are_unchanged() {
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
    fn emoji_sequences_are_accepted() {
        for emoji in [
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} Edinburgh",
            "Team 🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "🏴",
            "🏴\u{200d}☠\u{fe0f}",
            "🏳\u{fe0f}\u{200d}🌈",
            "1\u{fe0f}\u{20e3}#\u{fe0f}\u{20e3}",
            "👍🏽",
            "👩🏽\u{200d}🚀",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "👁\u{fe0f}\u{200d}🗨\u{fe0f}",
            "🧑🏻\u{200d}🤝\u{200d}🧑🏿",
            "🇩🇪🇫🇷",
        ] {
            assert_eq!(line(emoji, 1, 64).as_deref(), Ok(emoji), "{emoji}");
        }
    }

    #[test]
    fn tag_characters_outside_a_flag_are_refused() {
        let tags = |text: &str| -> String {
            text.chars().map(|c| char::from_u32(0xe0000 + u32::from(c)).unwrap()).collect()
        };
        let (code, end) = (tags("gbeng"), '\u{e007f}');
        for bad in [
            code.clone(),
            format!("{code}{end}"),
            format!("a{code}{end}"),
            format!("😀{code}{end}"),
            format!("🏴{code}"),
            format!("🏴{code}x"),
            format!("🏴{end}"),
            format!("🏴{}{end}", tags("gb")),
            format!("🏴{}{end}", tags("hiddentext")),
            format!("🏴{}{end}", tags("GBENG")),
            format!("🏴{}{end}", tags("gb eng")),
            format!("🏴{code}{end}{end}"),
            format!("🏴{code}{end}{code}{end}"),
            format!("🏴\u{fe0f}{code}{end}"),
            format!("🏴\u{e0001}{code}{end}"),
        ] {
            assert_eq!(line(&bad, 1, 64), Err(unfit(end)), "{bad:?}");
        }
    }

    #[test]
    fn text_is_trimmed_and_composed() {
        assert_eq!(line(" \t\u{a0}Ada\u{2003}\n", 1, 64).as_deref(), Ok("Ada"));
        assert_eq!(line("Zoe\u{308}", 4, 64).unwrap_err().0, "Use at least 4 characters.");
        assert_eq!(line("Zoe\u{308}", 3, 3).as_deref(), Ok("Zo\u{eb}"));
        assert_eq!(paragraph("\r\none\r\ntwo\rthree\n", 1, 64).as_deref(), Ok("one\ntwo\nthree"));
    }

    #[test]
    fn invisible_or_misleading_character_is_refused() {
        for bad in [
            "",
            "   ",
            "\u{200b}",
            "\u{200d}",
            "\u{fe0f}",
            "\u{200d}\u{200d}",
            "\u{2800}",
            "\u{3164}",
            "\u{1d159}",
            "a\u{fffc}b",
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
        assert_eq!(tabbed_paragraph("\ta\tb\n\tc", 1, 64).as_deref(), Ok("a b\n c"));
        assert!(paragraph("a\n\u{301}b\n\nc", 1, 64).is_ok());
    }

    #[test]
    fn length_is_counted_after_normalization() {
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
        fn any_input_parses_or_fails_and_result_is_stable(input in any::<String>()) {
            for parse in [line, paragraph, tabbed_paragraph] {
                if let Ok(text) = parse(&input, 1, 64) {
                    prop_assert_eq!(parse(&text, 1, 64), Ok(text.clone()));
                    prop_assert!((1..=64).contains(&text.chars().count()));
                }
            }
        }

        #[test]
        fn printable_ascii_is_accepted(input in "[!-~]([ -~]{0,62}[!-~])?") {
            prop_assert_eq!(line(&input, 1, 64), Ok(input.clone()));
        }
    }
}
