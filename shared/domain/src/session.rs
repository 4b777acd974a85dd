//! Sessions: a signed access token with a lifetime of minutes, and a rotating refresh token with a lifetime of weeks.
//!
//! Refresh tokens are derived from their session and sequence number. So a retry after a lost response gets the same
//! successor although only hashes are stored, and a forged token is distinguished from a rotated one: only a rotated
//! token ends the session.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    id::{SessionId, UserId},
    region::Region,
    sealing::Sealed,
    secret::{Derived, Digest256, MacKey, Secret},
    text::Invalid,
    time::after,
};

/// Lifetime of an access token.
pub const ACCESS_VALID: SignedDuration = SignedDuration::from_mins(10);
/// Maximum time between refreshes of a session.
pub const IDLE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Maximum lifetime of a session.
pub const ABSOLUTE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Grace period: time for which a rotated token still gets the same successor, so that clients can retry after a lost
/// response.
pub const RETRY_GRACE: SignedDuration = SignedDuration::from_secs(10);
/// Maximum clock skew between regions: an access token may be issued this far in the future.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);
/// Maximum number of live sessions per user. A new session beyond this number ends the oldest.
pub const MOST_SESSIONS: usize = 100;
/// Time after sign-in or password confirmation for which sensitive actions are allowed.
pub const STEP_UP: SignedDuration = SignedDuration::from_mins(15);

/// A sign-in on a device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// Time of the sign-in.
    pub created_at: Timestamp,
    /// Time of the last sign-in or password confirmation.
    pub authenticated_at: Timestamp,
    /// Time of the last refresh.
    pub refreshed_at: Timestamp,
    /// The hash of the current refresh token.
    pub current: Digest256,
    /// The hash of the preceding refresh token, for the grace period.
    pub previous: Option<Digest256>,
    /// The encrypted [client](crate::session_client::SessionClient). Absent in sessions that were stored before clients were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Sealed>,
}

/// The result of checking a refresh token.
#[derive(Debug, PartialEq, Eq)]
pub enum RefreshVerdict {
    /// The current token: rotate to its successor.
    Rotate,
    /// A token rotated within the grace period: return the same successor.
    Repeat,
    /// A token rotated earlier, or a token that was never issued: the token was copied. End the session.
    Reused,
    /// The session has ended.
    Expired,
}

impl Session {
    /// Starts a session.
    pub fn begin(id: SessionId, user: UserId, first: &RefreshToken, now: Timestamp) -> Self {
        Self {
            id,
            user,
            created_at: now,
            authenticated_at: now,
            refreshed_at: now,
            current: first.hash(),
            previous: None,
            client: None,
        }
    }

    /// Checks a refresh token.
    pub fn judge(&self, presented: Digest256, now: Timestamp) -> RefreshVerdict {
        let repeat = self.previous.is_some_and(|previous| previous.matches(presented))
            && now < after(self.refreshed_at, RETRY_GRACE);
        match (self.is_live(now), self.current.matches(presented)) {
            (false, _) => RefreshVerdict::Expired,
            (true, true) => RefreshVerdict::Rotate,
            (true, false) if repeat => RefreshVerdict::Repeat,
            (true, false) => RefreshVerdict::Reused,
        }
    }

    /// The session after rotation to `successor`.
    pub fn rotated(&self, successor: &RefreshToken, now: Timestamp) -> Self {
        Self { current: successor.hash(), previous: Some(self.current), refreshed_at: now, ..self.clone() }
    }

    /// Whether the session is within its idle and total limits.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at()
    }

    /// Time at which the session ends without a refresh.
    pub fn expires_at(&self) -> Timestamp {
        after(self.refreshed_at, IDLE).min(after(self.created_at, ABSOLUTE))
    }

    /// End of the step-up after the last sign-in or password confirmation.
    pub fn stepped_up_until(&self) -> Timestamp {
        after(self.authenticated_at, STEP_UP)
    }

    /// Whether the session is stepped up, which sensitive actions require.
    pub fn is_stepped_up(&self, now: Timestamp) -> bool {
        now < self.stepped_up_until()
    }
}

/// A refresh token: `rt_<region>_<user>_<session>_<number>_<43 characters>`.
///
/// Contains the session, so that one read finds it, and the region, so that every region can forward the request.
#[derive(Clone)]
pub struct RefreshToken {
    /// The home region.
    pub region: Region,
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The sequence number, starting at 0.
    number: u32,
    secret: Derived,
}

impl RefreshToken {
    /// Derives the first token of a session.
    pub fn first(region: Region, user: UserId, session: SessionId, key: &MacKey) -> Self {
        Self { region, user, session, number: 0, secret: secret(session, 0, key) }
    }

    /// Derives the successor.
    pub fn successor(&self, key: &MacKey) -> Self {
        let number = self.number.saturating_add(1);
        Self { number, secret: secret(self.session, number, key), ..*self }
    }

    /// Whether the token was made with this key, current or not.
    pub fn is_genuine(&self, key: &MacKey) -> bool {
        self.secret.matches(&secret(self.session, self.number, key))
    }

    /// The token in text form, for the client.
    pub fn text(&self) -> Secret {
        let (user, session, number) = (self.user.bare(), self.session.bare(), self.number);
        let secret = self.secret.text();
        Secret::new(format!("rt_{}_{user}_{session}_{number}_{secret}", self.region))
    }

    /// The hash of the token, which is stored.
    pub fn hash(&self) -> Digest256 {
        Digest256::of(self.text().expose())
    }
}

fn secret(session: SessionId, number: u32, key: &MacKey) -> Derived {
    Derived::new(key, "refresh", &[session.to_string().as_bytes(), &number.to_be_bytes()])
}

impl std::str::FromStr for RefreshToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut parts = text.splitn(6, '_');
        let mut next = || parts.next().unwrap_or_default();
        let token = (next() == "rt").then(|| {
            let region = next().parse().ok()?;
            let user = format!("user_{}", next()).parse().ok()?;
            let session = format!("ses_{}", next()).parse().ok()?;
            let number = next().parse().ok()?;
            let secret = Derived::parse(next())?;
            Some(Self { region, user, session, number, secret })
        });
        // Each token has one text form: `+1` and `01` would parse as the same number.
        let token = token.flatten().filter(|token| token.text().expose() == text);
        token.ok_or(Invalid("Invalid refresh token.".into()))
    }
}

impl<'de> Deserialize<'de> for RefreshToken {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for RefreshToken {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RefreshToken".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let id = "[0-7][0-9a-hjkmnp-tv-z]{25}";
        json_schema!({
            "type": "string",
            "pattern": format!("^rt_(us|eu|ap)_{id}_{id}_(0|[1-9][0-9]{{0,8}})_[A-Za-z0-9_-]{{42}}[AEIMQUYcgkosw048]$"),
        })
    }
}

/// The CSRF token of a session, which browsers send in a header of state-changing requests.
pub fn csrf_token(session: SessionId, key: &MacKey) -> Secret {
    let bytes = key.derive("csrf", &[session.to_string().as_bytes()]);
    Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// The claims of an access token (a JWT, [RFC 7519]).
///
/// [RFC 7519]: https://www.rfc-editor.org/rfc/rfc7519
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The home region, whose key signs the token.
    pub iss: Region,
    /// The user.
    pub sub: UserId,
    /// The session.
    pub sid: SessionId,
    /// Time of issue, in seconds since 1970.
    pub iat: i64,
    /// Expiry, in seconds since 1970.
    pub exp: i64,
    /// Only in cookies: SHA-256 of the CSRF token that the header must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csrf: Option<Digest256>,
}

impl Claims {
    /// The claims of a session's next access token.
    pub fn of(session: &Session, region: Region, csrf: Option<&Secret>, now: Timestamp) -> Self {
        Self {
            iss: region,
            sub: session.user,
            sid: session.id,
            iat: now.as_second(),
            exp: after(now, ACCESS_VALID).as_second(),
            csrf: csrf.map(|token| Digest256::of(token.expose())),
        }
    }

    /// Whether the times are plausible: not issued in the future, apart from [`CLOCK_SKEW`], with a lifetime of at most
    /// [`ACCESS_VALID`]. The signature alone is not sufficient, because a leaked key could sign a token for years.
    pub fn is_plausible(&self, now: Timestamp) -> bool {
        let lifetime = self.exp.saturating_sub(self.iat);
        self.iat <= after(now, CLOCK_SKEW).as_second() && (1..=ACCESS_VALID.as_secs()).contains(&lifetime)
    }

    /// Whether the token has expired.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.exp <= now.as_second()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn begun() -> (Session, RefreshToken, MacKey) {
        let key = MacKey::new([3; 32]);
        let (id, user) = (SessionId::new(at(0), &Zero), UserId::new(at(0), &Zero));
        let token = RefreshToken::first(Region::Us, user, id, &key);
        (Session::begin(id, user, &token, at(0)), token, key)
    }

    #[test]
    fn retry_gets_same_token_and_late_reuse_ends_session() {
        let (session, first, key) = begun();
        assert_eq!(session.judge(first.hash(), at(100)), RefreshVerdict::Rotate);
        let second = first.successor(&key);
        let session = session.rotated(&second, at(100));
        assert_eq!(session.judge(first.hash(), at(109)), RefreshVerdict::Repeat);
        assert_eq!(first.successor(&key).text().expose(), second.text().expose());
        assert_eq!(session.judge(first.hash(), at(110)), RefreshVerdict::Reused);
        let third = second.successor(&key);
        let session = session.rotated(&third, at(105));
        assert_eq!(session.judge(first.hash(), at(106)), RefreshVerdict::Reused);
        assert_eq!(session.judge(second.hash(), at(106)), RefreshVerdict::Repeat);
    }

    #[test]
    fn session_ends_after_30_idle_or_90_total_days() {
        let day = 24 * 3_600;
        let (mut session, first, _) = begun();
        assert_eq!(session.judge(first.hash(), at(30 * day - 1)), RefreshVerdict::Rotate);
        assert_eq!(session.judge(first.hash(), at(30 * day)), RefreshVerdict::Expired);
        session.refreshed_at = at(89 * day);
        assert_eq!(session.judge(first.hash(), at(90 * day - 1)), RefreshVerdict::Rotate);
        assert_eq!(session.judge(first.hash(), at(90 * day)), RefreshVerdict::Expired);
    }

    #[test]
    fn step_up_lasts_fifteen_minutes() {
        let (session, ..) = begun();
        assert!(session.is_stepped_up(at(899)));
        assert!(!session.is_stepped_up(at(900)));
    }

    #[test]
    fn access_token_with_implausible_times_is_refused() {
        let (session, ..) = begun();
        let claims =
            |iat: i64, exp: i64| Claims { iat, exp, ..Claims::of(&session, Region::Us, None, at(0)) };
        let now = 1_000_000;
        let plausible = |iat, exp| claims(iat, exp).is_plausible(at(now));
        assert!(Claims::of(&session, Region::Us, None, at(now)).is_plausible(at(now)));
        assert!(plausible(now + 60, now + 660));
        assert!(!plausible(now + 61, now + 660));
        assert!(!plausible(now, now + 601));
        assert!(!plausible(now, now + 10 * 365 * 86_400));
        assert!(!plausible(now, now) && !plausible(now, now - 1));
        assert!(!plausible(i64::MIN, i64::MAX) && !plausible(i64::MAX, i64::MIN));
        assert!(
            claims(now - 600, now).has_expired(at(now)) && !claims(now - 599, now + 1).has_expired(at(now))
        );
    }

    #[test]
    fn access_token_with_unknown_claim_is_refused() {
        let (session, ..) = begun();
        let mut claims = serde_json::to_value(Claims::of(&session, Region::Us, None, at(0))).unwrap();
        assert!(serde_json::from_value::<Claims>(claims.clone()).is_ok());
        claims["nbf"] = serde_json::json!(4_000_000_000_i64);
        assert!(serde_json::from_value::<Claims>(claims).is_err());
    }

    #[test]
    fn forged_token_differs_from_rotated_token() {
        let (_, first, key) = begun();
        let second = first.successor(&key);
        assert!(first.is_genuine(&key) && second.is_genuine(&key));
        let made_up = RefreshToken { number: 7, ..first.clone() };
        assert!(!made_up.is_genuine(&key) && !first.is_genuine(&MacKey::new([4; 32])));
    }

    #[test]
    fn only_well_formed_token_parses() {
        let (_, token, _) = begun();
        let text = token.text().expose().to_owned();
        assert_eq!(text.parse::<RefreshToken>().ok().map(|read| read.hash()), Some(token.hash()));
        for bad in ["", "rt_", "rt_us_a_b_c", &text.replace("_us_", "_xx_"), &format!("{text}A"), &text[..60]]
        {
            assert!(bad.parse::<RefreshToken>().is_err(), "{bad}");
        }
    }
}
