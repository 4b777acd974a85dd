//! Referrals: a user opens an account with the code of another one, the referrer, and both get credit.

mod former;

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;

use crate::{
    id::{IdKind, OfWorkspace, WorkspaceId},
    money::MicroUsd,
    region::Region,
    secret::Digest256,
    text::{Invalid, string_value},
};

pub use former::{FormerPayment, FormerReferral, FriendHash, keep_newest};

/// What the friend gets with the opening of the account, and the referrer when the friend has topped up [`THRESHOLD`].
pub const CREDIT: MicroUsd = MicroUsd::dollars(10);
/// How much the friend must have topped up for the reward of the referrer.
pub const THRESHOLD: MicroUsd = MicroUsd::dollars(10);
/// The most friends that a referrer is rewarded for.
pub const MOST_REFERRALS: u32 = 100;
/// The most times that a reward is added or taken back. An even number, so that the last change takes the reward back.
pub const MOST_CHANGES: u32 = 6;

/// The digits of Crockford's base 32, as in ids.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The keyed part of a referral code: the first 40 bits of a MAC over the others, as 8 digits. So nobody can make the code of a user whose
/// id they know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReferralTag([u8; 5]);

impl ReferralTag {
    /// The tag with the first bits of a MAC.
    pub fn from_mac(mac: &[u8; 32]) -> Self {
        let mut tag = [0; 5];
        tag.iter_mut().zip(mac).for_each(|(to, from)| *to = *from);
        Self(tag)
    }

    /// Compares in constant time.
    pub fn matches(self, other: Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() != 8 {
            return None;
        }
        let mut bits = 0_u64;
        for character in text.bytes() {
            let digit = DIGITS.iter().position(|digit| *digit == character)?;
            bits = (bits << 5) | u64::try_from(digit).ok()?;
        }
        let [_, _, _, tag @ ..] = bits.to_be_bytes();
        Some(Self(tag))
    }
}

impl fmt::Display for ReferralTag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e] = self.0;
        let bits = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
        for shift in [35, 30, 25, 20, 15, 10, 5, 0] {
            let digit = usize::try_from((bits >> shift) & 31).unwrap_or_default();
            write!(out, "{}", char::from(DIGITS.get(digit).copied().unwrap_or_default()))?;
        }
        Ok(())
    }
}

/// The referral code of a user: the home region, the id of the personal workspace, and a keyed tag, such as
/// `us-01m858qy4a1ar9by88nhafn40x-7k2m9xq4`. Case and surrounding blanks do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ReferralCode {
    /// The home region.
    pub region: Region,
    /// The personal workspace.
    pub workspace: WorkspaceId,
    /// The keyed tag, as it was entered: it may be wrong.
    pub tag: ReferralTag,
}

impl ReferralCode {
    /// Parses a code as people type or paste it.
    ///
    /// # Errors
    ///
    /// The text has another form.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let code = input.trim().to_ascii_lowercase();
        let parts = || {
            let (region, rest) = code.split_once('-')?;
            let (id, tag) = rest.split_once('-')?;
            let region = region.parse().ok()?;
            let workspace = format!("{}_{id}", OfWorkspace::PREFIX).parse().ok()?;
            Some(Self { region, workspace, tag: ReferralTag::parse(tag)? })
        };
        parts().ok_or(Invalid::new("Invalid referral code. Copy the whole code."))
    }

    fn schema() -> Schema {
        let pattern = "^\\s*([Uu][Ss]|[Ee][Uu]|[Aa][Pp])-[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}\
                       -[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{8}\\s*$";
        json_schema!({ "type": "string", "pattern": pattern })
    }
}

string_value!(@input ReferralCode);

impl fmt::Display for ReferralCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}-{}", self.region, self.workspace.bare(), self.tag)
    }
}

impl Serialize for ReferralCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The identity of a referral: SHA-256 of the two personal workspaces. The random part of an id has 80 bits, so the hash does not reveal
/// the friend to the region of the referrer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReferralKey(pub Digest256);

impl ReferralKey {
    /// The key of the referral of a friend by a referrer.
    pub fn of(referrer: WorkspaceId, friend: WorkspaceId) -> Self {
        Self(Digest256::of(format!("referral/{referrer}/{friend}")))
    }
}

impl fmt::Display for ReferralKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.to_base64())
    }
}

impl JsonSchema for ReferralKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ReferralKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{43}$" })
    }
}

/// The referrer of a wallet's owner, the friend, and what the friend has topped up. Stored in the friend's wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referral {
    /// The personal workspace of the referrer.
    pub referrer: WorkspaceId,
    /// The home region of the referrer.
    pub region: Region,
    /// The sum of what counts of the friend's top-ups.
    #[serde(default)]
    pub topped_up: MicroUsd,
    /// How often the sum crossed [`THRESHOLD`]: odd if it crossed it upwards last. At most [`MOST_CHANGES`].
    #[serde(default)]
    pub changes: u32,
}

impl Referral {
    /// A referral by the user with this code.
    pub const fn by(code: ReferralCode) -> Self {
        Self { referrer: code.workspace, region: code.region, topped_up: MicroUsd::ZERO, changes: 0 }
    }

    /// Adds an amount that counts of a top-up, or that a refund or dispute takes back: then it is negative.
    pub fn count(&mut self, amount: MicroUsd) {
        self.topped_up = [self.topped_up, amount].into_iter().sum();
        let was_earned = self.changes % 2 == 1;
        if self.is_earned() != was_earned && self.changes < MOST_CHANGES {
            self.changes = self.changes.saturating_add(1);
        }
    }

    /// Whether the friend has topped up enough for the reward.
    pub fn is_earned(&self) -> bool {
        self.topped_up >= THRESHOLD
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CODE: &str = "us-01m858qy4a1ar9by88nhafn40x-7k2m9xq4";

    fn code() -> ReferralCode {
        ReferralCode::parse(CODE).unwrap()
    }

    #[test]
    fn codes_ignore_case_and_blanks() {
        for text in [
            CODE,
            " us-01m858qy4a1ar9by88nhafn40x-7k2m9xq4\n",
            "US-01M858QY4A1AR9BY88NHAFN40X-7K2M9XQ4",
            "Us-01m858Qy4a1ar9by88nhafn40X-7K2m9xQ4",
        ] {
            let code = ReferralCode::parse(text).unwrap();
            assert_eq!((code.to_string().as_str(), code.region), (CODE, Region::Us), "{text}");
            assert_eq!(code.workspace.to_string(), "ws_01m858qy4a1ar9by88nhafn40x");
        }
    }

    #[test]
    fn malformed_codes_are_refused() {
        for text in [
            "",
            "us",
            "us-",
            "-01m858qy4a1ar9by88nhafn40x-7k2m9xq4",
            "01m858qy4a1ar9by88nhafn40x-7k2m9xq4",
            "xx-01m858qy4a1ar9by88nhafn40x-7k2m9xq4",
            "us-ws_01m858qy4a1ar9by88nhafn40x-7k2m9xq4",
            "us-01m858qy4a1ar9by88nhafn40-7k2m9xq4",
            "us-01m858qy4a1ar9by88nhafn40xx-7k2m9xq4",
            "us-81m858qy4a1ar9by88nhafn40x-7k2m9xq4",
            "us-01m858qy4a1ar9by88nhafn4lx-7k2m9xq4",
            "us 01m858qy4a1ar9by88nhafn40x-7k2m9xq4",
            "us- 01m858qy4a1ar9by88nhafn40x-7k2m9xq4",
            "us-01m858qy4a1ar9by88nhafn40x",
            "us-01m858qy4a1ar9by88nhafn40x-",
            "us-01m858qy4a1ar9by88nhafn40x-7k2m9xq",
            "us-01m858qy4a1ar9by88nhafn40x-7k2m9xq44",
            "us-01m858qy4a1ar9by88nhafn40x-7k2m9xqu",
            "us-01m858qy4a1ar9by88nhafn40x-7k2m-9xq",
            "us-01m858qy4a1ar9by88nhafn40x-7k2m9xé",
            "us-01m858qy4a1ar9by88nhafn40x7k2m9xq4",
        ] {
            assert!(ReferralCode::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn code_is_a_text_in_json() {
        assert_eq!(serde_json::to_value(code()).unwrap(), json!(CODE));
        assert_eq!(serde_json::from_value::<ReferralCode>(json!(CODE)).unwrap(), code());
        assert!(serde_json::from_value::<ReferralCode>(json!("us-1")).is_err());
    }

    #[test]
    fn tag_is_the_first_forty_bits_in_base_32() {
        let mut mac = [0xff; 32];
        for (bytes, text) in [
            ([0, 0, 0, 0, 0], "00000000"),
            ([0, 0, 0, 0, 1], "00000001"),
            ([0xff; 5], "zzzzzzzz"),
            ([0x08, 0x42, 0x10, 0x84, 0x21], "11111111"),
            ([0x01, 0x23, 0x45, 0x67, 0x89], "04hmasw9"),
        ] {
            mac.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            let tag = ReferralTag::from_mac(&mac);
            assert_eq!((tag.to_string().as_str(), ReferralTag::parse(text)), (text, Some(tag)));
            assert!(tag.matches(tag));
            let mut other = mac;
            other[4] ^= 1;
            assert!(!tag.matches(ReferralTag::from_mac(&other)), "{text}");
        }
    }

    #[test]
    fn key_differs_with_referrer_friend_and_direction() {
        let [ada, bob]: [WorkspaceId; 2] =
            ["ws_01m858qy4a1ar9by88nhafn40x", "ws_01m858qy4a1ar9by88nhafn40y"].map(|id| id.parse().unwrap());
        let key = ReferralKey::of(ada, bob);
        assert_eq!(key, ReferralKey::of(ada, bob));
        assert_ne!(key, ReferralKey::of(bob, ada));
        assert_ne!(key, ReferralKey::of(ada, ada));
        assert_eq!(key.to_string().len(), 43);
        assert_eq!(serde_json::to_value(key).unwrap(), json!(key.to_string()));
    }

    #[test]
    fn each_crossing_of_the_threshold_is_a_change() {
        let mut referral = Referral::by(code());
        let cents = |cents: i64| MicroUsd::new(cents * 10_000);
        for (amount, changes, is_earned) in
            [(999, 0, false), (1, 1, true), (500, 1, true), (-500, 1, true), (-1, 2, false), (-999, 2, false)]
        {
            referral.count(cents(amount));
            assert_eq!((referral.changes, referral.is_earned()), (changes, is_earned), "{amount}");
        }
        assert_eq!(referral.topped_up, MicroUsd::ZERO);
    }

    #[test]
    fn changes_end_at_the_most() {
        let mut referral = Referral::by(code());
        for _ in 0..5 {
            referral.count(THRESHOLD);
            referral.count(THRESHOLD.negated());
        }
        referral.count(THRESHOLD);
        assert_eq!((referral.changes, referral.is_earned()), (MOST_CHANGES, true));
    }

    #[test]
    fn referral_is_stored_with_defaults_for_counters() {
        let workspace = code().workspace;
        let stored = json!({ "referrer": workspace, "region": "us", "toppedUp": 0, "changes": 0 });
        assert_eq!(serde_json::to_value(Referral::by(code())).unwrap(), stored);
        let least = json!({ "referrer": workspace, "region": "us" });
        assert_eq!(serde_json::from_value::<Referral>(least).unwrap(), Referral::by(code()));
    }
}
