//! Passwords that leaked elsewhere.

use async_trait::async_trait;

use crate::password::Password;

/// A service that knows breached passwords, beside the built-in filter. A deployment may have none.
#[async_trait]
pub trait BreachedPasswords: Send + Sync {
    /// Whether the service lists this password. `false` if it gives no answer: the filter has judged the password already, and
    /// an outage of a third party must not stop sign-ups and resets.
    async fn contains(&self, password: &Password) -> bool;
}
