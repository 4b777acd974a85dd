//! Sources of requests, and limits on emails requested for one address.
//!
//! Anyone can request email to any address, so limits apply per source: requests from another network do not use up the
//! owner's limit. A larger limit across all sources bounds the number of emails and the size of the record.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{secret::Digest256, throttle::Wait, time::after};

/// The minimum time between two mails that one source requests.
pub const AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// The maximum number of mails per hour that one source requests with one address.
pub const PER_SOURCE: usize = 5;
/// The maximum number of mails per hour that all sources together request with one address.
pub const PER_ADDRESS: usize = 20;
/// The period of the two limits.
pub const PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// A keyed hash of the network of a request and of the address that the request names. Only the same network with the same
/// address gives the same hash, and nobody without the key can find the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Source(pub Digest256);

/// Whether `source` may request another mail, after the `earlier` ones (oldest first) with the same address.
///
/// # Errors
///
/// How long to wait, if not.
pub fn may_request(
    earlier: impl Iterator<Item = (Timestamp, Option<Source>)>,
    source: Source,
    now: Timestamp,
) -> Result<(), Wait> {
    let all: Vec<_> = earlier.filter(|(at, _)| now < after(*at, PERIOD)).collect();
    let own: Vec<_> = all.iter().filter(|(_, other)| *other == Some(source)).collect();
    let wait_until = |until: Timestamp| if now < until { Err(Wait::between(now, until)) } else { Ok(()) };
    if let Some((last, _)) = own.last() {
        wait_until(after(*last, AGAIN_AFTER))?;
    }
    if let (Some((oldest, _)), true) = (own.first(), own.len() >= PER_SOURCE) {
        wait_until(after(*oldest, PERIOD))?;
    }
    if let (Some((oldest, _)), true) = (all.first(), all.len() >= PER_ADDRESS) {
        wait_until(after(*oldest, PERIOD))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn source(name: &str) -> Source {
        Source(Digest256::of(name))
    }

    /// Requests at these seconds, by these sources.
    fn wait(earlier: &[(i64, &str)], by: &str, now: i64) -> Option<u64> {
        let earlier = earlier.iter().map(|(second, name)| (at(*second), Some(source(name))));
        may_request(earlier, source(by), at(now)).err().map(|wait| wait.seconds)
    }

    #[test]
    fn second_request_waits_a_minute_and_sixth_an_hour() {
        assert_eq!(wait(&[], "a", 0), None);
        assert_eq!(wait(&[(0, "a")], "a", 59), Some(1));
        assert_eq!(wait(&[(0, "a")], "a", 60), None);
        let five: Vec<_> = (0..5).map(|n| (n * 60, "a")).collect();
        assert_eq!(wait(&five, "a", 300), Some(3_300));
        assert_eq!(wait(&five, "a", 3_600), None);
    }

    #[test]
    fn requests_of_other_network_do_not_use_owner_limit() {
        let five: Vec<_> = (0..5).map(|n| (n * 60, "stranger")).collect();
        assert_eq!(wait(&five, "owner", 241), None);
        let old = [(at(0), None); 19];
        assert!(may_request(old.into_iter(), source("owner"), at(1)).is_ok(), "stored before sources were");
    }

    #[test]
    fn all_sources_share_twenty_requests_per_hour() {
        let names = ["a", "b", "c", "d"];
        let twenty: Vec<_> = (0..20).map(|n| (n * 60, names[n as usize % 4])).collect();
        assert_eq!(wait(&twenty[..19], "owner", 1_200), None);
        assert_eq!(wait(&twenty, "owner", 1_200), Some(2_400));
        assert_eq!(wait(&twenty, "owner", 3_600), None);
    }
}
