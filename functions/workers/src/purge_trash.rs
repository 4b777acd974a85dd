//! `purge-trash`: removes what is over, with all that belongs to it: what was in the trash for 30 days, what the trash was
//! emptied of, what was deleted for good, uploads that were never completed.
//!
//! Once a day it looks for what is due; what people remove reaches it at once, by an event. It may be killed anywhere, run
//! twice at once, or days late: each step is one change that is made only if it is still due, and nothing is forgotten before
//! what hangs on it is gone. A run does so much and no more; if there is more, it sets the next one off.

mod tree;

use std::sync::Arc;

use domain::{
    activity::Action,
    blob::{BlobKey, Blobs},
    id::WorkspaceId,
    outbox::Notice,
    ports::{Alongside, DUE_PARTS, Failure, Page, Purges, Resources, Saved, Trash},
    trash::{Due, Purge, Task, Trashed, is_due},
    upload::State,
    usage::Usage,
};
use kit::{Grant, Items, Job, Ports, Trigger, Worker, WorkerSpec, spec::Every, worker};
use serde::Serialize;

use crate::event::Event;

/// Removes what is over.
pub struct PurgeTrash;

/// What it works with.
pub struct Deps {
    trash: Arc<dyn Trash>,
    resources: Arc<dyn Resources>,
    purges: Arc<dyn Purges>,
    blobs: Arc<dyn Blobs>,
}

/// How many changes a run makes: about 20 seconds' worth, of the 60 that it may take.
const STEPS: usize = 1_000;
/// So many are read at a time.
const CHUNK: usize = 100;

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Things taken out of the trash for good.
    removed: usize,
    /// Models removed with their projects.
    models: usize,
    /// Files removed.
    files: usize,
    /// Uploads swept.
    uploads: usize,
    /// Whether there is more to do, which the next run was set off for.
    more: bool,
}

/// A run.
struct Run<'a> {
    deps: &'a Deps,
    job: &'a Job,
    steps: usize,
    report: Report,
}

impl Worker for PurgeTrash {
    const SPEC: WorkerSpec = worker(
        "purge-trash",
        Trigger::Schedule(Every::Days(1)),
        "Removes what was in the trash for 30 days, what was deleted for good, and uploads that were never completed",
        &[
            Grant::items("Query", Items::Due),
            Grant::items("DeleteItem", Items::Due),
            Grant::items("PutItem", Items::Due),
            Grant::items("BatchGetItem", Items::Trash),
            Grant::items("BatchGetItem", Items::Usage),
            Grant::items("GetItem", Items::Usage),
            Grant::items("Query", Items::TrashList),
            Grant::items("DeleteItem", Items::Trash),
            Grant::items("DeleteItem", Items::TrashList),
            Grant::items("UpdateItem", Items::Usage),
            Grant::items("PutItem", Items::Purges),
            Grant::items("GetItem", Items::Purges),
            Grant::items("DeleteItem", Items::Purges),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Outbox),
            Grant::items("Query", Items::Groups),
            Grant::items("BatchGetItem", Items::Models),
            Grant::items("BatchWriteItem", Items::Models),
            Grant::items("BatchWriteItem", Items::Groups),
            Grant::items("BatchWriteItem", Items::Slugs),
            Grant::items("BatchWriteItem", Items::Sizes),
            Grant::items("Query", Items::Files),
            Grant::items("BatchWriteItem", Items::Files),
            Grant::items("GetItem", Items::Uploads),
            Grant::items("PutItem", Items::Uploads),
            Grant::items("DeleteItem", Items::Uploads),
            Grant::files("DeleteObject"),
        ],
    )
    .also(Trigger::Bus(&Notice::PURGING));
    type Deps = Deps;
    type Event = Event;
    type Result = Report;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            trash: ports.trash(),
            resources: ports.resources(),
            purges: ports.purges(),
            blobs: ports.blobs(),
        }
    }

    async fn handle(deps: &Deps, job: &Job, event: Event) -> Result<Report, Failure> {
        let notice = match event {
            Event::Message(message) => message.detail.notice,
            Event::Tick {} => Notice::PurgeGoesOn,
        };
        let mut run = Run { deps, job, steps: STEPS, report: Report::default() };
        match &notice {
            Notice::PurgeBegun { workspace, root } => {
                if let Some(purge) = deps.purges.find(*workspace, *root).await? {
                    run.remove_tree(&purge).await?;
                }
            }
            Notice::TrashEmptied { workspace } => run.remove_emptied(*workspace).await?,
            Notice::PurgeGoesOn => run.remove_due().await?,
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
    /// Whether it has done as much as a run does.
    fn is_over(&self) -> bool {
        self.steps == 0
    }

    fn step(&mut self) {
        self.steps = self.steps.saturating_sub(1);
    }

    /// All that is due, part by part, the longest due first. What fails is passed over, so that the rest is done; it is due
    /// again in the next run.
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
                    // A complete one is a file, which stays; only the record of how it came is forgotten.
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

    /// What the trash of a workspace was emptied of.
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
                break;
            }
        }
        Ok(())
    }

    /// Takes one thing out of the trash for good, if that is due. What belongs to it follows by the message that goes with it.
    async fn remove(&mut self, trashed: &Trashed, usage: &Usage) -> Result<(), Failure> {
        let Some(proof) = is_due(trashed, usage, self.job.now) else { return Ok(()) };
        let (root, workspace) = (trashed.resource.id, trashed.resource.workspace);
        let mut event = self.job.event(workspace, proof.by(), Action::Deleted, root.kind().in_history());
        event = event.about(root, &trashed.resource.name);
        if proof.is_counted() {
            event.metadata.insert("reason".to_owned(), "expired".into());
        }
        let message = self.job.message(Notice::PurgeBegun { workspace, root });
        let alongside = Alongside { event: Some(event), message: Some(message), receipt: None };
        let purge = Purge { root, workspace, begun_at: self.job.now };
        // If it changed meanwhile, it was restored or removed by another: nothing is left to do here.
        if self.deps.trash.remove(&proof, trashed, &purge, alongside).await? == Saved::Yes {
            self.report.removed += 1;
        }
        Ok(())
    }
}
