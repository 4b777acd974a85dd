//! How often a workspace may have the platform call Stripe in an hour, so that no workspace uses up the platform's rate limit there
//! ([rate limits](https://docs.stripe.com/rate-limits)).

use domain::{
    Timestamp,
    id::WorkspaceId,
    ports::{Outcome, RateWindows},
    throttle::{Wait, end_of_hour},
};
use kit::{Code, Problem};

/// A kind of request that calls Stripe.
#[derive(Clone, Copy)]
pub enum Allowance {
    /// Opens a page of Stripe, or changes something there.
    Changes,
    /// Reads from Stripe.
    Reads,
}

impl Allowance {
    /// The most requests in an hour.
    const fn most(self) -> u32 {
        match self {
            Self::Changes => 60,
            Self::Reads => 600,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Changes => "stripe",
            Self::Reads => "stripe-reads",
        }
    }

    /// Counts a request. The second result is the wait until the next hour, if this hour's requests are used up.
    pub async fn take(
        self,
        windows: &dyn RateWindows,
        workspace: WorkspaceId,
        now: Timestamp,
    ) -> Outcome<Result<(), Wait>> {
        let ends = end_of_hour(now);
        let name = format!("{}/{workspace}", self.name());
        let taken = windows.take(&name, ends, 1, self.most()).await?;
        Ok(if taken.granted == 0 { Err(Wait::between(now, ends)) } else { Ok(()) })
    }
}

/// The problem document about an allowance that is used up.
pub fn exhausted(wait: Wait) -> Problem {
    Problem {
        retry_after: Some(wait.seconds),
        ..Problem::new(Code::RateLimited, "This workspace did this too often in an hour. Try again later.")
    }
}
