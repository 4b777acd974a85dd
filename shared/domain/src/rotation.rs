//! Secrets are replaced without anything failing that an old one made.
//!
//! A secret's document holds several keys, each with the time from which it is used. What is made with a key says when it
//! was made: an id, a token, a letter. So everybody finds the key by that time, whatever the time is now, and a thing keeps
//! its key for as long as it lives. Two rules make that sure: a new key's time is so far off that every function knows the
//! key by then, and an old key stays until nothing can come any more that was made with it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{forwarding, session, sign_up, time::after};

/// A function keeps what it has read of a secret for so long.
pub const KEPT: SignedDuration = SignedDuration::from_mins(5);
/// So long after a new version has become the current one, nobody works with an older one: [`KEPT`], the minute that the
/// longest run takes which has just read it, and what replicas and clocks may lag.
pub const SETTLES: SignedDuration = SignedDuration::from_mins(10);
/// So long after it was made, a new key is used. Its version must be the current one [`SETTLES`] before that; what is left is
/// for a rotation that has to be tried again.
pub const LEAD: SignedDuration = SignedDuration::from_hours(1);

/// Which secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretName {
    /// What access tokens are signed with, and refresh, CSRF and password reset tokens derived from.
    Tokens,
    /// What mailed codes are derived from.
    Codes,
    /// What addresses are hashed with; the same in every region.
    Addresses,
    /// What regions sign letters to each other with; the same in every region.
    Forwarding,
}

impl SecretName {
    /// Every secret.
    pub const ALL: [Self; 4] = [Self::Tokens, Self::Codes, Self::Addresses, Self::Forwarding];

    /// The name, without the prefix that tells whose it is.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Codes => "codes",
            Self::Addresses => "addresses",
            Self::Forwarding => "forwarding",
        }
    }

    /// Whether it is the same in every region: made in the authority, and replicated from there.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Addresses | Self::Forwarding)
    }

    /// How long something can come that was made with one of its keys; none if for ever, so that it can't be replaced.
    pub const fn matters_for(self) -> Option<SignedDuration> {
        match self {
            Self::Tokens => Some(session::ABSOLUTE),
            Self::Codes => Some(sign_up::CODE_VALID),
            Self::Addresses => None,
            Self::Forwarding => Some(forwarding::LETTER_VALID),
        }
    }
}

/// Keys and from when on each is used, oldest first.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Keyring<K>(Vec<Dated<K>>);

#[derive(Serialize, Deserialize)]
struct Dated<K> {
    from: Timestamp,
    key: K,
}

impl<K> Default for Keyring<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K> Keyring<K> {
    /// The key of what was made at `time`. What is older than every key gets the oldest, under which it is not genuine. None
    /// if there are no keys yet.
    pub fn at(&self, time: Timestamp) -> Option<&K> {
        let used = self.0.iter().rev().find(|dated| dated.from <= time);
        used.or(self.0.first()).map(|dated| &dated.key)
    }

    /// Adds a key: the first is good for any time, another comes into use after [`LEAD`]. Gives back the keys that fall out,
    /// since nothing can come any more that was made with them, if it can for so long: `matters_for`.
    pub fn add(&mut self, key: K, now: Timestamp, matters_for: SignedDuration) -> Vec<K> {
        let from = self.0.last().map_or(Timestamp::UNIX_EPOCH, |last| after(now, LEAD).max(last.from));
        self.0.push(Dated { from, key });
        let is_over = |successor: Timestamp| after(after(successor, matters_for), SETTLES) <= now;
        let over = self.0.iter().skip(1).take_while(|dated| is_over(dated.from)).count();
        self.0.drain(..over).map(|dated| dated.key).collect()
    }

    /// From when on the newest key is used.
    pub fn newest_from(&self) -> Option<Timestamp> {
        self.0.last().map(|dated| dated.from)
    }

    /// The keys, oldest first.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|dated| &dated.key)
    }
}

/// Whether a version whose newest key is used from then on may still become the current one: everybody has to know of it
/// before. The first key of all is used by nobody yet.
pub fn is_in_time(newest_from: Timestamp, now: Timestamp) -> bool {
    newest_from == Timestamp::UNIX_EPOCH || after(now, SETTLES) <= newest_from
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A ring with a first key, and one more for each of these times; what fell out on the way.
    fn ring(matters_for: i64, seconds: &[i64]) -> (Keyring<usize>, Vec<usize>) {
        let (mut ring, mut out) = (Keyring::default(), Vec::new());
        for (n, second) in std::iter::once(&0).chain(seconds).enumerate() {
            out.extend(ring.add(n, at(*second), SignedDuration::from_secs(matters_for)));
        }
        (ring, out)
    }

    #[test]
    fn the_first_key_is_good_for_any_time_and_the_next_from_an_hour_on() {
        let (ring, _) = ring(60, &[1_000]);
        for second in [-5, 0, 1_000, 1_000 + HOUR - 1] {
            assert_eq!(ring.at(at(second)), Some(&0), "{second}");
        }
        assert_eq!(ring.at(at(1_000 + HOUR)), Some(&1));
        assert_eq!(Keyring::<usize>::default().at(at(0)), None);
    }

    #[test]
    fn a_thing_finds_its_key_by_its_own_time_however_many_rotations_came_since() {
        let (ring, out) = ring(90 * 24 * HOUR, &[1_000, 1_001, 1_002, 9_000]);
        let times = [1_000 + HOUR, 1_001 + HOUR, 1_002 + HOUR, 9_000 + HOUR];
        for (n, second) in times.into_iter().enumerate() {
            assert_eq!(ring.at(at(second)), Some(&(n + 1)), "{second}");
            assert_eq!(ring.at(at(second - 1)), Some(&n), "before {second}");
        }
        assert!(out.is_empty());
    }

    #[test]
    fn a_key_stays_until_nothing_can_come_that_it_made_and_no_longer() {
        let last_use = 1_000 + HOUR;
        let over = last_use + 600 + SETTLES.as_secs();
        for (rotated_at, gone) in [(last_use, vec![]), (over - 1, vec![]), (over, vec![0])] {
            let (ring, out) = ring(600, &[1_000, rotated_at]);
            assert_eq!(out, gone, "at {rotated_at}");
            assert_eq!(ring.keys().count() + out.len(), 3);
        }
    }

    #[test]
    fn a_new_key_never_comes_before_an_older_one_whatever_the_clock_does() {
        let (ring, _) = ring(600, &[100_000, 5]);
        assert_eq!(ring.newest_from(), Some(at(100_000 + HOUR)));
        assert_eq!(ring.at(at(100_000 + HOUR)), Some(&2));
    }

    #[test]
    fn a_version_that_not_everybody_would_know_of_in_time_is_too_late() {
        let from = at(10_000);
        assert!(is_in_time(from, at(10_000 - SETTLES.as_secs())));
        assert!(!is_in_time(from, at(10_001 - SETTLES.as_secs())));
        assert!(is_in_time(Timestamp::UNIX_EPOCH, at(10_000)), "nobody waits for the first key");
    }

    #[test]
    fn everybody_has_read_a_new_version_well_before_its_key_is_used() {
        assert!(KEPT < SETTLES && SETTLES < LEAD);
    }
}
