//! How often a workspace may call Stripe in an hour, so that no workspace uses up the platform's rate limit there
//! ([rate limits](https://docs.stripe.com/rate-limits)).

use domain::{
    Timestamp,
    id::WorkspaceId,
    ports::{Outcome, RateWindows},
    throttle::{Wait, end_of_hour},
};
use kit::{Code, Problem};

/// The most requests in an hour that open a page of Stripe or change something there.
const MOST_AN_HOUR: u32 = 60;

/// Counts a request. The second result is the wait until the next hour, if this hour's requests are used up.
pub async fn take(
    windows: &dyn RateWindows,
    workspace: WorkspaceId,
    now: Timestamp,
) -> Outcome<Result<(), Wait>> {
    let ends = end_of_hour(now);
    let taken = windows.take(&format!("stripe/{workspace}"), ends, 1, MOST_AN_HOUR).await?;
    Ok(if taken.granted == 0 { Err(Wait::between(now, ends)) } else { Ok(()) })
}

/// What a client reads.
pub fn exhausted(wait: Wait) -> Problem {
    Problem {
        retry_after: Some(wait.seconds),
        ..Problem::new(
            Code::RateLimited,
            format!("A workspace can do this at most {MOST_AN_HOUR} times an hour. Try again later."),
        )
    }
}
