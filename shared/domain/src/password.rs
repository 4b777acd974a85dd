//! Passwords: 8 to 128 characters, judged by how hard they are to guess and by nothing else.

use schemars::{Schema, json_schema};
use serde::de::{Unexpected, Visitor};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};
use zxcvbn::{
    Score,
    feedback::{Feedback, Suggestion, Warning},
};

use crate::text::{Invalid, string_value};

/// The fewest characters.
pub const MIN: usize = 8;
/// The most characters; bounds what hashing one costs.
pub const MAX: usize = 128;

/// How many characters of a password and of each word about its owner the estimator reads. Its time grows with the
/// square: the worst found takes a third of a second at 48 and more than one at 100, without optimisation.
const JUDGED: usize = 48;
/// How many words about its owner the estimator is told.
const WORDS: usize = 16;
/// Words that are about every user of this platform.
const OURS: [&str; 4] = ["ultralytics", "platform", "yolo", "yolov8"];

/// A password as it is hashed: 8 to 128 characters (Unicode scalar values), any but control characters.
///
/// It is brought into normalisation form C, and every kind of space becomes U+0020, as [RFC 8265] ("OpaqueString")
/// says: the same keys pressed on a Mac and on a phone give the same bytes. Compatibility forms (NFKC) would go
/// further and make different passwords the same. Nothing is trimmed, nothing is folded.
///
/// No `Debug`, `Display`, `Serialize` or `PartialEq`; zeroed when dropped.
///
/// [RFC 8265]: https://www.rfc-editor.org/rfc/rfc8265#section-4.2
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// Reads a password. Looks at length and characters only, so that it also serves signing in: whether one is good
    /// enough to be set is for [`Password::judge`].
    ///
    /// # Errors
    ///
    /// When it is too short, too long or holds a control character.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        const TOO_LONG: Invalid = Invalid::new("Use at most 128 characters.");
        if input.chars().nth(MAX * 4).is_some() {
            return Err(TOO_LONG); // composing shortens at most to a quarter
        }
        let mut text = Zeroizing::new(String::with_capacity(input.len() * 3)); // never moved while it grows
        text.extend(input.nfc().map(|c| if c.is_whitespace() && !c.is_control() { ' ' } else { c }));
        match text.chars().count() {
            length if length < MIN => Err(Invalid::new("Use at least 8 characters.")),
            length if length > MAX => Err(TOO_LONG),
            _ if text.contains(char::is_control) => {
                Err(Invalid::new("Remove the control character (a tab or line break, for example)."))
            }
            _ => Ok(Self(std::mem::take(&mut *text))),
        }
    }

    /// The password itself, for hashing.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it may be set: the [zxcvbn] estimate is at least 3 of 4, "safely unguessable" when the hash leaks.
    /// `about` is what an attacker knows of the user: address, name, handle. A part of it is no good password.
    ///
    /// Reads the first 48 characters of the password, and of each of at most 16 words: the start alone must be strong
    /// enough, which keeps the time bounded.
    ///
    /// # Errors
    ///
    /// When it is too easy to guess; the sentence says what would help.
    ///
    /// [zxcvbn]: https://www.usenix.org/conference/usenixsecurity16/technical-sessions/presentation/wheeler
    pub fn judge(&self, about: &[&str]) -> Result<(), Invalid> {
        let words: Vec<&str> = about.iter().copied().flat_map(parts).take(WORDS).chain(OURS).collect();
        let estimate = zxcvbn::zxcvbn(start(&self.0), &words);
        if estimate.score() >= Score::Three { Ok(()) } else { Err(advice(estimate.feedback())) }
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "format": "password",
            "minLength": MIN,
            "maxLength": MAX,
            "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$",
            "writeOnly": true,
        })
    }
}

string_value!(@input Password);

/// Reads a string and says nothing of what else it was given.
impl<'de> serde::Deserialize<'de> for Password {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Text) // asked for a string, serde_json itself would repeat a number
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Password;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Password, E> {
        Password::parse(text).map_err(E::custom)
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Password, E> {
        self.visit_str(&Zeroizing::new(text))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Password, E> {
        Err(E::invalid_type(Unexpected::Other("boolean"), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Password, E> {
        Err(E::invalid_type(Unexpected::Other("number"), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Password, E> {
        Err(E::invalid_type(Unexpected::Other("number"), &self))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Password, E> {
        Err(E::invalid_type(Unexpected::Other("number"), &self))
    }
}

/// A text as a whole and its words; too short ones would make every password look bad.
fn parts(about: &str) -> impl Iterator<Item = &str> {
    let words = about.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().nth(2).is_some());
    std::iter::once(start(about)).chain(words.map(start)).filter(|word| !word.is_empty())
}

fn start(text: &str) -> &str {
    text.char_indices().nth(JUDGED).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

fn advice(feedback: Option<&Feedback>) -> Invalid {
    let reason = feedback.and_then(Feedback::warning).map_or("This password is easy to guess", reason);
    let help = feedback.and_then(|all| all.suggestions().iter().copied().find_map(help));
    Invalid(format!("{reason}. {}.", help.unwrap_or("Add another word or two, less common ones")).into())
}

fn reason(warning: Warning) -> &'static str {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess => "A row of keys is easy to guess",
        Warning::ShortKeyboardPatternsAreEasyToGuess => "A short pattern on the keyboard is easy to guess",
        Warning::RepeatsLikeAaaAreEasyToGuess => "Repeating a character is easy to guess",
        Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            "Repeating a part makes it hardly harder to guess"
        }
        Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword => {
            "Many people use this password"
        }
        Warning::ThisIsSimilarToACommonlyUsedPassword => "This is close to a password that many people use",
        Warning::SequencesLikeAbcAreEasyToGuess => "A sequence such as abc or 6543 is easy to guess",
        Warning::RecentYearsAreEasyToGuess => "A recent year is easy to guess",
        Warning::AWordByItselfIsEasyToGuess => "A single word is easy to guess",
        Warning::DatesAreOftenEasyToGuess => "A date is easy to guess",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
        | Warning::CommonNamesAndSurnamesAreEasyToGuess => "A name is easy to guess",
    }
}

/// `None` for advice that says less than our own.
fn help(suggestion: Suggestion) -> Option<&'static str> {
    match suggestion {
        Suggestion::CapitalizationDoesntHelpVeryMuch
        | Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => {
            Some("Capital letters hardly help; add a word or two")
        }
        Suggestion::ReversedWordsArentMuchHarderToGuess => {
            Some("Spelling it backwards hardly helps; add a word or two")
        }
        Suggestion::PredictableSubstitutionsDontHelpVeryMuch => {
            Some("Replacing letters, such as a by @, hardly helps; add a word or two")
        }
        Suggestion::UseALongerKeyboardPatternWithMoreTurns => Some("Use words instead of a pattern"),
        Suggestion::AvoidRepeatedWordsAndCharacters => Some("Use different words"),
        Suggestion::AvoidSequences => Some("Avoid sequences"),
        Suggestion::AvoidRecentYears
        | Suggestion::AvoidYearsThatAreAssociatedWithYou
        | Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => Some("Avoid years and dates"),
        Suggestion::UseAFewWordsAvoidCommonPhrases
        | Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters
        | Suggestion::AddAnotherWordOrTwo => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(password: &str, about: &[&str]) -> Result<(), Invalid> {
        Password::parse(password)?.judge(about)
    }

    #[test]
    fn length_is_counted_in_characters() {
        for good in ["12345678", "пароль12", "🦀🦀🦀🦀🦀🦀🦀🦀", "        ", "e\u{301}1234567"]
        {
            assert!(Password::parse(good).is_ok(), "{good}");
        }
        for bad in
            ["", "1234567", "пароль1", "e\u{301}123456", "1234\u{0}5678", "1234\n5678", "1234\u{9b}5678"]
        {
            assert!(Password::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Password::parse(&"🦀".repeat(128)).is_ok() && Password::parse(&"🦀".repeat(129)).is_err());
        assert!(Password::parse(&"a".repeat(10_000_000)).is_err());
    }

    #[test]
    fn the_same_keys_on_another_device_are_the_same_password() {
        let mac = Password::parse("caf\u{e9}\u{a0}secret").ok().unwrap();
        let phone = Password::parse("cafe\u{301} secret").ok().unwrap();
        assert_eq!(mac.expose(), phone.expose());
        assert_ne!(Password::parse("ｐassword").ok().unwrap().expose(), "password");
        assert_eq!(Password::parse(" spaced   ").ok().unwrap().expose(), " spaced   ");
    }

    #[test]
    fn only_what_is_hard_to_guess_may_be_set() {
        for good in [
            "correct horse battery staple",
            "v3xT-9qLm-Zp2w",
            "лампа верблюд сорок окно",
            "🦀🎷🪐🧀🛶🪁🧿🥁🎻🪵",
        ] {
            assert_eq!(judged(good, &[]), Ok(()), "{good}");
        }
        for bad in
            ["password", "P@ssw0rd", "qwertyuiop", "aaaaaaaaaaaa", "abcabcabcabc", "19841984", "ultralytics"]
        {
            assert!(judged(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_start_that_is_judged_must_be_strong_by_itself() {
        assert!(judged(&format!("{}v3xT-9qLm-Zp2w", "a".repeat(48)), &[]).is_err());
        assert_eq!(judged(&format!("v3xT-9qLm-Zp2w{}", "a".repeat(114)), &[]), Ok(()));
    }

    #[test]
    fn what_is_known_of_the_user_does_not_make_a_password() {
        let about = ["Zorvaxa.Quindlebrax@plimforth.example", "Zorvaxa Quindlebrax"];
        for password in
            ["quindlebrax", "Quindlebrax1", "zorvaxaquindlebrax", "zorvaxa.quindlebrax@plimforth.example"]
        {
            assert!(judged(password, &about).is_err(), "{password}");
        }
        assert_eq!(judged("zorvaxaquindlebrax", &[]), Ok(()));
    }

    #[test]
    fn a_refusal_says_what_would_help() {
        assert_eq!(
            judged("P@ssw0rd", &[]).unwrap_err().0,
            "This is close to a password that many people use. Capital letters hardly help; add a word or two."
        );
        assert_eq!(
            judged("aaaaaaaaaaaa", &[]).unwrap_err().0,
            "Repeating a character is easy to guess. Use different words."
        );
    }

    #[test]
    fn json_of_another_type_is_refused_without_repeating_it() {
        for json in [
            "1234567890",
            "-12345678",
            "12345.678",
            "[\"12345678\"]",
            "true",
            "null",
            "{\"12345678\":1}",
            "\"1234567\"",
        ] {
            let error = serde_json::from_str::<Password>(json).err().unwrap().to_string();
            assert!(!error.contains("12345") && !error.contains("true"), "{error}");
        }
        assert!(serde_json::from_str::<Password>("\"12345678\"").is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_string_is_answered_and_what_is_accepted_is_stable(input in any::<String>()) {
            if let Ok(password) = Password::parse(&input) {
                let again = Password::parse(password.expose()).ok().unwrap();
                prop_assert_eq!(again.expose(), password.expose());
                let _ = password.judge(&[&input]);
            }
        }
    }
}
