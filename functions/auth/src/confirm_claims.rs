//! `confirm-claims`: makes the claims on verified addresses and a new workspace's handle permanent after the transaction that
//! used them, also on providers' identities, and frees addresses and identities that were removed from accounts. Nothing waits for it: an unconfirmed claim reserves the name
//! too.
//!
//! If the address was removed or the account or workspace deleted meanwhile, the claim stays unconfirmed: a confirmed claim
//! without a holder would block the name forever. `run-deletion` releases, in its second pass, a claim that was confirmed during
//! the deletion.

use std::sync::Arc;

use domain::{
    Timestamp,
    directory::{Claim, Name},
    domain_events::{DomainEvent, Message},
    id::UserId,
    ports::{Accounts, Connections, Directory, Failure, Workspaces},
    provider::IdentityHash,
    user::EmailHash,
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{accounts, connections, directory, workspaces},
    worker,
    worker::Envelope,
};
use serde::Serialize;

/// Confirms claims on handles and addresses, and frees removed addresses.
pub struct ConfirmClaims;

/// The ports that it uses.
pub struct Deps {
    directory: Arc<dyn Directory>,
    accounts: Arc<dyn Accounts>,
    connections: Arc<dyn Connections>,
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
        "Confirms the claims of new accounts, addresses, identities and workspaces, and frees removed ones",
        &[
            accounts::BY_ADDRESS,
            connections::BY_IDENTITY,
            workspaces::FIND,
            directory::CONFIRM_HANDLE,
            directory::CONFIRM_ADDRESS,
            directory::UNCONFIRM_ADDRESS,
            directory::RELEASE_ADDRESS,
            directory::CONFIRM_IDENTITY,
            directory::UNCONFIRM_IDENTITY,
            directory::RELEASE_IDENTITY,
        ],
    );
    type Deps = Deps;
    type Event = Envelope;
    type Result = ConfirmClaimsReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            directory: ports.directory(),
            accounts: ports.accounts(),
            connections: ports.connections(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Envelope) -> Result<ConfirmClaimsReport, Failure> {
        let Message { at, notice, .. } = event.detail;
        let confirmed = match notice {
            DomainEvent::AccountOpened { user, address, identity } => {
                let of_identity = match identity {
                    Some(identity) => confirm_identity(deps, job, user, identity, at).await?,
                    None => true,
                };
                confirm_address(deps, job, user, address, at).await? && of_identity
            }
            DomainEvent::AddressVerified { user, address, .. } => {
                confirm_address(deps, job, user, address, at).await?
            }
            DomainEvent::ProviderConnected { user, identity, .. } => {
                confirm_identity(deps, job, user, identity, at).await?
            }
            DomainEvent::WorkspaceOpened { workspace, handle } => {
                let claim = Claim::on_handle(handle, job.region, workspace, at);
                let is_there = deps.workspaces.find(workspace).await?.is_some();
                is_there && confirm(deps, &claim).await?
            }
            DomainEvent::AddressRemoved { user, address } => {
                free(deps, &Claim::on_address(address, job.region, user, at)).await?;
                false
            }
            DomainEvent::ProviderDisconnected { user, identity, .. } => {
                free(deps, &Claim::on_identity(identity, job.region, user, at)).await?;
                false
            }
            _ => false,
        };
        Ok(ConfirmClaimsReport { confirmed })
    }
}

async fn confirm_address(
    deps: &Deps,
    job: &RunContext,
    user: UserId,
    address: EmailHash,
    at: Timestamp,
) -> Result<bool, Failure> {
    let is_there = deps.accounts.by_address(address).await? == Some(user);
    Ok(is_there && confirm(deps, &Claim::on_address(address, job.region, user, at)).await?)
}

async fn confirm_identity(
    deps: &Deps,
    job: &RunContext,
    user: UserId,
    identity: IdentityHash,
    at: Timestamp,
) -> Result<bool, Failure> {
    let is_there = deps.connections.by_identity(identity).await? == Some(user);
    Ok(is_there && confirm(deps, &Claim::on_identity(identity, job.region, user, at)).await?)
}

async fn confirm(deps: &Deps, claim: &Claim) -> Result<bool, Failure> {
    if deps.directory.confirm(claim).await? {
        Ok(true)
    } else {
        Err(Failure::Broken(format!("{} has a name that is another's", claim.id)))
    }
}

/// Frees a removed name. Its claim becomes unconfirmed first, and is then released unless the user has the name again: a request that
/// claims it at the same time replaces the claim, so that it is not released any more.
async fn free(deps: &Deps, claim: &Claim) -> Result<(), Failure> {
    deps.directory.unconfirm(claim).await?;
    let user = match &claim.name {
        Name::Address(address) => deps.accounts.by_address(*address).await?,
        Name::Identity(identity) => deps.connections.by_identity(*identity).await?,
        // Nobody gives up a handle but with the workspace.
        Name::Handle(_) => return Ok(()),
    };
    if user.is_none_or(|user| user.to_string() != claim.id) {
        deps.directory.release(claim).await?;
    }
    Ok(())
}
