//! Codes and tokens as people paste them from an email: with line breaks, spaces, separators or invisible characters.

use unicode_normalization::UnicodeNormalization;

use crate::text::is_plain;

/// Maximum length of pasted text in bytes. Longer text is no code or token.
const MAX: usize = 512;

/// Removes white space and invisible characters from a token. Keeps hyphens and underscores, which belong to tokens.
pub(crate) fn token(text: &str) -> String {
    bounded(text).filter(|c| is_plain(*c) && !c.is_whitespace()).collect()
}

/// Keeps only the letters and digits of a code, in compatibility form: full-width digits become ASCII.
pub(crate) fn code(text: &str) -> String {
    bounded(text).nfkc().filter(|c| c.is_alphanumeric()).collect()
}

fn bounded(text: &str) -> impl Iterator<Item = char> {
    let text = if text.len() > MAX { "" } else { text };
    text.chars()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_code_loses_only_separators() {
        for pasted in [
            " 123456\n",
            "123 456",
            "123-456",
            "123\u{a0}456",
            "1\u{200b}23456\u{feff}",
            "１２３４５６",
            "123\u{2013}456",
        ] {
            assert_eq!(code(pasted), "123456", "{pasted:?}");
        }
        assert_eq!(code("12345x"), "12345x");
        assert_eq!(code(&"1 ".repeat(10_000_000)), "");
    }

    #[test]
    fn pasted_token_loses_spaces_and_keeps_hyphens() {
        assert_eq!(token(" pr_us_a-b\r\n  c_d\u{200b}\u{ad} \t"), "pr_us_a-bc_d");
    }
}
