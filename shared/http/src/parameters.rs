//! The types of query parameters that several endpoints have.

use domain::{Timestamp, search::SearchTerm, text::Invalid};
use jiff::{civil::Time, fmt::temporal::Pieces, tz::Offset};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;

/// A parameter that is `true` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names say it")]
pub enum YesNo {
    True,
    False,
}

/// A search term of up to 100 characters.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline)]
pub struct Search(#[schemars(with = "String", length(max = 100))] SearchTerm);

impl Search {
    /// The term.
    pub fn term(&self) -> &SearchTerm {
        &self.0
    }
}

impl TryFrom<String> for Search {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        SearchTerm::parse(&text).map(Self)
    }
}

/// How many rows a page has: 1 to `MOST`.
#[derive(Debug, Clone, Copy)]
pub struct PageSize<const MOST: u16, const DEFAULT: u16 = 20>(u16);

impl<const MOST: u16, const DEFAULT: u16> PageSize<MOST, DEFAULT> {
    /// The number.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl<const MOST: u16, const DEFAULT: u16> Default for PageSize<MOST, DEFAULT> {
    fn default() -> Self {
        Self(MOST.min(DEFAULT))
    }
}

impl<'de, const MOST: u16, const DEFAULT: u16> Deserialize<'de> for PageSize<MOST, DEFAULT> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        whole_number(from, MOST).map(Self)
    }
}

impl<const MOST: u16, const DEFAULT: u16> JsonSchema for PageSize<MOST, DEFAULT> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("PageSize{MOST}Default{DEFAULT}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST, "default": Self::default().0 })
    }
}

/// A page's number: 1 to `MOST`.
#[derive(Debug, Clone, Copy)]
pub struct PageNumber<const MOST: u16>(u16);

impl<const MOST: u16> PageNumber<MOST> {
    /// How many rows come before the page, if each page has `size`.
    pub fn skips(self, size: usize) -> usize {
        usize::from(self.0 - 1) * size
    }
}

impl<'de, const MOST: u16> Deserialize<'de> for PageNumber<MOST> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        whole_number(from, MOST).map(Self)
    }
}

impl<const MOST: u16> JsonSchema for PageNumber<MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("PageNumber{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST })
    }
}

/// A parameter that is a time (RFC 3339), or a date, which means its whole day in UTC. A time that [`Timestamp`] can't hold, such
/// as the last second of the year 9999, becomes its first or last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOrDate {
    begins: Timestamp,
    ends: Timestamp,
}

impl TimeOrDate {
    /// The time, or the beginning of the day.
    pub fn begins(self) -> Timestamp {
        self.begins
    }

    /// The time, or the end of the day.
    pub fn ends(self) -> Timestamp {
        self.ends
    }

    fn parse(text: &str) -> Option<Self> {
        let pieces = Pieces::parse(text).ok()?;
        let is_date = text.len() == "2026-11-29".len();
        let (first, last, offset) = match (pieces.time(), pieces.to_numeric_offset()) {
            (None, None) if is_date => (Time::midnight(), Time::MAX, Offset::UTC),
            (Some(time), Some(offset)) if pieces.time_zone_annotation().is_none() => (time, time, offset),
            _ => return None,
        };
        let at = |time: Time| {
            let end = if pieces.date().year() > 1970 { Timestamp::MAX } else { Timestamp::MIN };
            offset.to_timestamp(pieces.date().to_datetime(time)).unwrap_or(end)
        };
        Some(Self { begins: at(first), ends: at(last) })
    }
}

impl<'de> Deserialize<'de> for TimeOrDate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let invalid = "Use a date, as in 2026-11-29, or a time, as in 2026-11-29T15:04:05Z.";
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(invalid))
    }
}

impl JsonSchema for TimeOrDate {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeOrDate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "anyOf": [{ "format": "date-time" }, { "format": "date" }],
        })
    }
}

/// Reads a number from a parameter's text.
fn whole_number<'de, D: serde::Deserializer<'de>>(from: D, most: u16) -> Result<u16, D::Error> {
    let text = String::deserialize(from)?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (1..=most).contains(number));
    number.ok_or_else(|| serde::de::Error::custom(format!("Use a whole number from 1 to {most}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_alone_means_its_day_and_years_to_9999_are_times() {
        let read =
            |text: &str| TimeOrDate::parse(text).map(|at| (at.begins().to_string(), at.ends().to_string()));
        let both = |first: &str, last: &str| Some((first.to_owned(), last.to_owned()));
        let day = both("2026-11-29T00:00:00Z", "2026-11-29T23:59:59.999999999Z");
        assert_eq!(read("2026-11-29"), day);
        assert_eq!(read("2024-02-29").map(|(first, _)| first), Some("2024-02-29T00:00:00Z".to_owned()));
        for (text, is) in [
            ("2026-11-29T15:04:05Z", "2026-11-29T15:04:05Z"),
            ("2026-11-29t15:04:05.25z", "2026-11-29T15:04:05.25Z"),
            ("2026-11-29T15:04:05+05:30", "2026-11-29T09:34:05Z"),
            ("9999-12-31T23:59:59Z", &Timestamp::MAX.to_string()),
            ("9999-12-31T23:59:59-12:00", &Timestamp::MAX.to_string()),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(text), both(is, is), "{text}");
        }
        assert_eq!(read("9999-12-31").map(|(_, last)| last), Some(Timestamp::MAX.to_string()));
        for text in [
            "",
            "yesterday",
            "2026",
            "2026-11",
            "20261129",
            "2026-02-29",
            "2026-13-01",
            "2026-11-29T15:04:05",
            "2026-11-29 ",
            "2026-11-29T15:04:05Z[Europe/Vienna]",
            "2026-11-29Z",
            "10000-01-01T00:00:00Z",
            "1790000000",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
