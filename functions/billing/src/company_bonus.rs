//! `credit-company-address`: credits the first company address of an account that was opened with a personal one, once.
//!
//! An account adds addresses only after its onboarding. Should a message about an address come before the workspace, the message about
//! the workspace makes up for it. Repeated and reordered messages are harmless: the wallet remembers the bonus, and the mailbox of the
//! address remembers its user.

use std::sync::Arc;

use domain::{
    Timestamp,
    domain_events::DomainEvent,
    email::EmailAddress,
    free_credit::{CreditClaim, CreditCounter, CreditGrant, company_bonus},
    id::{AddressId, UserId, WorkspaceId},
    money::MicroUsd,
    permissions::worker_may_credit_company_addresses,
    plan::COMPANY_SIGN_UP_CREDIT,
    ports::{
        AddressHashes, CreditClaimed, Directory, Failure, Outcome, Rounds, Saved, TransactionExtras,
        UserAddresses, Wallets, Workspaces,
    },
    user::personal_workspace,
    wallet::{Cause, Lot, LotId, LotKind, PostingType},
    workspace::WorkspaceKind,
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{address_hashes, directory, user_addresses, wallets, workspaces},
    worker,
    worker::Envelope,
};
use serde::Serialize;

use crate::stored_wallet;

/// Credits company addresses.
pub struct CreditCompanyAddress;

/// The ports that it uses.
pub struct Deps {
    addresses: Arc<dyn UserAddresses>,
    hashes: Arc<dyn AddressHashes>,
    directory: Arc<dyn Directory>,
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// The result.
#[derive(Serialize)]
pub struct CompanyAddressReport {
    /// Whether credit was booked now.
    credited: bool,
}

impl Worker for CreditCompanyAddress {
    const SPEC: WorkerSpec = worker(
        "credit-company-address",
        Trigger::Bus,
        "Credits the first company address of an account that was opened with a personal one",
        &[
            workspaces::FIND,
            user_addresses::FIND,
            wallets::WITH_CAUSES,
            address_hashes::CREDIT_HASHES,
            directory::GRANT_CREDIT,
            wallets::BOOK_CREDIT,
        ],
    );
    type Deps = Deps;
    type Event = Envelope;
    type Result = CompanyAddressReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.user_addresses(),
            hashes: ports.address_hashes(),
            directory: ports.directory(),
            wallets: ports.wallets(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Envelope) -> Result<CompanyAddressReport, Failure> {
        let credited = match event.detail.notice {
            DomainEvent::AddressVerified { user, id, first_company: true, .. } => {
                deps.credit(personal_workspace(user), Some(id), job.now).await?
            }
            DomainEvent::WorkspaceOpened { workspace, .. } => deps.credit(workspace, None, job.now).await?,
            _ => false,
        };
        Ok(CompanyAddressReport { credited })
    }
}

impl Deps {
    /// Credits an account, if it is due to it. `address`: the address that was verified; without it, any counts.
    async fn credit(&self, id: WorkspaceId, address: Option<AddressId>, now: Timestamp) -> Outcome<bool> {
        let Some(workspace) = self.workspaces.find(id).await? else { return Ok(false) };
        if workspace.kind != WorkspaceKind::Personal || workspace.opening_credit >= COMPANY_SIGN_UP_CREDIT {
            return Ok(false);
        }
        // The address may have been removed since.
        let Some(email) = self.company_address(workspace.owner, address).await? else { return Ok(false) };
        let (proof, causes) = (worker_may_credit_company_addresses(), [Cause::Company]);
        let (mut claimed, mut rounds) = (None, Rounds::new());
        loop {
            rounds.begin()?;
            let read = stored_wallet::read(&*self.wallets, &*self.workspaces, id, &causes).await?;
            let Some((wallet, booked)) = read else { return Ok(false) };
            if booked.iter().any(Option::is_some) {
                return Ok(false);
            }
            let amount = match claimed {
                Some(amount) => amount,
                None => self.claim(workspace.owner, &email, now).await?,
            };
            claimed = Some(amount);
            if amount <= MicroUsd::ZERO {
                return Ok(false);
            }
            let mut booking = wallet.booking(now);
            let lot = Lot { id: LotId::new(LotKind::SignUp, None), amount };
            // A wallet with the most lots gets the credit with a later delivery of the message.
            booking
                .credit(PostingType::Signup, lot, Cause::Company, None)
                .map_err(|refusal| Failure::Broken(format!("the wallet refuses credit: {refusal:?}")))?;
            let Some(change) = booking.finish() else { return Ok(false) };
            if self.wallets.book(&proof, &change, TransactionExtras::default()).await? == Saved::Yes {
                return Ok(true);
            }
        }
    }

    async fn company_address(&self, user: UserId, id: Option<AddressId>) -> Outcome<Option<EmailAddress>> {
        let Some(stored) = self.addresses.find(user).await? else { return Ok(None) };
        let mut added = stored.added_company_addresses();
        Ok(added.find(|address| id.is_none_or(|id| id == address.id)).map(|address| address.email.clone()))
    }

    /// Claims the bonus for the mailbox of an address. Returns the amount that the user gets: nothing if the mailbox gave its credit
    /// already, or if the organization's limit of the day is reached. A message that is repeated gets the amount of the first one.
    async fn claim(&self, user: UserId, email: &EmailAddress, now: Timestamp) -> Outcome<MicroUsd> {
        let hashes = self.hashes.credit_hashes(email).await?;
        let claim = CreditClaim::new(hashes.mailbox, CreditGrant::Company, user, company_bonus());
        let organization = [CreditCounter::Organization(hashes.organization)];
        Ok(match self.directory.grant_credit(&claim, &organization, now).await? {
            CreditClaimed::Yes(amount) => amount,
            CreditClaimed::Taken | CreditClaimed::NetworkFull | CreditClaimed::OrganizationFull => {
                MicroUsd::ZERO
            }
        })
    }
}
