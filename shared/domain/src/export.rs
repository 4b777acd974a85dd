//! Exports: all data of a user in one bundle, written by a job that survives interruptions.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{JobId, UserId},
    job::Status,
    throttle::Wait,
    time::after,
};

/// Lifetime of a download link.
pub const LINKED: SignedDuration = SignedDuration::from_mins(60);
/// Retention time of a complete bundle.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Maximum time of a run. Export functions are limited to one minute.
pub const LEASE: SignedDuration = SignedDuration::from_secs(90);

/// Maximum number of exports that a user can request in 24 hours. Each bundle is kept for a week.
pub const MOST_A_DAY: usize = 20;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Format of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Format {
    /// A ZIP archive with one file per record type, schemas, a manifest and a README.
    #[default]
    Zip,
    /// One JSON document with the same records.
    Json,
}

impl Format {
    /// File name extension.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Json => "json",
        }
    }

    /// Media type of the bundle.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::Json => "application/json",
        }
    }
}

/// The export of a user's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The job's id.
    pub id: JobId,
    /// The user.
    pub user: UserId,
    /// Format of the bundle.
    pub format: Format,
    /// Status of the job.
    pub status: Status,
    /// Time of the request. The bundle contains no later changes.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// Time at which the job completed or failed.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    pub ended_at: Option<Timestamp>,
    /// End of the lease of the current run. No other run starts before this time.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    pub lease_ends: Option<Timestamp>,
    /// The store's upload id of the incomplete bundle.
    #[serde(default)]
    pub upload: Option<String>,
    /// Tags of the parts, in order.
    #[serde(default)]
    pub parts: Vec<String>,
    /// Position of the writer, in the writer's own format.
    #[serde(default)]
    pub position: Option<String>,
    /// Estimated progress in percent.
    #[serde(default)]
    pub progress: u8,
    /// Size of the complete bundle in bytes.
    #[serde(default)]
    pub bytes: u64,
    /// Number of restarts because the stored parts differed from the written ones.
    #[serde(default)]
    pub restarts: u32,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

impl Export {
    /// A new export.
    pub fn new(id: JobId, user: UserId, format: Format, now: Timestamp) -> Self {
        Self {
            id,
            user,
            format,
            status: Status::Queued,
            created_at: now,
            ended_at: None,
            lease_ends: None,
            upload: None,
            parts: Vec::new(),
            position: None,
            progress: 0,
            bytes: 0,
            restarts: 0,
            version: 1,
        }
    }

    /// The wait until another export may begin, after the user's newest ones, the newest first. A running export is no obstacle: a
    /// request returns it.
    pub fn wait_after(newest: &[Self], now: Timestamp) -> Option<Wait> {
        let running = newest.first().is_some_and(|export| export.status.is_open());
        let next = after(newest.get(MOST_A_DAY.saturating_sub(1))?.created_at, DAY);
        (!running && now < next).then(|| Wait::between(now, next))
    }

    /// The export with its next version.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// Whether a run may start: the job is open and no other run holds the lease.
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.status.is_open() && self.lease_ends.is_none_or(|ends| ends <= now)
    }

    /// Time at which a worker checks the job if no message triggers a run. An open job continues; a completed job is
    /// removed.
    pub fn due_at(&self) -> Timestamp {
        match (self.ended_at, self.lease_ends) {
            (Some(ended), _) => after(ended, KEPT),
            (None, Some(lease)) => lease,
            (None, None) => after(self.created_at, LEASE),
        }
    }

    /// Whether the bundle can be downloaded.
    pub fn is_available(&self, now: Timestamp) -> bool {
        self.status == Status::Completed && now < self.due_at()
    }

    /// File name for downloads.
    pub fn filename(&self) -> String {
        let day = self.created_at.strftime("%Y-%m-%d");
        format!("account-export-{day}.{}", self.format.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn only_one_run_is_active_and_none_after_completion() {
        let export = Export::new(JobId::floor(at(0)), UserId::floor(at(0)), Format::Zip, at(0));
        assert!(export.is_free(at(0)));
        let taken = Export { lease_ends: Some(at(90)), ..export.next() };
        assert!(!taken.is_free(at(89)) && taken.is_free(at(90)));
        let done = Export { status: Status::Completed, ended_at: Some(at(90)), ..taken };
        assert!(!done.is_free(at(1_000)));
        let week = 7 * 24 * 3_600;
        assert!(done.is_available(at(89 + week)) && !done.is_available(at(90 + week)));
    }
}
