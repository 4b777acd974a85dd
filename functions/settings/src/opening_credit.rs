//! The opening credit of a new account: once for a mailbox, and for a bounded number of accounts a day of a network and of an
//! organization.

use std::{net::IpAddr, sync::Arc};

use domain::{
    Timestamp,
    free_credit::{CreditClaim, CreditCounter, CreditGrant},
    money::MicroUsd,
    plan::{PERSONAL_SIGN_UP_CREDIT, sign_up_credit},
    ports::{AddressHashes, CreditClaimed, Directory, Outcome},
    throttle::Network,
    user::User,
};
use kit::Ports;

/// Dependencies.
pub struct CreditDeps {
    /// Hashes of addresses and networks.
    pub hashes: Arc<dyn AddressHashes>,
    /// The claims of mailboxes.
    pub directory: Arc<dyn Directory>,
}

impl CreditDeps {
    /// Of a function's ports.
    pub fn of(ports: &impl Ports) -> Self {
        Self { hashes: ports.address_hashes(), directory: ports.directory() }
    }

    /// The opening credit of a user. A request that is repeated gets the amount of the first one, and counts once.
    pub async fn decide(&self, user: &User, client: Option<IpAddr>, now: Timestamp) -> Outcome<MicroUsd> {
        let email = &user.primary_email;
        let network = self.hashes.network_hash(Network::of(client));
        let (network, hashes) = futures::try_join!(network, self.hashes.credit_hashes(email))?;
        let (network, organization) =
            (CreditCounter::Network(network), CreditCounter::Organization(hashes.organization));
        let claim = |amount| CreditClaim::new(hashes.mailbox, CreditGrant::SignUp, user.id, amount);
        let (amount, counters) = (sign_up_credit(email), [network, organization]);
        let counters = if email.is_company() { &counters[..] } else { &counters[..1] };
        let mut claimed = self.directory.grant_credit(&claim(amount), counters, now).await?;
        if claimed == CreditClaimed::OrganizationFull {
            let personal = claim(PERSONAL_SIGN_UP_CREDIT);
            claimed = self.directory.grant_credit(&personal, &[network], now).await?;
        }
        Ok(match claimed {
            CreditClaimed::Yes(amount) => amount,
            CreditClaimed::Taken | CreditClaimed::NetworkFull | CreditClaimed::OrganizationFull => {
                MicroUsd::ZERO
            }
        })
    }
}
