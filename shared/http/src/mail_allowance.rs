//! The limit on mails that strangers can cause in a region, over all addresses and networks. It protects the SES account:
//! without it, many networks could use up the sending quota that owners' mails need.

use domain::{
    Timestamp,
    ports::{Outcome, RateWindows},
    throttle::{NetworkLimit, Wait},
};

/// Mails an hour: 48,000 a day, just below the quota that SES gives a new production account (50,000).
const PER_HOUR: u32 = 2_000;

/// Counts a mail that a stranger causes. The second result is the wait until the next hour, if this hour's are used up.
///
/// A request counts whether or not its address has an account, so a refusal reveals neither.
pub async fn take(windows: &dyn RateWindows, now: Timestamp) -> Outcome<Result<(), Wait>> {
    let ends = NetworkLimit::window_end(now);
    let taken = windows.take("mail/strangers", ends, 1, PER_HOUR).await?;
    Ok(if taken.granted == 0 { Err(Wait::between(now, ends)) } else { Ok(()) })
}
