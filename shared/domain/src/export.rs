//! Exports: a person's data in one bundle, written bit by bit by a job that may be killed anywhere and goes on.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{JobId, UserId},
    job::Status,
    time::after,
};

/// How long a link to a bundle is good for.
pub const LINKED: SignedDuration = SignedDuration::from_mins(60);
/// How long a bundle is kept once it is complete.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A run that has not ended after this never will: functions that export live for a minute.
pub const LEASE: SignedDuration = SignedDuration::from_secs(90);

/// How a bundle is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Format {
    /// A ZIP with a file for each kind of record, their schemas, a manifest and a README.
    #[default]
    Zip,
    /// One JSON document with the same records.
    Json,
}

impl Format {
    /// What the bundle's name ends with.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Json => "json",
        }
    }

    /// The bundle's media type.
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
    /// Whose data.
    pub user: UserId,
    /// How the bundle is written.
    pub format: Format,
    /// How far it is.
    pub status: Status,
    /// When it was asked for. What happened later is not in the bundle.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// When it was done or given up.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    pub ended_at: Option<Timestamp>,
    /// Until then the run that is at it may be: no other begins.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    pub lease_ends: Option<Timestamp>,
    /// The store's id of the bundle in the making.
    #[serde(default)]
    pub upload: Option<String>,
    /// What its parts are known by, in their order.
    #[serde(default)]
    pub parts: Vec<String>,
    /// Where the writer goes on, as it wrote it down.
    #[serde(default)]
    pub position: Option<String>,
    /// Percent of it that is done, as far as can be told.
    #[serde(default)]
    pub progress: u8,
    /// The complete bundle's bytes.
    #[serde(default)]
    pub bytes: u64,
    /// How often it was begun anew, because what was stored was not what had been written.
    #[serde(default)]
    pub restarts: u32,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

impl Export {
    /// One that is asked for now.
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

    /// The same with its next version, to be changed.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// Whether a run may begin: it is open, and no other run is at it.
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.status.is_open() && self.lease_ends.is_none_or(|ends| ends <= now)
    }

    /// When somebody has to look after it, if no message brings anybody: an open one goes on, one that has ended is removed.
    pub fn due_at(&self) -> Timestamp {
        match (self.ended_at, self.lease_ends) {
            (Some(ended), _) => after(ended, KEPT),
            (None, Some(lease)) => lease,
            (None, None) => after(self.created_at, LEASE),
        }
    }

    /// Whether its bundle can be had.
    pub fn is_available(&self, now: Timestamp) -> bool {
        self.status == Status::Completed && now < self.due_at()
    }

    /// What a browser saves the bundle as.
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
    fn one_run_at_a_time_and_none_after_the_end() {
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
