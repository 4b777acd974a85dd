//! `run-export`: writes the bundles of exports in parts, and removes them after a week.
//!
//! A run leases the job, continues to read where the last run stopped, and stores parts of the bundle. The position of the next
//! part is saved only after a part is stored. So a run that ends anywhere loses only what it had not stored, and the next run
//! writes the same bytes. A run does a limited amount of work and invokes the next one if more is left. A part has at least
//! 5 MiB: a shorter one is padded, so that every run makes progress.
//!
//! The job is the only record of the progress. If another run changes it, this run stops, and the other run stores again the
//! part that this one may have stored.

mod bundle;
mod readme;
mod rows;
mod sections;
mod source;

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    blob::{BlobKey, Blobs, Bundles, Completed},
    domain_events::DomainEvent,
    export::{Export, LEASE},
    id::{JobId, UserId},
    job::Status,
    ports::{Exports, Failure, Saved, TransactionExtras, Workspaces},
    user::personal_workspace,
};
use jiff::Timestamp;
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{
        api_keys, blobs, bundles, connections, exports, extras, follows, history, inventory, payment_records,
        payments, resources, teams, token_keys, user_addresses, wallets, workspaces,
    },
    spec::Every,
    worker,
    worker::Event,
};
use serde::{Deserialize, Serialize};

use bundle::{Bundle, Written};
use source::{ExportPosition, ExportSource, SourcePorts};

/// Writes the bundles of exports.
pub struct RunExport;

/// The ports that it uses.
pub struct Deps {
    exports: Arc<dyn Exports>,
    blobs: Arc<dyn Blobs>,
    bundles: Arc<dyn Bundles>,
    workspaces: Arc<dyn Workspaces>,
    source: SourcePorts,
}

/// The minimum size of a part, except the last ([S3's limit]).
///
/// [S3's limit]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const PART: usize = 5 * 1024 * 1024;
/// How many rows a run writes; a page read counts as [`PAGE_COSTS`] rows. About 20 seconds of work, out of the 60 that a run may
/// take.
const BUDGET: usize = 75_000;
/// The cost of reading a page, in rows.
const PAGE_COSTS: usize = 50;
/// How often a bundle is started again before the export fails.
const RESTARTS: u32 = 3;
/// How many jobs a scheduled run handles.
const DUE: usize = 500;

/// The result.
#[derive(Debug, Default, Serialize)]
pub struct ExportReport {
    /// Stored parts.
    parts: usize,
    /// Completed bundles.
    completed: usize,
    /// Exports for which the next run was invoked.
    went_on: usize,
    /// Expired exports that were removed.
    removed: usize,
}

/// The position in a bundle, as it is stored in the job's record.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Position {
    /// Rows are being written.
    At(ExportPosition, Box<Written>),
    /// All parts are stored.
    End,
}

/// Why a run ends.
enum Stop {
    /// Another run changed the job, or it was deleted.
    Lost,
    /// Something failed.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A run of one export.
struct Run<'a> {
    deps: &'a Deps,
    job: &'a RunContext,
    /// The job as it is stored.
    export: Export,
    report: &'a mut ExportReport,
}

impl Worker for RunExport {
    const SPEC: WorkerSpec = worker(
        "run-export",
        Trigger::Bus,
        "Writes the bundles of exports, and removes them after a week",
        &[
            exports::DUE,
            exports::FIND,
            exports::REPLACE,
            exports::FORGET,
            inventory::RESOURCES,
            inventory::TRASHED,
            inventory::FILES,
            inventory::UPLOADS,
            inventory::EVENTS,
            inventory::MARKS,
            inventory::SESSIONS,
            teams::OF,
            token_keys::DERIVATION_KEY,
            user_addresses::FIND,
            connections::LIST,
            follows::LIST,
            history::INBOX,
            wallets::FIND,
            wallets::POSTINGS_AFTER,
            payment_records::ACCOUNT,
            payments::BILLING_DETAILS,
            payments::PAYMENT_METHODS,
            api_keys::LIST,
            workspaces::FIND,
            workspaces::PROFILE,
            resources::USAGE,
            bundles::BEGIN,
            bundles::PUT_PART,
            bundles::COMPLETE,
            blobs::ABORT,
            blobs::DELETE_BUNDLES,
            extras::EVENT,
            extras::MESSAGE,
        ],
    )
    .also(Trigger::Schedule(Every::Minutes(15)));
    type Deps = Deps;
    type Event = Event;
    type Result = ExportReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            exports: ports.exports(),
            blobs: ports.blobs(),
            bundles: ports.bundles(),
            workspaces: ports.workspaces(),
            source: SourcePorts::of(ports),
        }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Event) -> Result<ExportReport, Failure> {
        let mut report = ExportReport::default();
        match event {
            Event::Message(message) => {
                let DomainEvent::ExportGoesOn { user, export } = message.detail.notice else {
                    return Ok(report);
                };
                if let Some(export) = deps.exports.find(user, export).await? {
                    run(deps, job, export, &mut report).await?;
                }
            }
            Event::Tick(_) => look_after(deps, job, &mut report).await?,
        }
        Ok(report)
    }
}

/// Continues an export, if it is open and no other run has leased it.
async fn run(
    deps: &Deps,
    job: &RunContext,
    export: Export,
    report: &mut ExportReport,
) -> Result<(), Failure> {
    if !export.is_free(job.now) {
        return Ok(());
    }
    let mut run = Run { deps, job, export, report };
    match run.go_on().await {
        Ok(()) => Ok(()),
        Err(Stop::Lost) => run.clear_up().await,
        // The same would happen again: start again, or fail.
        Err(Stop::Failed(Failure::Broken(why))) => match run.restart().await {
            Ok(()) => Err(Failure::Broken(why)),
            Err(Stop::Lost) => run.clear_up().await,
            Err(Stop::Failed(failure)) => Err(failure),
        },
        Err(Stop::Failed(failure)) => {
            // Release the lease, so that the next attempt need not wait for its end. If this fails, the attempt waits.
            let _ = run.save(run.released(), TransactionExtras::default()).await;
            Err(failure)
        }
    }
}

/// Handles due exports: continues open ones, and removes those that expired. An export that fails is skipped and is due again
/// in the next run.
async fn look_after(deps: &Deps, job: &RunContext, report: &mut ExportReport) -> Result<(), Failure> {
    let mut failed = None;
    for (user, id) in deps.exports.due(job.now, DUE).await? {
        failed = look_after_one(deps, job, (user, id), report).await.err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

async fn look_after_one(
    deps: &Deps,
    job: &RunContext,
    (user, id): (UserId, JobId),
    report: &mut ExportReport,
) -> Result<(), Failure> {
    let Some(export) = deps.exports.find(user, id).await? else { return Ok(()) };
    if export.due_at() > job.now {
        return Ok(());
    }
    if export.status.is_open() {
        // Each export has a run of its own.
        let free = Export { lease_ends: Some(job.now), ..export.next() };
        let extras = going_on(job, &export);
        if deps.exports.replace(&export, &free, extras).await? == Saved::Yes {
            report.went_on += 1;
        }
        return Ok(());
    }
    deps.blobs.delete(&[BlobKey::of_export(&export)]).await?;
    deps.exports.forget(&export).await?;
    report.removed += 1;
    Ok(())
}

/// The message that invokes the next run.
fn going_on(job: &RunContext, export: &Export) -> TransactionExtras {
    let notice = DomainEvent::ExportGoesOn { user: export.user, export: export.id };
    TransactionExtras { messages: vec![job.message(notice)], ..TransactionExtras::default() }
}

impl Run<'_> {
    async fn go_on(&mut self) -> Result<(), Stop> {
        let lease_ends = Some(self.job.now.saturating_add(LEASE).unwrap_or(Timestamp::MAX));
        let taken = Export { status: Status::Running, lease_ends, ..self.export.next() };
        self.save(taken, TransactionExtras::default()).await?;
        let upload = self.upload().await?;
        let position = match &self.export.position {
            Some(position) => serde_json::from_str(position)
                .map(Some)
                .map_err(|error| Failure::Broken(format!("an export's position: {error}")))?,
            None => None,
        };
        match position {
            Some(Position::End) => self.complete(&upload).await,
            Some(Position::At(place, written)) => {
                let bundle = Bundle::resume(&self.export, place.stage.section(), *written)?;
                self.write(&upload, place, bundle).await
            }
            None => {
                let asked = self.export.clone();
                // A deleted account has no exports; `run-deletion` erases this one.
                let account = ExportSource::new(&self.deps.source, &asked, self.job.now)
                    .account()
                    .await?
                    .ok_or(Stop::Lost)?;
                let bundle = Bundle::begin(&self.export, &account)?;
                self.write(&upload, ExportPosition::START, bundle).await
            }
        }
    }

    fn key(&self) -> BlobKey {
        BlobKey::of_export(&self.export)
    }

    /// The bundle's upload. Its id is saved before the first part is stored.
    async fn upload(&mut self) -> Result<String, Stop> {
        if let Some(upload) = &self.export.upload {
            return Ok(upload.clone());
        }
        let upload = self.deps.bundles.begin(&self.key(), self.export.format).await?;
        let begun = Export { upload: Some(upload.clone()), ..self.export.next() };
        if let Err(stop) = self.save(begun, TransactionExtras::default()).await {
            self.deps.blobs.abort(&self.key(), &upload).await?;
            return Err(stop);
        }
        Ok(upload)
    }

    /// Writes rows and stores parts, until everything is written or the limit of the run is reached.
    async fn write(
        &mut self,
        upload: &str,
        mut place: ExportPosition,
        mut bundle: Bundle,
    ) -> Result<(), Stop> {
        let (deps, export) = (self.deps, self.export.clone());
        let (mut source, mut left) = (ExportSource::new(&deps.source, &export, self.job.now), BUDGET);
        loop {
            let before = bundle.count();
            let Some(next) = source.page(place, &mut bundle).await? else { break };
            place = next;
            left = left.saturating_sub(PAGE_COSTS + bundle.count().saturating_sub(before));
            if bundle.pending() < PART && left > 0 {
                continue;
            }
            let (bytes, written) = bundle.hand_over(PART)?;
            let position = Position::At(place, Box::new(written));
            let after = self.store(upload, bytes, &position, place.progress(&export)).await?;
            if left == 0 {
                let released = Export { lease_ends: Some(self.job.now), ..after };
                self.save(released, going_on(self.job, &export)).await?;
                self.report.went_on += 1;
                return Ok(());
            }
            self.save(after, TransactionExtras::default()).await?;
        }
        let after = self.store(upload, bundle.finish()?, &Position::End, 99).await?;
        self.save(after, TransactionExtras::default()).await?;
        self.complete(upload).await
    }

    /// Stores a part. Returns the job with the new position.
    async fn store(
        &mut self,
        upload: &str,
        bytes: Vec<u8>,
        position: &Position,
        progress: u8,
    ) -> Result<Export, Failure> {
        let number = u32::try_from(self.export.parts.len()).unwrap_or(u32::MAX).saturating_add(1);
        let part = self.deps.bundles.put_part(&self.key(), upload, number, bytes).await?;
        self.report.parts += 1;
        let position = serde_json::to_string(position)
            .map_err(|error| Failure::Broken(format!("an export's position: {error}")))?;
        let mut after = Export { position: Some(position), progress, ..self.export.next() };
        after.parts.push(part);
        Ok(after)
    }

    async fn complete(&mut self, upload: &str) -> Result<(), Stop> {
        match self.deps.bundles.complete(&self.key(), upload, &self.export.parts).await? {
            Completed::Broken => self.restart().await,
            Completed::Yes(bytes) => {
                let ended = Export { bytes, progress: 100, ..self.ended(Status::Completed) };
                let notice = DomainEvent::ExportReady { user: ended.user, export: ended.id };
                let extras = self.history(Action::Completed).await?.with([self.job.message(notice)]);
                self.save(ended, extras).await?;
                self.report.completed += 1;
                Ok(())
            }
        }
    }

    /// Starts the bundle again, because the stored one can't be continued; after [`RESTARTS`] the export fails. The job changes
    /// before the old parts are removed, so a run that still writes them stops first.
    async fn restart(&mut self) -> Result<(), Stop> {
        let old = self.export.upload.clone();
        if self.export.restarts < RESTARTS {
            let restarted = Export {
                upload: None,
                parts: Vec::new(),
                position: None,
                progress: 0,
                restarts: self.export.restarts.saturating_add(1),
                ..self.released()
            };
            self.save(restarted, going_on(self.job, &self.export)).await?;
            self.report.went_on += 1;
        } else {
            let extras = self.history(Action::Failed).await?;
            self.save(self.ended(Status::Failed), extras).await?;
        }
        if let Some(upload) = old {
            self.deps.blobs.abort(&self.key(), &upload).await?;
        }
        Ok(())
    }

    /// The job without its lease.
    fn released(&self) -> Export {
        Export { lease_ends: Some(self.job.now), ..self.export.next() }
    }

    /// The job after its end.
    fn ended(&self, status: Status) -> Export {
        Export {
            status,
            ended_at: Some(self.job.now),
            lease_ends: None,
            upload: None,
            parts: Vec::new(),
            position: None,
            ..self.export.next()
        }
    }

    /// The event in the history, if the user has a workspace.
    async fn history(&self, action: Action) -> Result<TransactionExtras, Failure> {
        let workspace = personal_workspace(self.export.user);
        let event = self.deps.workspaces.find(workspace).await?.map(|_| {
            let actor = Actor { user: self.export.user, key: None };
            let event = self.job.event(workspace, actor, action, ResourceType::Export);
            event.about(self.export.id, self.export.filename())
        });
        Ok(TransactionExtras { event, ..TransactionExtras::default() })
    }

    async fn save(&mut self, after: Export, extras: TransactionExtras) -> Result<(), Stop> {
        match self.deps.exports.replace(&self.export, &after, extras).await? {
            Saved::Yes => {
                self.export = after;
                Ok(())
            }
            Saved::Stale => Err(Stop::Lost),
        }
    }

    /// Removes the bundle if the job was deleted with its account. Otherwise another run continues the job.
    async fn clear_up(&self) -> Result<(), Failure> {
        if self.deps.exports.find(self.export.user, self.export.id).await?.is_some() {
            return Ok(());
        }
        if let Some(upload) = &self.export.upload {
            self.deps.blobs.abort(&self.key(), upload).await?;
        }
        self.deps.blobs.delete(&[self.key()]).await
    }
}
