//! Postings: the changes of a balance, numbered and never changed.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{lot::Lots, record::JobRecord};
use crate::{
    money::MicroUsd, payment::PaymentIntentId, promotion::PromoCode, reference::Reference,
    referral::ReferralKey,
};

/// The type of a posting. The public client expects these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum PostingType {
    /// The credit of a new account.
    Signup,
    /// A job.
    Training,
    /// The cost of a job that is given back, or a payment that is.
    Refund,
    /// A correction by an operator.
    Adjustment,
    /// A promo code or a referral.
    Promo,
    /// The monthly credit of a plan.
    MonthlyGrant,
    /// Credit that was bought.
    Purchase,
    /// Credit that was bought because the balance was low.
    AutoTopup,
    /// Credit that expired.
    ProCreditExpiry,
}

impl PostingType {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Training => "training",
            Self::Refund => "refund",
            Self::Adjustment => "adjustment",
            Self::Promo => "promo",
            Self::MonthlyGrant => "monthly_grant",
            Self::Purchase => "purchase",
            Self::AutoTopup => "auto_topup",
            Self::ProCreditExpiry => "pro_credit_expiry",
        }
    }
}

/// What a posting is about. A wallet has at most one posting for each, but for [`Self::Expiry`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The opening of the account.
    SignUp,
    /// The first company address of an account that was opened with a personal one.
    Company,
    /// A job.
    Job(Reference),
    /// A job whose cost is given back.
    Refund(Reference),
    /// A correction by an operator.
    Adjustment(Reference),
    /// A promo code.
    Promo(PromoCode),
    /// The monthly credit of the period that begins at this time, in whole milliseconds.
    Monthly(Timestamp),
    /// A change of what counts of a payment: the first time it is credited, then each refund and dispute.
    Payment {
        /// The payment.
        intent: PaymentIntentId,
        /// The number of the change: 1, 2, 3 and so on.
        change: u32,
    },
    /// The referral by which the owner of the wallet opened the account.
    Referred,
    /// A change of the reward for a friend of the wallet's owner.
    Reward {
        /// The referral.
        referral: ReferralKey,
        /// The number of the change: odd ones add the reward, even ones take it back.
        change: u32,
    },
    /// The time at which a lot expired.
    Expiry,
}

impl Cause {
    /// Whether the wallet remembers the cause. It is opened once, and a lot that expired is gone.
    pub const fn is_unique(&self) -> bool {
        !matches!(self, Self::SignUp | Self::Expiry)
    }
}

impl fmt::Display for Cause {
    /// The name by which a wallet remembers the cause.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignUp => out.write_str("sign-up"),
            Self::Company => out.write_str("company"),
            Self::Job(job) => write!(out, "job#{job}"),
            Self::Refund(job) => write!(out, "refund#{job}"),
            Self::Adjustment(reference) => write!(out, "adjustment#{reference}"),
            Self::Promo(code) => write!(out, "promo#{code}"),
            Self::Monthly(starts) => write!(out, "monthly#{}", starts.as_millisecond()),
            Self::Payment { intent, change } => write!(out, "payment#{intent}#{change}"),
            Self::Referred => out.write_str("referred"),
            Self::Reward { referral, change } => write!(out, "reward#{referral}#{change}"),
            Self::Expiry => out.write_str("expiry"),
        }
    }
}

/// What a wallet remembers of a cause, so that nothing is booked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Booked {
    /// The number of the posting. Absent: the job cost nothing, or the reward was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posting: Option<u64>,
    /// The amount of the posting.
    pub amount: MicroUsd,
    /// Whether the job was released, and not settled.
    #[serde(default, skip_serializing_if = "is_false")]
    pub released: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A change of a balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Posting {
    /// The number: 1, 2, 3 and so on, without gaps.
    pub number: u64,
    /// The type.
    pub r#type: PostingType,
    /// The change of the balance. Never zero.
    pub amount: MicroUsd,
    /// The balance after it.
    pub balance: MicroUsd,
    /// The changes of the lots.
    pub lots: Lots,
    /// The cause.
    pub cause: Cause,
    /// The time.
    pub at: Timestamp,
    /// What the job did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<JobRecord>,
    /// Why an operator made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_names_in_json() {
        use PostingType::{
            Adjustment, AutoTopup, MonthlyGrant, ProCreditExpiry, Promo, Purchase, Refund, Signup, Training,
        };
        for r#type in
            [Signup, Training, Refund, Adjustment, Promo, MonthlyGrant, Purchase, AutoTopup, ProCreditExpiry]
        {
            assert_eq!(serde_json::to_value(r#type).unwrap(), r#type.as_str());
        }
    }
}
