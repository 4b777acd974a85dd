//! Rotation of secrets, without invalidating tokens of old keys.
//!
//! A secret's document holds several keys, each with the time from which it is used. Each token contains or implies its
//! creation time, so every function selects the key by that time, and a token keeps its key for its lifetime. Two rules
//! ensure this: a new key's start is late enough that every function knows the key by then, and an old key stays until
//! its last token has expired.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{device, forwarding, sign_up, time::after};

/// Time for which a function caches a secret.
pub const KEPT: SignedDuration = SignedDuration::from_mins(5);
/// Time after which no function uses an older version: [`KEPT`], one minute for the longest run, and the lag of
/// replicas and clocks.
pub const SETTLES: SignedDuration = SignedDuration::from_mins(10);
/// Time between creation and first use of a new key. Its version must be current [`SETTLES`] before the first use. The
/// remaining time allows retries of a rotation.
pub const LEAD: SignedDuration = SignedDuration::from_hours(1);

/// A kind of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretName {
    /// Signs access tokens. Refresh, CSRF, device and password reset tokens are derived from this secret.
    Tokens,
    /// Emailed codes and sign-up tokens are derived from this secret.
    Codes,
    /// Hashes email addresses. The same in every region.
    Addresses,
    /// Signs forwarded requests between regions. The same in every region.
    Forwarding,
}

impl SecretName {
    /// All kinds of secrets.
    pub const ALL: [Self; 4] = [Self::Tokens, Self::Codes, Self::Addresses, Self::Forwarding];

    /// The name without the deployment's prefix.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Codes => "codes",
            Self::Addresses => "addresses",
            Self::Forwarding => "forwarding",
        }
    }

    /// Whether the secret is the same in every region: created in the authority region and replicated.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Addresses | Self::Forwarding)
    }

    /// Maximum age of a token of this secret; `None` if unlimited, so that the secret cannot be rotated.
    pub const fn matters_for(self) -> Option<SignedDuration> {
        match self {
            Self::Tokens => Some(device::VALID),
            Self::Codes => Some(sign_up::CODE_VALID),
            Self::Addresses => None,
            Self::Forwarding => Some(forwarding::FORWARDED_REQUEST_VALID),
        }
    }
}

/// Keys and their start times, oldest first.
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
    /// The key for tokens created at `time`. Times before the first key select the first key, which then fails
    /// verification. `None` if there are no keys.
    pub fn at(&self, time: Timestamp) -> Option<&K> {
        let used = self.0.iter().rev().find(|dated| dated.from <= time);
        used.or(self.0.first()).map(|dated| &dated.key)
    }

    /// Adds a key. The first key has no start time; later keys start after [`LEAD`]. Removes and returns the keys whose
    /// tokens have all expired after `matters_for`.
    pub fn add(&mut self, key: K, now: Timestamp, matters_for: SignedDuration) -> Vec<K> {
        let from = self.0.last().map_or(Timestamp::UNIX_EPOCH, |last| after(now, LEAD).max(last.from));
        self.0.push(Dated { from, key });
        let is_over = |successor: Timestamp| after(after(successor, matters_for), SETTLES) <= now;
        let over = self.0.iter().skip(1).take_while(|dated| is_over(dated.from)).count();
        self.0.drain(..over).map(|dated| dated.key).collect()
    }

    /// Start time of the newest key.
    pub fn newest_from(&self) -> Option<Timestamp> {
        self.0.last().map(|dated| dated.from)
    }

    /// The keys, oldest first.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|dated| &dated.key)
    }
}

/// Whether a version whose newest key starts at this time may still become the current one. All functions must know the
/// version before that time. The first key has no such limit.
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

    /// Makes a ring with a first key and one more for each of these times, and returns the removed keys.
    fn ring(matters_for: i64, seconds: &[i64]) -> (Keyring<usize>, Vec<usize>) {
        let (mut ring, mut out) = (Keyring::default(), Vec::new());
        for (n, second) in std::iter::once(&0).chain(seconds).enumerate() {
            out.extend(ring.add(n, at(*second), SignedDuration::from_secs(matters_for)));
        }
        (ring, out)
    }

    #[test]
    fn first_key_has_no_start_and_next_starts_after_an_hour() {
        let (ring, _) = ring(60, &[1_000]);
        for second in [-5, 0, 1_000, 1_000 + HOUR - 1] {
            assert_eq!(ring.at(at(second)), Some(&0), "{second}");
        }
        assert_eq!(ring.at(at(1_000 + HOUR)), Some(&1));
        assert_eq!(Keyring::<usize>::default().at(at(0)), None);
    }

    #[test]
    fn key_is_selected_by_creation_time() {
        let (ring, out) = ring(90 * 24 * HOUR, &[1_000, 1_001, 1_002, 9_000]);
        let times = [1_000 + HOUR, 1_001 + HOUR, 1_002 + HOUR, 9_000 + HOUR];
        for (n, second) in times.into_iter().enumerate() {
            assert_eq!(ring.at(at(second)), Some(&(n + 1)), "{second}");
            assert_eq!(ring.at(at(second - 1)), Some(&n), "before {second}");
        }
        assert!(out.is_empty());
    }

    #[test]
    fn key_is_kept_until_its_last_token_expires() {
        let last_use = 1_000 + HOUR;
        let over = last_use + 600 + SETTLES.as_secs();
        for (rotated_at, gone) in [(last_use, vec![]), (over - 1, vec![]), (over, vec![0])] {
            let (ring, out) = ring(600, &[1_000, rotated_at]);
            assert_eq!(out, gone, "at {rotated_at}");
            assert_eq!(ring.keys().count() + out.len(), 3);
        }
    }

    #[test]
    fn new_key_follows_older_keys_despite_clock_skew() {
        let (ring, _) = ring(600, &[100_000, 5]);
        assert_eq!(ring.newest_from(), Some(at(100_000 + HOUR)));
        assert_eq!(ring.at(at(100_000 + HOUR)), Some(&2));
    }

    #[test]
    fn late_version_is_refused() {
        let from = at(10_000);
        assert!(is_in_time(from, at(10_000 - SETTLES.as_secs())));
        assert!(!is_in_time(from, at(10_001 - SETTLES.as_secs())));
        assert!(is_in_time(Timestamp::UNIX_EPOCH, at(10_000)), "nobody waits for the first key");
    }

    #[test]
    fn new_version_is_read_before_its_key_is_used() {
        assert!(KEPT < SETTLES && SETTLES < LEAD);
    }
}
