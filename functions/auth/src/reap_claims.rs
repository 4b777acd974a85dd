//! `reap-claims`: settles claims on handles, addresses and identities that are still unconfirmed at their deadline, because the request
//! or the confirmation failed. A claim is confirmed if the region's own tables name its holder, and freed otherwise.

use std::sync::Arc;

use domain::{
    directory::{Claim, Name},
    ports::{Accounts, Connections, Directory, Failure, Workspaces},
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{accounts, connections, directory, workspaces},
    spec::Every,
    worker,
    worker::Tick,
};
use serde::Serialize;

/// Settles overdue claims.
pub struct ReapClaims;

/// The ports that it uses.
pub struct Deps {
    directory: Arc<dyn Directory>,
    accounts: Arc<dyn Accounts>,
    connections: Arc<dyn Connections>,
    workspaces: Arc<dyn Workspaces>,
}

/// The result.
#[derive(Default, Serialize)]
pub struct ReapClaimsReport {
    confirmed: usize,
    freed: usize,
}

impl Worker for ReapClaims {
    const SPEC: WorkerSpec = worker(
        "reap-claims",
        Trigger::Schedule(Every::Minutes(5)),
        "Confirms or frees unconfirmed claims after their deadline",
        &[
            directory::OVERDUE,
            directory::CONFIRM_HANDLE,
            directory::CONFIRM_ADDRESS,
            directory::CONFIRM_IDENTITY,
            directory::RELEASE_HANDLE,
            directory::RELEASE_ADDRESS,
            directory::RELEASE_IDENTITY,
            accounts::BY_ADDRESS,
            connections::BY_IDENTITY,
            workspaces::BY_HANDLE,
        ],
    );
    type Deps = Deps;
    type Event = Tick;
    type Result = ReapClaimsReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            directory: ports.directory(),
            accounts: ports.accounts(),
            connections: ports.connections(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(deps: &Deps, job: &RunContext, _: Tick) -> Result<ReapClaimsReport, Failure> {
        let mut report = ReapClaimsReport::default();
        let mut failed = None;
        for claim in deps.directory.overdue(job.region, job.now).await? {
            match settle(deps, &claim).await {
                Ok(Settled::Confirmed) => report.confirmed += 1,
                Ok(Settled::Freed) => report.freed += 1,
                // The next run settles this claim; the others do not depend on it.
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

/// Whether the transaction that the claim was made for was committed.
async fn is_used(deps: &Deps, claim: &Claim) -> Result<bool, Failure> {
    let holder = match &claim.name {
        Name::Handle(handle) => deps.workspaces.by_handle(handle).await?.map(|id| id.to_string()),
        Name::Address(address) => deps.accounts.by_address(*address).await?.map(|id| id.to_string()),
        Name::Identity(identity) => deps.connections.by_identity(*identity).await?.map(|id| id.to_string()),
    };
    Ok(holder.is_some_and(|holder| holder == claim.id))
}
