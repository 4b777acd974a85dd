//! Counting attempts at a password: on the account and on the network address, each before it is judged.

use std::net::IpAddr;

use domain::{
    Timestamp,
    ports::{Failure, Saved, Throttles},
    throttle::{self, Failures, Policy, Wait},
};
use kit::Problem;

/// Why an attempt may not be judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many came before it.
    #[error("too many attempts")]
    TooMany(Wait),
    /// It could not be counted.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Counts an attempt on `account` and on the network address that it came from, or says how long to wait.
pub async fn count(
    throttles: &dyn Throttles,
    account: &str,
    network: Option<IpAddr>,
    now: Timestamp,
) -> Result<(), Error> {
    let network = network.map(|network| format!("network/{network}"));
    let names: Vec<String> = std::iter::once(account.to_owned()).chain(network).collect();
    loop {
        let seen = throttles.load(&names).await?;
        let counted = (names.iter().zip(seen).zip([throttle::PER_ACCOUNT, throttle::PER_ADDRESS]))
            .map(|((name, seen), policy)| Ok((name, seen, seen.attempt(policy, now)?, policy)))
            .collect::<Result<Vec<(&String, Failures, Failures, Policy)>, Wait>>()
            .map_err(Error::TooMany)?;
        let saves = counted
            .iter()
            .map(|(name, seen, counted, policy)| throttles.save(name, *seen, *counted, policy.forgets_at(now)));
        let saved = futures::future::try_join_all(saves).await?;
        if saved.iter().all(|saved| *saved == Saved::Yes) {
            return Ok(());
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::TooMany(wait) => wait.into(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
