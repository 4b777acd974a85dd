//! Transactions, as clients see them: as JSON, or as cells of a table.

use domain::{
    Timestamp,
    id::{DatasetId, KeyId, ModelId},
    money::MicroUsd,
    reference::Reference,
    wallet::{Cause, JobCategory, Posting, PostingType},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::lot_amount::LotAmount;

/// The columns of a table of transactions: members of [`ListedTransaction`].
pub const COLUMNS: [&str; 16] = [
    "id",
    "type",
    "amountCents",
    "balanceAfter",
    "createdAt",
    "amountMicroUsd",
    "balanceAfterMicroUsd",
    "category",
    "job",
    "runId",
    "gpuType",
    "modelId",
    "datasetId",
    "apiKeyId",
    "reason",
    "lots",
];

/// A transaction: a change of the balance. It never changes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedTransaction {
    /// The number, as text.
    id: String,
    r#type: PostingType,
    /// The change of the balance in whole cents. The balance is rounded down before and after, so that the amounts add up to it.
    amount_cents: i64,
    /// The balance after the transaction, in whole cents, rounded down.
    balance_after: i64,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<ModelId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_id: Option<DatasetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<KeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_type: Option<Reference>,
    /// The number: 1, 2, 3 and so on, without gaps. Present only in detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// The change of the balance, in millionths of a US dollar. Present only in detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_micro_usd: Option<i64>,
    /// The balance after the transaction, in millionths of a US dollar. Present only in detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance_after_micro_usd: Option<i64>,
    /// The job that was charged or refunded. Present only in detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<Reference>,
    /// The category of the job that was charged or refunded. Present only in detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<JobCategory>,
    /// The reason of a correction. Present only in detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The changes of the lots that make up the balance. Present only in detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    lots: Option<Vec<LotAmount>>,
}

/// The job that a posting is about.
pub fn job_of(cause: &Cause) -> Option<&Reference> {
    match cause {
        Cause::Job(job) | Cause::Refund(job) => Some(job),
        _ => None,
    }
}

impl ListedTransaction {
    /// A posting, in detail or with the members that the reference's client knows.
    pub fn new(posting: Posting, in_detail: bool) -> Self {
        let Posting { number, r#type, amount, balance, lots, cause, at, record, reason } = posting;
        let before = MicroUsd::new(balance.micros().saturating_sub(amount.micros()));
        let record = record.as_ref();
        Self {
            id: number.to_string(),
            r#type,
            amount_cents: balance.floor_cents().saturating_sub(before.floor_cents()),
            balance_after: balance.floor_cents(),
            created_at: at,
            model_id: record.and_then(|record| record.model),
            dataset_id: record.and_then(|record| record.dataset),
            api_key_id: record.and_then(|record| record.api_key),
            run_id: record.and_then(|record| record.run.clone()),
            gpu_type: record.and_then(|record| record.gpu_type.clone()),
            number: in_detail.then_some(number),
            amount_micro_usd: in_detail.then_some(amount.micros()),
            balance_after_micro_usd: in_detail.then_some(balance.micros()),
            job: job_of(&cause).filter(|_| in_detail).cloned(),
            category: record.filter(|_| in_detail).map(|record| record.category),
            reason: reason.filter(|_| in_detail),
            lots: in_detail.then(|| LotAmount::all(&lots)),
        }
    }

    /// The cells of the [`COLUMNS`], with the values that the row has as JSON.
    ///
    /// # Errors
    ///
    /// The row can't be written: a defect.
    pub fn cells(&self) -> Result<[String; COLUMNS.len()], serde_json::Error> {
        let row = serde_json::to_value(self)?;
        let cell = |column: &str| match row.get(column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        Ok(COLUMNS.map(cell))
    }
}

#[cfg(test)]
mod tests {
    use domain::wallet::{JobRecord, Lot, LotId, LotKind, Lots};
    use serde_json::{json, to_value};

    use super::*;

    fn posting(number: u64, amount: i64, balance: i64) -> Posting {
        let lot = Lot { id: LotId { kind: LotKind::SignUp, expires: None }, amount: MicroUsd::new(amount) };
        Posting {
            number,
            r#type: PostingType::Training,
            amount: MicroUsd::new(amount),
            balance: MicroUsd::new(balance),
            lots: Lots::from(lot),
            cause: Cause::Job(Reference::parse("job-1").unwrap()),
            at: Timestamp::UNIX_EPOCH,
            record: Some(JobRecord {
                category: JobCategory::Training,
                gpu_type: Some(Reference::parse("a100").unwrap()),
                user: None,
                api_key: None,
                dataset: None,
                model: None,
                run: None,
            }),
            reason: None,
        }
    }

    #[test]
    fn amounts_in_cents_add_up_to_the_balance_in_cents() {
        let (mut balance, mut cents) = (0, 0);
        for (n, amount) in
            [5_000_000, -1, -1, -9_998, -10_000, -4_985_000, 4_999, 1, 9_999, 1].iter().enumerate()
        {
            balance += amount;
            let row = ListedTransaction::new(posting(n as u64 + 1, *amount, balance), false);
            cents += row.amount_cents;
            assert_eq!(row.balance_after, MicroUsd::new(balance).floor_cents());
            assert_eq!(row.balance_after, cents, "{n}");
        }
        assert!(balance > 0);
    }

    #[test]
    fn row_without_detail_has_the_members_that_the_client_knows() {
        let row = ListedTransaction::new(posting(7, -5_000, 4_995_000), false);
        let expected = json!({
            "id": "7", "type": "training", "amountCents": -1, "balanceAfter": 499,
            "createdAt": "1970-01-01T00:00:00Z", "gpuType": "a100",
        });
        assert_eq!(to_value(row).unwrap(), expected);
    }

    #[test]
    fn cells_are_the_members_of_the_row() {
        let row = ListedTransaction::new(posting(7, -5_000, 4_995_000), true);
        let cells = row.cells().unwrap();
        let json = to_value(row).unwrap();
        let members: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        // The number is the id.
        assert!(members.iter().all(|member| *member == "number" || COLUMNS.contains(member)), "{members:?}");
        let cell = |column: &str| cells[COLUMNS.iter().position(|it| *it == column).unwrap()].as_str();
        assert_eq!((cell("id"), cell("amountMicroUsd"), cell("job")), ("7", "-5000", "job-1"));
        assert_eq!(cell("reason"), "");
        let lots: Value = serde_json::from_str(cell("lots")).unwrap();
        assert_eq!(lots, json!([{ "kind": "sign-up", "amountMicroUsd": -5_000 }]));
    }
}
