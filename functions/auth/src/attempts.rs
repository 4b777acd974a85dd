//! Counting attempts at a password. On the account each is counted before it is judged, so that parallel guesses can't share
//! one count; on the network address, which many people may share, only those that fail are.

use std::net::IpAddr;

use domain::{
    Timestamp,
    ports::{Failure, Saved, Throttles},
    throttle::{Failures, PER_ACCOUNT, PER_ADDRESS, Policy, Wait},
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

/// The counters of an account and of the network address that an attempt comes from.
pub struct Counters {
    names: Vec<String>,
    seen: Vec<Failures>,
}

/// Reads the counters; nothing is counted yet.
pub async fn look(
    throttles: &dyn Throttles,
    account: &str,
    network: Option<IpAddr>,
) -> Result<Counters, Failure> {
    let names: Vec<String> = std::iter::once(account.to_owned()).chain(network.map(of_network)).collect();
    let seen = throttles.load(&names).await?;
    Ok(Counters { names, seen })
}

/// Counts an attempt on the account, or says how long to wait for that or for the network address.
pub async fn count(throttles: &dyn Throttles, counters: Counters, now: Timestamp) -> Result<(), Error> {
    let Counters { names, mut seen } = counters;
    let account = names.first().map(String::as_str).unwrap_or_default();
    loop {
        if let Some(network) = seen.get(1) {
            network.attempt(PER_ADDRESS, now).map_err(Error::TooMany)?;
        }
        let account_seen = seen.first().copied().unwrap_or_default();
        let counted = account_seen.attempt(PER_ACCOUNT, now).map_err(Error::TooMany)?;
        if throttles.save(account, account_seen, counted, PER_ACCOUNT.forgets_at(now)).await? == Saved::Yes {
            return Ok(());
        }
        seen = throttles.load(&names).await?;
    }
}

/// Counts an attempt that failed on the network address that it came from.
pub async fn failed(
    throttles: &dyn Throttles,
    network: Option<IpAddr>,
    now: Timestamp,
) -> Result<(), Failure> {
    let Some(name) = network.map(of_network) else { return Ok(()) };
    let policy: Policy = PER_ADDRESS;
    loop {
        let seen = throttles.load(std::slice::from_ref(&name)).await?.first().copied().unwrap_or_default();
        // Already slowed down: this attempt passed before that, so there is nothing to add.
        let Ok(counted) = seen.attempt(policy, now) else { return Ok(()) };
        if throttles.save(&name, seen, counted, policy.forgets_at(now)).await? == Saved::Yes {
            return Ok(());
        }
    }
}

fn of_network(network: IpAddr) -> String {
    format!("network/{network}")
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::TooMany(wait) => wait.into(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
