//! Export.  Table `operations`: PK `JOBS#<user>`  SK `EXPORT#<job>`, gone a week after its bundle, and `RUNNING#export`
//! (uniqueness: the running one); PK `EXPORTSDUE`  SK `<13 digits of milliseconds>#<user>#<job>`.
//! Reads: one (get), a user's (query, newest first), due ones (query, the longest due first), the running one (get), all
//! strongly consistent.

use async_trait::async_trait;
use domain::{
    Timestamp,
    export::Export,
    id::{JobId, UserId},
    permissions::ExportsData,
    ports::{Exports, Failure, Outcome, Rounds, Saved, Started, TransactionExtras},
};
use jiff::SignedDuration;
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Key, from_item, to_expiring_item, to_item},
    jobs::{Job, due_key},
};

/// How long the record of an export is kept after its bundle.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

fn key_of(user: UserId, id: JobId) -> Key {
    Key::new(ItemKind::Jobs, user, format!("EXPORT#{id}"))
}

fn running_key(user: UserId) -> Key {
    Key::new(ItemKind::Jobs, user, "RUNNING#export")
}

fn job_of(export: &Export) -> Outcome<Job> {
    let key = key_of(export.user, export.id);
    let item = if export.status.is_open() {
        to_item(&key, export)?
    } else {
        let gone_at = export.due_at().saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX);
        to_expiring_item(&key, export, gone_at)?
    };
    Ok(Job {
        id: export.id,
        version: export.version,
        record: (key, item),
        running: running_key(export.user),
        due: due_key(ItemKind::ExportsDue, export.due_at(), export.user, export.id),
    })
}

#[async_trait]
impl Exports for Store {
    async fn start(
        &self,
        proof: &ExportsData,
        export: &Export,
        extras: TransactionExtras,
    ) -> Outcome<Started> {
        if proof.user() != export.user {
            return Err(Failure::Broken("a proof for another user".to_owned()));
        }
        // A concurrent export may have ended in between.
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let transaction = self.transaction().begin(job_of(export)?)?.extras(extras.clone())?;
            match transaction.commit().await? {
                None => return Ok(Started::Yes),
                Some("running") => {
                    if let Some(job) = self.under_way(running_key(export.user)).await? {
                        return Ok(Started::Running(job));
                    }
                }
                Some(label) => return Err(Failure::Broken(format!("a random {label} exists already"))),
            }
        }
    }

    async fn find(&self, user: UserId, id: JobId) -> Outcome<Option<Export>> {
        self.get(key_of(user, id)).await?.map(from_item).transpose()
    }

    async fn of(&self, user: UserId, limit: usize) -> Outcome<Vec<Export>> {
        // `EXPORT$` sorts right after every `EXPORT#…`.
        let range = ("EXPORT#".to_owned(), "EXPORT$".to_owned());
        let page = self.range_now(ItemKind::Jobs, user, range, limit).await?;
        page.items.into_iter().map(from_item).collect()
    }

    async fn replace(&self, before: &Export, after: &Export, extras: TransactionExtras) -> Outcome<Saved> {
        let (old, new) = (job_of(before)?, job_of(after)?);
        let mut transaction = self.transaction().go_on(&old, new);
        if before.status.is_open() && !after.status.is_open() {
            transaction = transaction.end(&old);
        }
        match transaction.extras(extras)?.commit().await? {
            None => Ok(Saved::Yes),
            Some("job") => Ok(Saved::Stale),
            Some(label) => Err(Failure::Broken(format!("an export's {label} is another's"))),
        }
    }

    async fn forget(&self, export: &Export) -> Outcome<()> {
        let job = job_of(export)?;
        let mut transaction = self.transaction().forget(&job);
        if export.status.is_open() {
            transaction = transaction.end(&job);
        }
        transaction.commit().await?.map_or(Ok(()), |_| Err(Failure::Raced))
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Outcome<Vec<(UserId, JobId)>> {
        self.jobs_due(ItemKind::ExportsDue, now, limit).await
    }
}
