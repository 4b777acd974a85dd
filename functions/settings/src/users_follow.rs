//! `PATCH /api/users`: follows or unfollows the account of a user or team. Doing it twice changes nothing and answers the same.
//!
//! The relation stays in the caller's home region, where every request of the caller is answered.

use std::sync::Arc;

use domain::{
    directory::Name,
    domain_events::DomainEvent,
    follow::{FollowedHash, MOST},
    handle::Handle,
    id::WorkspaceId,
    ports::{Directory, Failure, Followed, Follows, Outcome, Workspaces},
    user::personal_workspace,
};
use kit::{
    Access, Body, Code, Endpoint, Output, PersonOrKey, Ports, Problem, RequestContext, Spec,
    grants::{directory, extras, follows, workspaces},
    spec,
    spec::Method::Patch,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::followers::follower_count;

/// Follows or unfollows an account.
pub struct FollowUser;

/// Dependencies.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    directory: Arc<dyn Directory>,
    follows: Arc<dyn Follows>,
}

/// The change.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowBody {
    /// The username of the account, ignoring case.
    #[serde(deserialize_with = "domain::handle::looked_up")]
    #[schemars(schema_with = "domain::handle::lookup_schema")]
    username: Handle,
    /// Whether to follow the account.
    followed: bool,
}

/// Whether the caller follows the account now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FollowState {
    /// Whether the caller follows the account.
    followed: bool,
    /// The number of the account's followers. Changes in other regions are included after a few seconds.
    follower_count: u64,
}
impl Output for FollowState {}

kit::errors! {
    pub enum Error from Failure {
        /// The person has not finished onboarding.
        NotOnboarded => Problem::onboarding_required(),
        /// The name is not in use.
        Nobody => Problem::not_found(),
        /// The account is the caller's own.
        Own => Problem::new(Code::Conflict, "You can't follow your own account."),
        /// The user follows the most accounts.
        LimitReached => Problem::new(
            Code::FollowLimitReached,
            format!("You can follow at most {MOST} accounts. Unfollow another account first."),
        ),
    }
}

impl Endpoint for FollowUser {
    const SPEC: Spec = spec("users-follow", Patch, "/api/users")
        .summary("Follow or unfollow a user or team")
        .access(Access::person_or_key())
        .problems(&[Code::OnboardingRequired, Code::NotFound, Code::Conflict, Code::FollowLimitReached])
        .uses(&[
            workspaces::BY_HANDLE,
            directory::FIND_HANDLE,
            directory::FOLLOWER_TOTALS,
            follows::FOLLOW,
            follows::UNFOLLOW,
            follows::FOLLOWERS,
            extras::MESSAGE,
        ]);
    type Caller = PersonOrKey;
    type Deps = Deps;
    type Input = Body<FollowBody>;
    type Output = FollowState;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces(), directory: ports.directory(), follows: ports.follows() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<PersonOrKey>,
        Body(FollowBody { username, followed }): Self::Input,
    ) -> Result<FollowState, Error> {
        let PersonOrKey { user, onboarded } = call.caller;
        if !onboarded {
            return Err(Error::NotOnboarded);
        }
        let account = account_of(deps, call, username).await?.ok_or(Error::Nobody)?;
        if account == personal_workspace(user) {
            return Err(Error::Own);
        }
        let account = FollowedHash::of(account);
        let extras = call.extras(None, Some(DomainEvent::FollowersChanged { followed: account }), account);
        if followed {
            if deps.follows.follow(user, account, call.now, extras).await? == Followed::LimitReached {
                return Err(Error::LimitReached);
            }
        } else {
            deps.follows.unfollow(user, account, extras).await?;
        }
        let count = follower_count(&*deps.follows, &*deps.directory, call.region, account).await?;
        Ok(FollowState { followed, follower_count: count })
    }
}

/// The account with this username: of this region, or of another as the directory says.
async fn account_of(
    deps: &Deps,
    call: &RequestContext<PersonOrKey>,
    username: Handle,
) -> Outcome<Option<WorkspaceId>> {
    if let Some(here) = deps.workspaces.by_handle(&username).await? {
        return Ok(Some(here));
    }
    let holder = deps.directory.find(&Name::Handle(username)).await?;
    let holder = holder.filter(|holder| holder.confirmed && holder.region != call.region);
    Ok(holder.and_then(|holder| holder.id.parse().ok()))
}
