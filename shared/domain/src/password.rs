//! Passwords: 8 to 128 characters, checked for strength only.

use schemars::{Schema, json_schema};
use serde::de::{Unexpected, Visitor};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};
use zxcvbn::{
    Score,
    feedback::{Feedback, Suggestion, Warning},
};

use crate::{
    breached_passwords,
    text::{Invalid, string_value},
};

/// Minimum length in characters.
pub const MIN: usize = 8;
/// Maximum length in characters. Limits the cost of hashing.
pub const MAX: usize = 128;

/// Number of characters that the estimator reads of a password and of each word about its owner. The estimator's time
/// grows with the square: the worst case takes a third of a second at 48 characters and more than one second at 100,
/// without optimisation.
const JUDGED: usize = 48;
/// Maximum number of words about the owner for the estimator.
const WORDS: usize = 16;
/// Maximum number of compared characters of a password, characters of a word, and words.
const COMPARED: usize = MAX;
/// Minimum length of words that count anywhere in a password. Shorter words count only if the password has nothing else.
const LONGER: usize = 4;
/// Minimum number of letters and digits outside the words about the owner.
const REST: usize = 6;
/// Why a breached password is refused.
pub const BREACHED: Invalid = Invalid::new(
    "This password was in a data breach of another service, and guessers try it first. Use another one.",
);
/// Words about the platform, which count for every user.
const OURS: [&str; 4] = ["ultralytics", "platform", "yolo", "yolov8"];

/// A password for hashing: 8 to 128 characters (Unicode scalar values) without control characters.
///
/// Passwords are brought into normalisation form C, and every kind of space becomes U+0020, as in [RFC 8265]
/// ("OpaqueString"), so that the same keys on different devices give the same bytes. Compatibility forms (NFKC) would
/// make different passwords equal. Passwords are not trimmed and not case-folded.
///
/// Has no `Debug`, `Display`, `Serialize` or `PartialEq`; zeroed when dropped.
///
/// [RFC 8265]: https://www.rfc-editor.org/rfc/rfc8265#section-4.2
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// Parses a password. Checks length and characters only, so that it also serves sign-in. [`Password::judge`] checks
    /// the strength of new passwords.
    ///
    /// # Errors
    ///
    /// When the password is too short, too long or contains a control character.
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

    /// Whether both are the same password. For passwords of the same request: its time tells where two differ.
    pub fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// The password, for hashing.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Checks a new password: it must be strong enough ([`judge_strength`](Self::judge_strength)), and not one of the common
    /// passwords of earlier leaks. A deployment may also ask a service
    /// ([`BreachedPasswords`](crate::ports::BreachedPasswords)).
    ///
    /// # Errors
    ///
    /// When the password is too easy to guess. The sentence has advice.
    pub fn judge(&self, about: &[&str]) -> Result<(), Invalid> {
        self.judge_strength(about)?;
        if breached_passwords::contains(&self.0) {
            return Err(BREACHED);
        }
        Ok(())
    }

    /// Checks the strength of a new password: the [zxcvbn] estimate must be at least 3 of 4, "safely unguessable" if
    /// the hash leaks. `about` is known to attackers: address, name, handle. A part of it is too weak, also with its
    /// parts in another order, with other separators or none, or with a few characters added.
    ///
    /// The estimator reads the first 48 characters of the password and of each of at most 16 words, which bounds its
    /// time. So the start alone must be strong enough. Takes milliseconds; do not run on an async thread.
    ///
    /// # Errors
    ///
    /// When the password is too easy to guess. The sentence has advice.
    ///
    /// [zxcvbn]: https://www.usenix.org/conference/usenixsecurity16/technical-sessions/presentation/wheeler
    pub fn judge_strength(&self, about: &[&str]) -> Result<(), Invalid> {
        if is_made_of(&self.0, about) {
            return Err(Invalid::new(
                "This password consists of your email address or your name. Use other words.",
            ));
        }
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

/// Reads a string. The error for other types does not repeat the value.
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

/// A text as a whole and its words. Omits words that are too short, which would make every password weak.
fn parts(about: &str) -> impl Iterator<Item = &str> {
    let words = about.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().nth(2).is_some());
    std::iter::once(start(about)).chain(words.map(start)).filter(|word| !word.is_empty())
}

/// Whether a password has little that is not in `about`: nothing beside its words, or fewer than [`REST`] letters and
/// digits beside the longer words. Ignores case, compatibility forms, separators, and digits in place of letters.
fn is_made_of(password: &str, about: &[&str]) -> bool {
    let text: Vec<char> = folded(password).take(COMPARED).collect();
    let symbols = password.chars().filter(|c| !c.is_alphanumeric()).count();
    if text.is_empty() || symbols > text.len().max(MIN) {
        return false; // mostly symbols: for the estimator
    }
    let words: Vec<Vec<char>> = about
        .iter()
        .flat_map(|known| known.split(|c: char| !c.is_alphanumeric()))
        .map(|word| folded(word).take(COMPARED).collect())
        .filter(|word: &Vec<char>| !word.is_empty())
        .take(COMPARED)
        .collect();
    let rest = |shortest: usize| uncovered(&text, words.iter().filter(|word| word.len() >= shortest));
    let beside_longer = rest(LONGER);
    rest(1) == 0 || (beside_longer < REST && beside_longer < text.len())
}

/// Letters and digits in lower case and compatibility form. Digits that resemble letters become those letters.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let letter = |c| match c {
        '0' => 'o',
        '1' | 'i' => 'l',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        other => other,
    };
    text.nfkc().flat_map(char::to_lowercase).nfkc().filter(|c| c.is_alphanumeric()).map(letter)
}

/// The minimum number of characters of `text` that remain when words are removed.
fn uncovered<'a>(text: &[char], words: impl Iterator<Item = &'a Vec<char>> + Clone) -> usize {
    let mut least = vec![0];
    for end in 1..=text.len() {
        let before = text.get(..end).unwrap_or_default();
        let alone = least.get(end - 1).map_or(end, |rest| rest + 1);
        let of_word =
            |word: &Vec<char>| before.ends_with(word).then(|| least.get(end - word.len()).copied()).flatten();
        let best = words.clone().filter_map(of_word).fold(alone, usize::min);
        least.push(best);
    }
    least.last().copied().unwrap_or_default()
}

fn start(text: &str) -> &str {
    text.char_indices().nth(JUDGED).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

fn advice(feedback: Option<&Feedback>) -> Invalid {
    let reason = feedback.and_then(Feedback::warning).map_or("This password is easy to guess", reason);
    let help = feedback.and_then(|all| all.suggestions().iter().copied().find_map(help));
    Invalid(format!("{reason}. {}.", help.unwrap_or("Add one or two uncommon words")).into())
}

fn reason(warning: Warning) -> &'static str {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess => "A row of keys is easy to guess",
        Warning::ShortKeyboardPatternsAreEasyToGuess => "A short pattern on the keyboard is easy to guess",
        Warning::RepeatsLikeAaaAreEasyToGuess => "Repeating a character is easy to guess",
        Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => "A repeated part is easy to guess",
        Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword => {
            "This password is common"
        }
        Warning::ThisIsSimilarToACommonlyUsedPassword => "This password is similar to a common password",
        Warning::SequencesLikeAbcAreEasyToGuess => "A sequence such as abc or 6543 is easy to guess",
        Warning::RecentYearsAreEasyToGuess => "A recent year is easy to guess",
        Warning::AWordByItselfIsEasyToGuess => "A single word is easy to guess",
        Warning::DatesAreOftenEasyToGuess => "A date is easy to guess",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
        | Warning::CommonNamesAndSurnamesAreEasyToGuess => "A name is easy to guess",
    }
}

/// `None` if the suggestion is less specific than the default advice.
fn help(suggestion: Suggestion) -> Option<&'static str> {
    match suggestion {
        Suggestion::CapitalizationDoesntHelpVeryMuch
        | Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => {
            Some("Capital letters add little strength; add a word or two")
        }
        Suggestion::ReversedWordsArentMuchHarderToGuess => {
            Some("Reversed words add little strength; add a word or two")
        }
        Suggestion::PredictableSubstitutionsDontHelpVeryMuch => {
            Some("Replaced letters, such as @ for a, add little strength; add a word or two")
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
        for valid in ["12345678", "пароль12", "🦀🦀🦀🦀🦀🦀🦀🦀", "        ", "e\u{301}1234567"]
        {
            assert!(Password::parse(valid).is_ok(), "{valid}");
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
    fn password_is_normalized_across_devices() {
        let mac = Password::parse("caf\u{e9}\u{a0}secret").ok().unwrap();
        let phone = Password::parse("cafe\u{301} secret").ok().unwrap();
        assert_eq!(mac.expose(), phone.expose());
        assert_ne!(Password::parse("ｐassword").ok().unwrap().expose(), "password");
        assert_eq!(Password::parse(" spaced   ").ok().unwrap().expose(), " spaced   ");
    }

    #[test]
    fn guessable_password_is_refused() {
        for valid in [
            "correct horse battery staple",
            "v3xT-9qLm-Zp2w",
            "лампа верблюд сорок окно",
            "🦀🎷🪐🧀🛶🪁🧿🥁🎻🪵",
        ] {
            assert_eq!(judged(valid, &[]), Ok(()), "{valid}");
        }
        for bad in
            ["password", "P@ssw0rd", "qwertyuiop", "aaaaaaaaaaaa", "abcabcabcabc", "19841984", "ultralytics"]
        {
            assert!(judged(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn judged_prefix_must_be_strong_alone() {
        assert!(judged(&format!("{}v3xT-9qLm-Zp2w", "a".repeat(48)), &[]).is_err());
        assert_eq!(judged(&format!("v3xT-9qLm-Zp2w{}", "a".repeat(114)), &[]), Ok(()));
    }

    #[test]
    fn password_of_user_data_is_refused() {
        let about = ["Zorvaxa.Quindlebrax@plimforth.example", "Zorvaxa Quindlebrax"];
        for password in
            ["quindlebrax", "Quindlebrax1", "zorvaxaquindlebrax", "zorvaxa.quindlebrax@plimforth.example"]
        {
            assert!(judged(password, &about).is_err(), "{password}");
        }
        assert_eq!(judged("zorvaxaquindlebrax", &[]), Ok(()));
    }

    #[test]
    fn email_address_in_any_spelling_is_refused() {
        for (address, password) in [
            ("margaret.hamilton@people.example", "margaret.hamilton"),
            ("margaret.hamilton@people.example", "Hamilton_Margaret"),
            ("margaret.hamilton@people.example", "m4rg4ret-h4milton"),
            ("margaret.hamilton@people.example", "margaret.hamilton1969!"),
            ("margaret.hamilton@people.example", "ＭＡＲＧＡＲＥＴ　ｈａｍｉｌｔｏｎ"),
            ("jane.q.public@people.example", "jane.q.public"),
            ("jane.q.public@people.example", "JaneQPublic"),
            ("jane.q.public@people.example", "public+jane+q"),
            ("ada@contoso-widgets.example", "contoso-widgets"),
            ("ada@contoso-widgets.example", "Widgets Contoso Ada"),
            ("ada@b\u{fc}cher-kiste.example", "BU\u{308}CHERkiste"),
            ("k.j@x-y-zed.example", "k.j@x-y-zed.example"),
        ] {
            let (_, domain) = address.split_once('@').unwrap();
            assert!(judged(password, &[address, domain]).is_err(), "{password} for {address}");
        }
    }

    #[test]
    fn strong_password_with_word_of_address_is_accepted() {
        let about = ["lee.horse@example.com", "example.com", "Al"];
        for password in ["correct horse battery staple", "v3xT-9qLm-Zp2w", "🦀🎷🪐🧀🛶🪁🧿🥁🎻🪵 al"]
        {
            assert_eq!(judged(password, &about), Ok(()), "{password}");
        }
    }

    #[test]
    fn comparison_with_user_data_is_bounded() {
        let long = Password::parse(&"\u{fdfa}".repeat(128)).ok().unwrap();
        let about = "ab.".repeat(100_000);
        assert!(!is_made_of(long.expose(), &[&about]));
    }

    #[test]
    fn weak_password_error_has_advice() {
        assert_eq!(
            judged("P@ssw0rd", &[]).unwrap_err().0,
            "This password is similar to a common password. Capital letters add little strength; add a word or two."
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
        fn any_input_parses_or_fails_and_result_is_stable(input in any::<String>()) {
            if let Ok(password) = Password::parse(&input) {
                let again = Password::parse(password.expose()).ok().unwrap();
                prop_assert_eq!(again.expose(), password.expose());
                let _ = password.judge(&[&input]);
            }
        }
    }
}
