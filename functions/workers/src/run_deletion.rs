//! `run-deletion`: removes what a deleted account or team has left, step by step, and mails the receipt.
//!
//! What lets people in is gone before it begins. It may be killed anywhere, and run twice at once: each step may be taken
//! again, things are counted before they are erased, and every save is conditional on the job being what was read, so that
//! the run that comes second stops. A run does so much and no more; then it sets the next one off.
//!
//! It looks twice. What was let in just before the request may still write while it looks for the first time; when it looks
//! again, more than an hour later, nothing can. What `purge-trash` or `run-export` write about something that was erased
//! meanwhile is found then, too.

use std::sync::Arc;

use domain::{
    blob::{BlobKey, Blobs},
    deletion::{Deletion, Part, Receipt, Step, UnderWay},
    directory::Name,
    export::Export,
    id::{JobId, UserId},
    job::Status,
    outbox::Notice,
    ports::{
        Alongside, Consumed, Deletions, Directory, Exports, Failure, Mailer, Saved, TokenKeys, Workspaces,
    },
};
use kit::{Grant, Items, Job, Ports, Trigger, Worker, WorkerSpec, spec::Every, worker};
use serde::Serialize;

use crate::{event::Event, letters, once::once};

/// Deletes accounts and teams.
pub struct RunDeletion;

/// What it works with.
pub struct Deps {
    deletions: Arc<dyn Deletions>,
    exports: Arc<dyn Exports>,
    blobs: Arc<dyn Blobs>,
    workspaces: Arc<dyn Workspaces>,
    directory: Arc<dyn Directory>,
    tokens: Arc<dyn TokenKeys>,
    mailer: Arc<dyn Mailer>,
    consumed: Arc<dyn Consumed>,
}

const NAME: &str = "run-deletion";
/// So much is read, counted and erased at a time.
const BATCH: usize = 100;
/// How many batches a run removes: about 20 seconds' worth, of the 60 that it may take.
const BATCHES: usize = 100;
/// How many jobs the schedule takes up at a time, each with its share of the batches.
const JOBS: usize = 50;
/// More exports than a user has whose bundles are kept.
const EXPORTS: usize = 100;

/// How often a job is read again that somebody else has changed.
const RACES: usize = 20;

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Records, files and bundles that were erased.
    erased: usize,
    /// Jobs that came to their end.
    completed: usize,
    /// Jobs that go on, which other runs were set off for.
    unfinished: usize,
}

/// A run of one job.
struct Run<'a> {
    deps: &'a Deps,
    job: &'a Job,
    report: &'a mut Report,
    /// How many more batches it removes.
    batches: usize,
    deletion: UnderWay<'a>,
}

/// The job itself, and the exports that it gives up; all that it erases, and what that leads to; names, files and bundles; the
/// receipt.
const GRANTS: [Grant; 77] = [
    Grant::items("GetItem", Items::Jobs),
    Grant::items("PutItem", Items::Jobs),
    Grant::items("DeleteItem", Items::Jobs),
    Grant::items("Query", Items::Jobs),
    Grant::items("BatchGetItem", Items::Jobs),
    Grant::items("Query", Items::DeletionsDue),
    Grant::items("PutItem", Items::DeletionsDue),
    Grant::items("DeleteItem", Items::DeletionsDue),
    Grant::items("PutItem", Items::ExportsDue),
    Grant::items("DeleteItem", Items::ExportsDue),
    Grant::items("PutItem", Items::Outbox),
    Grant::items("Query", Items::Keys),
    Grant::items("BatchWriteItem", Items::Keys),
    Grant::items("Query", Items::Sessions),
    Grant::items("BatchWriteItem", Items::Sessions),
    Grant::items("Query", Items::Datasets),
    Grant::items("BatchWriteItem", Items::Datasets),
    Grant::items("Query", Items::Models),
    Grant::items("BatchWriteItem", Items::Models),
    Grant::items("Query", Items::Trash),
    Grant::items("BatchWriteItem", Items::Trash),
    Grant::items("Query", Items::Purges),
    Grant::items("BatchWriteItem", Items::Purges),
    Grant::items("Query", Items::Projects),
    Grant::items("BatchWriteItem", Items::Projects),
    Grant::items("Query", Items::Groups),
    Grant::items("BatchWriteItem", Items::Groups),
    Grant::items("Query", Items::Slugs),
    Grant::items("BatchWriteItem", Items::Slugs),
    Grant::items("Query", Items::Sizes),
    Grant::items("BatchWriteItem", Items::Sizes),
    Grant::items("Query", Items::TrashList),
    Grant::items("BatchWriteItem", Items::TrashList),
    Grant::items("Query", Items::Uploads),
    Grant::items("BatchWriteItem", Items::Uploads),
    Grant::items("Query", Items::Usage),
    Grant::items("BatchWriteItem", Items::Usage),
    Grant::items("Query", Items::Events),
    Grant::items("BatchWriteItem", Items::Events),
    Grant::items("Query", Items::Marks),
    Grant::items("BatchWriteItem", Items::Marks),
    Grant::items("Query", Items::Members),
    Grant::items("BatchWriteItem", Items::Members),
    Grant::items("Query", Items::Memberships),
    Grant::items("BatchWriteItem", Items::Memberships),
    Grant::items("Query", Items::Outbox),
    Grant::items("BatchWriteItem", Items::Outbox),
    Grant::items("Query", Items::LastResets),
    Grant::items("BatchWriteItem", Items::LastResets),
    Grant::items("Query", Items::Passwords),
    Grant::items("BatchWriteItem", Items::Passwords),
    Grant::items("Query", Items::Users),
    Grant::items("BatchWriteItem", Items::Users),
    Grant::items("Query", Items::Workspaces),
    Grant::items("BatchWriteItem", Items::Workspaces),
    Grant::items("BatchGetItem", Items::Keys),
    Grant::items("BatchWriteItem", Items::KeyHolders),
    Grant::items("Query", Items::Files),
    Grant::items("BatchWriteItem", Items::Files),
    Grant::items("DeleteItem", Items::Addresses),
    Grant::items("GetItem", Items::Workspaces),
    Grant::items("BatchGetItem", Items::Workspaces),
    Grant::items("DeleteItem", Items::Handles),
    Grant::authority("DeleteItem", Items::HandleClaims),
    Grant::authority("DeleteItem", Items::AddressClaims),
    Grant::authority("DeleteItem", Items::PendingClaims),
    Grant::authority("PutItem", Items::ReservedHandles),
    Grant::bundles("ListBucket"),
    Grant::bundles("DeleteObject"),
    Grant::bundles("AbortMultipartUpload"),
    Grant::files("ListBucket"),
    Grant::files("DeleteObject"),
    Grant::secret("tokens"),
    Grant::mail(),
    Grant::items("PutItem", Items::Consumed),
    Grant::items("UpdateItem", Items::Consumed),
    Grant::items("DeleteItem", Items::Consumed),
];

impl Worker for RunDeletion {
    const SPEC: WorkerSpec = worker(
        NAME,
        Trigger::Schedule(Every::Minutes(15)),
        "Removes what a deleted account or team has left, and mails the receipt",
        &GRANTS,
    )
    .also(Trigger::Bus(&Notice::DELETING));
    type Deps = Deps;
    type Event = Event;
    type Result = Report;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            deletions: ports.deletions(),
            exports: ports.exports(),
            blobs: ports.blobs(),
            workspaces: ports.workspaces(),
            directory: ports.directory(),
            tokens: ports.token_keys(),
            mailer: ports.mailer(),
            consumed: ports.consumed(),
        }
    }

    async fn handle(deps: &Deps, job: &Job, event: Event) -> Result<Report, Failure> {
        let due = match event {
            Event::Message(message) => match message.detail.notice {
                Notice::DeletionGoesOn { user, deletion } => vec![(user, deletion)],
                _ => vec![],
            },
            Event::Tick {} => deps.deletions.due(job.now, JOBS).await?,
        };
        let mut report = Report::default();
        let mut failed = None;
        let batches = (BATCHES / due.len().max(1)).max(1);
        for (user, id) in due {
            match go_on(deps, job, &mut report, batches, user, id).await {
                // Another run is at it.
                Ok(()) | Err(Failure::Raced) => {}
                // The others can go on all the same; this one is due again.
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        failed.map_or(Ok(report), Err)
    }
}

/// Goes on with a job. What somebody else has changed meanwhile is read again: the request that deletes takes the first steps
/// beside the first run, and goes no further.
async fn go_on(
    deps: &Deps,
    job: &Job,
    report: &mut Report,
    batches: usize,
    user: UserId,
    id: JobId,
) -> Result<(), Failure> {
    for _ in 0..RACES {
        match go_on_once(deps, job, report, batches, user, id).await {
            Err(Failure::Raced) => {}
            gone_on => return gone_on,
        }
    }
    Err(Failure::Raced)
}

async fn go_on_once(
    deps: &Deps,
    job: &Job,
    report: &mut Report,
    batches: usize,
    user: UserId,
    id: JobId,
) -> Result<(), Failure> {
    let found = deps.deletions.find(user, id).await?;
    let Some(stored) = found.filter(|found| found.status.is_open() && !found.waits(job.now)) else {
        return Ok(());
    };
    let deletion = UnderWay::new(&*deps.deletions, stored);
    let mut run = Run { deps, job, report, batches, deletion };
    run.take_steps().await
}

impl Run<'_> {
    /// Takes all steps of this look, as far as the run goes. What was done is saved when something was counted, or at the end:
    /// whoever comes after a death finds nothing left of the steps before.
    async fn take_steps(&mut self) -> Result<(), Failure> {
        if self.deletion.next.has_looked_once() {
            self.deletion.next.look_again();
        }
        while let Some(step) = self.deletion.next.step() {
            if step.is_of(self.deletion.next.scope) && !self.take(step).await? {
                self.report.unfinished += 1;
                return self.save(true).await;
            }
            self.deletion.next.step_is_done();
        }
        if self.deletion.next.looks_again { self.end().await } else { self.save(false).await }
    }

    /// Saves how far it is, and has another run go on if there is more to do.
    async fn save(&mut self, goes_on: bool) -> Result<(), Failure> {
        let Deletion { user, id: deletion, .. } = self.deletion.next;
        let message = goes_on.then(|| self.job.message(Notice::DeletionGoesOn { user, deletion }));
        self.deletion.save(Alongside { event: None, message, receipt: None }).await
    }

    /// Takes a step; whether nothing is left of it.
    async fn take(&mut self, step: Step) -> Result<bool, Failure> {
        match step {
            Step::Bundles | Step::Records(Part::Exports) => self.give_up_exports().await?,
            Step::Records(Part::Workspace) => self.learn_handle().await?,
            Step::Names => {
                for (name, holder) in self.deletion.next.names() {
                    self.deps.directory.give_up(&name, &holder, self.deletion.next.reserved_until()).await?;
                }
                return Ok(true);
            }
            Step::Files | Step::Records(_) => {}
        }
        self.erase_all(step).await
    }

    /// Gives up exports in the making: first for whoever writes one, who can't save any more then; then for the store.
    async fn give_up_exports(&self) -> Result<(), Failure> {
        for export in self.deps.exports.of(self.deletion.next.user, EXPORTS).await? {
            if export.status.is_open() {
                let failed = Export { status: Status::Failed, ended_at: Some(self.job.now), ..export.next() };
                if self.deps.exports.replace(&export, &failed, Alongside::default()).await? == Saved::Stale {
                    return Err(Failure::Raced);
                }
            }
            if let Some(upload) = export.upload.as_ref().filter(|_| export.status != Status::Completed) {
                self.deps.blobs.abort(&BlobKey::of_export(&export), upload).await?;
            }
        }
        Ok(())
    }

    /// An onboarding that was under way when the account was deleted may have opened a workspace all the same, under a handle
    /// that the job does not know. It is noted before the workspace is erased, so that it is freed with the other names.
    async fn learn_handle(&mut self) -> Result<(), Failure> {
        let Some(late) = self.deps.workspaces.find(self.deletion.next.workspace).await? else {
            return Ok(());
        };
        if self.deletion.next.handle.as_ref() == Some(&late.handle) {
            return Ok(());
        }
        let known =
            self.deletion.next.names().into_iter().filter(|(name, _)| matches!(name, Name::Handle(_)));
        for (name, holder) in known {
            self.deps.directory.give_up(&name, &holder, self.deletion.next.reserved_until()).await?;
        }
        self.deletion.next.handle = Some(late.handle);
        self.save(false).await
    }

    /// Erases what there is for a step, batch by batch; whether nothing is left.
    async fn erase_all(&mut self, step: Step) -> Result<bool, Failure> {
        let mut erased = None;
        loop {
            let names = self.left(step).await?;
            let first = names.first().cloned();
            if first.is_none() {
                return Ok(true);
            }
            if first == erased {
                return Err(Failure::Broken(format!("{step:?} is there again")));
            }
            if self.batches == 0 {
                return Ok(false);
            }
            self.batches -= 1;
            self.deletion.count(step, &names).await?;
            self.erase(step, &names).await?;
            self.report.erased += names.len();
            erased = first;
        }
    }

    /// The first names of what there is for a step.
    async fn left(&self, step: Step) -> Result<Vec<String>, Failure> {
        let folder = match step {
            Step::Bundles => BlobKey::bundles_of(self.deletion.next.user),
            Step::Files => BlobKey::files_of(self.deletion.next.workspace),
            Step::Records(part) => {
                return Ok(self.deps.deletions.left(&self.deletion.next, part, BATCH).await?.items);
            }
            Step::Names => return Ok(vec![]),
        };
        let keys = self.deps.blobs.under(&folder, BATCH).await?;
        Ok(keys.iter().map(|key| key.as_str().to_owned()).collect())
    }

    async fn erase(&self, step: Step, names: &[String]) -> Result<(), Failure> {
        match step {
            Step::Bundles | Step::Files => {
                let keys: Vec<BlobKey> = names.iter().cloned().map(BlobKey::listed).collect();
                self.deps.blobs.delete(&keys).await
            }
            Step::Records(part) => self.deps.deletions.erase(&self.deletion.next, part, names).await,
            Step::Names => Ok(()),
        }
    }

    /// Nothing is left: mails the receipt, and forgets the job. Of a team it stays known for a while that it was deleted, for
    /// who asked for it; of an account nobody can ask.
    async fn end(&mut self) -> Result<(), Failure> {
        let receipt = Receipt::of(&self.deletion.next, self.job.now);
        let send = async {
            let signed = self.deps.tokens.sign_receipt(&receipt).await?;
            let to = self.deletion.next.receipt_to.clone();
            self.deps.mailer.send(&letters::deleted(to, &receipt, &signed)).await
        };
        once(&*self.deps.consumed, NAME, self.deletion.next.id.cast(), self.job.now, send).await?;
        // Whoever dies here finds the job open, and the receipt sent.
        let ended = Deletion {
            status: Status::Completed,
            ended_at: Some(self.job.now),
            ..self.deletion.stored().clone()
        };
        self.deps.deletions.forget(&ended).await?;
        self.report.completed += 1;
        Ok(())
    }
}
