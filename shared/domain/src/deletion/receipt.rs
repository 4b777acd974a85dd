//! The receipt of a deletion: deleted data, and kept data with reasons. Does not identify the user.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Deletion, DeletionScope, steps::PAYMENT_RECORDS};
use crate::{id::JobId, region::Region, time::after};

/// Retention time of backups ([point-in-time recovery]).
///
/// [point-in-time recovery]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html
const RECOVERABLE: SignedDuration = SignedDuration::from_hours(35 * 24);
/// Retention time of logs.
const LOGGED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The claims of a receipt: a JSON Web Token ([RFC 7519]) with its own type, which no endpoint accepts as a credential.
///
/// [RFC 7519]: https://www.rfc-editor.org/rfc/rfc7519
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The region whose key signs the receipt.
    pub iss: Region,
    /// Time of signing, in seconds since 1970.
    pub iat: i64,
    /// The job.
    pub jti: JobId,
    /// The scope of the deletion.
    pub scope: DeletionScope,
    /// The home region.
    pub region: Region,
    /// Time of the request.
    pub requested_at: Timestamp,
    /// Time of completion.
    pub completed_at: Timestamp,
    /// Numbers of erased items by kind.
    pub erased: BTreeMap<String, u64>,
    /// Data that is still kept.
    pub kept: Vec<Kept>,
}

/// A kind of data that is still kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The data.
    pub what: &'static str,
    /// The reason.
    pub why: &'static str,
    /// End of retention; absent if nothing is kept, or nothing of anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Receipt {
    /// The invoices and payments at Stripe.
    fn invoices(deletion: &Deletion) -> Kept {
        let (what, why) = if deletion.counts.contains_key(PAYMENT_RECORDS) {
            (
                "Payments and invoices at Stripe, if there are any",
                "The law requires it. Payment methods and the customer's billing details are deleted there, except on invoices.",
            )
        } else {
            ("No invoices", "There were no payments, so there are no invoices to keep.")
        };
        Kept { what, why, until: None }
    }

    /// The receipt of a completed deletion.
    pub fn of(deletion: &Deletion, now: Timestamp) -> Self {
        let username = deletion.handle.as_ref().map(|_| Kept {
            what: "A hash of the username",
            why: "Nobody else can take the name for 30 days after the request.",
            until: Some(deletion.reserved_until()),
        });
        let amounts = deletion.counts.contains_key("transactions").then_some(Kept {
            what: "Amounts of transactions",
            why: "Our accounts must add up. Amounts, types and times are kept, but no ids, names or reasons.",
            until: None,
        });
        let referral = deletion.referral_kept_until.map(|until| Kept {
            what: "The referral of the account",
            why: "A refund or dispute of a payment takes the referrer's reward back. The ids and amounts of up to 100 payments are kept \
                  with the id of the referrer, under a hash of the account's id.",
            until: Some(until),
        });
        let others = [
            Kept {
                what: "Backups of the databases",
                why: "Backups are used only to recover from accidents. They expire automatically.",
                until: Some(after(now, RECOVERABLE)),
            },
            Kept {
                what: "Log lines",
                why: "Logs contain ids and network addresses to find faults and abuse, but no content.",
                until: Some(after(now, LOGGED)),
            },
            Self::invoices(deletion),
        ];
        Self {
            iss: deletion.region,
            iat: now.as_second(),
            jti: deletion.id,
            scope: deletion.scope,
            region: deletion.region,
            requested_at: deletion.created_at,
            completed_at: now,
            erased: deletion.counts.clone(),
            kept: username.into_iter().chain(amounts).chain(referral).chain(others).collect(),
        }
    }
}
