//! Callers that another region authenticated.

use domain::id::UserId;
use serde::{Deserialize, Serialize};

/// A caller that the session's home region authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegatedCaller {
    /// The user.
    pub user: UserId,
    /// The handle of the workspace in which the caller acts.
    pub owner: String,
    /// Whether the caller stepped up recently.
    pub stepped_up: bool,
}
