//! Setting a new password by mail, for whoever forgot theirs.
//!
//! Nothing of a mailed token is stored. Its id says when it was asked for, and its secret is derived from the id and the
//! user. What is kept of a user is which token set the password last, and when: that ends it and all that were asked for
//! before, so one use is one use and leaves no other token behind.

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    id::{ResetId, UserId},
    region::Region,
    secret::{Derived, MacKey, Secret},
    text::Invalid,
    throttle::Wait,
    time::after,
    user::EmailHash,
};

/// How long a token can be used.
pub const VALID: SignedDuration = SignedDuration::from_mins(30);
/// The least time between two mails that are asked for with one address.
pub const AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// The most mails in an hour that are asked for with one address.
pub const MAILS_AN_HOUR: usize = 5;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What was asked for with one address in the last hour, whether or not anybody has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which address.
    pub address: EmailHash,
    /// When, oldest first.
    pub at: Vec<Timestamp>,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

impl Asked {
    /// Nothing yet.
    pub fn never(address: EmailHash) -> Self {
        Self { address, at: Vec::new(), version: 0 }
    }

    /// Once more, or how long to wait for that.
    pub fn again(mut self, now: Timestamp) -> Result<Self, Wait> {
        if let Some(last) = self.at.last()
            && now < after(*last, AGAIN_AFTER)
        {
            return Err(Wait::between(now, after(*last, AGAIN_AFTER)));
        }
        self.at.retain(|earlier| now < after(*earlier, HOUR));
        if let Some(oldest) = self.at.first()
            && self.at.len() >= MAILS_AN_HOUR
        {
            return Err(Wait::between(now, after(*oldest, HOUR)));
        }
        self.at.push(now);
        Ok(Self { version: self.version + 1, ..self })
    }

    /// When the record is of no more use.
    pub fn expires_at(&self) -> Timestamp {
        self.at.last().map_or(Timestamp::MIN, |last| after(*last, HOUR))
    }
}

/// Which token set a user's password last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReset {
    /// The token's id.
    pub id: ResetId,
    /// When it was used.
    pub at: Timestamp,
}

impl LastReset {
    /// A token that is used now. Never before it was asked for, even if that was on a machine whose clock is ahead.
    pub fn now(id: ResetId, now: Timestamp) -> Self {
        Self { id, at: now.max(id.made_at()) }
    }

    /// From then on, whatever this ends has expired by itself.
    pub fn expires_at(&self) -> Timestamp {
        after(self.at, VALID)
    }
}

/// What a genuine token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It sets the password.
    Good,
    /// It set the password at this time, and no other has since.
    Used(Timestamp),
    /// It has expired, or a later use of another has ended it.
    Over,
}

/// What is mailed: `pr_<region>_<user>_<reset>_<43 characters>`.
///
/// Names its user so that the password is found without a search, and its region so that it is found from any.
#[derive(Clone)]
pub struct ResetToken {
    /// The home region.
    pub region: Region,
    /// Whose password.
    pub user: UserId,
    /// Its id, which says when it was asked for.
    pub reset: ResetId,
    secret: Derived,
}

impl ResetToken {
    /// The token with this id.
    pub fn new(region: Region, user: UserId, reset: ResetId, key: &MacKey) -> Self {
        Self { region, user, reset, secret: secret(user, reset, key) }
    }

    /// Whether it was mailed: nobody without the key can make one.
    pub fn is_genuine(&self, key: &MacKey) -> bool {
        self.secret.matches(&secret(self.user, self.reset, key))
    }

    /// What it is good for, if it is genuine; `last` is what the user's record says.
    pub fn standing(&self, last: Option<LastReset>, now: Timestamp) -> Standing {
        let asked_at = self.reset.made_at();
        match last {
            Some(last) if last.id == self.reset => Standing::Used(last.at),
            Some(last) if asked_at <= last.at => Standing::Over,
            _ if now < after(asked_at, VALID) => Standing::Good,
            _ => Standing::Over,
        }
    }

    /// The token as it is mailed.
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
        let mut parts = text.splitn(5, '_');
        let mut next = || parts.next().unwrap_or_default();
        let token = (next() == "pr").then(|| {
            let region = next().parse().ok()?;
            let user = format!("user_{}", next()).parse().ok()?;
            let reset = format!("rst_{}", next()).parse().ok()?;
            let secret = Derived::parse(next())?;
            Some(Self { region, user, reset, secret })
        });
        token
            .flatten()
            .ok_or(Invalid("This is not a token from a mail of ours. Copy all of its line.".into()))
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

    #[test]
    fn a_second_mail_waits_a_minute_and_a_sixth_waits_for_the_hour() {
        let mut asked = Asked::never(EmailHash(Digest256::of("a"))).again(at(0)).unwrap();
        assert_eq!(asked.clone().again(at(59)).unwrap_err().seconds, 1);
        for second in [60, 120, 180, 240] {
            asked = asked.again(at(second)).unwrap();
        }
        assert_eq!(asked.version, 5);
        assert_eq!(asked.clone().again(at(300)).unwrap_err().seconds, 3_300);
        assert_eq!(asked.again(at(3_600)).unwrap().at.len(), 5);
    }

    #[test]
    fn a_token_lives_thirty_minutes_and_not_a_moment_longer() {
        let token = asked_at(100);
        assert_eq!(token.standing(None, at(100 + 1_799)), Standing::Good);
        assert_eq!(token.standing(None, at(100 + 1_800)), Standing::Over);
    }

    #[test]
    fn using_one_ends_it_and_all_that_were_asked_for_before() {
        let (earlier, used, same_time, later) = (asked_at(0), asked_at(60), asked_at(200), asked_at(201));
        let last = Some(LastReset::now(used.reset, at(200)));
        assert_eq!(used.standing(last, at(201)), Standing::Used(at(200)));
        for over in [earlier, same_time] {
            assert_eq!(over.standing(last, at(201)), Standing::Over);
        }
        assert_eq!(later.standing(last, at(201)), Standing::Good);
    }

    #[test]
    fn a_clock_that_is_behind_leaves_no_second_use() {
        let token = asked_at(100);
        let last = LastReset::now(token.reset, at(99));
        assert_eq!(last.at, at(100));
        assert_eq!(token.standing(Some(last), at(99)), Standing::Used(at(100)));
    }

    #[test]
    fn a_token_is_genuine_for_its_user_and_id_only() {
        let token = asked_at(100);
        assert!(token.is_genuine(&key()) && !token.is_genuine(&MacKey::new([4; 32])));
        let other = UserId::new(at(7), &Zero);
        assert!(!ResetToken { user: other, ..token.clone() }.is_genuine(&key()));
        assert!(!ResetToken { reset: asked_at(101).reset, ..token }.is_genuine(&key()));
    }

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
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
            &format!(" {text}"),
            &text[..102],
        ] {
            assert!(bad.parse::<ResetToken>().is_err(), "{bad}");
        }
    }
}
