//! Points in time.

use jiff::{SignedDuration, Timestamp};

/// Adds a duration to `at`, saturating at the maximum time.
pub(crate) fn after(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
