//! The time, as every call gets it.

use jiff::Timestamp;

/// A source of the current time. Lambda's is the machine's; the local platform's can be moved.
pub trait Clock: Send + Sync {
    /// Now, to the millisecond.
    fn now(&self) -> Timestamp;
}
