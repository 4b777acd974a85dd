//! Referrals: a user opens an account with the code of another one, the referrer, and both get credit.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    id::{IdKind, OfWorkspace, WorkspaceId},
    money::MicroUsd,
    region::Region,
    secret::Digest256,
    text::{Invalid, string_value},
};

/// What the friend gets with the opening of the account, and the referrer when the friend has topped up [`THRESHOLD`].
pub const CREDIT: MicroUsd = MicroUsd::dollars(10);
/// How much the friend must have topped up for the reward of the referrer.
pub const THRESHOLD: MicroUsd = MicroUsd::dollars(10);
/// The most friends that a referrer is rewarded for.
pub const MOST_REFERRALS: u32 = 100;
/// The most times that a reward is added or taken back. An even number, so that the last change takes the reward back.
pub const MOST_CHANGES: u32 = 6;

/// The referral code of a user: the home region and the id of the personal workspace, such as `us-01m858qy4a1ar9by88nhafn40x`. Case and
/// surrounding blanks do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ReferralCode {
    /// The home region.
    pub region: Region,
    /// The personal workspace.
    pub workspace: WorkspaceId,
}

impl ReferralCode {
    /// Parses a code as people type or paste it.
    ///
    /// # Errors
    ///
    /// The text has another form.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let code = input.trim().to_ascii_lowercase();
        let parts = code.split_once('-').and_then(|(region, id)| {
            let region = region.parse().ok()?;
            let workspace = format!("{}_{id}", OfWorkspace::PREFIX).parse().ok()?;
            Some(Self { region, workspace })
        });
        parts.ok_or(Invalid::new("Invalid referral code. Copy the whole code."))
    }

    fn schema() -> Schema {
        let pattern = "^\\s*([Uu][Ss]|[Ee][Uu]|[Aa][Pp])-[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}\\s*$";
        json_schema!({ "type": "string", "pattern": pattern })
    }
}

string_value!(@input ReferralCode);

impl fmt::Display for ReferralCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.region, self.workspace.bare())
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

    const CODE: &str = "us-01m858qy4a1ar9by88nhafn40x";

    fn code() -> ReferralCode {
        ReferralCode::parse(CODE).unwrap()
    }

    #[test]
    fn codes_ignore_case_and_blanks() {
        for text in [
            CODE,
            " us-01m858qy4a1ar9by88nhafn40x\n",
            "US-01M858QY4A1AR9BY88NHAFN40X",
            "Us-01m858Qy4a1ar9by88nhafn40X",
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
            "-01m858qy4a1ar9by88nhafn40x",
            "01m858qy4a1ar9by88nhafn40x",
            "xx-01m858qy4a1ar9by88nhafn40x",
            "us-ws_01m858qy4a1ar9by88nhafn40x",
            "us-01m858qy4a1ar9by88nhafn40",
            "us-01m858qy4a1ar9by88nhafn40xx",
            "us-81m858qy4a1ar9by88nhafn40x",
            "us-01m858qy4a1ar9by88nhafn4lx",
            "us 01m858qy4a1ar9by88nhafn40x",
            "us- 01m858qy4a1ar9by88nhafn40x",
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
