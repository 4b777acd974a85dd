//! `purge-trash`: removes expired resources with everything in them: resources that were in the trash for 30 days, that the
//! trash was emptied of, or that were deleted permanently, and uploads that were never completed.
//!
//! The schedule looks for due tasks once a day; an event reports what people remove at once. A run may end anywhere, run
//! concurrently with another, or be days late: each step is one conditional change, and a record is deleted after everything
//! that it refers to. A run makes a limited number of changes and invokes the next run if more is due.

mod tree;

use std::sync::Arc;

use domain::{
    activity::Action,
    blob::{BlobKey, Blobs},
    domain_events::DomainEvent,
    id::WorkspaceId,
    ports::{DUE_PARTS, Failure, Page, Purges, Resources, Saved, TransactionExtras, Trash},
    trash::{Due, Purge, Task, Trashed, is_due},
    upload::State,
    usage::Usage,
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{blobs, extras, purges, resources, trash},
    spec::Every,
    worker,
    worker::Event,
};
use serde::Serialize;

/// Removes expired resources and uploads.
pub struct PurgeTrash;

/// The ports that it uses.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
    purges: Arc<dyn Purges>,
    blobs: Arc<dyn Blobs>,
}

/// How many changes a run makes: about 20 seconds of work, out of the 60 that a run may take.
const STEPS: usize = 1_000;
/// How many items are read at a time.
const CHUNK: usize = 100;

/// The result.
#[derive(Debug, Default, Serialize)]
pub struct PurgeReport {
    /// Resources removed from the trash permanently.
    removed: usize,
    /// Models removed with their projects.
    models: usize,
    /// Files removed.
    files: usize,
    /// Uploads removed that were never completed.
    uploads: usize,
    /// Whether more is due, for which the next run was invoked.
    more: bool,
}

/// A run.
struct Run<'a> {
    deps: &'a Deps,
    job: &'a RunContext,
    steps: usize,
    report: PurgeReport,
}

impl Worker for PurgeTrash {
    const SPEC: WorkerSpec = worker(
        "purge-trash",
        Trigger::Schedule(Every::Days(1)),
        "Removes resources after 30 days in the trash, permanently deleted ones, and uploads that were never completed",
        &[purges::DUE, purges::SETTLE, purges::FIND, purges::FILES, purges::FORGET_FILES, purges::MODELS, purges::FORGET_MODELS, purges::FINISH, purges::GIVE_UP, purges::FORGET_UPLOAD, purges::GO_ON, resources::USAGE, trash::FIND, trash::OVER, trash::REMOVE, blobs::DELETE_FILES, extras::EVENT],
    )
    .also(Trigger::Bus);
    type Deps = Deps;
    type Event = Event;
    type Result = PurgeReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            trash: ports.trash(),
            resources: ports.resources(),
            purges: ports.purges(),
            blobs: ports.blobs(),
        }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Event) -> Result<PurgeReport, Failure> {
        let notice = match event {
            Event::Message(message) => message.detail.notice,
            Event::Tick(_) => DomainEvent::PurgeGoesOn,
        };
        let mut run = Run { deps, job, steps: STEPS, report: PurgeReport::default() };
        match &notice {
            DomainEvent::PurgeBegun { workspace, root } => {
                if let Some(purge) = deps.purges.find(*workspace, *root).await? {
                    run.remove_tree(&purge).await?;
                }
            }
            DomainEvent::TrashEmptied { workspace } => run.remove_emptied(*workspace).await?,
            DomainEvent::PurgeGoesOn => run.remove_due().await?,
            _ => {}
        }
        run.report.more = run.is_over();
        if run.report.more {
            deps.purges.go_on(&job.message(notice)).await?;
        }
        Ok(run.report)
    }
}

impl Run<'_> {
    /// Whether the run has made all the changes that it may make.
    fn is_over(&self) -> bool {
        self.steps == 0
    }

    fn step(&mut self) {
        self.steps = self.steps.saturating_sub(1);
    }

    /// Does all due tasks, part by part, the earliest first. A task that fails is skipped and stays due for the next run.
    async fn remove_due(&mut self) -> Result<(), Failure> {
        let mut failed = None;
        for part in 0..DUE_PARTS {
            let mut after = None;
            loop {
                let Page { items, more } = self.deps.purges.due(part, self.job.now, after, CHUNK).await?;
                after = items.last().copied();
                for due in items {
                    if self.is_over() {
                        return failed.map_or(Ok(()), Err);
                    }
                    self.step();
                    failed = self.do_due(&due).await.err().or(failed);
                }
                if !more {
                    break;
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn do_due(&mut self, due: &Due) -> Result<(), Failure> {
        match due.task {
            Task::Expire(id) => {
                let (trashed, usage) = self.deps.trash.find(due.workspace, id).await?;
                match trashed {
                    Some(trashed) => self.remove(&trashed, &usage).await,
                    None => self.deps.purges.settle(due).await,
                }
            }
            Task::Empty => {
                self.remove_emptied(due.workspace).await?;
                if self.is_over() { Ok(()) } else { self.deps.purges.settle(due).await }
            }
            Task::Purge(root) => match self.deps.purges.find(due.workspace, root).await? {
                Some(purge) => self.remove_tree(&purge).await,
                None => self.deps.purges.settle(due).await,
            },
            Task::Sweep(upload) => match self.deps.purges.give_up(due.workspace, upload, self.job.now).await?
            {
                Some(upload) => {
                    // A completed upload is a file, which stays. Only the record of the upload is deleted.
                    if upload.state == State::Swept {
                        self.deps.blobs.delete(&[BlobKey::of_upload(upload.workspace, upload.id)]).await?;
                        self.report.uploads += 1;
                    }
                    self.deps.purges.forget_upload(&upload).await
                }
                None => self.deps.purges.settle(due).await,
            },
        }
    }

    /// Removes the resources that the trash of a workspace was emptied of.
    async fn remove_emptied(&mut self, workspace: WorkspaceId) -> Result<(), Failure> {
        let usage = self.deps.resources.usage(workspace).await?;
        let Some(until) = usage.emptied_until else { return Ok(()) };
        while !self.is_over() {
            let Page { items, more } = self.deps.trash.over(workspace, until, CHUNK).await?;
            for trashed in &items {
                if self.is_over() {
                    return Ok(());
                }
                self.step();
                self.remove(trashed, &usage).await?;
            }
            if !more {
                // Nothing is left, so the task is not due later.
                return self.deps.purges.settle(&Due::emptying(workspace, until)).await;
            }
        }
        Ok(())
    }

    /// Removes one resource from the trash, if that is due. The message that it writes removes everything in the resource.
    async fn remove(&mut self, trashed: &Trashed, usage: &Usage) -> Result<(), Failure> {
        let Some(proof) = is_due(trashed, usage, self.job.now) else { return Ok(()) };
        let (root, workspace) = (trashed.resource.id, trashed.resource.workspace);
        let mut event = self.job.event(workspace, proof.by(), Action::Deleted, root.kind().in_history());
        event = event.about(root, &trashed.resource.name);
        if proof.is_counted() {
            event.metadata.insert("reason".to_owned(), "expired".into());
        }
        let message = self.job.message(DomainEvent::PurgeBegun { workspace, root });
        let extras = TransactionExtras { event: Some(event), messages: vec![message], receipt: None };
        let purge = Purge { root, workspace, begun_at: self.job.now };
        // If it changed meanwhile, it was restored or removed: there is nothing to do.
        if self.deps.trash.remove(&proof, trashed, &purge, extras).await? == Saved::Yes {
            self.report.removed += 1;
        }
        Ok(())
    }
}
