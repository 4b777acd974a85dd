//! The billing periods of a subscription, counted in UTC from its billing cycle anchor
//! (<https://docs.stripe.com/billing/subscriptions/billing-cycle>).

use jiff::{Span, Timestamp, tz::Offset};
use serde_json::Value;

use super::member::{integer, text};

const DAY: i64 = 24 * 60 * 60;

/// A time from `start` until before `end`, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub start: i64,
    pub end: i64,
}

/// The unit that a price recurs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

/// How often a price recurs: every `count` units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    unit: Unit,
    count: i64,
}

impl Interval {
    /// The interval of a price; none if the price does not recur.
    pub(crate) fn of(price: &Value) -> Option<Self> {
        let count = integer(price, "/recurring/interval_count").max(1);
        Self::parse(text(price, "/recurring/interval"), count)
    }

    /// An interval from Stripe's words; none for other words.
    pub(crate) fn parse(unit: &str, count: i64) -> Option<Self> {
        let unit = match unit {
            "day" => Unit::Day,
            "week" => Unit::Week,
            "month" => Unit::Month,
            "year" => Unit::Year,
            _ => return None,
        };
        Some(Self { unit, count })
    }

    /// The first end of a period after the time `after`. An anchor on a day that a month lacks falls on the
    /// month's last day.
    pub(crate) fn next(self, anchor: i64, after: i64) -> i64 {
        let longest = match self.unit {
            Unit::Day => DAY,
            Unit::Week => 7 * DAY,
            Unit::Month => 31 * DAY,
            Unit::Year => 366 * DAY,
        };
        // Counted with the longest length of a period, the number is never too high.
        let longest = longest.saturating_mul(self.count).max(1);
        let mut number = after.saturating_sub(anchor).max(0).checked_div(longest).unwrap_or_default();
        loop {
            let end = self.boundary(anchor, number);
            if end > after {
                return end;
            }
            number = number.saturating_add(1);
        }
    }

    /// The end of period `number`; the end of time if the calendar ends before.
    fn boundary(self, anchor: i64, number: i64) -> i64 {
        let units = self.count.saturating_mul(number);
        match self.unit {
            Unit::Day => anchor.saturating_add(units.saturating_mul(DAY)),
            Unit::Week => anchor.saturating_add(units.saturating_mul(7 * DAY)),
            Unit::Month => add_months(anchor, units).unwrap_or(i64::MAX),
            Unit::Year => add_months(anchor, units.saturating_mul(12)).unwrap_or(i64::MAX),
        }
    }
}

fn add_months(at: i64, months: i64) -> Option<i64> {
    let time = Offset::UTC.to_datetime(Timestamp::from_second(at).ok()?);
    let moved = time.checked_add(Span::new().try_months(months).ok()?).ok()?;
    Some(Offset::UTC.to_timestamp(moved).ok()?.as_second())
}

/// A date as invoices write it: `15 Mar 2026`.
pub(crate) fn date_text(at: i64) -> String {
    let Ok(time) = Timestamp::from_second(at) else { return at.to_string() };
    Offset::UTC.to_datetime(time).strftime("%d %b %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn month() -> Interval {
        Interval::parse("month", 1).unwrap()
    }

    #[test]
    fn month_keeps_day_and_time() {
        let anchor = at("2026-03-15T10:11:12Z");
        assert_eq!(month().next(anchor, anchor), at("2026-04-15T10:11:12Z"));
    }

    #[test]
    fn short_month_ends_on_its_last_day() {
        let anchor = at("2026-01-31T09:00:00Z");
        let february = month().next(anchor, anchor);
        assert_eq!(february, at("2026-02-28T09:00:00Z"));
        assert_eq!(month().next(anchor, february), at("2026-03-31T09:00:00Z"));
    }

    #[test]
    fn leap_day_returns_after_four_years() {
        let year = Interval::parse("year", 1).unwrap();
        let anchor = at("2028-02-29T00:00:00Z");
        assert_eq!(year.next(anchor, anchor), at("2029-02-28T00:00:00Z"));
        assert_eq!(year.next(anchor, at("2031-06-01T00:00:00Z")), at("2032-02-29T00:00:00Z"));
    }

    #[test]
    fn several_units_are_one_period() {
        let quarter = Interval::parse("month", 3).unwrap();
        let anchor = at("2026-01-01T00:00:00Z");
        assert_eq!(quarter.next(anchor, at("2026-04-01T00:00:00Z")), at("2026-07-01T00:00:00Z"));
        assert_eq!(Interval::parse("week", 2).unwrap().next(0, 0), 14 * DAY);
    }

    #[test]
    fn date_text_is_short() {
        assert_eq!(date_text(at("2026-03-05T00:00:00Z")), "05 Mar 2026");
    }
}
