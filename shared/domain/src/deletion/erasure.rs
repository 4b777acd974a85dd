//! The record of an erased account or team, so that a restored backup can be made to forget it again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time::after;

/// Time for which an erasure is kept: tables can be restored to any second of the last 35 days ([point-in-time recovery]), and a
/// restore takes time.
///
/// [point-in-time recovery]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html
const KEPT: SignedDuration = SignedDuration::from_hours(40 * 24);

/// An erasure. Its key holds the hash of the id, which names nobody unless a restored table holds the id too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Time of the request. A table that is restored to an earlier time holds the account or the team.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
}

impl Erasure {
    /// Time at which no backup can hold the account or the team any more.
    pub fn forgotten_at(&self) -> Timestamp {
        after(self.at, KEPT)
    }
}
