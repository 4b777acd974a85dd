//! Device tokens: proof of an earlier sign-in on this device. A device token does not sign in. Wrong passwords with a
//! device token are counted separately, so that strangers cannot lock out the owner.
//!
//! Tokens are derived from the session that issued them, so nothing is stored. Tokens outlive the session.

use jiff::{SignedDuration, Timestamp};

use crate::{
    id::{SessionId, UserId},
    secret::{Derived, MacKey, Secret},
    text::Invalid,
    time::after,
};

/// Lifetime of a device token. Longer than any session, so that the next sign-in comes from a known device.
pub const VALID: SignedDuration = SignedDuration::from_hours(180 * 24);

/// A device token: `dt_<user>_<session>_<43 characters>`.
#[derive(Clone)]
pub struct DeviceToken {
    /// The user of the device.
    pub user: UserId,
    /// The session that issued the token. Identifies the device.
    pub session: SessionId,
    secret: Derived,
}

impl DeviceToken {
    /// Derives the device token of a session.
    pub fn of(user: UserId, session: SessionId, key: &MacKey) -> Self {
        Self { user, session, secret: secret(user, session, key) }
    }

    /// Whether this region issued the token with this key and the token has not expired.
    pub fn is_genuine(&self, key: &MacKey, now: Timestamp) -> bool {
        now < after(self.session.made_at(), VALID)
            && self.secret.matches(&secret(self.user, self.session, key))
    }

    /// The token in text form, for the client.
    pub fn text(&self) -> Secret {
        Secret::new(format!("dt_{}_{}_{}", self.user.bare(), self.session.bare(), self.secret.text()))
    }
}

fn secret(user: UserId, session: SessionId, key: &MacKey) -> Derived {
    Derived::new(key, "device", &[user.to_string().as_bytes(), session.to_string().as_bytes()])
}

impl std::str::FromStr for DeviceToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut parts = text.splitn(4, '_');
        let mut next = || parts.next().unwrap_or_default();
        let token = (next() == "dt").then(|| {
            let user = format!("user_{}", next()).parse().ok()?;
            let session = format!("ses_{}", next()).parse().ok()?;
            Some(Self { user, session, secret: Derived::parse(next())? })
        });
        token.flatten().ok_or(Invalid("Invalid device token.".into()))
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

    #[test]
    fn device_token_is_bound_to_user_session_key_and_time() {
        let (now, key) = (Timestamp::from_second(1_790_000_000).unwrap(), MacKey::new([7; 32]));
        let (user, session) = (Id::new(now, &Fixed(1)), Id::new(now, &Fixed(2)));
        let text = DeviceToken::of(user, session, &key).text();
        let token: DeviceToken = text.expose().parse().unwrap();
        assert_eq!((token.user, token.session), (user, session));
        assert!(token.is_genuine(&key, now) && !token.is_genuine(&MacKey::new([8; 32]), now));
        assert!(token.is_genuine(&key, now + VALID - SignedDuration::from_secs(1)));
        assert!(!token.is_genuine(&key, now + VALID));
        let (other, another) = (Id::new(now, &Fixed(3)), Id::new(now, &Fixed(4)));
        assert!(!DeviceToken { user: other, ..token.clone() }.is_genuine(&key, now));
        assert!(!DeviceToken { session: another, ..token }.is_genuine(&key, now));
    }

    #[test]
    fn device_token_outlives_session() {
        assert!(VALID > crate::session::ABSOLUTE);
    }

    #[test]
    fn malformed_device_token_is_refused() {
        for text in ["", "dt_", "dt_a_b_c", "rt_us_a_b_c", "dt_01m858qy4a1ar9by88nhafn40x__"] {
            assert!(text.parse::<DeviceToken>().is_err(), "{text}");
        }
    }
}
