//! Handles: the public, permanent names of users and teams, one namespace for both and for the site's own routes.

use schemars::{Schema, json_schema};
use serde::Deserialize;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::text::{Invalid, string_value};

/// The fewest characters.
pub const MIN: usize = 4;
/// The most characters.
pub const MAX: usize = 32;

/// Route names, well-known mailboxes and brands, sorted, one a line.
const RESERVED: &str = include_str!("reserved_handles.txt");

/// A handle: 4 to 32 of `a`–`z`, `0`–`9` and `-`; no hyphen at an end, no two in a row; not reserved.
///
/// Capitals are refused, not folded: what is typed is what is claimed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Handle(String);

impl Handle {
    /// Reads a handle that someone wants to claim or asks for.
    ///
    /// # Errors
    ///
    /// When it breaks a rule or is reserved.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let handle = Self::parse_existing(input)?;
        if RESERVED.lines().any(|listed| listed == input) {
            return Err(Invalid::new("This handle is reserved; choose another."));
        }
        Ok(handle)
    }

    /// Reads a handle that was claimed before, by its form alone: one that was reserved later, or given out by an
    /// operator, stays readable.
    ///
    /// # Errors
    ///
    /// When its form is wrong.
    pub fn parse_existing(input: &str) -> Result<Self, Invalid> {
        let sentence = if input.len() < MIN || input.len() > MAX {
            "Use 4 to 32 characters."
        } else if !input.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            "Use lower-case letters a to z, digits and hyphens only."
        } else if input.split('-').any(str::is_empty) {
            "Use single hyphens, and none at the start or end."
        } else {
            return Ok(Self(input.to_owned()));
        };
        Err(Invalid::new(sentence))
    }

    /// A handle made of free text such as a display name: accents dropped, the rest of Latin spelled out, everything
    /// else a hyphen. `None` when nothing usable is left, as with a name in another script.
    pub fn from_name(display: &str) -> Option<Self> {
        let mut slug = String::new();
        for c in display.chars().take(4 * MAX).nfkd().flat_map(char::to_lowercase) {
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                '\'' | '’' | 'ʼ' | '`' => {}
                _ if is_combining_mark(c) => {}
                _ => match latin(c) {
                    Some(letters) => slug.push_str(letters),
                    None if slug.is_empty() || slug.ends_with('-') => {}
                    None => slug.push('-'),
                },
            }
        }
        if slug.trim_matches('-').is_empty() {
            return None;
        }
        std::iter::once(String::new()).chain(suffixes()).find_map(|suffix| join(&slug, &suffix))
    }

    /// Other handles to offer when this one is taken, the likeliest first: always valid, all different, never this
    /// one, always in the same order. About a hundred.
    pub fn suggestions(&self) -> impl Iterator<Item = Self> + '_ {
        let base = match self.0.rsplit_once('-') {
            Some((base, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => base,
            _ => self.as_str(),
        };
        suffixes().filter_map(move |suffix| join(base, &suffix)).filter(move |candidate| candidate != self)
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string", "minLength": MIN, "maxLength": MAX, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
        })
    }
}

string_value!(Handle);

/// For `#[serde(deserialize_with = "domain::handle::existing")]` in stored records: [`Handle::parse_existing`], so that
/// a name added to the reserved list does not make its holder's records unreadable.
///
/// # Errors
///
/// When the value is no string, or one of the wrong form.
pub fn existing<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Handle, D::Error> {
    Handle::parse_existing(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// What tells a suggestion from the handle that is taken. Each has exactly one hyphen, so no two make the same.
fn suffixes() -> impl Iterator<Item = String> {
    let words = ["hq", "dev", "team", "lab", "io", "ml"];
    let word = words.into_iter().map(|word| format!("-{word}"));
    let number = |numbers: std::ops::RangeInclusive<u8>| numbers.map(|number| format!("-{number}"));
    number(2..=4).chain(word).chain(number(5..=99))
}

/// `base` and `suffix`, the base shortened to make room.
fn join(base: &str, suffix: &str) -> Option<Handle> {
    let room = base.get(..MAX.saturating_sub(suffix.len())).unwrap_or(base);
    Handle::parse(&format!("{}{suffix}", room.trim_matches('-'))).ok()
}

/// Latin letters that do not decompose into an ASCII one.
fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ı' => "i",
        'ŋ' => "n",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_lower_case_letters_digits_and_single_inner_hyphens_make_a_handle() {
        for good in ["ada1", "a-b-c", "1234", "a1-2b", &"a".repeat(32)] {
            assert_eq!(Handle::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "abc",
            "Ada1",
            "ADA1",
            "-ada",
            "ada-",
            "ad--a",
            "ada_1",
            "ada.1",
            "ada 1",
            " ada1",
            "ada1\n",
            "zoë1",
            "аda1",
            "ada/1",
            "ada\0",
            "----",
            &"a".repeat(33),
        ] {
            assert!(Handle::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn routes_and_brands_cannot_be_claimed_but_stay_readable() {
        for name in ["settings", "explore", "docs", "admin", "ultralytics", "api-keys", "support", "yolov8"] {
            assert!(Handle::parse(name).is_err(), "{name}");
            assert!(Handle::parse_existing(name).is_ok(), "{name}");
            assert!(serde_json::from_value::<Handle>(name.into()).is_err(), "{name}");
            assert!(existing(serde_json::Value::from(name)).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_reserved_list_is_sorted_and_holds_only_what_could_be_a_handle() {
        let names: Vec<_> = RESERVED.lines().collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert_eq!(names.iter().find(|name| Handle::parse_existing(name).is_err()), None);
        assert!(names.len() >= 150);
    }

    #[test]
    fn suggestions_start_with_the_likeliest() {
        let first = |name: &str| -> Vec<String> {
            Handle::parse(name).unwrap().suggestions().take(4).map(|handle| handle.0).collect()
        };
        assert_eq!(first("grace"), ["grace-2", "grace-3", "grace-4", "grace-hq"]);
        assert_eq!(first("grace-2"), ["grace-3", "grace-4", "grace-hq", "grace-dev"]);
        assert_eq!(first("a-23"), ["a-hq", "a-dev", "a-team", "a-lab"]);
        assert_eq!(first(&"x".repeat(32))[0], format!("{}-2", "x".repeat(30)));
    }

    #[test]
    fn a_name_becomes_the_handle_its_owner_would_expect() {
        for (name, handle) in [
            ("Ada Lovelace", "ada-lovelace"),
            ("  Zoë  Müller-Çelik ", "zoe-muller-celik"),
            ("Conan O’Brien", "conan-obrien"),
            ("Łukasz Weiß", "lukasz-weiss"),
            ("İlker Işık", "ilker-isik"),
            ("Bo", "bo-2"),
            ("X", "x-hq"),
            ("Support", "support-2"),
            ("ＦＵＬＬ width", "full-width"),
            ("ACME, Inc. (EU)", "acme-inc-eu"),
            ("李 Wei Chen", "wei-chen"),
        ] {
            assert_eq!(Handle::from_name(name).unwrap().as_str(), handle, "{name}");
        }
        for none in ["", "李小龍", "Мария", "---", "🙂", "\u{301}"] {
            assert_eq!(Handle::from_name(none), None, "{none}");
        }
        assert_eq!(Handle::from_name(&"long name ".repeat(99)).unwrap().as_str().len(), 32);
    }

    proptest! {
        #[test]
        fn suggestions_are_valid_different_and_many(name in "[a-z0-9]{2,15}(-[a-z0-9]{1,16})?") {
            let Ok(handle) = Handle::parse(&name) else { return Ok(()) };
            let all: Vec<_> = handle.suggestions().collect();
            let distinct: std::collections::BTreeSet<_> = all.iter().collect();
            prop_assert!(all.len() > 50 && distinct.len() == all.len() && !distinct.contains(&handle));
            prop_assert!(all.iter().all(|one| Handle::parse(one.as_str()).is_ok()));
        }

        #[test]
        fn any_string_is_answered(input in any::<String>()) {
            let _ = Handle::parse(&input);
            if let Some(handle) = Handle::from_name(&input) {
                prop_assert_eq!(Handle::parse(handle.as_str()), Ok(handle));
            }
        }

        #[test]
        fn what_the_schema_allows_is_accepted_unless_reserved(input in "[a-z0-9]{1,15}(-[a-z0-9]{1,4}){1,3}") {
            let is_reserved = RESERVED.lines().any(|listed| listed == input);
            prop_assert_eq!(Handle::parse(&input).is_ok(), input.len() >= MIN && input.len() <= MAX && !is_reserved);
        }
    }
}
