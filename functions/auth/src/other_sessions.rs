//! Ending the sessions that began before a password was set.

use domain::{
    Timestamp,
    id::{SessionId, UserId},
    ports::{Outcome, Sessions},
};

/// Number of sessions that one transaction ends.
const AT_ONCE: usize = 100;

/// Ends the sessions of a user that began until `at`, except one.
pub async fn end_begun_until(
    sessions: &dyn Sessions,
    user: UserId,
    at: Timestamp,
    except: Option<SessionId>,
) -> Outcome<()> {
    loop {
        let mut left = sessions.begun_until(user, at, AT_ONCE).await?;
        let is_last = left.len() < AT_ONCE;
        left.retain(|session| Some(*session) != except);
        if left.is_empty() {
            return Ok(());
        }
        sessions.end_several(user, &left).await?;
        if is_last {
            return Ok(());
        }
    }
}
