//! Records that exports and deletions have in common: the running job, and the list of due jobs.

use domain::{
    Timestamp,
    id::{JobId, UserId},
    ports::{Failure, Outcome},
};
use serde::{Deserialize, Serialize};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Item, Key, from_item, text, to_item},
    lists::sort_key,
    transaction::{Condition, Transaction},
};

/// A job as it is stored.
pub struct Job {
    pub id: JobId,
    pub version: u64,
    pub record: (Key, Item),
    /// The key of the record of the running job.
    pub running: Key,
    /// The key in the list of due jobs.
    pub due: Key,
}

/// The record that one job of its kind is running.
#[derive(Serialize, Deserialize)]
struct RunningJob {
    job: JobId,
}

pub fn due_key(kind: ItemKind, at: Timestamp, user: UserId, job: JobId) -> Key {
    Key::new(kind, "", format!("{:013}#{user}#{job}", at.as_millisecond()))
}

/// The user and the job of an entry in the list of due jobs.
fn entry(item: &Item) -> Outcome<(UserId, JobId)> {
    let read = |key: &str| {
        let (_, job) = key.split_once('#')?;
        let (user, job) = job.split_once('#')?;
        Some((user.parse().ok()?, job.parse().ok()?))
    };
    sort_key(item)
        .and_then(read)
        .ok_or_else(|| Failure::Broken("a due job's key that holds no ids".to_owned()))
}

impl Store {
    /// The running job.
    pub(crate) async fn under_way(&self, running: Key) -> Outcome<Option<JobId>> {
        let found: Option<RunningJob> = self.get(running).await?.map(from_item).transpose()?;
        Ok(found.map(|found| found.job))
    }

    /// Due jobs, the longest due first.
    pub(crate) async fn jobs_due(
        &self,
        kind: ItemKind,
        now: Timestamp,
        limit: usize,
    ) -> Outcome<Vec<(UserId, JobId)>> {
        // `$` sorts right after every `#…`.
        let range = ("0".to_owned(), format!("{:013}$", now.as_millisecond()));
        self.range_ascending(kind, "", range, limit).await?.items.iter().map(entry).collect()
    }
}

impl Transaction<'_> {
    /// Begins a job. Labels: `running` (another job is running), `job` (it exists already).
    pub fn begin(self, job: Job) -> Outcome<Self> {
        let running = to_item(&job.running, &RunningJob { job: job.id })?;
        let (key, item) = job.record;
        Ok(self
            .put("running", &job.running, running, Condition::absent())
            .put("job", &key, item, Condition::absent())
            .put("due", &job.due, job.due.attributes(), Condition::none()))
    }

    /// Replaces a job, if its version is still that of `before`. Label: `job`.
    pub fn go_on(self, before: &Job, after: Job) -> Self {
        let (key, item) = after.record;
        let transaction = self.put("job", &key, item, Condition::version(before.version));
        if before.due == after.due {
            return transaction;
        }
        transaction.delete("due", &before.due, Condition::none()).put(
            "due",
            &after.due,
            after.due.attributes(),
            Condition::none(),
        )
    }

    /// Removes the record of the running job, so that another may begin.
    pub fn end(self, job: &Job) -> Self {
        let own = Condition::of("attribute_not_exists(pk) OR job = :job", [(":job", text(job.id))]);
        self.delete("running", &job.running, own)
    }

    /// Deletes a job, if it is unchanged or gone. Label: `job`.
    pub fn forget(self, job: &Job) -> Self {
        let same = "attribute_not_exists(pk) OR version = :version";
        let same = Condition::of(same, [(":version", crate::item::number(job.version))]);
        self.delete("job", &job.record.0, same).delete("due", &job.due, Condition::none())
    }
}
