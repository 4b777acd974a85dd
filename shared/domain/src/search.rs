//! Substring search that ignores case, accents and normalization form.

use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class};

use crate::text::{Invalid, is_joiner, is_selector};

/// Maximum length of a search term in characters.
pub const MAX: usize = 100;

/// A search term. The empty term matches every text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchTerm(String);

impl SearchTerm {
    /// Parses a typed search term and trims white space.
    ///
    /// # Errors
    ///
    /// When it is longer than [`MAX`] characters in normalization form C, in which texts are stored.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        const TOO_LONG: Invalid = Invalid::new("Use at most 100 characters.");
        let input = input.trim();
        // Composing shortens a text at most to a quarter.
        if input.chars().nth(4 * MAX).is_some() || input.nfc().nth(MAX).is_some() {
            return Err(TOO_LONG);
        }
        Ok(Self(fold(input)))
    }

    /// Whether the term is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `text` contains the term.
    pub fn is_in(&self, text: &str) -> bool {
        self.is_empty() || fold(text).contains(&self.0)
    }
}

/// The form in which terms and texts are compared. The form of a text contains the form of each of its substrings.
///
/// Compatibility characters are decomposed (`ﬁ` is `fi`, a full-width `Ａ` is `A`), letters are case-folded in full (`ß` is
/// `ss`, `ς` is `σ`), and accents, joiners and variation selectors are dropped.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkd()
        .flat_map(fold_case)
        .nfkd()
        .filter(|c| !is_accent(*c) && !is_joiner(*c) && !is_selector(*c))
        .collect()
}

/// The lower case of a letter's upper case: one form for all letters that are upper or lower case of each other.
fn fold_case(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// Whether a mark is an accent or a vowel point, which people omit when they type: marks of Hebrew, Arabic and Syriac
/// (classes 10 to 36), and marks around a letter of any other script (200 to 240). Marks that form another letter stay:
/// nuktas, viramas and vowel signs of Indic and Southeast Asian scripts, and the voicing marks of Japanese.
fn is_accent(c: char) -> bool {
    matches!(canonical_combining_class(c), 10..=36 | 200..=240)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finds(term: &str, text: &str) -> bool {
        SearchTerm::parse(term).unwrap().is_in(text)
    }

    #[test]
    fn search_ignores_case_accents_and_normalization() {
        for (term, text) in [
            ("gro\u{df}e", "Größe"),
            ("gro\u{308}\u{df}e", "Größe"),
            ("größe", "Gro\u{308}\u{df}e"),
            ("GRÖSSE", "Größe"),
            ("GRÖẞE", "Größe"),
            ("ΟΔΥΣ", "ΟΔΥΣΣΕΑΣ"),
            ("οδυς", "ΟΔΥΣΣΕΑΣ"),
            ("Οδυσσέας", "ΟΔΥΣΣΕΑΣ"),
            ("ΟΔΥΣΣΕΑΣ", "Οδυσσέας"),
            ("ᾳδης", "ΑΙΔΗΣ"),
            ("istanbul", "İSTANBUL"),
            ("ISTANBUL", "ıstanbul"),
            ("file", "ﬁle"),
            ("kelvin", "\u{212a}elvin"),
            ("full", "ＦＵＬＬ"),
            ("ガ", "ｶﾞﾗｽ"),
            ("и", "Й"),
            ("हिन्दी", "हिन्दी भाषा"),
            ("क\u{93c}", "\u{958}लम"),
            ("ข่าว", "ข่าวสด"),
            ("น้ำ", "น้ำตก"),
            ("한", "\u{1112}\u{1161}\u{11ab}글"),
            ("محمد", "مُحَمَّد"),
            ("שלום", "שָׁלוֹם"),
            ("خواهم", "می\u{200c}خواهم"),
            ("میخواهم", "می\u{200c}خواهم"),
            ("葛城", "葛\u{e0100}城"),
            ("❤", "❤\u{fe0f}"),
            (" \u{301} ", "anything"),
            ("", ""),
        ] {
            assert!(finds(term, text), "{term} in {text}");
        }
    }

    #[test]
    fn different_letters_do_not_match() {
        for (term, text) in [
            ("a", "b"),
            ("ab", "a b"),
            ("が", "か"),
            ("कि", "की"),
            ("คา", "ค่ำ"),
            ("ss", "s"),
            ("🙂", "🙃"),
            ("a", ""),
        ] {
            assert!(!finds(term, text), "{term} in {text}");
        }
    }

    #[test]
    fn term_length_is_counted_in_nfc() {
        assert!(SearchTerm::parse(&"é".repeat(100)).is_ok());
        assert!(SearchTerm::parse(&"e\u{301}".repeat(100)).is_ok());
        assert!(SearchTerm::parse(&"é".repeat(101)).is_err());
        assert!(SearchTerm::parse(&"e\u{301}".repeat(101)).is_err());
        assert!(SearchTerm::parse(&"\u{301}".repeat(1_000_000)).is_err());
        assert!(SearchTerm::parse(&format!(" {} ", "a".repeat(100))).is_ok());
    }

    #[test]
    fn all_forms_of_a_letter_fold_alike() {
        for c in ('\0'..='\u{1ffff}').filter(|c| c.is_alphabetic() || canonical_combining_class(*c) > 0) {
            let (text, folded) = (c.to_string(), fold(&c.to_string()));
            let forms: [String; 7] = [
                folded.clone(),
                text.to_uppercase(),
                text.to_lowercase(),
                text.nfc().collect(),
                text.nfd().collect(),
                text.nfkc().collect(),
                text.nfkd().collect(),
            ];
            for form in forms {
                assert_eq!(fold(&form), folded, "{c:?} ({:x})", u32::from(c));
            }
        }
    }

    /// A text in one script.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{1,40}",
            "[ 0-9A-Za-zÀ-ɏẞſﬀ-ﬆ]{1,40}",
            "[ Α-ώἀ-ῼ]{1,40}",
            "[ Ѐ-ӿ]{1,40}",
            "[ Ա-Ֆա-ևﬓ-ﬗ]{1,40}",
            "[ ა-ჿᲐ-Ჺ]{1,40}",
            "[ א-תְ-ׇ]{1,40}",
            "[ ء-ٟ]{1,40}",
            "[ अ-हा-्ऀ-ः]{1,40}",
            "[ ก-ฺเ-๎]{1,40}",
            "[ 가-힣ㄱ-ㅣ]{1,40}",
            "[ ぁ-ゖァ-ヺ一-龥！-～ｦ-ﾝ]{1,40}",
            "[🏴-🏿👀-🙏\u{200d}\u{fe0f}❤a]{1,40}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_048))]

        #[test]
        fn substring_matches_in_any_case_and_form(
            text in text(), start in any::<prop::sample::Index>(), length in 1..20_usize, case in 0..3, form in 0..4,
        ) {
            // Texts are stored in form C.
            let text: String = text.nfc().collect();
            let start = start.index(text.chars().count());
            let part: String = text.chars().skip(start).take(length).collect();
            let part = match case {
                0 => part.to_uppercase(),
                1 => part.to_lowercase(),
                _ => part,
            };
            let part: String = match form {
                0 => part.nfc().collect(),
                1 => part.nfd().collect(),
                2 => part.nfkc().collect(),
                _ => part.nfkd().collect(),
            };
            prop_assert!(finds(&part, &text), "{:?} in {:?}", part, text);
        }

        #[test]
        fn folding_is_idempotent(text in any::<String>()) {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }
    }
}
