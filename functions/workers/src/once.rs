//! Messages come at least once, and what they call for is done once.

use std::future::Future;

use domain::{
    id::MessageId,
    ports::{Claim, Consumed, Failure},
};
use jiff::{SignedDuration, Timestamp};

const LEASE: SignedDuration = SignedDuration::from_secs(60);
const REMEMBERED: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Does what a message calls for, unless `consumer` has done it. The message is taken with a lease before and noted
/// afterwards: it is done twice only if the worker dies between doing and noting. None if it was done before.
pub async fn once<T>(
    consumed: &dyn Consumed,
    consumer: &str,
    message: MessageId,
    now: Timestamp,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    let until = |duration| now.saturating_add(duration).unwrap_or(Timestamp::MAX);
    match consumed.claim(consumer, message, now, until(LEASE)).await? {
        Claim::Taken => {}
        Claim::Done => return Ok(None),
        Claim::Busy => return Err(Failure::Raced),
    }
    let done = match work.await {
        Ok(done) => done,
        Err(failure) => {
            // Let go, so that the next try need not wait for the lease; if this fails too, it waits.
            let _ = consumed.release(consumer, message).await;
            return Err(failure);
        }
    };
    consumed.done(consumer, message, until(REMEMBERED)).await?;
    Ok(Some(done))
}
