//! `run-export`: writes the bundles of exports, bit by bit, and removes them when their week is over.
//!
//! A run takes the job with a lease, reads on where the last one stopped, and stores parts of the bundle. Only when a part is
//! stored is it written down where the next one begins, so a run that is killed anywhere has lost no more than what it had not
//! stored, and whoever goes on writes on byte for byte. A run does so much and no more; if there is more, it sets the next one
//! off. A part has 5 MiB at least, however little a run has to write: what is wanting is filled up, so that every run gets on.
//!
//! The job is the only record of what was done. If somebody else changes it, the run stops: the part that it may have stored is
//! stored again by whoever goes on.

mod bundle;
mod readme;
mod rows;
mod sections;
mod source;

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    blob::{BlobKey, Blobs, Bundles, Completed},
    export::{Export, LEASE},
    id::{JobId, UserId},
    job::Status,
    outbox::Notice,
    ports::{
        Accounts, Alongside, ApiKeys, Exports, Failure, History, Inventory, Resources, Saved, Workspaces,
    },
    user::personal_workspace,
};
use jiff::Timestamp;
use kit::{Grant, Items, Job, Ports, Trigger, Worker, WorkerSpec, spec::Every, worker};
use serde::{Deserialize, Serialize};

use crate::event::Event;
use bundle::{Bundle, Written};
use source::{Place, Source};

/// Writes exports.
pub struct RunExport;

/// What it works with.
pub struct Deps {
    exports: Arc<dyn Exports>,
    blobs: Arc<dyn Blobs>,
    bundles: Arc<dyn Bundles>,
    inventory: Arc<dyn Inventory>,
    accounts: Arc<dyn Accounts>,
    workspaces: Arc<dyn Workspaces>,
    resources: Arc<dyn Resources>,
    history: Arc<dyn History>,
    keys: Arc<dyn ApiKeys>,
}

/// What a part has at least, but for the last ([S3's limit]).
///
/// [S3's limit]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const PART: usize = 5 * 1024 * 1024;
/// How many rows a run writes, or pages it reads at [`PAGE_COSTS`] rows each: about 20 seconds' worth, of the 60 that it may take.
const BUDGET: usize = 75_000;
/// What reading a page takes, in rows.
const PAGE_COSTS: usize = 50;
/// How often a bundle is begun anew before the export is given up.
const RESTARTS: u32 = 3;
/// How many jobs the schedule looks after at once.
const DUE: usize = 500;

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Parts stored.
    parts: usize,
    /// Bundles completed.
    completed: usize,
    /// Exports that the next run was set off for.
    went_on: usize,
    /// Exports whose time was over, removed.
    removed: usize,
}

/// How far a bundle is, as the job's record keeps it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Position {
    /// Rows are being written.
    At(Place, Box<Written>),
    /// All parts are stored.
    End,
}

/// Why a run ends.
enum Stop {
    /// Somebody else changed the job, or it is gone.
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
    job: &'a Job,
    /// As it is stored.
    export: Export,
    report: &'a mut Report,
}

impl Worker for RunExport {
    const SPEC: WorkerSpec = worker(
        "run-export",
        Trigger::Bus(&Notice::EXPORTING),
        "Writes the bundles of exports, and removes them after a week",
        &[
            Grant::items("Query", Items::ExportsDue),
            Grant::items("PutItem", Items::ExportsDue),
            Grant::items("DeleteItem", Items::ExportsDue),
            Grant::items("GetItem", Items::Jobs),
            Grant::items("PutItem", Items::Jobs),
            Grant::items("DeleteItem", Items::Jobs),
            Grant::items("GetItem", Items::Users),
            Grant::items("Query", Items::Memberships),
            Grant::items("Query", Items::Sessions),
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("GetItem", Items::Usage),
            Grant::items("Query", Items::Projects),
            Grant::items("Query", Items::Datasets),
            Grant::items("Query", Items::Models),
            Grant::items("Query", Items::Trash),
            Grant::items("Query", Items::Files),
            Grant::items("Query", Items::Events),
            Grant::items("Query", Items::Marks),
            Grant::items("GetItem", Items::Marks),
            Grant::items("Query", Items::Keys),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Outbox),
            Grant::bundles("PutObject"),
            Grant::bundles("ListBucket"),
            Grant::bundles("AbortMultipartUpload"),
            Grant::bundles("DeleteObject"),
        ],
    )
    .also(Trigger::Schedule(Every::Minutes(15)));
    type Deps = Deps;
    type Event = Event;
    type Result = Report;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            exports: ports.exports(),
            blobs: ports.blobs(),
            bundles: ports.bundles(),
            inventory: ports.inventory(),
            accounts: ports.accounts(),
            workspaces: ports.workspaces(),
            resources: ports.resources(),
            history: ports.history(),
            keys: ports.api_keys(),
        }
    }

    async fn handle(deps: &Deps, job: &Job, event: Event) -> Result<Report, Failure> {
        let mut report = Report::default();
        match event {
            Event::Message(message) => {
                let Notice::ExportGoesOn { user, export } = message.detail.notice else { return Ok(report) };
                if let Some(export) = deps.exports.find(user, export).await? {
                    run(deps, job, export, &mut report).await?;
                }
            }
            Event::Tick {} => look_after(deps, job, &mut report).await?,
        }
        Ok(report)
    }
}

/// Goes on with an export, if it is open and no other run is at it.
async fn run(deps: &Deps, job: &Job, export: Export, report: &mut Report) -> Result<(), Failure> {
    if !export.is_free(job.now) {
        return Ok(());
    }
    let mut run = Run { deps, job, export, report };
    match run.go_on().await {
        Ok(()) => Ok(()),
        Err(Stop::Lost) => run.clear_up().await,
        // It would be so again: anew, or not at all.
        Err(Stop::Failed(Failure::Broken(why))) => match run.begin_anew().await {
            Ok(()) => Err(Failure::Broken(why)),
            Err(Stop::Lost) => run.clear_up().await,
            Err(Stop::Failed(failure)) => Err(failure),
        },
        Err(Stop::Failed(failure)) => {
            // Let go, so that the next try need not wait for the lease; if this fails too, it waits.
            let _ = run.save(run.released(), Alongside::default()).await;
            Err(failure)
        }
    }
}

/// What nobody came for: open exports go on, and those whose week is over are removed. What fails is passed over, so that the
/// rest is done; it is due again in the next run.
async fn look_after(deps: &Deps, job: &Job, report: &mut Report) -> Result<(), Failure> {
    let mut failed = None;
    for (user, id) in deps.exports.due(job.now, DUE).await? {
        failed = look_after_one(deps, job, (user, id), report).await.err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

async fn look_after_one(
    deps: &Deps,
    job: &Job,
    (user, id): (UserId, JobId),
    report: &mut Report,
) -> Result<(), Failure> {
    let Some(export) = deps.exports.find(user, id).await? else { return Ok(()) };
    if export.due_at() > job.now {
        return Ok(());
    }
    if export.status.is_open() {
        // Each in a run of its own.
        let free = Export { lease_ends: Some(job.now), ..export.next() };
        let alongside = going_on(job, &export);
        if deps.exports.replace(&export, &free, alongside).await? == Saved::Yes {
            report.went_on += 1;
        }
        return Ok(());
    }
    deps.blobs.delete(&[BlobKey::of_export(&export)]).await?;
    deps.exports.forget(&export).await?;
    report.removed += 1;
    Ok(())
}

/// Sets the next run off.
fn going_on(job: &Job, export: &Export) -> Alongside {
    let notice = Notice::ExportGoesOn { user: export.user, export: export.id };
    Alongside { message: Some(job.message(notice)), ..Alongside::default() }
}

impl Run<'_> {
    async fn go_on(&mut self) -> Result<(), Stop> {
        let lease_ends = Some(self.job.now.saturating_add(LEASE).unwrap_or(Timestamp::MAX));
        let taken = Export { status: Status::Running, lease_ends, ..self.export.next() };
        self.save(taken, Alongside::default()).await?;
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
                // Without an account there is nobody who could fetch it; who deletes the account sees to the rest.
                let account = Source::new(self.deps, &asked).account().await?.ok_or(Stop::Lost)?;
                let bundle = Bundle::begin(&self.export, &account)?;
                self.write(&upload, Place::START, bundle).await
            }
        }
    }

    fn key(&self) -> BlobKey {
        BlobKey::of_export(&self.export)
    }

    /// The bundle's upload, which is written down before anything is stored.
    async fn upload(&mut self) -> Result<String, Stop> {
        if let Some(upload) = &self.export.upload {
            return Ok(upload.clone());
        }
        let upload = self.deps.bundles.begin(&self.key(), self.export.format).await?;
        let begun = Export { upload: Some(upload.clone()), ..self.export.next() };
        if let Err(stop) = self.save(begun, Alongside::default()).await {
            self.deps.blobs.abort(&self.key(), &upload).await?;
            return Err(stop);
        }
        Ok(upload)
    }

    /// Writes rows and stores parts, until all is written or the run has done its share.
    async fn write(&mut self, upload: &str, mut place: Place, mut bundle: Bundle) -> Result<(), Stop> {
        let (deps, export) = (self.deps, self.export.clone());
        let (mut source, mut left) = (Source::new(deps, &export), BUDGET);
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
            self.save(after, Alongside::default()).await?;
        }
        let after = self.store(upload, bundle.finish()?, &Position::End, 99).await?;
        self.save(after, Alongside::default()).await?;
        self.complete(upload).await
    }

    /// Stores a part; what the job is to be then.
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
            Completed::Broken => self.begin_anew().await,
            Completed::Yes(bytes) => {
                let ended = Export { bytes, progress: 100, ..self.ended(Status::Completed) };
                let notice = Notice::ExportReady { user: ended.user, export: ended.id };
                let message = Some(self.job.message(notice));
                let alongside = Alongside { message, ..self.history(Action::Completed).await? };
                self.save(ended, alongside).await?;
                self.report.completed += 1;
                Ok(())
            }
        }
    }

    /// Begins the bundle anew, because what is stored can't be gone on with, or gives the export up if that was done often enough. Whoever still goes on with the old one finds
    /// it changed, before its parts are gone.
    async fn begin_anew(&mut self) -> Result<(), Stop> {
        let old = self.export.upload.clone();
        if self.export.restarts < RESTARTS {
            let anew = Export {
                upload: None,
                parts: Vec::new(),
                position: None,
                progress: 0,
                restarts: self.export.restarts.saturating_add(1),
                ..self.released()
            };
            self.save(anew, going_on(self.job, &self.export)).await?;
            self.report.went_on += 1;
        } else {
            let alongside = self.history(Action::Failed).await?;
            self.save(self.ended(Status::Failed), alongside).await?;
        }
        if let Some(upload) = old {
            self.deps.blobs.abort(&self.key(), &upload).await?;
        }
        Ok(())
    }

    /// The job, free for another run.
    fn released(&self) -> Export {
        Export { lease_ends: Some(self.job.now), ..self.export.next() }
    }

    /// The job when nothing more is to be written.
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

    /// The line in the history, if there is one.
    async fn history(&self, action: Action) -> Result<Alongside, Failure> {
        let workspace = personal_workspace(self.export.user);
        let event = self.deps.workspaces.find(workspace).await?.map(|_| {
            let actor = Actor { user: self.export.user, key: None };
            let event = self.job.event(workspace, actor, action, ResourceType::Export);
            event.about(self.export.id, self.export.filename())
        });
        Ok(Alongside { event, ..Alongside::default() })
    }

    async fn save(&mut self, after: Export, alongside: Alongside) -> Result<(), Stop> {
        match self.deps.exports.replace(&self.export, &after, alongside).await? {
            Saved::Yes => {
                self.export = after;
                Ok(())
            }
            Saved::Stale => Err(Stop::Lost),
        }
    }

    /// Whoever changed the job goes on with it. If it is gone, with the account, nothing of the bundle may stay.
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
