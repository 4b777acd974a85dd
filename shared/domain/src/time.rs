//! Points in time.

use jiff::{SignedDuration, Timestamp};

/// So long after `at`; the end of time, if that is later.
pub(crate) fn after(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
