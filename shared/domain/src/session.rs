//! Sessions: a signed access token for minutes, a rotating refresh token for weeks.
//!
//! Refresh tokens are derived from their session and number, so a retry whose answer was lost gets the same successor
//! although only hashes are stored, and a made-up token is told from one that was rotated: only the latter ends a session.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    id::{SessionId, UserId},
    region::Region,
    secret::{Derived, Digest256, MacKey, Secret},
    text::Invalid,
    time::after,
};

/// How long an access token is good for.
pub const ACCESS_VALID: SignedDuration = SignedDuration::from_mins(10);
/// A session that is not refreshed for this long ends.
pub const IDLE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A session ends after this however much it is used.
pub const ABSOLUTE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// A rotated token still gets its successor again for this long: time for a client to retry a lost answer.
pub const RETRY_GRACE: SignedDuration = SignedDuration::from_secs(10);
/// A sign-in is fresh enough for revealing and destructive actions for this long.
pub const STEP_UP: SignedDuration = SignedDuration::from_mins(15);

/// One sign-in on one device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When it was last refreshed.
    pub refreshed_at: Timestamp,
    /// The hash of the only refresh token that is good.
    pub current: Digest256,
    /// The hash of the one before, for the grace.
    pub previous: Option<Digest256>,
}

/// What a presented refresh token deserves.
#[derive(Debug, PartialEq, Eq)]
pub enum Refresh {
    /// It is the current one: rotate to its successor.
    Rotate,
    /// It was rotated a moment ago and the answer was probably lost: give the same successor again.
    Repeat,
    /// It was rotated longer ago, or never was one of this session's: somebody else has a copy. End the session.
    Reused,
    /// The session is over.
    Expired,
}

impl Session {
    /// A session that begins now.
    pub fn begin(id: SessionId, user: UserId, first: &RefreshToken, now: Timestamp) -> Self {
        Self {
            id,
            user,
            created_at: now,
            authenticated_at: now,
            refreshed_at: now,
            current: first.hash(),
            previous: None,
        }
    }

    /// Judges a presented refresh token.
    pub fn judge(&self, presented: Digest256, now: Timestamp) -> Refresh {
        let repeat = self.previous.is_some_and(|previous| previous.matches(presented))
            && now < after(self.refreshed_at, RETRY_GRACE);
        match (self.is_live(now), self.current.matches(presented)) {
            (false, _) => Refresh::Expired,
            (true, true) => Refresh::Rotate,
            (true, false) if repeat => Refresh::Repeat,
            (true, false) => Refresh::Reused,
        }
    }

    /// The session after rotation to `successor`.
    pub fn rotated(&self, successor: &RefreshToken, now: Timestamp) -> Self {
        Self { current: successor.hash(), previous: Some(self.current), refreshed_at: now, ..self.clone() }
    }

    /// Whether it is neither idle too long nor too old.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at()
    }

    /// When it ends unless it is refreshed.
    pub fn expires_at(&self) -> Timestamp {
        after(self.refreshed_at, IDLE).min(after(self.created_at, ABSOLUTE))
    }

    /// Whether the person proved who they are recently enough for a revealing or destructive action.
    pub fn is_stepped_up(&self, now: Timestamp) -> bool {
        now < after(self.authenticated_at, STEP_UP)
    }
}

/// What the bearer of a session shows to be refreshed: `rt_<region>_<user>_<session>_<number>_<43 characters>`.
///
/// Names its session so that it is found by one read, and its region so that it is found from any.
#[derive(Clone)]
pub struct RefreshToken {
    /// The home region.
    pub region: Region,
    /// Whose session.
    pub user: UserId,
    /// Which session.
    pub session: SessionId,
    /// How many came before it.
    number: u32,
    secret: Derived,
}

impl RefreshToken {
    /// The first token of a session.
    pub fn first(region: Region, user: UserId, session: SessionId, key: &MacKey) -> Self {
        Self { region, user, session, number: 0, secret: secret(session, 0, key) }
    }

    /// The one that follows this.
    pub fn successor(&self, key: &MacKey) -> Self {
        let number = self.number.saturating_add(1);
        Self { number, secret: secret(self.session, number, key), ..*self }
    }

    /// Whether it is, or was, a token of its session: nobody without the key can make one.
    pub fn is_genuine(&self, key: &MacKey) -> bool {
        self.secret.matches(&secret(self.session, self.number, key))
    }

    /// The token as the client keeps it.
    pub fn text(&self) -> Secret {
        let (user, session, number) = (self.user.bare(), self.session.bare(), self.number);
        let secret = self.secret.text();
        Secret::new(format!("rt_{}_{user}_{session}_{number}_{secret}", self.region))
    }

    /// What is stored instead of it.
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
        // One token has one text: `+1` and `01` would read as the same number.
        let token = token.flatten().filter(|token| token.text().expose() == text);
        token.ok_or(Invalid("This is not a refresh token.".into()))
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

/// The token that a browser's state-changing requests repeat in a header, bound to the session.
pub fn csrf_token(session: SessionId, key: &MacKey) -> Secret {
    let bytes = key.derive("csrf", &[session.to_string().as_bytes()]);
    Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// What an access token says (a JWT, [RFC 7519]).
///
/// [RFC 7519]: https://www.rfc-editor.org/rfc/rfc7519
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The home region, whose keys sign.
    pub iss: Region,
    /// Who.
    pub sub: UserId,
    /// Which session.
    pub sid: SessionId,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
    /// When it stops being good.
    pub exp: i64,
    /// In a cookie: SHA-256 of the CSRF token that must come in a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csrf: Option<Digest256>,
}

impl Claims {
    /// What a session's next access token says.
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
    fn a_lost_answer_gets_the_same_successor_and_a_later_reuse_ends_the_session() {
        let (session, first, key) = begun();
        assert_eq!(session.judge(first.hash(), at(100)), Refresh::Rotate);
        let second = first.successor(&key);
        let session = session.rotated(&second, at(100));
        assert_eq!(session.judge(first.hash(), at(109)), Refresh::Repeat);
        assert_eq!(first.successor(&key).text().expose(), second.text().expose());
        assert_eq!(session.judge(first.hash(), at(110)), Refresh::Reused);
        let third = second.successor(&key);
        let session = session.rotated(&third, at(105));
        assert_eq!(session.judge(first.hash(), at(106)), Refresh::Reused);
        assert_eq!(session.judge(second.hash(), at(106)), Refresh::Repeat);
    }

    #[test]
    fn a_session_ends_after_thirty_idle_days_and_after_ninety_in_all() {
        let day = 24 * 3_600;
        let (mut session, first, _) = begun();
        assert_eq!(session.judge(first.hash(), at(30 * day - 1)), Refresh::Rotate);
        assert_eq!(session.judge(first.hash(), at(30 * day)), Refresh::Expired);
        session.refreshed_at = at(89 * day);
        assert_eq!(session.judge(first.hash(), at(90 * day - 1)), Refresh::Rotate);
        assert_eq!(session.judge(first.hash(), at(90 * day)), Refresh::Expired);
    }

    #[test]
    fn a_sign_in_reveals_for_fifteen_minutes() {
        let (session, ..) = begun();
        assert!(session.is_stepped_up(at(899)));
        assert!(!session.is_stepped_up(at(900)));
    }

    #[test]
    fn a_made_up_token_is_told_from_one_that_was_rotated() {
        let (_, first, key) = begun();
        let second = first.successor(&key);
        assert!(first.is_genuine(&key) && second.is_genuine(&key));
        let made_up = RefreshToken { number: 7, ..first.clone() };
        assert!(!made_up.is_genuine(&key) && !first.is_genuine(&MacKey::new([4; 32])));
    }

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        let (_, token, _) = begun();
        let text = token.text().expose().to_owned();
        assert_eq!(text.parse::<RefreshToken>().ok().map(|read| read.hash()), Some(token.hash()));
        for bad in ["", "rt_", "rt_us_a_b_c", &text.replace("_us_", "_xx_"), &format!("{text}A"), &text[..60]]
        {
            assert!(bad.parse::<RefreshToken>().is_err(), "{bad}");
        }
    }
}
