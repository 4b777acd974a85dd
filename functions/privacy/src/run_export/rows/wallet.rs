//! The wallet of the personal workspace, and the changes of its balance.

use domain::{
    Timestamp,
    id::{DatasetId, KeyId, ModelId, UserId},
    money::MicroUsd,
    promotion::PromoCode,
    reference::Reference,
    wallet::{
        Cause, Hold, JobCategory, JobRecord, KeyBudget, Lot, LotKind, Lots, Posting, PostingType, Wallet,
    },
};
use kit::input::date_time;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::{Who, date_time_or_null};

/// An amount of credit of one kind that expires at one time.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Lot")]
pub struct LotRow {
    /// Where the credit came from.
    pub kind: LotKind,
    /// The amount in millionths of a US dollar.
    #[schemars(with = "i64")]
    pub amount_micro_usd: MicroUsd,
    /// Time from which the credit can't be spent; null if it does not expire.
    #[schemars(schema_with = "date_time_or_null")]
    pub expires_at: Option<Timestamp>,
}

impl LotRow {
    fn all(lots: &Lots) -> Vec<Self> {
        let row = |&Lot { id, amount }: &Lot| Self {
            kind: id.kind,
            amount_micro_usd: amount,
            expires_at: id.expires,
        };
        lots.iter().map(row).collect()
    }
}

/// Credit that is reserved for a job.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Hold")]
pub struct HoldRow {
    /// The job.
    pub job: Reference,
    /// What the job does.
    pub category: JobCategory,
    /// The most that the job may cost, in millionths of a US dollar.
    #[schemars(with = "i64")]
    pub amount_micro_usd: MicroUsd,
    /// The reserved credit.
    pub lots: Vec<LotRow>,
    /// Time from which nothing is reserved any more.
    #[schemars(schema_with = "date_time")]
    pub expires_at: Timestamp,
    /// Your API key that starts the job, if a key starts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<KeyId>,
}

impl From<Hold> for HoldRow {
    fn from(Hold { job, category, amount, lots, expires, key }: Hold) -> Self {
        let lots = LotRow::all(&lots);
        Self { job, category, amount_micro_usd: amount, lots, expires_at: expires, api_key: key }
    }
}

/// What the jobs of an API key may spend in a month.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Budget")]
pub struct BudgetRow {
    /// Your API key.
    pub api_key: KeyId,
    /// The most that its jobs may spend in a calendar month (UTC), in millionths of a US dollar.
    #[schemars(with = "i64")]
    pub monthly_micro_usd: MicroUsd,
    /// The first day of the month that `spentMicroUsd` is about.
    #[schemars(schema_with = "date")]
    pub month: String,
    /// What they spent in that month, in millionths of a US dollar.
    #[schemars(with = "i64")]
    pub spent_micro_usd: MicroUsd,
}

impl From<KeyBudget> for BudgetRow {
    fn from(KeyBudget { key, monthly, month, spent, after: _ }: KeyBudget) -> Self {
        let month = month.to_string();
        Self { api_key: key, monthly_micro_usd: monthly, month, spent_micro_usd: spent }
    }
}

fn date(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date" })
}

/// The wallet when the bundle was begun.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Wallet")]
pub struct WalletRow {
    /// The balance in millionths of a US dollar. Negative: the account owes this amount.
    #[schemars(with = "i64")]
    pub balance_micro_usd: MicroUsd,
    /// Credit that is reserved for no job.
    pub lots: Vec<LotRow>,
    /// Credit that is reserved for jobs.
    pub holds: Vec<HoldRow>,
    /// The budgets of API keys.
    pub budgets: Vec<BudgetRow>,
}

impl WalletRow {
    /// The wallet at this time.
    pub fn new(wallet: &Wallet, now: Timestamp) -> Self {
        let wallet = wallet.at(now);
        Self {
            balance_micro_usd: wallet.balance(),
            lots: LotRow::all(&wallet.lots),
            holds: wallet.holds.into_iter().map(HoldRow::from).collect(),
            budgets: wallet.budgets.into_iter().map(BudgetRow::from).collect(),
        }
    }
}

/// A change of the balance.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Transaction")]
pub struct TransactionRow {
    /// The number: 1, 2, 3 and so on.
    pub number: u64,
    /// The type.
    pub r#type: PostingType,
    /// The change of the balance in millionths of a US dollar.
    #[schemars(with = "i64")]
    pub amount_micro_usd: MicroUsd,
    /// The balance after it, in millionths of a US dollar.
    #[schemars(with = "i64")]
    pub balance_micro_usd: MicroUsd,
    /// The credit that it added or took.
    pub lots: Vec<LotRow>,
    /// Time of the transaction.
    #[schemars(schema_with = "date_time")]
    pub at: Timestamp,
    /// The job that was charged or refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<Reference>,
    /// The reference of a correction by an operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Why an operator made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The promo code that was redeemed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promo_code: Option<PromoCode>,
    /// The payment at Stripe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// What the job did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<JobCategory>,
    /// The type of GPU that the job ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_type: Option<Reference>,
    /// The user who started the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Who>,
    /// Your API key that started the job, if a key started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<KeyId>,
    /// The dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetId>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Reference>,
}

impl TransactionRow {
    /// A posting as `user` sees it.
    pub fn new(posting: Posting, user: UserId) -> Self {
        let Posting { number, r#type, amount, balance, lots, cause, at, record, reason } = posting;
        let (mut job, mut reference, mut promo_code, mut payment) = (None, None, None, None);
        match cause {
            Cause::Job(id) | Cause::Refund(id) => job = Some(id),
            Cause::Adjustment(name) => reference = Some(name),
            Cause::Promo(code) => promo_code = Some(code),
            Cause::Payment { intent, .. } => payment = Some(intent),
            // The key of a referral is about another person.
            Cause::SignUp
            | Cause::Company
            | Cause::Monthly(_)
            | Cause::Referred
            | Cause::Reward { .. }
            | Cause::Expiry => {}
        }
        let row = Self {
            number,
            r#type,
            amount_micro_usd: amount,
            balance_micro_usd: balance,
            lots: LotRow::all(&lots),
            at,
            job,
            reference,
            reason,
            promo_code,
            payment: payment.map(|intent| intent.to_string()),
            category: None,
            gpu_type: None,
            user: None,
            api_key: None,
            dataset: None,
            model: None,
            run: None,
        };
        match record {
            Some(record) => row.with_record(record, user),
            None => row,
        }
    }

    /// Adds what the job did. Another person's id and key are left out.
    fn with_record(self, record: JobRecord, user: UserId) -> Self {
        let JobRecord { category, gpu_type, user: by, api_key, dataset, model, run } = record;
        let is_own = by.is_none_or(|by| by == user);
        Self {
            category: Some(category),
            gpu_type,
            user: by.map(|_| if is_own { Who::You } else { Who::Member }),
            api_key: api_key.filter(|_| is_own),
            dataset,
            model,
            run,
            ..self
        }
    }
}
