//! How many promo codes somebody can try in a day of UTC.

use domain::{
    Timestamp,
    id::UserId,
    ports::{Outcome, RateWindows},
    promotion::MOST_TRIES_A_DAY,
    throttle::{Wait, end_of_day},
};

/// Counts a promo code that a user tries. The second result is the wait until the next day, if this day's tries are used up.
pub async fn take(windows: &dyn RateWindows, user: UserId, now: Timestamp) -> Outcome<Result<(), Wait>> {
    let ends = end_of_day(now);
    let taken = windows.take(&format!("promo/{user}"), ends, 1, MOST_TRIES_A_DAY).await?;
    Ok(if taken.granted == 0 { Err(Wait::between(now, ends)) } else { Ok(()) })
}
