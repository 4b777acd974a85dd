//! Ranges of time in queries.

use domain::{Timestamp, text::Invalid};
use jiff::{civil::Time, tz::Offset};
use kit::Problem;

/// The first and last time of a range, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time.
    pub from: Timestamp,
    /// The last time.
    pub to: Timestamp,
}

/// The range ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReversedRange;

impl From<ReversedRange> for Problem {
    fn from(_: ReversedRange) -> Self {
        Self::field("from", &Invalid::new("`from` is later than `to`. Swap the two values."))
    }
}

impl TimeRange {
    /// A range.
    ///
    /// # Errors
    ///
    /// It ends before it begins.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self, ReversedRange> {
        if from <= to { Ok(Self { from, to }) } else { Err(ReversedRange) }
    }

    /// The day of a time, in UTC.
    pub fn day_of(at: Timestamp) -> Self {
        let day = Offset::UTC.to_datetime(at).date();
        let moment = |time, otherwise| Offset::UTC.to_timestamp(day.to_datetime(time)).unwrap_or(otherwise);
        Self { from: moment(Time::midnight(), Timestamp::MIN), to: moment(Time::MAX, Timestamp::MAX) }
    }

    /// Whether a time is in the range.
    pub fn contains(self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_has_its_first_and_its_last_moment() {
        let day = |at: &str| {
            let day = TimeRange::day_of(at.parse().unwrap());
            [day.from.to_string(), day.to.to_string()]
        };
        let expected = ["2026-11-30T00:00:00Z", "2026-11-30T23:59:59.999999999Z"];
        for at in [expected[0], "2026-11-30T12:00:00Z", expected[1], "2026-12-01T00:30:00+01:00"] {
            assert_eq!(day(at), expected, "{at}");
        }
        assert_eq!(TimeRange::day_of(Timestamp::MAX).to, Timestamp::MAX);
        assert_eq!(TimeRange::day_of(Timestamp::MIN).from, Timestamp::MIN);
    }

    #[test]
    fn range_has_both_of_its_ends() {
        let [early, late] = [1, 2].map(|second| Timestamp::from_second(second).unwrap());
        let range = TimeRange::new(early, late).unwrap();
        assert!(range.contains(early) && range.contains(late));
        assert!(!range.contains(Timestamp::UNIX_EPOCH));
        assert_eq!(TimeRange::new(early, early).map(|range| range.to), Ok(early));
        assert_eq!(TimeRange::new(late, early), Err(ReversedRange));
    }
}
