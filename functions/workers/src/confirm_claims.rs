//! `confirm-claims`: a new account's address and a new workspace's handle are theirs for good, once the transaction that made
//! them is through. Nobody waits for it: a claim is as good before.
//!
//! If they are deleted by now, it is left as it is: confirmed, it would keep the name from everybody for ever. What is deleted
//! between looking and confirming, `run-deletion` meets in its second look.

use std::sync::Arc;

use domain::{
    directory::Claim,
    outbox::{Message, Notice},
    ports::{Accounts, Directory, Failure, Workspaces},
};
use kit::{Grant, Items, Job, Ports, Trigger, Worker, WorkerSpec, worker};
use serde::Serialize;

use crate::event::Envelope;

/// Confirms claims on names.
pub struct ConfirmClaims;

/// What it works with.
pub struct Deps {
    directory: Arc<dyn Directory>,
    accounts: Arc<dyn Accounts>,
    workspaces: Arc<dyn Workspaces>,
}

/// What came of it.
#[derive(Serialize)]
pub struct Report {
    confirmed: bool,
}

impl Worker for ConfirmClaims {
    const SPEC: WorkerSpec = worker(
        "confirm-claims",
        Trigger::Bus(&Notice::CONFIRMING),
        "Makes the claims of new accounts and workspaces good for ever",
        &[
            Grant::items("GetItem", Items::Users),
            Grant::items("GetItem", Items::Workspaces),
            Grant::authority("PutItem", Items::HandleClaims),
            Grant::authority("PutItem", Items::AddressClaims),
            Grant::authority("DeleteItem", Items::PendingClaims),
        ],
    );
    type Deps = Deps;
    type Event = Envelope;
    type Result = Report;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { directory: ports.directory(), accounts: ports.accounts(), workspaces: ports.workspaces() }
    }

    async fn handle(deps: &Deps, job: &Job, event: Envelope) -> Result<Report, Failure> {
        let Message { at, notice, .. } = event.detail;
        let (claim, is_there) = match notice {
            Notice::AccountOpened { user, address } => {
                let is_there = deps.accounts.user(user).await?.is_some();
                (Claim::on_address(address, job.region, user, at), is_there)
            }
            Notice::WorkspaceOpened { workspace, handle } => {
                let is_there = deps.workspaces.find(workspace).await?.is_some();
                (Claim::on_handle(handle, job.region, workspace, at), is_there)
            }
            _ => return Ok(Report { confirmed: false }),
        };
        if !is_there {
            return Ok(Report { confirmed: false });
        }
        if deps.directory.confirm(&claim).await? {
            Ok(Report { confirmed: true })
        } else {
            Err(Failure::Broken(format!("{} has a name that is another's", claim.id)))
        }
    }
}
