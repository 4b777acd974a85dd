//! Limits by day: a day ends at midnight, UTC.

use domain::Timestamp;

/// The seconds of a day.
const DAY: i64 = 86_400;

/// When the day of `now` ends.
pub fn end_of_day(now: Timestamp) -> Timestamp {
    let ends = now.as_second().div_euclid(DAY).saturating_add(1).saturating_mul(DAY);
    Timestamp::from_second(ends).unwrap_or(Timestamp::MAX)
}
