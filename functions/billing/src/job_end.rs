//! The end of a job, and the result for it.

use domain::{
    id::{DatasetId, KeyId, ModelId, UserId},
    reference::Reference,
    wallet::{Cause, JobCategory, JobRecord},
};
use kit::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::micros::Micros;

/// A job that ended.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum JobEnd {
    /// It ran and costs something, or nothing.
    Settled(SettledJob),
    /// It did not run. Its hold ends.
    Released(ReleasedJob),
    /// It was charged, and gets some or all of that back.
    Refunded(RefundedJob),
}

/// The cost of a job, and what it did.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SettledJob {
    /// The job, as the service names it.
    pub job: Reference,
    /// The cost, in millionths of a US dollar.
    pub cost_micro_usd: Micros,
    /// By how much the cost may exceed the amount that is held for the job. Default: 0. Without a hold, the whole cost is overage.
    #[serde(default)]
    pub overage_micro_usd: Micros,
    /// The category.
    pub category: JobCategory,
    /// The type of GPU.
    #[serde(default)]
    pub gpu_type: Option<Reference>,
    /// The user who started the job.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub user: Option<UserId>,
    /// The API key that started the job. Default: that of the hold, if the hold has not ended. Its budget, if it has one, counts the cost.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub api_key: Option<KeyId>,
    /// The dataset.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub dataset: Option<DatasetId>,
    /// The model.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub model: Option<ModelId>,
    /// The run, as the service names it.
    #[serde(default)]
    pub run: Option<Reference>,
}

/// A job that did not run.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleasedJob {
    /// The job, as the service names it.
    pub job: Reference,
}

/// A job that gets money back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RefundedJob {
    /// The job, as the service names it.
    pub job: Reference,
    /// The amount, in millionths of a US dollar. At most what the job cost.
    pub amount_micro_usd: Micros,
}

impl JobEnd {
    /// The job.
    pub const fn job(&self) -> &Reference {
        match self {
            Self::Settled(SettledJob { job, .. })
            | Self::Released(ReleasedJob { job })
            | Self::Refunded(RefundedJob { job, .. }) => job,
        }
    }

    /// The causes under which the wallet may have a record of the job.
    pub fn causes(&self) -> Vec<Cause> {
        let job = self.job();
        let charge = Cause::Job(job.clone());
        match self {
            Self::Refunded(_) => vec![charge, Cause::Refund(job.clone())],
            Self::Settled(_) | Self::Released(_) => vec![charge],
        }
    }
}

impl SettledJob {
    /// The record of the job.
    pub fn record(&self) -> JobRecord {
        JobRecord {
            category: self.category,
            gpu_type: self.gpu_type.clone(),
            user: self.user,
            api_key: self.api_key,
            dataset: self.dataset,
            model: self.model,
            run: self.run.clone(),
        }
    }
}

/// The result for a job.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobResult {
    /// The job.
    job: Reference,
    /// The result.
    outcome: ResultKind,
    /// The number of the transaction. Absent if the job cost nothing or is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<u64>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    /// The same as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// The kind of a result.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum ResultKind {
    /// It is settled.
    Settled,
    /// It is released.
    Released,
    /// It is refunded.
    Refunded,
    /// Nothing changed.
    Refused,
}

impl JobResult {
    /// The result for a job: the number of its posting, or a refusal.
    pub fn new(end: &JobEnd, result: Result<Option<u64>, (Code, String)>) -> Self {
        let outcome = match end {
            JobEnd::Settled(_) => ResultKind::Settled,
            JobEnd::Released(_) => ResultKind::Released,
            JobEnd::Refunded(_) => ResultKind::Refunded,
        };
        let job = end.job().clone();
        match result {
            Ok(transaction) => Self { job, outcome, transaction, code: None, message: None },
            Err((code, message)) => Self {
                job,
                outcome: ResultKind::Refused,
                transaction: None,
                code: Some(code),
                message: Some(message),
            },
        }
    }
}
