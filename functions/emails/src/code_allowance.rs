//! The limits on codes for addresses that hold over all accounts. Anybody can add any address to an account, so they protect
//! the people who receive the codes, and the service that sends them.

use domain::{
    Timestamp,
    ports::{Outcome, RateWindows},
    source::PER_ADDRESS,
    throttle::{NetworkLimit, Wait},
    user::EmailHash,
};
use kit::mail_allowance;

/// Counts a code that is to be sent to `address`. The second result is the wait, if a limit is reached.
pub async fn take(
    windows: &dyn RateWindows,
    address: EmailHash,
    now: Timestamp,
) -> Outcome<Result<(), Wait>> {
    let (ends, most) = (NetworkLimit::window_end(now), u32::try_from(PER_ADDRESS).unwrap_or(u32::MAX));
    let taken = windows.take(&format!("address-code/{address}"), ends, 1, most).await?;
    if taken.granted == 0 {
        return Ok(Err(Wait::between(now, ends)));
    }
    mail_allowance::take(windows, now).await
}
