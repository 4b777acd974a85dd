//! Jobs that may be killed anywhere and go on, exports and deletions: which is under way, and when somebody has to look after it.

use domain::{
    Timestamp,
    id::{JobId, UserId},
    ports::{Failure, Outcome},
};
use serde::{Deserialize, Serialize};
use tables::Items;

use crate::{
    Store,
    item::{Item, Key, from_item, text, to_item},
    lists::sort_key,
    transaction::{Condition, Transaction},
};

/// A job as it is stored.
pub struct Job {
    pub id: JobId,
    pub version: u64,
    pub record: (Key, Item),
    /// Names the one that is under way.
    pub running: Key,
    /// In the list of those that somebody has to look after, sorted by time.
    pub due: Key,
}

/// Which job is under way.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    job: JobId,
}

pub fn due_key(kind: Items, at: Timestamp, user: UserId, job: JobId) -> Key {
    Key::new(kind, "", format!("{:013}#{user}#{job}", at.as_millisecond()))
}

/// Whose job an entry of the list is, and which.
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
    /// The job that is under way.
    pub(crate) async fn under_way(&self, running: Key) -> Outcome<Option<JobId>> {
        let found: Option<UnderWay> = self.get(running).await?.map(from_item).transpose()?;
        Ok(found.map(|found| found.job))
    }

    /// Jobs that somebody has to look after by now, the longest due first.
    pub(crate) async fn jobs_due(
        &self,
        kind: Items,
        now: Timestamp,
        limit: usize,
    ) -> Outcome<Vec<(UserId, JobId)>> {
        // `$` sorts right after every `#…`.
        let range = ("0".to_owned(), format!("{:013}$", now.as_millisecond()));
        self.range_up(kind, "", range, limit).await?.items.iter().map(entry).collect()
    }
}

impl Transaction<'_> {
    /// A job begins. Labels: `running` (another is under way), `job` (it is there already).
    pub fn begin(self, job: Job) -> Outcome<Self> {
        let running = to_item(&job.running, &UnderWay { job: job.id })?;
        let (key, item) = job.record;
        Ok(self
            .put("running", &job.running, running, Condition::absent())
            .put("job", &key, item, Condition::absent())
            .put("due", &job.due, job.due.attributes(), Condition::none()))
    }

    /// A job is `after` now, if it was still `before`: else `job` failed.
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

    /// Another may begin.
    pub fn end(self, job: &Job) -> Self {
        let own = Condition::of("attribute_not_exists(pk) OR job = :job", [(":job", text(job.id))]);
        self.delete("running", &job.running, own)
    }

    /// Nothing tells of a job any more, if it is what was read, or gone: else `job` failed.
    pub fn forget(self, job: &Job) -> Self {
        let same = "attribute_not_exists(pk) OR version = :version";
        let same = Condition::of(same, [(":version", crate::item::number(job.version))]);
        self.delete("job", &job.record.0, same).delete("due", &job.due, Condition::none())
    }
}
