//! Names in the paths of links: letters of any script, plain or percent-encoded.

use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};
use unicode_normalization::{
    UnicodeNormalization,
    char::{canonical_combining_class, is_combining_mark},
};

use crate::text::{is_joiner, is_plain, is_selector};

/// A name in normalization form C: letters, digits and marks of any script, and the punctuation of its platform. Contains no
/// invisible character and none that changes the direction of surrounding text.
pub(super) struct Name(String);

impl Name {
    /// Parses a typed name. `also` is the platform's punctuation.
    pub fn read(input: &str, also: &str) -> Option<Self> {
        let name: String = decoded(input)?.nfc().collect();
        is_name(&name, also).then_some(Self(name))
    }

    /// Length in characters.
    pub fn length(&self) -> usize {
        self.0.chars().count()
    }

    /// Whether neither the first nor the last character is punctuation.
    pub fn has_letters_at_both_ends(&self) -> bool {
        let is_punctuation = |c: char| c.is_ascii_punctuation();
        !self.0.starts_with(is_punctuation) && !self.0.ends_with(is_punctuation)
    }

    /// The name in a URL: non-ASCII characters are percent-encoded in upper case.
    pub fn encoded(&self) -> String {
        utf8_percent_encode(&self.0, CONTROLS).to_string()
    }
}

/// Decodes percent-encoded text; `None` if the result is not UTF-8.
pub(super) fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

/// Whether a decoded part of a URL has only visible characters and characters that modify them.
pub(super) fn is_legible(text: &str) -> bool {
    text.chars().all(is_plain)
}

fn is_name(name: &str, also: &str) -> bool {
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied();
        let fits = if c.is_ascii() {
            c.is_ascii_alphanumeric() || also.contains(c)
        } else if is_joiner(c) {
            before.zip(after).is_some_and(|(before, after)| is_joined(before, c, after))
        } else if is_combining_mark(c) {
            !is_selector(c) && is_plain(c) && before.is_some_and(bears_marks)
        } else {
            is_plain(c) && c.is_alphanumeric()
        };
        if !fits {
            return false;
        }
        before = Some(c);
    }
    true
}

fn bears_marks(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// Whether a joiner between two characters is part of how a word is spelled, and not a hidden difference, as in domain
/// names ([RFC 5892], appendix A): after a virama, or, if it parts them, between two letters of a cursive script.
///
/// [RFC 5892]: https://www.rfc-editor.org/rfc/rfc5892
fn is_joined(before: char, joiner: char, after: char) -> bool {
    const VIRAMA: u8 = 9;
    const NON_JOINER: char = '\u{200c}';
    canonical_combining_class(before) == VIRAMA
        || joiner == NON_JOINER && is_cursive(before) && is_cursive(after)
}

/// Whether a character is of a block of a script whose letters join: Arabic, Syriac, N'Ko, Mandaic, Mongolian.
fn is_cursive(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{77f}' | '\u{7c0}'..='\u{7ff}' | '\u{840}'..='\u{8ff}' | '\u{1800}'..='\u{18af}')
}
