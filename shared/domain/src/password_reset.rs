//! Password reset with an emailed token.
//!
//! Reset tokens are not stored. A token's id contains the time of the request, and its secret is derived from the id
//! and the user. The user's record stores the last used token and its time, which invalidates that token and all older
//! ones, so that each token works once. The address's record stores the latest requested token, which invalidates all
//! earlier ones.

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    id::{ResetId, UserId},
    pasted,
    region::Region,
    secret::{Derived, MacKey, Secret},
    source::{self, Source},
    text::Invalid,
    throttle::Wait,
    time::after,
    user::EmailHash,
};

/// Lifetime of a token.
pub const VALID: SignedDuration = SignedDuration::from_mins(30);
/// Requests for one address in the last hour, whether or not the address has an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The hash of the address.
    pub address: EmailHash,
    /// The requests, oldest first.
    pub at: Vec<Request>,
    /// The token of the latest request. Absent in older records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<ResetId>,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

/// A request for an email.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredRequest")]
pub struct Request {
    /// Time of the request.
    pub at: Timestamp,
    /// The source of the request. Absent in older records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A stored request. Older versions stored only the time.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredRequest {
    Time(Timestamp),
    Request { at: Timestamp, source: Option<Source> },
}

impl From<StoredRequest> for Request {
    fn from(stored: StoredRequest) -> Self {
        match stored {
            StoredRequest::Time(at) => Self { at, source: None },
            StoredRequest::Request { at, source } => Self { at, source },
        }
    }
}

impl Asked {
    /// A record without requests.
    pub fn never(address: EmailHash) -> Self {
        Self { address, at: Vec::new(), newest: None, version: 0 }
    }

    /// Adds a request for the token `reset`.
    ///
    /// # Errors
    ///
    /// The time to wait, if the source must wait.
    pub fn again(mut self, source: Source, reset: ResetId, now: Timestamp) -> Result<Self, Wait> {
        source::may_request(self.at.iter().map(|earlier| (earlier.at, earlier.source)), source, now)?;
        self.at.retain(|earlier| now < after(earlier.at, source::PERIOD));
        self.at.push(Request { at: now, source: Some(source) });
        Ok(Self { newest: Some(reset), version: self.version + 1, ..self })
    }

    /// Time at which the record expires.
    pub fn expires_at(&self) -> Timestamp {
        self.at.last().map_or(Timestamp::MIN, |last| after(last.at, source::PERIOD))
    }
}

/// The last token that set a user's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReset {
    /// The token's id.
    pub id: ResetId,
    /// Time of use.
    pub at: Timestamp,
}

impl LastReset {
    /// The use of a token now, or at the time of its request if this machine's clock is behind.
    pub fn now(id: ResetId, now: Timestamp) -> Self {
        Self { id, at: now.max(id.made_at()) }
    }

    /// Time after which all invalidated tokens have expired.
    pub fn expires_at(&self) -> Timestamp {
        after(self.at, VALID)
    }
}

/// The status of a genuine token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStatus {
    /// The token can set the password.
    Good,
    /// The token set the password at this time, and no other token has since.
    Used(Timestamp),
    /// The token expired, or a later request or use of another token invalidated it.
    Over,
}

/// The emailed token: `pr_<region>_<user>_<reset>_<43 characters>`.
///
/// Contains the user, so that the password is found without a search, and the region, so that every region can forward
/// the request.
#[derive(Clone)]
pub struct ResetToken {
    /// The home region.
    pub region: Region,
    /// The user.
    pub user: UserId,
    /// The id, which contains the time of the request.
    pub reset: ResetId,
    secret: Derived,
}

impl ResetToken {
    /// Derives the token with this id.
    pub fn new(region: Region, user: UserId, reset: ResetId, key: &MacKey) -> Self {
        Self { region, user, reset, secret: secret(user, reset, key) }
    }

    /// Whether the token was made with this key.
    pub fn is_genuine(&self, key: &MacKey) -> bool {
        self.secret.matches(&secret(self.user, self.reset, key))
    }

    /// The status of a genuine token. `last` is the user's record, `newest` the latest requested token.
    pub fn status(&self, last: Option<LastReset>, newest: Option<ResetId>, now: Timestamp) -> TokenStatus {
        let asked_at = self.reset.made_at();
        match last {
            Some(last) if last.id == self.reset => TokenStatus::Used(last.at),
            Some(last) if asked_at <= last.at => TokenStatus::Over,
            _ if newest.is_some_and(|newest| newest != self.reset) => TokenStatus::Over,
            _ if now < after(asked_at, VALID) => TokenStatus::Good,
            _ => TokenStatus::Over,
        }
    }

    /// The token in text form, for the email.
    pub fn text(&self) -> Secret {
        let secret = self.secret.text();
        Secret::new(format!("pr_{}_{}_{}_{secret}", self.region, self.user.bare(), self.reset.bare()))
    }
}

fn secret(user: UserId, reset: ResetId, key: &MacKey) -> Derived {
    let (user, reset) = (user.to_string(), reset.to_string());
    Derived::new(key, "password-reset", &[user.as_bytes(), reset.as_bytes()])
}

impl std::str::FromStr for ResetToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = pasted::token(text);
        let mut parts = text.splitn(5, '_');
        let mut next = || parts.next().unwrap_or_default();
        let token = (next() == "pr").then(|| {
            let region = next().parse().ok()?;
            let user = format!("user_{}", next()).parse().ok()?;
            let reset = format!("rst_{}", next()).parse().ok()?;
            let secret = Derived::parse(next())?;
            Some(Self { region, user, reset, secret })
        });
        token.flatten().ok_or(Invalid::new("Invalid reset token. Copy the whole line from the email."))
    }
}

impl<'de> Deserialize<'de> for ResetToken {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ResetToken {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResetToken".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let id = "[0-7][0-9a-hjkmnp-tv-z]{25}";
        json_schema!({
            "type": "string",
            "pattern": format!("^pr_(us|eu|ap)_{id}_{id}_[A-Za-z0-9_-]{{42}}[AEIMQUYcgkosw048]$"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;
    use crate::secret::Digest256;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key() -> MacKey {
        MacKey::new([3; 32])
    }

    fn asked_at(second: i64) -> ResetToken {
        ResetToken::new(Region::Eu, UserId::new(at(0), &Zero), ResetId::new(at(second), &Zero), &key())
    }

    fn source(name: &str) -> Source {
        Source(Digest256::of(name))
    }

    #[test]
    fn limits_apply_per_source() {
        let id = |second| asked_at(second).reset;
        let mut asked = Asked::never(EmailHash(Digest256::of("a")));
        for second in [0, 60, 120, 180, 240] {
            asked = asked.again(source("stranger"), id(second), at(second)).unwrap();
        }
        assert_eq!((asked.version, asked.newest), (5, Some(id(240))));
        assert_eq!(asked.clone().again(source("stranger"), id(300), at(300)).unwrap_err().seconds, 3_300);
        assert_eq!(asked.clone().again(source("owner"), id(241), at(241)).unwrap().newest, Some(id(241)));
        assert_eq!(asked.again(source("stranger"), id(3_600), at(3_600)).unwrap().at.len(), 5);
    }

    #[test]
    fn record_of_older_version_parses() {
        let old = serde_json::json!({
            "address": EmailHash(Digest256::of("a")), "at": ["1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z"], "version": 2,
        });
        let read: Asked = serde_json::from_value(old).unwrap();
        assert_eq!(read.at, [0, 60].map(|second| Request { at: at(second), source: None }));
        assert_eq!(read.newest, None);
        let next = read.again(source("a"), asked_at(61).reset, at(61)).unwrap();
        let again: Asked = serde_json::from_value(serde_json::to_value(&next).unwrap()).unwrap();
        assert_eq!(again, next);
    }

    #[test]
    fn newer_request_invalidates_older_tokens() {
        let (older, newer) = (asked_at(100), asked_at(160));
        assert_eq!(older.status(None, Some(older.reset), at(161)), TokenStatus::Good);
        assert_eq!(older.status(None, Some(newer.reset), at(161)), TokenStatus::Over);
        assert_eq!(newer.status(None, Some(newer.reset), at(161)), TokenStatus::Good);
        let used = Some(LastReset::now(older.reset, at(150)));
        assert_eq!(older.status(used, Some(newer.reset), at(161)), TokenStatus::Used(at(150)));
    }

    #[test]
    fn token_expires_after_thirty_minutes() {
        let token = asked_at(100);
        assert_eq!(token.status(None, None, at(100 + 1_799)), TokenStatus::Good);
        assert_eq!(token.status(None, None, at(100 + 1_800)), TokenStatus::Over);
    }

    #[test]
    fn used_token_invalidates_itself_and_older_tokens() {
        let (earlier, used, same_time, later) = (asked_at(0), asked_at(60), asked_at(200), asked_at(201));
        let last = Some(LastReset::now(used.reset, at(200)));
        assert_eq!(used.status(last, None, at(201)), TokenStatus::Used(at(200)));
        for over in [earlier, same_time] {
            assert_eq!(over.status(last, None, at(201)), TokenStatus::Over);
        }
        assert_eq!(later.status(last, None, at(201)), TokenStatus::Good);
    }

    #[test]
    fn token_is_single_use_despite_clock_skew() {
        let token = asked_at(100);
        let last = LastReset::now(token.reset, at(99));
        assert_eq!(last.at, at(100));
        assert_eq!(token.status(Some(last), None, at(99)), TokenStatus::Used(at(100)));
    }

    #[test]
    fn token_is_bound_to_user_and_id() {
        let token = asked_at(100);
        assert!(token.is_genuine(&key()) && !token.is_genuine(&MacKey::new([4; 32])));
        let other = UserId::new(at(7), &Zero);
        assert!(!ResetToken { user: other, ..token.clone() }.is_genuine(&key()));
        assert!(!ResetToken { reset: asked_at(101).reset, ..token }.is_genuine(&key()));
    }

    #[test]
    fn only_well_formed_token_parses() {
        let text = asked_at(100).text().expose().to_owned();
        assert_eq!(text.len(), 103);
        let read: ResetToken = text.parse().ok().unwrap();
        assert!(read.is_genuine(&key()) && read.text().expose() == text);
        for bad in [
            "",
            "pr_",
            "pr_eu_a_b_c",
            &text.replace("_eu_", "_xx_"),
            &text.to_uppercase(),
            &format!("{text}A"),
            &text[..102],
        ] {
            assert!(bad.parse::<ResetToken>().is_err(), "{bad}");
        }
        let pasted = format!(" {}\r\n {}\u{200b}\n", &text[..50], &text[50..]);
        assert!(pasted.parse::<ResetToken>().ok().unwrap().text().expose() == text);
    }
}
