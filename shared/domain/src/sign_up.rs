//! Sign-up: attempts wait for the code that was emailed to their address.
//!
//! All attempts with one address form one record, so that one condition enforces the limits under concurrency. A code
//! proves control of the mailbox, not the choice of the password. So a code works only with a secret of its attempt:
//! the token from the sign-up response, or the password. The account gets the password and the address spelling of that
//! attempt. Nobody can plant a password in an account that someone else confirms ("pre-hijacking").

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{
    credential::PasswordHash,
    email::EmailAddress,
    id::{AttemptId, UserId},
    pasted,
    region::Region,
    secret::{Derived, MacKey, Secret},
    source::{self, Source},
    text::Invalid,
    throttle::Wait,
    time::after,
    user::EmailHash,
    user_agent::Device,
};

/// Lifetime of a code.
pub const CODE_VALID: SignedDuration = SignedDuration::from_mins(10);
/// Number of wrong codes that end an attempt.
pub const TRIES: u8 = 5;
/// Lifetime of an unverified sign-up.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A 6-digit code. Secret except for its region, which is the number modulo three. So every region's endpoint can
/// forward a code to its home region, although an unverified address is not known outside its home region. 333,333
/// codes per region remain, of which five can be tried.
#[derive(Clone)]
pub struct VerificationCode(String);

impl VerificationCode {
    const REGIONS: u64 = Region::ALL.len() as u64;
    const EACH: u64 = 1_000_000 / Self::REGIONS;

    /// The code of a region for 32 derived bytes (dynamic truncation as in RFC 4226, section 5.3).
    pub fn from_bytes(bytes: &[u8; 32], region: Region) -> Self {
        let number = number(bytes);
        let place = Region::ALL.iter().position(|other| *other == region).unwrap_or_default() as u64;
        Self(format!("{:06}", number % Self::EACH * Self::REGIONS + place))
    }

    /// A code that names no region, because its request carries a session: any of a million.
    pub fn of_account(bytes: &[u8; 32]) -> Self {
        Self(format!("{:06}", number(bytes) % 1_000_000))
    }

    /// The region of the code; `None` if the number is no code.
    pub fn region(&self) -> Region {
        let number: u64 = self.0.parse().unwrap_or_default();
        let place = usize::try_from(number % Self::REGIONS).unwrap_or_default();
        Region::ALL.get(place).copied().unwrap_or(Region::AUTHORITY)
    }

    /// The digits, for the email.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// The first bytes as a number.
fn number(bytes: &[u8; 32]) -> u64 {
    bytes.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
}

impl<'de> Deserialize<'de> for VerificationCode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = pasted::code(&String::deserialize(from)?);
        let digits = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            Ok(Self(text))
        } else {
            Err(serde::de::Error::custom(Invalid("The code must have 6 digits.".into())))
        }
    }
}

impl JsonSchema for VerificationCode {
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

/// The token that a sign-up returns and a verification requires: `su_<region>_<attempt>_<43 characters>`. Derived from
/// the attempt's id, so that a repeated request gets the same token and no secret is stored.
#[derive(Clone)]
pub struct SignUpToken {
    /// The region of the attempt.
    pub region: Region,
    /// The attempt.
    pub attempt: AttemptId,
    secret: Derived,
}

impl SignUpToken {
    /// Derives the token of an attempt.
    pub fn new(region: Region, attempt: AttemptId, key: &MacKey) -> Self {
        let secret = Derived::new(key, "sign-up-token", &[attempt.to_string().as_bytes()]);
        Self { region, attempt, secret }
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.region == other.region && self.attempt == other.attempt && self.secret.matches(&other.secret)
    }

    /// The token in text form, for the response.
    pub fn text(&self) -> Secret {
        Secret::new(format!("su_{}_{}_{}", self.region, self.attempt.bare(), self.secret.text()))
    }
}

impl std::str::FromStr for SignUpToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = pasted::token(text);
        let mut parts = text.splitn(4, '_');
        let mut next = || parts.next().unwrap_or_default();
        let token = (next() == "su").then(|| {
            let region = next().parse().ok()?;
            let attempt = format!("att_{}", next()).parse().ok()?;
            let secret = Derived::parse(next())?;
            Some(Self { region, attempt, secret })
        });
        token
            .flatten()
            .ok_or(Invalid::new("Invalid sign-up token. Use the `signUpToken` from the sign-up response."))
    }
}

impl<'de> Deserialize<'de> for SignUpToken {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for SignUpToken {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SignUpToken".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let id = "[0-7][0-9a-hjkmnp-tv-z]{25}";
        json_schema!({
            "type": "string",
            "pattern": format!("^su_(us|eu|ap)_{id}_[A-Za-z0-9_-]{{42}}[AEIMQUYcgkosw048]$"),
        })
    }
}

/// A sign-up attempt with an email address.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// The id. The code and the token are derived from it.
    pub id: AttemptId,
    /// The address as typed.
    pub email: EmailAddress,
    /// The chosen password.
    pub password: PasswordHash,
    /// The chosen region.
    pub region: Region,
    /// Time of the attempt, when its code was emailed.
    pub at: Timestamp,
    /// Number of entered codes.
    pub tries: u8,
    /// The source of the request. Absent in older records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The device, for the email.
    pub device: Device,
}

impl Attempt {
    fn is_live(&self, now: Timestamp) -> bool {
        self.tries < TRIES && now < self.expires_at()
    }

    /// When its code expires.
    pub fn expires_at(&self) -> Timestamp {
        after(self.at, CODE_VALID)
    }
}

/// All attempts with one address that wait for verification.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "StoredSignUp")]
pub struct SignUp {
    /// The hash of the address.
    pub email_hash: EmailHash,
    /// The id of the future account. A repeated claim of the address after a lost response is the same claim.
    pub user: UserId,
    /// The attempts of the last hour, oldest first.
    pub attempts: Vec<Attempt>,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

/// A stored record. Older versions stored one spelling of the address for all attempts.
#[derive(Deserialize)]
struct StoredSignUp {
    email_hash: EmailHash,
    email: Option<EmailAddress>,
    user: UserId,
    attempts: Vec<StoredAttempt>,
    version: u64,
}

#[derive(Deserialize)]
struct StoredAttempt {
    id: AttemptId,
    email: Option<EmailAddress>,
    password: PasswordHash,
    region: Region,
    at: Timestamp,
    tries: u8,
    source: Option<Source>,
    #[serde(default)]
    device: Device,
}

impl TryFrom<StoredSignUp> for SignUp {
    type Error = Invalid;

    fn try_from(stored: StoredSignUp) -> Result<Self, Invalid> {
        let attempt = |attempt: StoredAttempt| {
            let StoredAttempt { id, email, password, region, at, tries, source, device } = attempt;
            let email =
                email.or_else(|| stored.email.clone()).ok_or(Invalid::new("No address in an attempt."))?;
            Ok(Attempt { id, email, password, region, at, tries, source, device })
        };
        let attempts = stored.attempts.into_iter().map(attempt).collect::<Result<_, Invalid>>()?;
        let StoredSignUp { email_hash, user, version, .. } = stored;
        Ok(Self { email_hash, user, attempts, version })
    }
}

/// The code or its secret is wrong, expired, or was tried too often.
#[derive(Debug, PartialEq, Eq)]
pub struct WrongCode;

impl SignUp {
    /// A record without attempts.
    pub fn none(email_hash: EmailHash, user: UserId) -> Self {
        Self { email_hash, user, attempts: Vec::new(), version: 0 }
    }

    /// The attempts whose codes are valid.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(move |attempt| attempt.is_live(now))
    }

    /// Finds an attempt, live or not.
    pub fn find(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.id == id)
    }

    /// Checks whether `source` may make another attempt now.
    ///
    /// # Errors
    ///
    /// The time to wait, if `source` must wait.
    pub fn may_start(&self, source: Source, now: Timestamp) -> Result<(), Wait> {
        source::may_request(self.attempts.iter().map(|attempt| (attempt.at, attempt.source)), source, now)
    }

    /// Adds an attempt.
    ///
    /// # Errors
    ///
    /// The time to wait, if the source of the attempt must wait.
    pub fn start(mut self, attempt: Attempt, source: Source) -> Result<Self, Wait> {
        let now = attempt.at;
        self.may_start(source, now)?;
        self.attempts.retain(|earlier| now < after(earlier.at, source::PERIOD));
        self.attempts.push(Attempt { source: Some(source), ..attempt });
        Ok(Self { version: self.version + 1, ..self })
    }

    /// Counts a try on the live ones of the `proven` attempts before the code is checked, so that parallel guesses
    /// cannot share a try. Other attempts lose no try. Also returns the attempts that were tried.
    ///
    /// # Errors
    ///
    /// If no proven attempt is live.
    pub fn count_try(
        mut self,
        proven: &[AttemptId],
        now: Timestamp,
    ) -> Result<(Self, Vec<Attempt>), WrongCode> {
        let mut tried = Vec::new();
        for attempt in &mut self.attempts {
            if proven.contains(&attempt.id) && attempt.is_live(now) {
                tried.push(attempt.clone());
                attempt.tries += 1;
            }
        }
        if tried.is_empty() {
            return Err(WrongCode);
        }
        self.version += 1;
        Ok((self, tried))
    }

    /// Time at which the record expires.
    pub fn expires_at(&self) -> Timestamp {
        self.attempts.last().map_or(Timestamp::MIN, |last| after(last.at, KEPT))
    }
}

/// The attempt among `tried` whose code was entered. `codes` belong to `tried`, in the same order.
///
/// # Errors
///
/// If no attempt has this code.
pub fn confirm(
    tried: Vec<Attempt>,
    codes: &[VerificationCode],
    given: &VerificationCode,
) -> Result<Attempt, WrongCode> {
    let confirmed = tried.into_iter().zip(codes).find(|(_, code)| code.matches(given));
    confirmed.map(|(attempt, _)| attempt).ok_or(WrongCode)
}

#[cfg(test)]
mod tests;
