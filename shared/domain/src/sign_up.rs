//! Signing up: attempts wait for the code that went to their address.
//!
//! All attempts at one address form one record, so that limits hold under concurrency by one condition. Each attempt
//! keeps its own password: whoever types a code gets the account with the password *of the attempt that the code was
//! mailed for*. While attempts with different passwords wait, a code alone is not enough; the password must come with
//! it. So nobody can plant a password in an account that somebody else confirms ("pre-hijacking").

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{
    credential::PasswordHash,
    email::EmailAddress,
    id::{AttemptId, UserId},
    region::Region,
    text::Invalid,
    throttle::Wait,
    time::after,
    user::EmailHash,
};

/// How long a code can be entered.
pub const CODE_VALID: SignedDuration = SignedDuration::from_mins(10);
/// Wrong codes after which an attempt is dead.
pub const TRIES: u8 = 5;
/// The least time between two codes to one address.
pub const RESEND_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// The most codes to one address in an hour.
pub const CODES_AN_HOUR: usize = 5;
/// After this an unverified sign-up is gone.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A 6-digit code. A secret for as long as it lives, but for its region: divided by three, the number leaves that. So a code
/// finds its way home from every region's endpoint, although nothing of an unverified address is known outside its home. It
/// leaves 333,333 codes, of which five can be tried.
#[derive(Clone)]
pub struct Code(String);

impl Code {
    const REGIONS: u64 = Region::ALL.len() as u64;
    const EACH: u64 = 1_000_000 / Self::REGIONS;

    /// The code of a region that 32 derived bytes stand for (dynamic truncation as in RFC 4226, section 5.3).
    pub fn from_bytes(bytes: &[u8; 32], region: Region) -> Self {
        let number = bytes.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let place = Region::ALL.iter().position(|other| *other == region).unwrap_or_default() as u64;
        Self(format!("{:06}", number % Self::EACH * Self::REGIONS + place))
    }

    /// The region whose code it is, if it is one.
    pub fn region(&self) -> Region {
        let number: u64 = self.0.parse().unwrap_or_default();
        let place = usize::try_from(number % Self::REGIONS).unwrap_or_default();
        Region::ALL.get(place).copied().unwrap_or(Region::AUTHORITY)
    }

    /// The digits, for the mail.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            Ok(Self(text))
        } else {
            Err(serde::de::Error::custom(Invalid("A code has 6 digits.".into())))
        }
    }
}

impl JsonSchema for Code {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{6}$" })
    }
}

/// One attempt at signing up with an address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// Names the attempt; its code is derived from it.
    pub id: AttemptId,
    /// The password that was chosen.
    pub password: PasswordHash,
    /// The region that was chosen.
    pub region: Region,
    /// When it was made and its code mailed.
    pub at: Timestamp,
    /// Wrong codes so far.
    pub tries: u8,
    /// A later attempt with the same password took its place; it only counts towards the hourly limit.
    pub superseded: bool,
}

impl Attempt {
    fn is_live(&self, now: Timestamp) -> bool {
        !self.superseded && self.tries < TRIES && now < after(self.at, CODE_VALID)
    }
}

/// All that waits for one address to be verified.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignUp {
    /// Which address.
    pub email_hash: EmailHash,
    /// The address as it was last entered.
    pub email: EmailAddress,
    /// The id that the account will have, so that claiming the address again after a lost answer is the same claim.
    pub user: UserId,
    /// The newest attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

/// Why a code does not open an account.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// No attempt waits for this code: never made, expired, or tried too often.
    WrongCode,
    /// Several attempts with different passwords wait: the password must come with the code.
    PasswordNeeded,
}

impl SignUp {
    /// Nothing waits yet.
    pub fn none(email_hash: EmailHash, email: EmailAddress, user: UserId) -> Self {
        Self { email_hash, email, user, attempts: Vec::new(), version: 0 }
    }

    /// The newest attempt whose code can still be entered.
    pub fn newest_live(&self, now: Timestamp) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|attempt| attempt.is_live(now))
    }

    /// Adds an attempt, in place of the live one `same_password_as` if the person just tries again.
    pub fn attempt(
        mut self,
        attempt: Attempt,
        email: EmailAddress,
        same_password_as: Option<AttemptId>,
    ) -> Result<Self, Wait> {
        let now = attempt.at;
        if let Some(last) = self.attempts.last()
            && now < after(last.at, RESEND_AFTER)
        {
            return Err(Wait::between(now, after(last.at, RESEND_AFTER)));
        }
        let hour = SignedDuration::from_hours(1);
        self.attempts.retain(|earlier| now < after(earlier.at, hour));
        if let Some(oldest) = self.attempts.first()
            && self.attempts.len() >= CODES_AN_HOUR
        {
            return Err(Wait::between(now, after(oldest.at, hour)));
        }
        for earlier in &mut self.attempts {
            earlier.superseded |= Some(earlier.id) == same_password_as;
        }
        self.attempts.push(attempt);
        Ok(Self { email, version: self.version + 1, ..self })
    }

    /// Counts a try on every live attempt before the code is judged, so that parallel guesses can't share one count.
    pub fn count_try(mut self, now: Timestamp) -> Result<Self, Refused> {
        if self.newest_live(now).is_none() {
            return Err(Refused::WrongCode);
        }
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.is_live(now)) {
            attempt.tries += 1;
        }
        self.version += 1;
        Ok(self)
    }

    /// The attempt that `given` confirms. `self` is the record whose try was counted; `before` the one before that,
    /// which says what was live.
    pub fn confirm(
        before: &Self,
        given: &Code,
        code_of: impl Fn(AttemptId) -> Code,
        password_given: bool,
        now: Timestamp,
    ) -> Result<Attempt, Refused> {
        let live: Vec<&Attempt> = before.attempts.iter().filter(|attempt| attempt.is_live(now)).collect();
        let confirmed = live
            .iter()
            .find(|attempt| code_of(attempt.id).matches(given))
            .map(|attempt| (*attempt).clone())
            .ok_or(Refused::WrongCode)?;
        if live.len() > 1 && !password_given { Err(Refused::PasswordNeeded) } else { Ok(confirmed) }
    }

    /// When the record is of no more use.
    pub fn expires_at(&self) -> Timestamp {
        self.attempts.last().map_or(Timestamp::MIN, |last| after(last.at, KEPT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{entropy::Entropy, secret::Digest256};

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn email() -> EmailAddress {
        EmailAddress::parse("a@example.com").unwrap()
    }

    fn made(second: i64) -> Attempt {
        Attempt {
            id: AttemptId::new(at(second), &Zero),
            password: PasswordHash::nobody(),
            region: Region::Us,
            at: at(second),
            tries: 0,
            superseded: false,
        }
    }

    fn none() -> SignUp {
        SignUp::none(
            EmailHash(Digest256::of("a")),
            email(),
            "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
        )
    }

    fn code_of(id: AttemptId) -> Code {
        Code::from_bytes(
            Digest256::of(id.to_string()).to_hex().as_bytes()[..32].try_into().unwrap(),
            Region::Eu,
        )
    }

    #[test]
    fn a_code_has_six_digits_and_names_its_region() {
        for (byte, region) in (0..=255).flat_map(|byte| Region::ALL.map(|region| (byte, region))) {
            let code = Code::from_bytes(&[byte; 32], region);
            assert_eq!((code.expose().len(), code.region()), (6, region), "{}", code.expose());
        }
    }

    fn confirm(waiting: &SignUp, code: &Code, password: bool, now: i64) -> Result<AttemptId, Refused> {
        SignUp::confirm(waiting, code, code_of, password, at(now)).map(|attempt| attempt.id)
    }

    #[test]
    fn a_second_code_waits_a_minute_and_a_sixth_waits_for_the_hour() {
        let mut waiting = none().attempt(made(0), email(), None).unwrap();
        assert_eq!(waiting.clone().attempt(made(59), email(), None).unwrap_err().seconds, 1);
        for second in [60, 120, 180, 240] {
            waiting = waiting.attempt(made(second), email(), None).unwrap();
        }
        assert_eq!(waiting.clone().attempt(made(300), email(), None).unwrap_err().seconds, 3_300);
        assert!(waiting.attempt(made(3_600), email(), None).is_ok());
    }

    #[test]
    fn a_code_lives_ten_minutes_and_not_a_moment_longer() {
        let waiting = none().attempt(made(0), email(), None).unwrap();
        let id = waiting.attempts[0].id;
        assert_eq!(confirm(&waiting, &code_of(id), false, 599), Ok(id));
        assert_eq!(confirm(&waiting, &code_of(id), false, 600), Err(Refused::WrongCode));
    }

    #[test]
    fn the_fifth_wrong_code_kills_the_attempt() {
        let mut waiting = none().attempt(made(0), email(), None).unwrap();
        for _ in 0..5 {
            waiting = waiting.count_try(at(1)).unwrap();
        }
        assert_eq!(waiting.clone().count_try(at(1)).unwrap_err(), Refused::WrongCode);
        let id = waiting.attempts[0].id;
        assert_eq!(confirm(&waiting, &code_of(id), true, 1), Err(Refused::WrongCode));
    }

    #[test]
    fn a_planted_attempt_makes_the_password_necessary() {
        let waiting = none().attempt(made(0), email(), None).unwrap();
        let waiting = waiting.attempt(made(60), email(), None).unwrap();
        let planted = waiting.attempts[0].id;
        assert_eq!(confirm(&waiting, &code_of(planted), false, 61), Err(Refused::PasswordNeeded));
        assert_eq!(confirm(&waiting, &code_of(planted), true, 61), Ok(planted));
    }

    #[test]
    fn trying_again_with_the_same_password_needs_the_newest_code_only() {
        let waiting = none().attempt(made(0), email(), None).unwrap();
        let first = waiting.attempts[0].id;
        let waiting = waiting.attempt(made(60), email(), Some(first)).unwrap();
        let second = waiting.attempts[1].id;
        assert_eq!(confirm(&waiting, &code_of(second), false, 61), Ok(second));
        assert_eq!(confirm(&waiting, &code_of(first), false, 61), Err(Refused::WrongCode));
    }
}
