//! `confirm-claims`: makes the claims on a new account's address and a new workspace's handle permanent after the transaction
//! that created the account or workspace. Nothing waits for it: an unconfirmed claim reserves the name too.
//!
//! If the account or workspace was deleted meanwhile, the claim stays unconfirmed: a confirmed claim without a holder would
//! block the name forever. `run-deletion` releases, in its second pass, a claim that was confirmed during the deletion.

use std::sync::Arc;

use domain::{
    directory::Claim,
    domain_events::{DomainEvent, Message},
    ports::{Accounts, Directory, Failure, Workspaces},
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{accounts, directory, workspaces},
    worker,
    worker::Envelope,
};
use serde::Serialize;

/// Confirms claims on handles and addresses.
pub struct ConfirmClaims;

/// The ports that it uses.
pub struct Deps {
    directory: Arc<dyn Directory>,
    accounts: Arc<dyn Accounts>,
    workspaces: Arc<dyn Workspaces>,
}

/// The result.
#[derive(Serialize)]
pub struct ConfirmClaimsReport {
    confirmed: bool,
}

impl Worker for ConfirmClaims {
    const SPEC: WorkerSpec = worker(
        "confirm-claims",
        Trigger::Bus,
        "Confirms the claims of new accounts and workspaces",
        &[accounts::USER, workspaces::FIND, directory::CONFIRM_HANDLE, directory::CONFIRM_ADDRESS],
    );
    type Deps = Deps;
    type Event = Envelope;
    type Result = ConfirmClaimsReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { directory: ports.directory(), accounts: ports.accounts(), workspaces: ports.workspaces() }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Envelope) -> Result<ConfirmClaimsReport, Failure> {
        let Message { at, notice, .. } = event.detail;
        let (claim, is_there) = match notice {
            DomainEvent::AccountOpened { user, address } => {
                let is_there = deps.accounts.user(user).await?.is_some();
                (Claim::on_address(address, job.region, user, at), is_there)
            }
            DomainEvent::WorkspaceOpened { workspace, handle } => {
                let is_there = deps.workspaces.find(workspace).await?.is_some();
                (Claim::on_handle(handle, job.region, workspace, at), is_there)
            }
            _ => return Ok(ConfirmClaimsReport { confirmed: false }),
        };
        if !is_there {
            return Ok(ConfirmClaimsReport { confirmed: false });
        }
        if deps.directory.confirm(&claim).await? {
            Ok(ConfirmClaimsReport { confirmed: true })
        } else {
            Err(Failure::Broken(format!("{} has a name that is another's", claim.id)))
        }
    }
}
