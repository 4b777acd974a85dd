//! `run-deletion`: erases the data of a deleted account or team, step by step, and mails the receipt.
//!
//! The request that deletes removes all credentials before this worker runs. A run may end anywhere and may run concurrently
//! with another: each step can be repeated, items are counted before they are erased, and every save is conditional on the
//! job as it was read, so that the second run stops. A run does a limited amount of work and then invokes the next one.
//!
//! The schedule looks for due jobs. It runs a single due job itself. It hands several over, each to a run of its own, and a job
//! that was handed over is due after all others that wait. So a job that fails or takes long delays no other.
//!
//! It makes two passes. A request that was authenticated just before the deletion may still write during the first pass. The
//! second pass starts more than an hour later, when none can. It also finds what `purge-trash` or `run-export` wrote meanwhile
//! about erased items.
//!
//! Other regions have a part in it: they end the memberships in their teams, and send the receipt of a team to an owner of theirs.
//! Messages tell them, so that the job does not wait for a region that is down.

mod names;

use std::sync::Arc;

use domain::{
    Timestamp,
    blob::{BlobKey, Blobs},
    deletion::{Deletion, Part, Receipt, Step, UnderWay},
    domain_events::DomainEvent,
    export::Export,
    id::{JobId, UserId},
    job::Status,
    mail_content::MailContent,
    ports::{
        Connections, Consumed, Deletions, Directory, Exports, Failure, Follows, Mail, Mailer, PaymentRecords,
        Payments, Rounds, Saved, TeamsElsewhere, TokenKeys, TransactionExtras, Wallets, Workspaces,
    },
    team::MembershipCopy,
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{
        blobs, connections, consumed, deletions, directory, exports, extras, follows, mailer,
        payment_records, payments, teams_elsewhere, token_keys, wallets, workspaces,
    },
    spec::Every,
    worker,
    worker::{Event, is_accepted, once},
};
use serde::Serialize;
use workers::mail_templates;

use crate::{kept_referral, stripe_customer};

/// Deletes accounts and teams.
pub struct RunDeletion;

/// The ports that it uses.
pub struct Deps {
    deletions: Arc<dyn Deletions>,
    exports: Arc<dyn Exports>,
    blobs: Arc<dyn Blobs>,
    workspaces: Arc<dyn Workspaces>,
    elsewhere: Arc<dyn TeamsElsewhere>,
    connections: Arc<dyn Connections>,
    follows: Arc<dyn Follows>,
    payments: Arc<dyn Payments>,
    payment_records: Arc<dyn PaymentRecords>,
    wallets: Arc<dyn Wallets>,
    directory: Arc<dyn Directory>,
    tokens: Arc<dyn TokenKeys>,
    mailer: Arc<dyn Mailer>,
    consumed: Arc<dyn Consumed>,
}

const NAME: &str = "run-deletion";
/// How many items are read, counted and erased at a time.
const BATCH: usize = 100;
/// How many batches a run erases: about 20 seconds of work, out of the 60 that a run may take.
const BATCHES: usize = 100;
/// How many jobs a scheduled run hands over: about 20 seconds of work, since the list of due jobs is one partition.
const JOBS: usize = 5_000;
/// How many jobs are handed over, or accounts unfollowed, at a time.
const AT_ONCE: usize = 8;
/// More exports than a user can have.
const EXPORTS: usize = 100;

/// The result.
#[derive(Debug, Default, Serialize)]
pub struct DeletionReport {
    /// Erased records, files and bundles.
    erased: usize,
    /// Completed jobs.
    completed: usize,
    /// Unfinished jobs, for which other runs were invoked.
    unfinished: usize,
    /// Due jobs that were handed over to runs of their own.
    handed_over: usize,
}

/// A run of one job.
struct Run<'a> {
    deps: &'a Deps,
    job: &'a RunContext,
    report: &'a mut DeletionReport,
    /// How many more batches the run erases.
    batches: usize,
    deletion: UnderWay<'a>,
}

impl Worker for RunDeletion {
    const SPEC: WorkerSpec = worker(
        NAME,
        Trigger::Schedule(Every::Minutes(15)),
        "Erases the data of deleted accounts and teams, and mails the receipt",
        &[
            deletions::DUE,
            deletions::FIND,
            deletions::REPLACE,
            deletions::LEFT,
            deletions::ERASE,
            deletions::VERIFIED_ADDRESSES,
            deletions::FORGET,
            exports::OF,
            exports::REPLACE,
            workspaces::FIND,
            teams_elsewhere::COPIES,
            directory::GIVE_UP_HANDLE,
            directory::GIVE_UP_ADDRESS,
            directory::GIVE_UP_IDENTITY,
            connections::LIST,
            follows::LIST,
            follows::UNFOLLOW,
            payment_records::ACCOUNT,
            payment_records::PAYMENTS_AFTER,
            payment_records::SAVE_FORMER_REFERRAL,
            wallets::FIND,
            payments::CANCEL_NOW,
            payments::PAYABLE_INVOICES,
            payments::VOID_INVOICE,
            payments::DELETE_CUSTOMER,
            blobs::FILES_UNDER,
            blobs::BUNDLES_UNDER,
            blobs::ICONS_UNDER,
            blobs::DELETE_FILES,
            blobs::DELETE_BUNDLES,
            blobs::DELETE_ICONS,
            blobs::ABORT,
            token_keys::SIGN_RECEIPT,
            mailer::SEND,
            consumed::CLAIM,
            consumed::DONE,
            consumed::RELEASE,
            extras::MESSAGE,
        ],
    )
    .also(Trigger::Bus);
    type Deps = Deps;
    type Event = Event;
    type Result = DeletionReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            deletions: ports.deletions(),
            exports: ports.exports(),
            blobs: ports.blobs(),
            workspaces: ports.workspaces(),
            elsewhere: ports.teams_elsewhere(),
            connections: ports.connections(),
            follows: ports.follows(),
            payments: ports.payments(),
            payment_records: ports.payment_records(),
            wallets: ports.wallets(),
            directory: ports.directory(),
            tokens: ports.token_keys(),
            mailer: ports.mailer(),
            consumed: ports.consumed(),
        }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Event) -> Result<DeletionReport, Failure> {
        let mut report = DeletionReport::default();
        match event {
            Event::Message(message) => {
                if let DomainEvent::DeletionGoesOn { user, deletion } = message.detail.notice {
                    go_on(deps, job, &mut report, user, deletion).await?;
                }
            }
            Event::Tick(_) => match deps.deletions.due(job.now, JOBS).await?.as_slice() {
                [(user, id)] => go_on(deps, job, &mut report, *user, *id).await?,
                due => hand_over_all(deps, job, &mut report, due).await?,
            },
        }
        Ok(report)
    }
}

/// Invokes a run for each job. A job that fails is skipped and is due again in the next scheduled run.
async fn hand_over_all(
    deps: &Deps,
    job: &RunContext,
    report: &mut DeletionReport,
    due: &[(UserId, JobId)],
) -> Result<(), Failure> {
    let mut failed = None;
    for some in due.chunks(AT_ONCE) {
        let handed_over = some.iter().map(|(user, id)| hand_over(deps, job, *user, *id));
        for result in futures::future::join_all(handed_over).await {
            match result {
                Ok(is_handed_over) => report.handed_over += usize::from(is_handed_over),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Hands a job over to a run of its own. Returns false if the job is done or was changed meanwhile by a run that continues it.
async fn hand_over(deps: &Deps, job: &RunContext, user: UserId, id: JobId) -> Result<bool, Failure> {
    let found = deps.deletions.find(user, id).await?;
    let Some(deletion) = found.filter(|found| found.status.is_open() && found.due_at() <= job.now) else {
        return Ok(false);
    };
    let message = job.message(DomainEvent::DeletionGoesOn { user, deletion: id });
    let extras = TransactionExtras { messages: vec![message], ..TransactionExtras::default() };
    let mut handed_over = deletion.next();
    handed_over.hand_over(job.now);
    let saved = deps.deletions.replace(&deletion, &handed_over, extras).await?;
    Ok(saved == Saved::Yes)
}

/// Continues a job. Reads it again if it was changed meanwhile: the request that deletes takes the first steps at the same
/// time as the first run, and no more.
async fn go_on(
    deps: &Deps,
    job: &RunContext,
    report: &mut DeletionReport,
    user: UserId,
    id: JobId,
) -> Result<(), Failure> {
    let mut rounds = Rounds::new();
    while rounds.begin().is_ok() {
        match go_on_once(deps, job, report, user, id).await {
            Err(Failure::Raced) => {}
            gone_on => return gone_on,
        }
    }
    Ok(())
}

async fn go_on_once(
    deps: &Deps,
    job: &RunContext,
    report: &mut DeletionReport,
    user: UserId,
    id: JobId,
) -> Result<(), Failure> {
    let found = deps.deletions.find(user, id).await?;
    let Some(stored) = found.filter(|found| found.status.is_open() && !found.waits(job.now)) else {
        return Ok(());
    };
    let deletion = UnderWay::new(&*deps.deletions, stored);
    let mut run = Run { deps, job, report, batches: BATCHES, deletion };
    run.take_steps().await
}

impl Run<'_> {
    /// Takes the steps of this pass, within the limit of the run. Progress is saved when items were counted, and at the end: a
    /// run that repeats an unsaved step finds nothing left to erase.
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

    /// Saves the progress, and invokes another run if more is to be done.
    async fn save(&mut self, goes_on: bool) -> Result<(), Failure> {
        let Deletion { user, id: deletion, .. } = self.deletion.next;
        let message = goes_on.then(|| self.job.message(DomainEvent::DeletionGoesOn { user, deletion }));
        let messages = message.into_iter().collect();
        if goes_on {
            self.deletion.next.hand_over(self.job.now);
        }
        self.deletion.save(TransactionExtras { messages, ..TransactionExtras::default() }).await
    }

    /// Takes a step. Returns whether the step is complete.
    async fn take(&mut self, step: Step) -> Result<bool, Failure> {
        match step {
            Step::Bundles | Step::Records(Part::Exports) => self.give_up_exports().await?,
            Step::Records(Part::Person) => {
                self.learn_addresses().await?;
                self.free_identities().await?;
            }
            Step::Records(Part::Payments) => {
                let (kept, ()) = futures::try_join!(self.keep_referral(), self.delete_customer())?;
                // A later run finds no wallet any more.
                self.deletion.next.referral_kept_until = self.deletion.next.referral_kept_until.or(kept);
            }
            Step::Records(Part::Workspace) => self.learn_handle().await?,
            Step::Records(Part::Follows) => {
                if !self.unfollow_all().await? {
                    return Ok(false);
                }
            }
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

    /// Cancels open exports: first the job, so that its run can't save any more; then the upload of its bundle.
    async fn give_up_exports(&self) -> Result<(), Failure> {
        for export in self.deps.exports.of(self.deletion.next.user, EXPORTS).await? {
            if export.status.is_open() {
                let failed = Export { status: Status::Failed, ended_at: Some(self.job.now), ..export.next() };
                if self.deps.exports.replace(&export, &failed, TransactionExtras::default()).await?
                    == Saved::Stale
                {
                    return Err(Failure::Raced);
                }
            }
            if let Some(upload) = export.upload.as_ref().filter(|_| export.status != Status::Completed) {
                self.deps.blobs.abort(&BlobKey::of_export(&export), upload).await?;
            }
        }
        Ok(())
    }

    /// Keeps the referral of the account, before the payments and the wallet are erased. Returns until when.
    async fn keep_referral(&self) -> Result<Option<Timestamp>, Failure> {
        let ports = (&*self.deps.payment_records, &*self.deps.wallets);
        kept_referral::keep(ports, self.deletion.next.workspace, self.deletion.next.created_at).await
    }

    /// Deletes the customer at Stripe, before the record that leads there.
    async fn delete_customer(&self) -> Result<(), Failure> {
        let account = self.deps.payment_records.account(self.deletion.next.workspace).await?;
        let Some(account) = account else { return Ok(()) };
        stripe_customer::delete(&*self.deps.payments, &account).await
    }

    /// Unfollows every account, and publishes the numbers of followers that change. Returns whether none is left.
    async fn unfollow_all(&mut self) -> Result<bool, Failure> {
        let user = self.deletion.next.user;
        loop {
            let follows = self.deps.follows.list(user, BATCH).await?;
            if follows.is_empty() {
                return Ok(true);
            }
            if self.batches == 0 {
                return Ok(false);
            }
            self.batches -= 1;
            for some in follows.chunks(AT_ONCE) {
                let unfollowed = some.iter().map(|follow| {
                    let notice = DomainEvent::FollowersChanged { followed: follow.account };
                    let extras = TransactionExtras::default().with([self.job.message(notice)]);
                    self.deps.follows.unfollow(user, follow.account, extras)
                });
                futures::future::try_join_all(unfollowed).await?;
            }
            self.report.erased += follows.len();
        }
    }

    /// Tells the regions of the user's other teams that the memberships end, whose copies are erased next.
    async fn leave_teams_elsewhere(&mut self) -> Result<(), Failure> {
        let copies = self.deps.elsewhere.copies(self.deletion.next.user, BATCH).await?;
        for some in copies.chunks(AT_ONCE) {
            let members = some.iter().filter(|copy| copy.role.is_some());
            let ends = members.map(|&MembershipCopy { team, region, user, .. }| {
                self.job.message(DomainEvent::MembershipEnds { team, region, user })
            });
            let extras = TransactionExtras::default().with(ends);
            if !extras.is_empty() {
                self.deletion.save(extras).await?;
            }
        }
        Ok(())
    }

    /// Erases the items of a step, batch by batch. Returns whether nothing is left.
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

    /// The names of the first items that a step has left.
    async fn left(&self, step: Step) -> Result<Vec<String>, Failure> {
        let folders = match step {
            Step::Bundles => vec![BlobKey::bundles_of(self.deletion.next.user)],
            Step::Files => {
                let workspace = self.deletion.next.workspace;
                vec![BlobKey::files_of(workspace), BlobKey::icons_of(workspace)]
            }
            Step::Records(part) => {
                return Ok(self.deps.deletions.left(&self.deletion.next, part, BATCH).await?.items);
            }
            Step::Names => return Ok(vec![]),
        };
        let mut keys = Vec::new();
        for folder in folders {
            if keys.is_empty() {
                keys = self.deps.blobs.under(&folder, BATCH).await?;
            }
        }
        Ok(keys.iter().map(|key| key.as_str().to_owned()).collect())
    }

    async fn erase(&mut self, step: Step, names: &[String]) -> Result<(), Failure> {
        match step {
            Step::Bundles | Step::Files => {
                let keys: Vec<BlobKey> = names.iter().cloned().map(BlobKey::listed).collect();
                self.deps.blobs.delete(&keys).await
            }
            Step::Records(part) => {
                if part == Part::Memberships {
                    self.leave_teams_elsewhere().await?;
                }
                self.deps.deletions.erase(&self.deletion.next, part, names).await
            }
            Step::Names => Ok(()),
        }
    }

    /// Nothing is left: sends the receipt and deletes the job. The user who deleted a team can read the status for some time;
    /// nobody can read that of an account.
    async fn end(&mut self) -> Result<(), Failure> {
        let receipt = Receipt::of(&self.deletion.next, self.job.now);
        let (id, deletion) = (self.deletion.next.id, &mut self.deletion);
        let send = async {
            let signed = self.deps.tokens.sign_receipt(&receipt).await?;
            send_receipt(self.deps, self.job, deletion, mail_templates::deleted(&receipt, &signed)).await
        };
        once(&*self.deps.consumed, NAME, id.cast(), self.job.now, send).await?;
        // If the run ends here, the next one finds the job open and the receipt sent.
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

/// Sends the receipt. If the requester's home is another region, that region sends it, because it alone knows the address. A receipt
/// that is refused permanently must not keep the job open.
async fn send_receipt(
    deps: &Deps,
    job: &RunContext,
    deletion: &mut UnderWay<'_>,
    content: MailContent,
) -> Result<(), Failure> {
    if let Some(home) = deletion.next.requester_home {
        let written = DomainEvent::MailWritten { user: deletion.next.user, home, content };
        return deletion.save(TransactionExtras::default().with([job.message(written)])).await;
    }
    if let Some(to) = deletion.next.receipt_to.clone() {
        let mail = Mail::new(to, content);
        is_accepted(NAME, &mail, &deps.mailer.send(&mail).await?);
    }
    Ok(())
}
