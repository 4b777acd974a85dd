//! The receipt of a deletion: what was erased, and what is still kept and why. Nothing in it says whose it was.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Deletion, Scope};
use crate::{id::JobId, region::Region, time::after};

/// How far back tables can be taken ([point-in-time recovery]).
///
/// [point-in-time recovery]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html
const RECOVERABLE: SignedDuration = SignedDuration::from_hours(35 * 24);
/// How long logs are kept.
const LOGGED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a receipt says: the claims of a JSON Web Token ([RFC 7519]) of a type of its own, which lets nobody in anywhere.
///
/// [RFC 7519]: https://www.rfc-editor.org/rfc/rfc7519
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The region whose keys sign.
    pub iss: Region,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
    /// The job.
    pub jti: JobId,
    /// What was deleted.
    pub scope: Scope,
    /// Where it was at home.
    pub region: Region,
    /// When that was asked for.
    pub requested_at: Timestamp,
    /// When nothing was left.
    pub completed_at: Timestamp,
    /// How many of what were erased.
    pub erased: BTreeMap<String, u64>,
    /// What is still kept.
    pub kept: Vec<Kept>,
}

/// Something that is still kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// What.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
    /// Until when; absent if there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Receipt {
    /// Of a deletion of which nothing is left now.
    pub fn of(deletion: &Deletion, now: Timestamp) -> Self {
        let username = deletion.handle.as_ref().map(|_| Kept {
            what: "A hash of the username",
            why: "Nobody else can take the name for 30 days after the request.",
            until: Some(deletion.reserved_until()),
        });
        let others = [
            Kept {
                what: "Backups of the databases",
                why: "They undo accidents. Nobody reads them for anything else, and they run out by themselves.",
                until: Some(after(now, RECOVERABLE)),
            },
            Kept {
                what: "Log lines",
                why: "They hold ids and network addresses, to find faults and misuse, and no content.",
                until: Some(after(now, LOGGED)),
            },
            Kept {
                what: "No invoices",
                why: "There were no payments, so there are no invoices to keep.",
                until: None,
            },
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
            kept: username.into_iter().chain(others).collect(),
        }
    }
}
