//! `reap-claims`: settles the claims on handles and addresses whose deadline passed unconfirmed. Whoever claimed died on the
//! way, or the confirmation did: what stands in the region's own tables decides.

use std::sync::Arc;

use domain::{
    directory::{Claim, Name},
    ports::{Accounts, Directory, Failure, Workspaces},
};
use kit::{Grant, Items, Job, Ports, Trigger, Worker, WorkerSpec, spec::Every, worker};
use serde::{Deserialize, Serialize};

/// Settles claims.
pub struct ReapClaims;

/// What it works with.
pub struct Deps {
    directory: Arc<dyn Directory>,
    accounts: Arc<dyn Accounts>,
    workspaces: Arc<dyn Workspaces>,
}

/// The schedule says nothing.
#[derive(Deserialize)]
pub struct Tick {}

/// What came of it.
#[derive(Default, Serialize)]
pub struct Report {
    confirmed: usize,
    freed: usize,
}

impl Worker for ReapClaims {
    const SPEC: WorkerSpec = worker(
        "reap-claims",
        Trigger::Schedule(Every::Minutes(5)),
        "Confirms or frees claims on names that were left unconfirmed",
        &[
            Grant::authority("Query", Items::PendingClaims),
            Grant::items("GetItem", Items::Addresses),
            Grant::items("GetItem", Items::Handles),
            Grant::authority("PutItem", Items::HandleClaims),
            Grant::authority("PutItem", Items::AddressClaims),
            Grant::authority("DeleteItem", Items::HandleClaims),
            Grant::authority("DeleteItem", Items::AddressClaims),
            Grant::authority("DeleteItem", Items::PendingClaims),
        ],
    );
    type Deps = Deps;
    type Event = Tick;
    type Result = Report;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { directory: ports.directory(), accounts: ports.accounts(), workspaces: ports.workspaces() }
    }

    async fn handle(deps: &Deps, job: &Job, _: Tick) -> Result<Report, Failure> {
        let mut report = Report::default();
        let mut failed = None;
        for claim in deps.directory.overdue(job.region, job.now).await? {
            match settle(deps, &claim).await {
                Ok(Settled::Confirmed) => report.confirmed += 1,
                Ok(Settled::Freed) => report.freed += 1,
                // The others can be settled all the same; this one comes again.
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        failed.map_or(Ok(report), Err)
    }
}

enum Settled {
    Confirmed,
    Freed,
}

async fn settle(deps: &Deps, claim: &Claim) -> Result<Settled, Failure> {
    if is_used(deps, claim).await? {
        deps.directory.confirm(claim).await?;
        Ok(Settled::Confirmed)
    } else {
        deps.directory.release(claim).await?;
        Ok(Settled::Freed)
    }
}

/// Whether the transaction that the claim was made for happened.
async fn is_used(deps: &Deps, claim: &Claim) -> Result<bool, Failure> {
    let holder = match &claim.name {
        Name::Handle(handle) => deps.workspaces.by_handle(handle).await?.map(|id| id.to_string()),
        Name::Address(address) => deps.accounts.by_address(*address).await?.map(|id| id.to_string()),
    };
    Ok(holder.is_some_and(|holder| holder == claim.id))
}
