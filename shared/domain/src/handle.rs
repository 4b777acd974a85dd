//! Handles: public, permanent names of users and teams. Users, teams and the site's routes share one namespace.

use schemars::{Schema, json_schema};
use serde::Deserialize;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::text::{Invalid, string_value};

/// Minimum length in characters.
pub const MIN: usize = 4;
/// Maximum length in characters.
pub const MAX: usize = 32;

/// Reserved names, one per line. The first lines of the file explain the groups.
const RESERVED: &str = include_str!("reserved_handles.txt");

/// A handle: 4 to 32 of `a`–`z`, `0`–`9` and `-`, without hyphens at the ends, without double hyphens, not reserved.
///
/// Claims refuse upper case. Lookups fold upper case ([`look_up`](Self::look_up)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Handle(String);

impl Handle {
    /// Parses a handle for a claim.
    ///
    /// # Errors
    ///
    /// When the handle breaks a rule or is reserved.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let handle = Self::parse_existing(input)?;
        if RESERVED.lines().any(|listed| listed == input) {
            return Err(Invalid::new("This username is reserved. Choose another."));
        }
        Ok(handle)
    }

    /// Parses a stored handle and checks only its format, so that handles stay readable that were reserved later or
    /// assigned by an operator.
    ///
    /// # Errors
    ///
    /// When the format is wrong.
    pub fn parse_existing(input: &str) -> Result<Self, Invalid> {
        check(input).map(|()| Self(input.to_owned()))
    }

    /// Parses a handle for a lookup. Folds upper case and full-width characters, and accepts reserved names.
    ///
    /// # Errors
    ///
    /// When no handle can have this format.
    pub fn look_up(input: &str) -> Result<Self, Invalid> {
        Self::parse_existing(&folded(input))
    }

    /// Derives a handle from free text such as a display name: drops accents, transliterates other Latin letters, and
    /// replaces everything else with hyphens. `None` if no usable text remains, as for a name in another script.
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

    /// About a hundred alternative handles, best first: valid, unique, different from this handle, in deterministic order.
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

/// Checks the format only.
fn check(input: &str) -> Result<(), Invalid> {
    let sentence = if input.len() < MIN || input.len() > MAX {
        "Use 4 to 32 characters."
    } else if !input.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        "Use lower-case letters a to z, digits and hyphens only."
    } else if input.split('-').any(str::is_empty) {
        "Use single hyphens, and none at the start or end."
    } else {
        return Ok(());
    };
    Err(Invalid::new(sentence))
}

/// For `#[serde(deserialize_with = "domain::handle::existing")]` in stored records: [`Handle::parse_existing`], so that
/// a new reserved name does not make existing records unreadable.
///
/// # Errors
///
/// When the value is not a string or has the wrong format.
pub fn existing<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Handle, D::Error> {
    let text = String::deserialize(from)?;
    check(&text).map_err(serde::de::Error::custom)?;
    Ok(Handle(text))
}

/// The same for an optional one.
///
/// # Errors
///
/// When the value is neither a string nor null or has the wrong format.
pub fn optional_existing<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Handle>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| Handle::parse_existing(&text).map_err(serde::de::Error::custom)).transpose()
}

/// For `#[serde(deserialize_with = "domain::handle::looked_up")]` in queries: [`Handle::look_up`].
///
/// # Errors
///
/// When the value is not a string or no handle can have this format.
pub fn looked_up<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Handle, D::Error> {
    Handle::look_up(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// For `#[serde(deserialize_with = "domain::handle::free")]` in queries: a handle for a claim, folded like
/// [`Handle::look_up`].
///
/// # Errors
///
/// When the value is not a string or cannot be claimed.
pub fn free<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Handle, D::Error> {
    Handle::parse(&folded(&String::deserialize(from)?)).map_err(serde::de::Error::custom)
}

/// The schema of a handle in a query, which accepts upper case.
pub fn lookup_schema(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": MIN, "maxLength": MAX, "pattern": "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$",
    })
}

/// Folds a typed handle to lower-case ASCII. Reads only the start of long texts.
fn folded(input: &str) -> String {
    input.chars().take(MAX + 1).nfkc().flat_map(char::to_lowercase).collect()
}

/// Suffixes of suggestions. Each has exactly one hyphen, so that suggestions are unique.
fn suffixes() -> impl Iterator<Item = String> {
    let words = ["hq", "dev", "team", "lab", "io", "ml"];
    let word = words.into_iter().map(|word| format!("-{word}"));
    let number = |numbers: std::ops::RangeInclusive<u8>| numbers.map(|number| format!("-{number}"));
    number(2..=4).chain(word).chain(number(5..=99))
}

/// Joins `base` and `suffix` and shortens the base to fit.
fn join(base: &str, suffix: &str) -> Option<Handle> {
    let room = base.get(..MAX.saturating_sub(suffix.len())).unwrap_or(base);
    Handle::parse(&format!("{}{suffix}", room.trim_matches('-'))).ok()
}

/// Latin letters that do not decompose into an ASCII letter.
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
    fn handle_has_lower_case_digits_and_single_hyphens_only() {
        for valid in ["ada1", "a-b-c", "1234", "a1-2b", &"a".repeat(32)] {
            assert_eq!(Handle::parse(valid).unwrap().as_str(), valid);
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
    fn lookup_folds_case_and_full_width_letters() {
        for typed in ["ada-lovelace", "Ada-Lovelace", "ADA-LOVELACE", "Ａｄａ－Lovelace"] {
            assert_eq!(Handle::look_up(typed).unwrap().as_str(), "ada-lovelace", "{typed}");
        }
        assert_eq!(Handle::look_up("Settings").unwrap().as_str(), "settings");
        assert_eq!(Handle::look_up(&"A".repeat(32)).unwrap().as_str(), "a".repeat(32));
        for bad in ["", "Ada", "Zoë1", "İada", "ada_1", " Ada1", &"A".repeat(33), &"ﷺ".repeat(1_000_000)]
        {
            assert!(Handle::look_up(bad).is_err(), "{}", bad.len());
        }
        assert!(free(serde_json::Value::from("Settings")).is_err());
        assert_eq!(free(serde_json::Value::from("Ada-L")).unwrap().as_str(), "ada-l");
    }

    #[test]
    fn reserved_handle_is_refused_but_stored_one_parses() {
        for name in [
            "settings",
            "explore",
            "docs",
            "admin",
            "ultralytics",
            "api-keys",
            "support",
            "yolov8",
            "self",
            "ghost",
            "deleted",
            "none",
            "null",
            "true",
            "false",
            "here",
            "mailer-daemon",
            "postmaster",
        ] {
            assert!(Handle::parse(name).is_err(), "{name}");
            assert!(Handle::parse_existing(name).is_ok(), "{name}");
            assert!(serde_json::from_value::<Handle>(name.into()).is_err(), "{name}");
            assert!(existing(serde_json::Value::from(name)).is_ok(), "{name}");
        }
    }

    #[test]
    fn reserved_list_is_sorted_and_has_only_valid_handles() {
        let names: Vec<_> = RESERVED.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert_eq!(names.iter().find(|name| Handle::parse_existing(name).is_err()), None);
        assert!(names.len() >= 150);
    }

    #[test]
    fn best_suggestion_comes_first() {
        let first = |name: &str| -> Vec<String> {
            Handle::parse(name).unwrap().suggestions().take(4).map(|handle| handle.0).collect()
        };
        assert_eq!(first("grace"), ["grace-2", "grace-3", "grace-4", "grace-hq"]);
        assert_eq!(first("grace-2"), ["grace-3", "grace-4", "grace-hq", "grace-dev"]);
        assert_eq!(first("a-23"), ["a-hq", "a-dev", "a-team", "a-lab"]);
        assert_eq!(first(&"x".repeat(32))[0], format!("{}-2", "x".repeat(30)));
    }

    #[test]
    fn handle_from_display_name_is_transliterated() {
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
        fn suggestions_are_valid_unique_and_many(name in "[a-z0-9]{2,15}(-[a-z0-9]{1,16})?") {
            let Ok(handle) = Handle::parse(&name) else { return Ok(()) };
            let all: Vec<_> = handle.suggestions().collect();
            let distinct: std::collections::BTreeSet<_> = all.iter().collect();
            prop_assert!(all.len() > 50 && distinct.len() == all.len() && !distinct.contains(&handle));
            prop_assert!(all.iter().all(|one| Handle::parse(one.as_str()).is_ok()));
        }

        #[test]
        fn any_input_parses_or_fails(input in any::<String>()) {
            let _ = Handle::parse(&input);
            if let Some(handle) = Handle::from_name(&input) {
                prop_assert_eq!(Handle::parse(handle.as_str()), Ok(handle));
            }
        }

        #[test]
        fn schema_matches_are_accepted_unless_reserved(input in "[a-z0-9]{1,15}(-[a-z0-9]{1,4}){1,3}") {
            let is_reserved = RESERVED.lines().any(|listed| listed == input);
            prop_assert_eq!(Handle::parse(&input).is_ok(), input.len() >= MIN && input.len() <= MAX && !is_reserved);
        }
    }
}
