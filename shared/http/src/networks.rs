//! Limits on the requests of one network, in the region that the client talks to. That region forwards requests to all others, so
//! the limit covers all regions.
//!
//! Most limits count requests in windows of an hour, by one update each. The limit on sign-ins counts failures only. A network
//! that used up its sign-ins is not refused here: the account's home region still accepts known devices.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use domain::{
    Timestamp,
    id::RequestId,
    ports::Outcome,
    throttle::{Network, NetworkLimit, PER_NETWORK, Settled, Wait},
};

use crate::{
    attempts::{AttemptError, CountedAttempt, Counter},
    services::Services,
    stop::Stop,
};

/// The longest that an answer waits for its attempt to be settled.
const SETTLES_WITHIN: Duration = Duration::from_millis(300);

/// The part of its network's limit that a request holds.
#[derive(Default)]
pub(crate) enum Admission {
    /// Nothing: there is no limit, or the request was counted.
    #[default]
    Counted,
    /// A try, to be settled when the request is answered.
    Reserved(Counter),
    /// The limit is used up, and the handler decides.
    Spent(Wait),
}

impl Admission {
    /// The wait, if the handler decides.
    pub(crate) fn wait(&self) -> Option<Wait> {
        match self {
            Self::Spent(wait) => Some(*wait),
            Self::Counted | Self::Reserved(_) => None,
        }
    }
}

/// Counts a request on its network, or refuses it.
pub(crate) async fn admit(
    services: &Services,
    limit: NetworkLimit,
    client: Option<IpAddr>,
    (request, now, deadline): (RequestId, Timestamp, Instant),
) -> Result<Admission, Stop> {
    let name = limit.counter(services.addresses.network_hash(Network::of(client)).await?);
    let known = services.refused.wait(&name, now);
    match limit.per_window() {
        Some(most) => {
            let wait = match known {
                Some(wait) => Some(wait),
                None => take(services, &name, most, now).await?,
            };
            let Some(wait) = wait else { return Ok(Admission::Counted) };
            services.refused.remember(&name, wait, now);
            Err(wait.into())
        }
        None => {
            if let Some(wait) = known {
                return Ok(Admission::Spent(wait));
            }
            let counter = Counter { name, policy: PER_NETWORK };
            match attempt(services, request, now, deadline).reserve(&counter, Default::default(), None).await
            {
                Ok(()) => Ok(Admission::Reserved(counter)),
                Err(AttemptError::TooMany(wait)) => {
                    services.refused.remember(&counter.name, wait, now);
                    Ok(Admission::Spent(wait))
                }
                Err(AttemptError::Failed(failure)) => Err(failure.into()),
            }
        }
    }
}

/// Takes one request from the current window, or returns the wait until the next.
async fn take(services: &Services, name: &str, most: u32, now: Timestamp) -> Outcome<Option<Wait>> {
    let ends = NetworkLimit::window_end(now);
    let taken = services.windows.take(name, ends, 1, most).await?;
    Ok((taken.granted == 0).then(|| Wait::between(now, ends)))
}

/// Settles a request's reservation, once its attempt succeeded or failed. An error leaves the reservation, which expires later;
/// the answer stays the same.
pub(crate) async fn settle(services: &Services, admission: Admission, request: RequestId, failed: bool) {
    let Admission::Reserved(counter) = admission else { return };
    let settled = if failed { Settled::Failed } else { Settled::Withdrawn };
    let attempt = attempt(services, request, services.clock.now(), Instant::now());
    let _ = tokio::time::timeout(SETTLES_WITHIN, attempt.settle(&counter, settled)).await;
}

fn attempt(services: &Services, request: RequestId, now: Timestamp, until: Instant) -> CountedAttempt<'_> {
    CountedAttempt { throttles: &*services.throttles, entropy: &*services.entropy, request, now, until }
}
