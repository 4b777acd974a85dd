//! Limits on failed attempts and on expensive requests.
//!
//! A counter of failures grants free tries first. After that, each failure doubles the wait. An attempt reserves a try
//! before it is checked, so that parallel guesses cannot share a try, and returns the try if the attempt succeeds.

use std::{collections::BTreeSet, net::IpAddr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{id::RequestId, secret::Digest256, time::after};

/// Lifetime of a reservation. Every request ends earlier, so an older reservation has no result and is released.
const ABANDONED: SignedDuration = SignedDuration::from_secs(10);

/// The parameters of a failure counter.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Number of failures without a wait.
    pub free: u32,
    /// Wait after the first failure that is not free, in seconds.
    pub first_delay: i64,
    /// Maximum wait, in seconds.
    pub longest: i64,
    /// Time without failures after which a counter resets, in seconds.
    pub forget_after: i64,
}

impl Policy {
    /// Expiry of a counter whose last failure is at `now`.
    pub fn forgets_at(self, now: Timestamp) -> Timestamp {
        after(now, SignedDuration::from_secs(self.forget_after))
    }
}

/// Limit per account and network, per account and known device, and per session for step-ups.
pub const PER_SOURCE: Policy = Policy { free: 5, first_delay: 30, longest: 3_600, forget_after: 86_400 };

/// Limit per account for all unknown devices together, against guesses from many networks.
pub const PER_ACCOUNT: Policy = Policy { free: 50, first_delay: 30, longest: 3_600, forget_after: 86_400 };

/// Limit per network for all accounts. Generous, because many people may share a network.
pub const PER_NETWORK: Policy = Policy { free: 100, first_delay: 30, longest: 3_600, forget_after: 3_600 };

/// The failures of one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Number of failed attempts.
    #[serde(default)]
    pub count: u32,
    /// Time of the last failure.
    #[serde(default)]
    pub last: Option<Timestamp>,
    /// Attempts in progress. Each holds a try.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<RequestId>,
    /// Time of the last password reset, which clears the failures of the account on all networks and devices.
    #[serde(default)]
    pub forgiven: Option<Timestamp>,
}

/// A try to reserve. Valid only if the counter is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The number of stored failures.
    pub count: u32,
    /// Maximum number of attempts in progress, including this one.
    pub room: u32,
    /// Whether this attempt clears the stored failures.
    pub forget: bool,
}

/// The decision of a counter about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// A try is available.
    Free(Slot),
    /// Attempts in progress hold all tries. Some tries may be returned.
    Busy(Slot),
    /// No try is available until this wait ends.
    Spent(Wait),
}

/// The result of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The attempt failed and counts.
    Failed,
    /// The attempt succeeded and clears earlier failures.
    Forgiven,
    /// The attempt does not count. Earlier failures remain.
    Withdrawn,
}

/// Time to wait before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Whole seconds, at least 1.
    pub seconds: u64,
}

impl Wait {
    /// The wait from `now` until `until`, rounded up.
    pub fn between(now: Timestamp, until: Timestamp) -> Self {
        let millis = until.as_millisecond().saturating_sub(now.as_millisecond());
        Self { seconds: u64::try_from(millis).unwrap_or_default().div_ceil(1_000).max(1) }
    }
}

impl Failures {
    /// A counter of an account whose failures were cleared at `at`.
    pub fn forgiven_at(at: Timestamp) -> Self {
        Self { forgiven: Some(at), ..Self::default() }
    }

    /// The reservations that have expired.
    pub fn abandoned(&self, now: Timestamp) -> Vec<RequestId> {
        let is_abandoned = |attempt: &&RequestId| after(attempt.made_at(), ABANDONED) <= now;
        self.pending.iter().filter(is_abandoned).copied().collect()
    }

    /// Whether an attempt may be checked now. Ignores failures up to `forgiven`.
    pub fn room(&self, policy: Policy, forgiven: Option<Timestamp>, now: Timestamp) -> Room {
        let counts = |last: &Timestamp| {
            now < policy.forgets_at(*last) && forgiven.is_none_or(|forgiven| *last > forgiven)
        };
        let last = self.last.filter(counts);
        let failures = last.map_or(0, |_| self.count);
        let room = policy.free.saturating_sub(failures).max(1);
        let slot = Slot { count: self.count, room, forget: failures < self.count };
        if u32::try_from(self.pending.len()).unwrap_or(u32::MAX) >= room {
            return Room::Busy(slot);
        }
        let delay = SignedDuration::from_secs(delay(failures, policy));
        match last.map(|last| after(last, delay)) {
            Some(allowed_at) if !delay.is_zero() && now < allowed_at => {
                Room::Spent(Wait::between(now, allowed_at))
            }
            _ => Room::Free(slot),
        }
    }
}

fn delay(failures: u32, policy: Policy) -> i64 {
    let Some(beyond) = failures.checked_sub(policy.free) else { return 0 };
    policy.first_delay.saturating_mul(1_i64 << beyond.min(32)).min(policy.longest)
}

/// The network of a client: the complete IPv4 address, or the first 64 bits of an IPv6 address, which a subscriber gets
/// ([RFC 6177]). Clients without an address share one network.
///
/// [RFC 6177]: https://www.rfc-editor.org/rfc/rfc6177
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network([u8; 8]);

impl Network {
    /// The network of a client address.
    pub fn of(client: Option<IpAddr>) -> Self {
        match client.map(|client| client.to_canonical()) {
            None => Self([0xff; 8]),
            // No IPv6 network has this prefix: 0::/96 are IPv4 addresses.
            Some(IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                Self([0, 0, 0, 0, a, b, c, d])
            }
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// The network as bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// HMAC-SHA-256 of a network. Networks are stored only in this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkHash(pub Digest256);

impl std::fmt::Display for NetworkHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_base64())
    }
}

/// A limit on requests of one network to one endpoint, across all regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkLimit {
    /// Sign-ups. Each sends an email.
    SignUp,
    /// Password reset requests. Each sends an email.
    PasswordForgot,
    /// Requested codes for addresses of accounts. Each sends an email.
    AddressCode,
    /// Feedback. Each sends an email to the operators.
    Feedback,
    /// Entered sign-up codes.
    Verify,
    /// Entered reset tokens.
    PasswordReset,
    /// Opened links of invitations.
    InvitationToken,
    /// Failed sign-ins: [`PER_NETWORK`].
    SignIn,
    /// Steps of sign-ins by providers.
    Oauth,
}

/// When the window of `now` ends, if windows have this length in seconds and one begins at midnight, UTC.
fn window_end(now: Timestamp, length: i64) -> Timestamp {
    let ends = now.as_second().div_euclid(length).saturating_add(1).saturating_mul(length);
    Timestamp::from_second(ends).unwrap_or(Timestamp::MAX)
}

/// When the day of `now` ends, in UTC.
pub fn end_of_day(now: Timestamp) -> Timestamp {
    window_end(now, 86_400)
}

/// When the hour of `now` ends, in UTC.
pub fn end_of_hour(now: Timestamp) -> Timestamp {
    window_end(now, 3_600)
}

impl NetworkLimit {
    /// Length of a window, in seconds.
    const WINDOW: i64 = 3_600;

    /// When the window of `now` ends.
    pub fn window_end(now: Timestamp) -> Timestamp {
        window_end(now, Self::WINDOW)
    }

    /// Maximum number of requests per window; `None` if only failures count.
    pub const fn per_window(self) -> Option<u32> {
        match self {
            Self::Feedback => Some(10),
            Self::SignUp | Self::PasswordForgot | Self::AddressCode => Some(30),
            Self::Verify | Self::PasswordReset | Self::InvitationToken => Some(60),
            // A sign-in has three steps; many people may share a network.
            Self::Oauth => Some(600),
            Self::SignIn => None,
        }
    }

    /// The counter of a network.
    pub fn counter(self, network: NetworkHash) -> String {
        let name = match self {
            Self::SignUp => "sign-up",
            Self::PasswordForgot => "password-forgot",
            Self::AddressCode => "address-code",
            Self::Feedback => "feedback",
            Self::Verify => "verify",
            Self::PasswordReset => "password-reset",
            Self::InvitationToken => "invitation-token",
            Self::SignIn => "sign-in",
            Self::Oauth => "oauth",
        };
        format!("network/{name}/{network}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{entropy::Entropy, id::Id};

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failures(count: u32, last: i64) -> Failures {
        Failures { count, last: Some(at(last)), ..Failures::default() }
    }

    fn request(second: i64, n: u8) -> RequestId {
        Id::new(at(second), &Fixed(n))
    }

    fn room(failures: &Failures, now: i64) -> Room {
        failures.room(PER_SOURCE, None, at(now))
    }

    fn free(count: u32, room: u32) -> Room {
        Room::Free(Slot { count, room, forget: false })
    }

    #[test]
    fn waits_double_after_five_free_tries_up_to_an_hour() {
        assert_eq!(room(&Failures::default(), 0), free(0, 5));
        for count in 1..5 {
            assert_eq!(room(&failures(count, 0), 0), free(count, 5 - count));
        }
        let waits = [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600];
        for (count, seconds) in (5..).zip(waits) {
            let failures = failures(count, 0);
            assert_eq!(room(&failures, 0), Room::Spent(Wait { seconds }));
            assert_eq!(room(&failures, i64::try_from(seconds).unwrap()), free(count, 1));
        }
    }

    #[test]
    fn pending_attempts_hold_their_tries() {
        let mut failures = failures(3, 0);
        failures.pending.insert(request(1, 1));
        assert_eq!(room(&failures, 1), free(3, 2));
        failures.pending.insert(request(1, 2));
        assert_eq!(room(&failures, 1), Room::Busy(Slot { count: 3, room: 2, forget: false }));
        failures.count = 5;
        assert_eq!(room(&failures, 40), Room::Busy(Slot { count: 5, room: 1, forget: false }));
    }

    #[test]
    fn reservation_is_abandoned_after_ten_seconds() {
        let mut failures = Failures::default();
        failures.pending.extend([request(1, 1), request(2, 2)]);
        assert_eq!(failures.abandoned(at(10)), []);
        assert_eq!(failures.abandoned(at(11)), [request(1, 1)]);
    }

    #[test]
    fn failures_are_forgotten_after_a_quiet_day() {
        let failures = failures(40, 0);
        assert!(matches!(room(&failures, 3_599), Room::Spent(_)));
        assert_eq!(room(&failures, 86_400), Room::Free(Slot { count: 40, room: 5, forget: true }));
    }

    #[test]
    fn failures_before_forgiveness_do_not_count() {
        let failures = failures(9, 100);
        let room = |forgiven| failures.room(PER_SOURCE, Some(at(forgiven)), at(101));
        assert_eq!(room(100), Room::Free(Slot { count: 9, room: 5, forget: true }));
        assert!(matches!(room(99), Room::Spent(_)));
    }

    #[test]
    fn counter_of_older_version_parses() {
        let stored = r#"{ "count": 7, "last": "1970-01-01T00:00:05Z" }"#;
        assert_eq!(serde_json::from_str::<Failures>(stored).unwrap(), failures(7, 5));
    }

    #[test]
    fn ipv6_network_is_the_first_64_bits_and_mapped_ipv4_is_ipv4() {
        let network = |text: &str| Network::of(text.parse().ok());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_ne!(network("192.0.2.1"), network("::c000:201:0:0"));
        assert_ne!(network("no address"), network("0.0.0.0"));
    }
}
