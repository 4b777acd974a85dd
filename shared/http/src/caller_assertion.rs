//! What a region says about the caller of a request that it forwards.

use domain::{handle::Handle, id::UserId, region::Region, user::EmailHash};
use serde::{Deserialize, Serialize};

/// What the sender of a forwarded request read about its caller. Nothing: the receiver reads the request's credentials itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerAssertion {
    /// The caller, in a workspace of the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<DelegatedCaller>,
    /// The caller, in no workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// Whether the caller follows the account that the request names, at an endpoint for anyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<bool>,
}

impl CallerAssertion {
    /// Whether the sender read nothing about the caller.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// A caller in a workspace of the receiver.
    pub fn of_caller(caller: DelegatedCaller) -> Self {
        Self { caller: Some(caller), ..Self::default() }
    }

    /// A caller in no workspace.
    pub fn of_guest(guest: Guest) -> Self {
        Self { guest: Some(guest), ..Self::default() }
    }

    /// Whether the caller follows the account that the request names.
    pub fn of_following(follows: bool) -> Self {
        Self { follows: Some(follows), ..Self::default() }
    }
}

/// A caller that the session's home region authenticated, in a workspace of another region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegatedCaller {
    /// The user.
    pub user: UserId,
    /// The handle of the workspace in which the caller acts.
    pub owner: String,
    /// Whether the caller stepped up recently.
    pub stepped_up: bool,
}

/// A person whose home is another region, which authenticated them. Of these facts, only the id, the username and the region may be
/// stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    /// The user.
    pub user: UserId,
    /// The home region.
    pub home: Region,
    /// The username; absent before onboarding.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "domain::handle::optional_existing"
    )]
    pub handle: Option<Handle>,
    /// Whether the person stepped up recently.
    pub stepped_up: bool,
    /// The hashes of the verified addresses, where the receiver needs to know whether one of them is the person's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<EmailHash>,
}
