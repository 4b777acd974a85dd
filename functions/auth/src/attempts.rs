//! Counters of sign-in attempts. Wrong passwords of strangers must not lock out the owner, so attempts count per
//! source: per account and known device, or per account and network, with a much larger limit for all unknown devices
//! together.

use domain::{
    Timestamp,
    device::DeviceToken,
    ports::{Outcome, Throttles},
    throttle::{Failures, NetworkHash, PER_ACCOUNT, PER_SOURCE, Settled},
    user::EmailHash,
};
use kit::{AttemptError, RequestContext, attempts::Counter};

/// The counters of a sign-in attempt, as read.
pub struct Counters {
    account: (Counter, Failures),
    network: (Counter, Failures),
    device: Option<(Counter, Failures)>,
}

/// The tries that an attempt holds.
pub struct Tries(Vec<Counter>);

impl Counters {
    /// Reads the counters without counting.
    pub async fn read(
        throttles: &dyn Throttles,
        address: EmailHash,
        network: NetworkHash,
        device: Option<&DeviceToken>,
    ) -> Outcome<Self> {
        let name = of_account(address);
        let network = Counter { name: format!("{name}/network/{network}"), policy: PER_SOURCE };
        let device = device
            .map(|device| Counter { name: format!("{name}/device/{}", device.session), policy: PER_SOURCE });
        let account = Counter { name, policy: PER_ACCOUNT };
        let all = [&account, &network].into_iter().chain(&device);
        let names: Vec<String> = all.map(|counter| counter.name.clone()).collect();
        let mut seen = throttles.load(&names).await?.into_iter();
        let mut seen = || seen.next().unwrap_or_default();
        Ok(Self {
            account: (account, seen()),
            network: (network, seen()),
            device: device.map(|device| (device, seen())),
        })
    }

    /// Reserves a try: on the counter of a known device of the account, or on the counters of the network and the account.
    pub async fn reserve<C>(
        self,
        throttles: &dyn Throttles,
        call: &RequestContext<C>,
        is_known: bool,
    ) -> Result<Tries, AttemptError> {
        let forgiven = self.account.1.forgiven;
        let wanted = match self.device.filter(|_| is_known) {
            Some(device) => vec![device],
            None => vec![self.network, self.account],
        };
        reserve_all(throttles, call, wanted, forgiven).await
    }
}

async fn reserve_all<C>(
    throttles: &dyn Throttles,
    call: &RequestContext<C>,
    wanted: Vec<(Counter, Failures)>,
    forgiven: Option<Timestamp>,
) -> Result<Tries, AttemptError> {
    let mut tries = Tries(Vec::with_capacity(wanted.len()));
    for (counter, seen) in wanted {
        if let Err(refused) = call.attempt(throttles).reserve(&counter, seen, forgiven).await {
            tries.settle(throttles, call, Settled::Withdrawn).await?;
            return Err(refused);
        }
        tries.0.push(counter);
    }
    Ok(tries)
}

impl Tries {
    /// Settles the attempt.
    pub async fn settle<C>(
        self,
        throttles: &dyn Throttles,
        call: &RequestContext<C>,
        settled: Settled,
    ) -> Outcome<()> {
        let attempt = call.attempt(throttles);
        let all = self.0.iter().map(|counter| attempt.settle(counter, settled));
        futures::future::try_join_all(all).await.map(|_| ())
    }
}

/// The counter of all sign-in attempts with an email address from unknown devices.
pub fn of_account(address: EmailHash) -> String {
    format!("sign-in/{address}")
}
