//! The answer to requests that concern members or teams of another region.

use kit::{Code, Problem};

/// A team and all its members live in one region.
pub fn other_region() -> Problem {
    Problem::new(Code::Conflict, "Members from other regions are not supported yet.")
}
