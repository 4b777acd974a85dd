//! Handling a message once, although it is delivered at least once.

use std::future::Future;

use domain::{
    id::MessageId,
    ports::{Consumed, Failure, MessageLease},
};
use jiff::{SignedDuration, Timestamp};

const LEASE: SignedDuration = SignedDuration::from_secs(60);
const REMEMBERED: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Does the work that a message asks for, unless `consumer` has done it; then the result is `None`. The message is leased
/// before the work and recorded after it, so the work is repeated only if the worker ends between the work and the record.
pub async fn once<T>(
    consumed: &dyn Consumed,
    consumer: &str,
    message: MessageId,
    now: Timestamp,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    let until = |duration| now.saturating_add(duration).unwrap_or(Timestamp::MAX);
    match consumed.claim(consumer, message, now, until(LEASE)).await? {
        MessageLease::Taken => {}
        MessageLease::Done => return Ok(None),
        MessageLease::Busy => return Err(Failure::Raced),
    }
    let done = match work.await {
        Ok(done) => done,
        Err(failure) => {
            // Release the lease, so that the next attempt need not wait for its end. If this fails, the attempt waits.
            let _ = consumed.release(consumer, message).await;
            return Err(failure);
        }
    };
    consumed.done(consumer, message, until(REMEMBERED)).await?;
    Ok(Some(done))
}
